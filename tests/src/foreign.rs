//! Session managers that others wrote, from which sites come, and the servers in which they keep sessions: Redisson with Redis,
//! memcached-session-manager with memcached.
//!
//! Their jars are fetched by Maven, once; their servers are Debian's, unpacked by `tools/prerequisites` and never installed. Left
//! out: any tuning of either. Lines in context.xml come from whoever asks, which is a page of the documentation.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::place::{cache, debian_program, free_port, making, repository};
use crate::process::Process;
use crate::stores::loopback;
use crate::tomcat::{fetch, run};
use crate::wait::{START, wait_until};

/// The jars of memcached-session-manager for Tomcat 9.0, and its client.
const MSM: [(&str, &str, &str); 3] = [
    ("de.javakaffee.msm", "memcached-session-manager", "2.3.2"),
    ("de.javakaffee.msm", "memcached-session-manager-tc9", "2.3.2"),
    ("net.spy", "spymemcached", "2.12.3"),
];

/// A session manager that is not ours, as a Tomcat gets it.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Its line in context.xml.
    pub line: String,
    /// What lies in Tomcat's `lib`.
    pub jars: Vec<PathBuf>,
    /// A file of its own in Tomcat's `conf`: name and text.
    pub file: Option<(&'static str, String)>,
}

/// A server in which such managers keep sessions.
#[derive(Debug)]
pub struct Keeping {
    /// Where it listens, on the loopback.
    pub port: u16,
    _process: Process,
}

/// Redisson's jars, for Tomcat 10.1.
///
/// # Errors
/// When Maven is missing or fails, with what it said.
pub fn redisson_jars() -> Result<Vec<PathBuf>> {
    let _alone = making("tomcats")?;
    let directory = cache()?.join("redisson");
    if !directory.is_dir() {
        let aside = directory.with_extension(std::process::id().to_string());
        run(Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-f"])
            .arg(repository().join("tests/peers/redisson/pom.xml"))
            .arg(format!("-DoutputDirectory={}", aside.display())))?;
        std::fs::rename(&aside, &directory)?;
    }
    let files = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    Ok(files.flatten().map(|file| file.path()).collect())
}

/// The jars of memcached-session-manager, for Tomcat 9.0; there are none for later lines.
///
/// # Errors
/// When Maven is missing or fails, with what it said.
pub fn memcached_jars() -> Result<Vec<PathBuf>> {
    let _alone = making("tomcats")?;
    MSM.iter()
        .map(|(group, name, version)| {
            fetch(
                &format!("{name}-{version}.jar"),
                &format!("{group}:{name}:{version}"),
            )
        })
        .collect()
}

/// Starts an empty Redis that writes nothing to a disk.
///
/// # Errors
/// When it is missing, or does not accept in time.
pub fn redis(directory: &Path) -> Result<Keeping> {
    Keeping::start("redis-server", directory, |port| {
        ["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]
            .map(String::from)
            .to_vec()
    })
}

/// Starts an empty memcached.
///
/// # Errors
/// When it is missing, or does not accept in time.
pub fn memcached(directory: &Path) -> Result<Keeping> {
    Keeping::start("memcached", directory, |port| {
        // As root it asks for a user to become; for the harness's own it would not start.
        ["-u", "nobody", "-l", "127.0.0.1", "-p", &port.to_string()]
            .map(String::from)
            .to_vec()
    })
}

impl Keeping {
    fn start(name: &str, directory: &Path, arguments: impl Fn(u16) -> Vec<String>) -> Result<Self> {
        let (program, libraries) = debian_program(name)?;
        let port = free_port()?;
        let log = directory.join(format!("{name}.log"));
        let process = Process::start(name, &program, &log, |command| {
            command.args(arguments(port)).current_dir(directory);
            if let Some(libraries) = libraries {
                command.env("LD_LIBRARY_PATH", libraries);
            }
        })?;
        let accepts = || TcpStream::connect(loopback(port)).is_ok();
        wait_until(&format!("{name} accepts"), START, accepts).with_context(|| process.tail())?;
        Ok(Self {
            port,
            _process: process,
        })
    }
}
