//! How those beside nginx are set up: their files and their command lines.
//!
//! Left out on purpose: why they are so, which [`contender`](super::contender) says for all.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use remora_tests::place::{program, repository};
use remora_tests::process::Process;

use super::contender::{Listens, PINGORA, Place, pinned, present, text};

/// Where Debian's package has httpd's modules.
const HTTPD_MODULES: &str = "/usr/lib/apache2/modules";

/// HAProxy in one process. It bounds connections by the limit on open files, two for each: more than idle ones need.
pub(super) fn haproxy(place: Place<'_>, at: Listens) -> Result<Process> {
    let configuration = format!(
        "global\n  nbthread {}\n  maxconn {}\n  no strict-limits\n  log ring@requests format raw local0\n\
         ring requests\n  format raw\n  maxlen 1200\n  size 4194304\n\
         defaults\n  mode http\n  log global\n  option httplog\n  http-reuse always\n  \
         timeout connect 1s\n  timeout client 60s\n  timeout http-keep-alive 75s\n  timeout server 60s\n\
         frontend clients\n  bind {}\n  bind {} ssl crt {} alpn h2,http/1.1\n  default_backend tomcat\n\
         backend tomcat\n  server n1 {}\n",
        place.threads,
        place.clients + 1_024,
        at.clear,
        at.secured,
        text(&place.identity.both)?,
        place.backend
    );
    let file = place.directory.join("haproxy.cfg");
    std::fs::write(&file, configuration)?;
    let log = place.directory.join("haproxy.log");
    pinned(
        "haproxy",
        place.cores,
        &present("haproxy")?,
        &log,
        &["-db", "-f", &text(&file)?],
    )
}

/// httpd in one process with its event module: as many threads as clients ask at a time, and idle ones besides.
pub(super) fn httpd(place: Place<'_>, at: Listens) -> Result<Process> {
    let home = place.directory.join("httpd");
    std::fs::create_dir_all(&home)?;
    let here = home.display();
    let modules: String = ["mpm_event", "authz_core", "proxy", "proxy_http", "ssl", "http2"]
        .map(|module| format!("LoadModule {module}_module {HTTPD_MODULES}/mod_{module}.so\n"))
        .concat();
    let configuration = format!(
        "ServerRoot {here}\nPidFile {here}/pid\nDefaultRuntimeDir {here}\n{modules}\
         ServerName localhost\nErrorLog {here}/errors\nListen {}\nListen {} https\nProtocols h2 http/1.1\n\
         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\n\
         BufferedLogs On\nCustomLog {here}/access combined\n\
         KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 75\n\
         StartServers 1\nServerLimit 1\nThreadLimit {HTTPD_THREADS}\nThreadsPerChild {HTTPD_THREADS}\nMaxRequestWorkers {HTTPD_THREADS}\n\
         MinSpareThreads 1\nMaxSpareThreads {HTTPD_THREADS}\nAsyncRequestWorkerFactor {HTTPD_IDLE_EACH}\n\
         ProxyPass / http://{}/ keepalive=On\n\
         <VirtualHost {}>\n  SSLEngine on\n  SSLCertificateFile {}\n  SSLCertificateKeyFile {}\n</VirtualHost>\n",
        at.clear,
        at.secured,
        place.backend,
        at.secured,
        text(&place.identity.cert)?,
        text(&place.identity.key)?,
    );
    let file = home.join("httpd.conf");
    std::fs::write(&file, configuration)?;
    let arguments = ["-X", "-f", &text(&file)?];
    pinned(
        "httpd",
        place.cores,
        &present("apache2")?,
        &home.join("log"),
        &arguments,
    )
}

/// Threads of httpd: one for each client of the widest form, for each waits for its answer; and some more, for where none is
/// free it closes connections that others would keep.
const HTTPD_THREADS: usize = 192;

/// Idle connections that httpd takes for each thread that is free: all of ten thousand.
const HTTPD_IDLE_EACH: usize = 128;

pub(super) fn pingora(place: Place<'_>, at: SocketAddr) -> Result<Process> {
    let program = repository().join(PINGORA[0]);
    if !program.is_file() {
        bail!("{} is not built: `make bench-proxy` builds it", program.display());
    }
    let (log, words) = (
        place.directory.join("pingora-access.log"),
        place.directory.join("pingora.log"),
    );
    let arguments = [
        at.to_string(),
        place.backend.to_string(),
        place.threads.to_string(),
        text(&log)?,
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    pinned("pingora", place.cores, &program, &words, &arguments)
}

/// Ours with its defaults, and room for as many clients as come; with its operators' address, and more lines of their table.
pub(super) fn ours(place: Place<'_>, at: Listens, (control, more): (SocketAddr, &str)) -> Result<Process> {
    let (file, log) = (
        place.directory.join("proxy.toml"),
        place.directory.join("remora-access.log"),
    );
    let configuration = format!(
        "threads = {}\naccess_log = \"{}\"\n[[listen]]\nbind = \"{}\"\n\
         [[listen]]\nbind = \"{}\"\ntls = {{ cert = \"{}\", key = \"{}\" }}\n[pool.tomcat]\nsticky = {{ session = \"JSESSIONID\" }}\n\
         health = {{ path = \"/page\" }}\n[[pool.tomcat.member]]\nurl = \"http://{}\"\nroute = \"n1\"\n\
         [[route]]\npath = \"/\"\nto = \"tomcat\"\n[control]\nbind = \"{control}\"\n{more}[limits]\nconnections = {}\nconnections_per_address = 0\n",
        place.threads,
        text(&log)?,
        at.clear,
        at.secured,
        text(&place.identity.cert)?,
        text(&place.identity.key)?,
        place.backend,
        place.clients.max(OURS_CLIENTS) + 1_024
    );
    std::fs::write(&file, configuration)?;
    let words = place.directory.join("remora.log");
    pinned(
        "ours",
        place.cores,
        &program("remora-proxy")?,
        &words,
        &["--config", &text(&file)?],
    )
}

/// Clients that ours takes by itself.
const OURS_CLIENTS: usize = 10_000;
