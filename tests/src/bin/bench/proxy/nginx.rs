//! nginx, twice: as the backend of every form, and as the proxy that all are compared with.
//!
//! Each of its processes is one without a master, because a worker would outlive the master that the harness kills. Two that
//! share a port are what two workers with `reuseport` are.
//!
//! Left out on purpose: what it could cache. A proxy of sessions caches nothing.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use remora_tests::process::Process;

use super::contender::{Listens, Place, pinned, text};
use super::form::{LARGE_PAGE_BYTES, PAGE_BYTES};
use crate::wrk::installed;

/// What it keeps of an upload in memory: all of it, for else it writes a file.
const UPLOAD_BUFFER: &str = "128k";

/// Clients and upstreams of one process, unless there are more clients.
const CONNECTIONS_LEAST: usize = 1_024;

/// Starts a backend on each of these cores, all at one address.
///
/// It answers an upload once it has come whole: only what looks at a body, as `mirror` does, makes nginx read it first.
pub(super) fn backends(directory: &Path, at: SocketAddr, cores: &[&'static str]) -> Result<Vec<Process>> {
    let servers = format!(
        "  server {{ listen {at} reuseport backlog=4096; access_log off; root html; client_max_body_size 1m; client_body_buffer_size {UPLOAD_BUFFER};\n    \
         location = /upload {{ mirror /seen; error_page 405 =200 /page; }}\n    \
         location = /seen {{ internal; return 204; }} }}\n"
    );
    let start = |(number, core): (usize, &&'static str)| {
        let home = directory.join(format!("backend-{number}"));
        std::fs::create_dir_all(home.join("html"))?;
        std::fs::write(home.join("html/page"), vec![b'x'; PAGE_BYTES])?;
        std::fs::write(home.join("html/large"), vec![b'x'; LARGE_PAGE_BYTES])?;
        std::fs::write(home.join("html/upload"), "")?;
        start("backend", &home, core, CONNECTIONS_LEAST, &servers)
    };
    cores.iter().enumerate().map(start).collect()
}

/// Starts it as a proxy, in as many processes as threads are asked for.
pub(super) fn proxies(place: Place<'_>, at: Listens, log: bool) -> Result<Vec<Process>> {
    let log = match log {
        true => "access.log combined buffer=32k flush=1s",
        false => "off",
    };
    let servers = format!(
        "  upstream tomcat {{ server {}; keepalive 128; keepalive_requests 1000000; }}\n  \
         server {{ listen {} reuseport backlog=4096; listen {} ssl http2 reuseport backlog=4096; ssl_certificate {}; ssl_certificate_key {}; \
         ssl_protocols TLSv1.2 TLSv1.3; access_log {log}; client_body_buffer_size {UPLOAD_BUFFER}; \
         location / {{ proxy_pass http://tomcat; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n",
        place.backend,
        at.clear,
        at.secured,
        text(&place.identity.cert)?,
        text(&place.identity.key)?,
    );
    let start = |number: usize| {
        let home = place
            .directory
            .join(format!("nginx-{log}-{number}", log = log.len()));
        start(
            "nginx",
            &home,
            place.cores,
            place.clients + CONNECTIONS_LEAST,
            &servers,
        )
    };
    (0..place.threads).map(start).collect()
}

fn start(name: &str, home: &Path, cores: &str, connections: usize, servers: &str) -> Result<Process> {
    std::fs::create_dir_all(home)?;
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{ worker_connections {connections}; }}\n\
         http {{\n  keepalive_requests 1000000;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  \
         fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n{servers}}}\n"
    );
    std::fs::write(home.join("nginx.conf"), configuration)?;
    let program = installed("nginx").context("nginx is not installed (tools/prerequisites bench-proxy)")?;
    let home_text = home.to_str().context("a path that is not UTF-8")?;
    pinned(
        name,
        cores,
        &program,
        &home.join("log"),
        &["-p", home_text, "-c", "nginx.conf"],
    )
}
