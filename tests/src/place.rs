//! Where things are: programs built by cargo, the repository, the cache of unpacked Tomcats, free ports.
//!
//! Several harnesses may run at the same time. Each draws its ports from a lane of its own, and what is made once and kept
//! is made by one of them while the others wait. Both are held by locks on files, which end with the process however it ends.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, bail};

/// Ports are drawn from here: below the range from which the kernel takes client ports, so that the port of a
/// killed process stays free until its restart.
const PORTS: std::ops::Range<u16> = 18_000..30_000;

/// Parts of the range, each for one harness at a time: more than ever run at once on one machine.
const LANES: u16 = 8;

/// Ports of one lane: a claim takes about thirty.
const LANE_PORTS: u16 = (PORTS.end - PORTS.start) / LANES;

/// Where `tools/prerequisites` unpacks what Debian's packages hold.
const UNPACKED: &str = "target/tools/debian";

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback port that nothing listens on and that neither this process nor another harness has handed out.
///
/// # Errors
/// When all lanes are held, or every port of this harness's lane is busy.
pub fn free_port() -> Result<u16> {
    let first = PORTS.start + lane()? * LANE_PORTS;
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever still speaks to the harness that held the lane before, or to a former owner of the port, reaches nobody.
    let begin = u16::try_from(std::process::id() * 37 % u32::from(LANE_PORTS)).context("a remainder fits")?;
    let mut ports = (0..LANE_PORTS).map(|step| first + (begin + step) % LANE_PORTS);
    let free = ports.find(|port| !taken.contains(port) && is_free(*port));
    let free = free.with_context(|| {
        format!(
            "no free loopback port between {first} and {}: stop something that listens there",
            first + LANE_PORTS
        )
    })?;
    taken.insert(free);
    Ok(free)
}

/// The lane of this process, held until it ends.
fn lane() -> Result<u16> {
    static HELD: OnceLock<(u16, File)> = OnceLock::new();
    if let Some((lane, _)) = HELD.get() {
        return Ok(*lane);
    }
    for lane in 0..LANES {
        let path = std::env::temp_dir().join(format!("remora-ports-{lane}.lock"));
        // One that somebody else's harness made is as good as held.
        let Ok(file) = File::options().create(true).append(true).open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() {
            // Of two threads that come at once each holds one: the later one's is given back.
            return Ok(HELD.get_or_init(|| (lane, file)).0);
        }
    }
    bail!("{LANES} harnesses run already on this machine: wait until one has ended")
}

/// The port asked for if nothing listens on it, else a free one.
///
/// # Errors
/// When no port is free.
pub fn preferred_port(port: u16) -> Result<u16> {
    {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A program of one of Debian's packages, and its libraries where it was unpacked and not installed.
///
/// # Errors
/// When it is not there.
pub fn debian_program(name: &str) -> Result<(PathBuf, Option<PathBuf>)> {
    let root = repository().join(UNPACKED);
    let triple = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = [(Path::new("/"), None), (&root, Some(root.join(triple)))];
    for (place, libraries) in places {
        for directory in ["usr/sbin", "usr/bin"] {
            let program = place.join(directory).join(name);
            if program.is_file() {
                return Ok((program, libraries));
            }
        }
    }
    bail!("{name} is missing: `tools/prerequisites` installs or unpacks it")
}

/// The version that a program tells of itself when it is asked by this flag.
///
/// # Errors
/// When it is not there.
pub fn release(name: &str, flag: &str) -> Result<String> {
    let (program, libraries) = debian_program(name)?;
    let mut command = Command::new(program);
    command.arg(flag);
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let output = command
        .output()
        .with_context(|| format!("ask {name} for its version"))?;
    Ok(version_in(&String::from_utf8_lossy(
        &[output.stdout, output.stderr].concat(),
    )))
}

/// The first word that is a version, without the name that may stand before it.
fn version_in(said: &str) -> String {
    let number = |word: &&str| word.contains(|letter: char| letter.is_ascii_digit()) && word.contains('.');
    let version = said.split_whitespace().find(number).unwrap_or("of no version");
    let version = version.rsplit('/').next().unwrap_or(version);
    version.trim_matches('"').to_owned()
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

/// Holds the making of one kind of thing in the cache until it is dropped: no other harness and no other thread makes it
/// meanwhile.
///
/// # Errors
/// When the cache cannot be written.
pub fn making(what: &str) -> Result<File> {
    let path = cache()?.join(format!("{what}.lock"));
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_port_is_handed_out_once_and_from_one_lane() {
        let ports: Vec<u16> = (0..40).map(|_| free_port().unwrap()).collect();
        let lanes: BTreeSet<u16> = ports
            .iter()
            .map(|port| (port - PORTS.start) / LANE_PORTS)
            .collect();
        assert_eq!(lanes.len(), 1, "{ports:?}");
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("Server version: Apache/2.4.66 (Debian)", "2.4.66"),
            ("nginx version: nginx/1.22.1", "1.22.1"),
            (
                "HAProxy version 2.6.12-1 2023/03/28 - https://haproxy.org/",
                "2.6.12-1",
            ),
            ("openjdk version \"17.0.17\" 2025-10-21", "17.0.17"),
            ("nothing", "of no version"),
        ] {
            assert_eq!(version_in(said), version);
        }
    }

    #[test]
    fn a_lane_is_held_by_one_harness() {
        let lane = lane().unwrap();
        let path = std::env::temp_dir().join(format!("remora-ports-{lane}.lock"));
        let another = File::options().append(true).open(path).unwrap();
        assert!(another.try_lock().is_err());
    }

    #[test]
    fn two_never_make_the_same_thing_at_once() {
        let held = making("a-test").unwrap();
        let (said, heard) = sync_channel(1);
        let waiting = std::thread::spawn(move || {
            let made = making("a-test").unwrap();
            said.send(()).unwrap();
            drop(made);
        });
        assert!(heard.try_recv().is_err(), "the first one still holds it");
        drop(held);
        heard.recv().unwrap();
        waiting.join().unwrap();
    }
}
