//! Proxied GETs of 1 KiB: nginx and remora-proxy in turn, before the same backend, under the same load.
//!
//! The proxy has one core for itself; the load and the backend share the other, so a proxy that is quick enough sleeps,
//! and the sleeps are in the table. Both proxies have one thread, keep connections alive on both sides, and write an
//! access log in batches; ours also checks its upstream and counts.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use remora_tests::http::Browser;
use remora_tests::place::{free_port, program};
use remora_tests::process::Process;
use remora_tests::stores::loopback;
use remora_tests::wait_until;

use crate::cpu::Usage;
use crate::table::Table;
use crate::wrk::{CONNECTIONS, installed, load};

/// Seconds of each measurement.
const MEASURE_SECONDS: u64 = 6;

/// Rounds in which the proxies take turns, so that a noisy minute meets both.
const ROUNDS: usize = 3;

/// Size of the answers.
const BODY_BYTES: usize = 1_024;

/// Measures, or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let (Some(nginx), Some(_)) = (installed("nginx"), installed("wrk")) else {
        let missing = "nginx and wrk must be installed (tools/prerequisites bench)";
        table.row(["proxied 1 KiB GET", "", "", "", "", missing].map(String::from));
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let (backend, peer, ours, control) = (address()?, address()?, address()?, address()?);
    let _backend = start_nginx(
        &nginx,
        directory.path(),
        "backend",
        "1",
        &backend_configuration(backend),
    )?;
    let peer_process = start_nginx(
        &nginx,
        directory.path(),
        "peer",
        "0",
        &peer_configuration(peer, backend),
    )?;
    let ours_process = start_ours(directory.path(), ours, control, backend)?;
    for at in [backend, peer, ours] {
        let up = || {
            Browser::new(at)
                .get("/page")
                .is_ok_and(|answer| answer.status == 200)
        };
        wait_until(&format!("{at} to answer"), std::time::Duration::from_secs(10), up)?;
    }
    for _ in 0..ROUNDS {
        row(table, "nginx", peer, &[peer_process.id()])?;
        row(table, "remora-proxy", ours, &[ours_process.id()])?;
    }
    Ok(())
}

fn row(table: &mut Table, who: &str, at: SocketAddr, pids: &[u32]) -> Result<()> {
    let before = Usage::of(pids)?;
    let seen = load(&format!("http://{at}/page"), MEASURE_SECONDS, CONNECTIONS, None)?;
    let used = Usage::of(pids)?.since(before);
    table.row([
        "proxied 1 KiB GET".into(),
        who.into(),
        format!("{:.0}/s", seen.rate),
        format!("{:.1} us", used.microseconds_each(seen.answers)),
        format!("{:.2}", used.sleeps_each(seen.answers)),
        seen.latency,
    ]);
    Ok(())
}

fn address() -> Result<SocketAddr> {
    Ok(loopback(free_port()?))
}

fn start_nginx(nginx: &Path, directory: &Path, name: &str, core: &str, servers: &str) -> Result<Process> {
    let home = directory.join(name);
    std::fs::create_dir_all(home.join("html"))?;
    std::fs::write(home.join("html/page"), vec![b'x'; BODY_BYTES])?;
    // One process without a master: a worker would outlive the master that the harness kills.
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{ worker_connections 1024; }}\n\
         http {{\n  keepalive_requests 1000000;\n  client_body_temp_path body;\n  \
         proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n{servers}}}\n"
    );
    std::fs::write(home.join("nginx.conf"), configuration)?;
    pinned(
        name,
        core,
        nginx,
        &home.join("log"),
        &["-p", &text(&home)?, "-c", "nginx.conf"],
    )
}

fn pinned(name: &str, core: &str, program: &Path, log: &Path, arguments: &[&str]) -> Result<Process> {
    let program = text(program)?;
    Process::start(name, Path::new("taskset"), log, |command| {
        command.args(["-c", core]).arg(program).args(arguments);
    })
}

fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .context("a path that is not UTF-8")
}

fn backend_configuration(at: SocketAddr) -> String {
    format!("  server {{ listen {at}; access_log off; root html; }}\n")
}

fn peer_configuration(at: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "  upstream tomcat {{ server {backend}; keepalive 128; keepalive_requests 1000000; }}\n  server {{ listen {at}; access_log access.log combined buffer=32k flush=1s; \
         location / {{ proxy_pass http://tomcat; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n"
    )
}

fn start_ours(directory: &Path, at: SocketAddr, control: SocketAddr, backend: SocketAddr) -> Result<Process> {
    let file = directory.join("proxy.toml");
    let log = text(&directory.join("access.log"))?;
    let configuration = format!(
        "threads = 1\naccess_log = \"{log}\"\n[[listen]]\nbind = \"{at}\"\n[pool.tomcat]\nsticky = {{ session = \"JSESSIONID\" }}\n\
         health = {{ path = \"/page\" }}\n[[pool.tomcat.member]]\nurl = \"http://{backend}\"\nroute = \"n1\"\n\
         [[route]]\npath = \"/\"\nto = \"tomcat\"\n[control]\nbind = \"{control}\"\n"
    );
    std::fs::write(&file, configuration)?;
    pinned(
        "ours",
        "0",
        &program("remora-proxy")?,
        &directory.join("ours.log"),
        &["--config", &text(&file)?],
    )
}
