//! Where things are: programs built by cargo, the repository, the cache of unpacked Tomcats, free ports, scratch
//! directories.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

/// Ports are drawn from here: below the range from which the kernel takes client ports, so that the port of a
/// killed process stays free until its restart.
const PORTS: std::ops::Range<u16> = 18_000..30_000;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback port that nothing listens on and that this process has not handed out before.
///
/// # Errors
/// When the whole range is busy.
pub fn free_port() -> Result<u16> {
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let width = PORTS.end - PORTS.start;
    // Harnesses that run at the same time begin at different places.
    let first = u16::try_from(std::process::id() * 37 % u32::from(width)).context("a remainder fits")?;
    for step in 0..width {
        let port = PORTS.start + (first + step) % width;
        if !taken.contains(&port) && is_free(port) {
            taken.insert(port);
            return Ok(port);
        }
    }
    bail!(
        "no free loopback port between {} and {}: stop something that listens there",
        PORTS.start,
        PORTS.end
    )
}

/// The port asked for if nothing listens on it, else a free one.
///
/// # Errors
/// When no port is free.
pub fn preferred_port(port: u16) -> Result<u16> {
    {
        let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !taken.contains(&port) && is_free(port) {
            taken.insert(port);
            return Ok(port);
        }
    }
    free_port()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Root of the repository.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// The directory of cargo's profile (`target/debug`) in which this very program lies.
fn profile_directory() -> Result<PathBuf> {
    let program = std::env::current_exe().context("where this program lies")?;
    let directory = program.parent().context("a program lies in a directory")?;
    let above = if directory.ends_with("deps") {
        directory.parent()
    } else {
        Some(directory)
    };
    Ok(above
        .context("target/debug/deps lies in target/debug")?
        .to_path_buf())
}

/// A program of the workspace. `REMORA_BIN_DIR` names another directory, for example with release builds.
///
/// # Errors
/// When it is not built, with the command that builds it.
pub fn program(name: &str) -> Result<PathBuf> {
    let directory = match std::env::var_os("REMORA_BIN_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => profile_directory()?,
    };
    let path = directory.join(name);
    if !path.is_file() {
        bail!(
            "{} is not built: run `cargo build --workspace` first, or `make test`",
            path.display()
        );
    }
    Ok(path)
}

/// The session manager's jar. `REMORA_JAR` names another one.
///
/// # Errors
/// When it is not built, with the command that builds it.
pub fn adapter_jar() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("REMORA_JAR") {
        return Ok(PathBuf::from(path));
    }
    let directory = repository().join("tomcat-adapter/target");
    let jars = std::fs::read_dir(&directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut ours: Vec<PathBuf> = jars.filter(|path| is_release_jar(path)).collect();
    ours.sort();
    match ours.pop() {
        Some(jar) => Ok(jar),
        None => bail!(
            "no jar in {}: run `mvn -f tomcat-adapter package` first, or `make test`",
            directory.display()
        ),
    }
}

/// Maven leaves the jar before shading, and jars of sources and tests, beside the one that is meant.
fn is_release_jar(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let other = ["original-", "-sources.", "-tests.", "-javadoc."]
        .iter()
        .any(|mark| name.contains(mark));
    name.starts_with("remora") && name.ends_with(".jar") && !other
}

/// A directory for things that are made once and kept: unpacked Tomcats, packed applications.
///
/// # Errors
/// When it cannot be made.
pub fn cache() -> Result<PathBuf> {
    let profile = profile_directory()?;
    let directory = profile.parent().unwrap_or(&profile).join("remora-tests");
    std::fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    Ok(directory)
}
