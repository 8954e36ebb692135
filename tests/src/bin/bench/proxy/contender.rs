//! Who is measured, and how each is set up: as a careful operator would have it, alike where they can be.
//!
//! Invariants: all keep connections on both sides, without a bound on how many requests a connection carries · all but the first
//! nginx note each request, none with a system call each: nginx, httpd, pingora and ours in batches of 32 KiB or so to a file,
//! HAProxy, which only sends lines elsewhere, into a ring of its memory · ours has its defaults, so it also checks its upstream,
//! counts, and adds X-Forwarded-For and the like, which nobody else is asked for.
//!
//! Left out on purpose: tuning of one that the others cannot have.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use remora_tests::http::Browser;
use remora_tests::place::{free_port, program, repository};
use remora_tests::process::Process;
use remora_tests::stores::loopback;
use remora_tests::wait_until;

use super::{locked_version, nginx};
use crate::wrk::installed;

/// Where `make bench-proxy` builds pingora's program, and what it was built from.
const PINGORA: [&str; 2] = [
    "target/peers/release/peer-pingora",
    "tests/peers/pingora/Cargo.lock",
];

/// Where Debian's package has httpd's modules.
const HTTPD_MODULES: &str = "/usr/lib/apache2/modules";

/// How long a contender may take until it answers: ours waits for a verdict on its upstream.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A proxy under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// nginx that notes nothing.
    Nginx,
    /// nginx with an access log.
    NginxLogging,
    Haproxy,
    Httpd,
    Pingora,
    Ours,
}

/// What a contender is set up for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Where its files go.
    pub(super) directory: &'a Path,
    /// What it passes requests to.
    pub(super) backend: SocketAddr,
    /// Its threads, and where they run.
    pub(super) threads: usize,
    pub(super) cores: &'static str,
    /// Clients that are connected at a time.
    pub(super) clients: usize,
}

/// One that runs.
pub(super) struct Running {
    pub(super) who: Contender,
    pub(super) address: SocketAddr,
    processes: Vec<Process>,
}

impl Running {
    /// All of its processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }
}

impl Contender {
    /// All of them, in the order in which they take turns.
    pub(super) const ALL: [Contender; 6] = [
        Contender::Nginx,
        Contender::NginxLogging,
        Contender::Haproxy,
        Contender::Httpd,
        Contender::Pingora,
        Contender::Ours,
    ];

    /// As the tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Contender::Nginx => "nginx, no log",
            Contender::NginxLogging => "nginx",
            Contender::Haproxy => "HAProxy",
            Contender::Httpd => "httpd",
            Contender::Pingora => "pingora",
            Contender::Ours => "remora-proxy",
        }
    }

    /// As WITH calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Contender::Nginx => "nginx-no-log",
            Contender::NginxLogging => "nginx",
            Contender::Haproxy => "haproxy",
            Contender::Httpd => "httpd",
            Contender::Pingora => "pingora",
            Contender::Ours => "remora",
        }
    }

    /// Its name and version.
    pub(super) fn version(self) -> Result<String> {
        let (program, flag, name) = match self {
            Contender::Nginx | Contender::NginxLogging => ("nginx", "-v", "nginx"),
            Contender::Haproxy => ("haproxy", "-v", "HAProxy"),
            Contender::Httpd => ("apache2", "-v", "httpd"),
            Contender::Pingora => {
                return Ok(format!("pingora {}", locked_version(PINGORA[1], "pingora-core")?));
            }
            Contender::Ours => return Ok(format!("remora-proxy {}", env!("CARGO_PKG_VERSION"))),
        };
        let output = Command::new(present(program)?).arg(flag).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let number =
            |word: &&str| word.contains(|letter: char| letter.is_ascii_digit()) && word.contains('.');
        let version = said.split_whitespace().find(number).unwrap_or("of no version");
        Ok(format!(
            "{name} {}",
            version.rsplit('/').next().unwrap_or(version)
        ))
    }

    /// Starts it and waits until it passes requests on.
    ///
    /// # Errors
    /// When it is not there, or does not answer in time.
    pub(super) fn start(self, place: Place<'_>) -> Result<Running> {
        let at = loopback(free_port()?);
        let started = match self {
            Contender::Nginx | Contender::NginxLogging => nginx::proxies(
                place.directory,
                (at, place.backend),
                (place.threads, place.cores),
                place.clients,
                self == Contender::NginxLogging,
            ),
            Contender::Haproxy => haproxy(place, at).map(|process| vec![process]),
            Contender::Httpd => httpd(place, at).map(|process| vec![process]),
            Contender::Pingora => pingora(place, at).map(|process| vec![process]),
            Contender::Ours => ours(place, at).map(|process| vec![process]),
        };
        let processes = started.with_context(|| format!("start {}", self.name()))?;
        answers(at).with_context(|| {
            let last: Vec<String> = processes.iter().map(Process::tail).collect();
            format!("{}: {}", self.name(), last.concat())
        })?;
        Ok(Running {
            who: self,
            address: at,
            processes,
        })
    }
}

