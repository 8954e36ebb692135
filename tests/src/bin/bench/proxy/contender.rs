//! Who is measured, and how each is set up: as a careful operator would have it, alike where they can be.
//!
//! Invariants: all keep connections on both sides, without a bound on how many requests a connection carries · all but the first
//! nginx note each request, none with a system call each: nginx, httpd, pingora and ours in batches of 32 KiB or so to a file,
//! HAProxy, which only sends lines elsewhere, into a ring of its memory · ours has its defaults, so it also checks its upstream,
//! counts, and adds X-Forwarded-For and the like, which nobody else is asked for.
//!
//! Left out on purpose: tuning of one that the others cannot have; pingora over TLS and HTTP/2, for which its users choose among
//! three libraries.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use remora_tests::http::Browser;
use remora_tests::place::{free_port, release};
use remora_tests::process::Process;
use remora_tests::stores::loopback;
use remora_tests::wait_until;

use super::form::Over;
use super::identity::Identity;
use super::{locked_version, nginx, settings};
use crate::wrk::installed;

/// Where `make bench-proxy` builds pingora's program, and what it was built from.
pub(super) const PINGORA: [&str; 2] = [
    "target/peers/release/peer-pingora",
    "tests/peers/pingora/Cargo.lock",
];

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
    /// Who it says it is, over TLS.
    pub(super) identity: &'a Identity,
}

/// Where one listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listens {
    /// In clear.
    pub(super) clear: SocketAddr,
    /// Over TLS, with HTTP/2 for those who want it.
    pub(super) secured: SocketAddr,
}

/// One that runs.
pub(super) struct Running {
    pub(super) who: Contender,
    listens: Listens,
    processes: Vec<Process>,
}

impl Running {
    /// All of its processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Where a path is asked for.
    pub(super) fn url(&self, over: Over, path: &str) -> String {
        match over {
            Over::Clear => format!("http://{}{path}", self.listens.clear),
            Over::Tls | Over::Http2(_) => format!("https://{}{path}", self.listens.secured),
        }
    }

    /// Where it listens in clear.
    pub(super) fn clear(&self) -> SocketAddr {
        self.listens.clear
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

    /// Whether it is measured like this.
    pub(super) fn speaks(self, over: Over) -> bool {
        over == Over::Clear || self != Contender::Pingora
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
        present(program)?;
        Ok(format!("{name} {}", release(program, flag)?))
    }

    /// Starts it and waits until it passes requests on.
    ///
    /// # Errors
    /// When it is not there, or does not answer in time.
    pub(super) fn start(self, place: Place<'_>) -> Result<Running> {
        let at = Listens {
            clear: loopback(free_port()?),
            secured: loopback(free_port()?),
        };
        let started = match self {
            Contender::Nginx | Contender::NginxLogging => {
                nginx::proxies(place, at, self == Contender::NginxLogging)
            }
            Contender::Haproxy => settings::haproxy(place, at).map(|process| vec![process]),
            Contender::Httpd => settings::httpd(place, at).map(|process| vec![process]),
            Contender::Pingora => settings::pingora(place, at.clear).map(|process| vec![process]),
            Contender::Ours => {
                settings::ours(place, at, (loopback(free_port()?), "")).map(|process| vec![process])
            }
        };
        let processes = started.with_context(|| format!("start {}", self.name()))?;
        answers(at.clear).with_context(|| {
            let last: Vec<String> = processes.iter().map(Process::tail).collect();
            format!("{}: {}", self.name(), last.concat())
        })?;
        Ok(Running {
            who: self,
            listens: at,
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

pub(super) fn present(program: &str) -> Result<PathBuf> {
    installed(program)
        .with_context(|| format!("{program} is not installed (tools/prerequisites bench-proxy)"))
}

pub(super) fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .context("a path that is not UTF-8")
}