/// Waits until somebody gives the page there.
pub(super) fn answers(at: SocketAddr) -> Result<()> {
    let up = || {
        Browser::new(at)
            .get("/page")
            .is_ok_and(|answer| answer.status == 200)
    };
    wait_until(&format!("{at} to answer"), STARTS_WITHIN, up).map(drop)
}

/// Starts a program on these cores.
pub(super) fn pinned(
    name: &str,
    cores: &str,
    program: &Path,
    log: &Path,
    arguments: &[&str],
) -> Result<Process> {
    let program = text(program)?;
    Process::start(name, Path::new("taskset"), log, |command| {
        command.args(["-c", cores]).arg(program).args(arguments);
    })
}

fn present(program: &str) -> Result<PathBuf> {
    installed(program)
        .with_context(|| format!("{program} is not installed (tools/prerequisites bench-proxy)"))
}

fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .context("a path that is not UTF-8")
}

/// HAProxy in one process. It bounds connections by the limit on open files, two for each: more than idle ones need.
fn haproxy(place: Place<'_>, at: SocketAddr) -> Result<Process> {
    let configuration = format!(
        "global\n  nbthread {}\n  maxconn {}\n  no strict-limits\n  log ring@requests format raw local0\n\
         ring requests\n  format raw\n  maxlen 1200\n  size 4194304\n\
         defaults\n  mode http\n  log global\n  option httplog\n  http-reuse always\n  \
         timeout connect 1s\n  timeout client 60s\n  timeout http-keep-alive 75s\n  timeout server 60s\n\
         frontend clients\n  bind {at}\n  default_backend tomcat\n\
         backend tomcat\n  server n1 {}\n",
        place.threads,
        place.clients + 1_024,
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
fn httpd(place: Place<'_>, at: SocketAddr) -> Result<Process> {
    let home = place.directory.join("httpd");
    std::fs::create_dir_all(&home)?;
    let here = home.display();
    let modules: String = ["mpm_event", "authz_core", "proxy", "proxy_http"]
        .map(|module| format!("LoadModule {module}_module {HTTPD_MODULES}/mod_{module}.so\n"))
        .concat();
    let configuration = format!(
        "ServerRoot {here}\nPidFile {here}/pid\nDefaultRuntimeDir {here}\n{modules}\
         ServerName localhost\nErrorLog {here}/errors\nListen {at}\n\
         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\n\
         BufferedLogs On\nCustomLog {here}/access combined\n\
         KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 75\n\
         StartServers 1\nServerLimit 1\nThreadLimit {HTTPD_THREADS}\nThreadsPerChild {HTTPD_THREADS}\nMaxRequestWorkers {HTTPD_THREADS}\n\
         MinSpareThreads 1\nMaxSpareThreads {HTTPD_THREADS}\nAsyncRequestWorkerFactor {HTTPD_IDLE_EACH}\n\
         ProxyPass / http://{}/ keepalive=On\n",
        place.backend
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

fn pingora(place: Place<'_>, at: SocketAddr) -> Result<Process> {
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

/// Ours with its defaults, and room for as many clients as come.
fn ours(place: Place<'_>, at: SocketAddr) -> Result<Process> {
    let (file, log) = (
        place.directory.join("proxy.toml"),
        place.directory.join("remora-access.log"),
    );
    let configuration = format!(
        "threads = {}\naccess_log = \"{}\"\n[[listen]]\nbind = \"{at}\"\n[pool.tomcat]\nsticky = {{ session = \"JSESSIONID\" }}\n\
         health = {{ path = \"/page\" }}\n[[pool.tomcat.member]]\nurl = \"http://{}\"\nroute = \"n1\"\n\
         [[route]]\npath = \"/\"\nto = \"tomcat\"\n[control]\nbind = \"{}\"\n[limits]\nconnections = {}\nconnections_per_address = 0\n",
        place.threads,
        text(&log)?,
        place.backend,
        loopback(free_port()?),
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
