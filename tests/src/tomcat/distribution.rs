//! Tomcat as Maven serves it, unpacked once per version into cargo's target directory and shared read-only by all
//! instances; our applications packed once per content.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{embedded, foreign};
use crate::place;

/// A Tomcat: one of the served lines at the release that most tests run, or any release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 9.0, the javax line.
    V9,
    /// 10.1, the first jakarta line still served.
    V10,
    /// 11.0.
    V11,
    /// That release, from the jars that Maven serves for embedding.
    Embedded(&'static str),
}

/// Releases on which the jar is promised to run: of each line, oldest first, those at which something changed that it
/// uses, and the newest that is served. `tomcat-adapter/pom.xml` has the same.
pub const PROMISED: [&[&str]; 3] = [
    &["9.0.30", "9.0.43", "9.0.83", "9.0.98", "9.0.124"],
    &["10.1.0", "10.1.20", "10.1.59", "10.1.62"],
    &["11.0.0", "11.0.24", "11.0.27"],
];

impl Version {
    /// All served lines.
    pub const ALL: [Self; 3] = [Self::V9, Self::V10, Self::V11];

    /// A release: as it is distributed where that is served, which its jars for embedding need not be; else from those.
    pub fn of(release: &'static str) -> Self {
        let distributed = Self::ALL.into_iter().find(|line| line.release() == release);
        distributed.unwrap_or(Self::Embedded(release))
    }

    /// The line of a release, at the release that most tests run.
    pub(super) fn line(self) -> Self {
        match self {
            Self::Embedded(release) if release.starts_with("9.0.") => Self::V9,
            Self::Embedded(release) if release.starts_with("10.1.") => Self::V10,
            Self::Embedded(_) => Self::V11,
            line => line,
        }
    }

    /// The release.
    pub fn release(self) -> &'static str {
        match self {
            Self::V9 => "9.0.98",
            Self::V10 => "10.1.59",
            Self::V11 => "11.0.24",
            Self::Embedded(release) => release,
        }
    }
}

/// An application of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// The demo shop.
    Shop,
    /// What the claims drive.
    Probe,
    /// What runs the programs of a comparison with Tomcat's own session manager.
    Program,
    /// What the bench drives.
    Bench,
    /// What the comparison clicks at.
    Clicks,
    /// What brings a session manager of its own along.
    Own,
    /// A WebSocket beside pages.
    Sockets,
    /// What is hard on a session manager: slow listeners, held monitors, sockets.
    Rough,
    /// The probe once more, under that name.
    Another(&'static str),
    /// Tomcat's own examples.
    Examples,
    /// A Spring Boot WAR with Spring Security.
    Spring,
    /// A Jakarta Faces WAR with Mojarra and Weld.
    Faces,
    /// A Wicket WAR.
    Wicket,
}

impl Application {
    /// What most claims need.
    pub const USUAL: [Self; 2] = [Self::Shop, Self::Probe];

    /// Its context path without the slash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Probe => "probe",
            Self::Program => "program",
            Self::Bench => "bench",
            Self::Clicks => "clicks",
            Self::Own => "own",
            Self::Sockets => "sockets",
            Self::Rough => "rough",
            Self::Another(name) => name,
            Self::Examples => "examples",
            Self::Spring => "spring",
            Self::Faces => "faces",
            Self::Wicket => "wicket",
        }
    }
}

/// CATALINA_HOME of a version.
///
/// # Errors
/// When the cache directory cannot be made.
pub(super) fn home(version: Version) -> Result<PathBuf> {
    let kind = match version {
        Version::Embedded(_) => "embedded",
        Version::V9 | Version::V10 | Version::V11 => "apache",
    };
    Ok(place::cache()?.join(format!("{kind}-tomcat-{}", version.release())))
}

/// Fetches and unpacks a version unless that is done.
///
/// # Errors
/// When Maven or `jar` is missing or fails, with what it said.
pub fn prepare(version: Version) -> Result<PathBuf> {
    let _alone = place::making("tomcats")?;
    let home = home(version)?;
    if home.is_dir() {
        return Ok(home);
    }
    if let Version::Embedded(release) = version {
        embedded::fetch(release, &home)?;
        return Ok(home);
    }
    let zip = fetch_zip(version)?;
    let cache = place::cache()?;
    let release = version.release();
    // Unpacked aside and renamed, so that a half-unpacked Tomcat is never taken for a whole one.
    let aside = cache.join(format!("unpacking-{}", std::process::id()));
    std::fs::create_dir_all(&aside)?;
    run(Command::new("jar").arg("xf").arg(&zip).current_dir(&aside))?;
    let unpacked = aside.join(format!("apache-tomcat-{release}"));
    std::fs::rename(&unpacked, &home).with_context(|| format!("move {} into place", unpacked.display()))?;
    std::fs::remove_dir_all(&aside)?;
    Ok(home)
}

/// The distribution of a version as it is downloaded, fetched unless that is done.
///
/// # Errors
/// When Maven is missing or fails, with what it said.
pub fn distribution_zip(version: Version) -> Result<PathBuf> {
    let _alone = place::making("tomcats")?;
    fetch_zip(version)
}

fn fetch_zip(version: Version) -> Result<PathBuf> {
    let release = version.release();
    fetch(
        &format!("tomcat-{release}.zip"),
        &format!("org.apache.tomcat:tomcat:{release}:zip"),
    )
}

/// An artifact as Maven serves it, under the name that it gives it; fetched once. Whoever calls holds the right to make it.
///
/// # Errors
/// When Maven is missing or fails, with what it said.
pub(crate) fn fetch(name: &str, artifact: &str) -> Result<PathBuf> {
    let cache = place::cache()?;
    let file = cache.join(name);
    if !file.is_file() {
        let artifact = format!("-Dartifact={artifact}");
        let output = format!("-DoutputDirectory={}", cache.display());
        run(Command::new("mvn")
            .args(["-q", "-B", "dependency:copy", &artifact, &output])
            .current_dir(&cache))?;
    }
    Ok(file)
}

/// The WAR of an application for the line of a version, packed when its files changed.
///
/// # Errors
/// When its files cannot be read, or `javac` or `jar` fails.
pub fn war(application: Application, version: Version) -> Result<PathBuf> {
    let version = version.line();
    let application = match application {
        Application::Another(_) => Application::Probe,
        itself => itself,
    };
    let _alone = place::making("applications")?;
    match application {
        Application::Examples => return foreign::examples(version),
        Application::Spring | Application::Faces | Application::Wicket => {
            return foreign::built(application.name());
        }
        Application::Shop
        | Application::Probe
        | Application::Program
        | Application::Bench
        | Application::Clicks
        | Application::Own
        | Application::Sockets
        | Application::Rough
        | Application::Another(_) => {}
    }
    let source = place::repository().join("tests/webapps").join(application.name());
    let files = files_below(&source)?;
    let mark = mark(&files)?;
    let cache = place::cache()?;
    let compiled = files.iter().any(|path| is_java(path));
    let line = if compiled { version.release() } else { "any" };
    let war = cache.join(format!("{}-{line}-{mark}.war", application.name()));
    if !war.is_file() {
        let aside = cache.join(format!("packing-{}-{}", application.name(), std::process::id()));
        for path in &files {
            stage(path, &aside.join(path.strip_prefix(&source)?), version)?;
        }
        if compiled {
            compile(&aside.join("WEB-INF/classes"), version)?;
        }
        let packed = aside.with_extension("war");
        run(Command::new("jar")
            .arg("cfM")
            .arg(&packed)
            .arg("-C")
            .arg(&aside)
            .arg("."))?;
        std::fs::rename(&packed, &war)?;
        std::fs::remove_dir_all(&aside)?;
    }
    Ok(war)
}

/// What changes whenever one of these files does.
///
/// # Errors
/// When one cannot be read.
pub(super) fn mark(files: &[PathBuf]) -> Result<String> {
    let mut digest = Sha256::new();
    for path in files {
        digest.update(path.to_string_lossy().as_bytes());
        digest.update(std::fs::read(path)?);
    }
    let digest = digest.finalize();
    Ok(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

fn is_java(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "java")
}

/// Copies a file of an application; classes speak of Tomcat's interfaces as the version calls them.
fn stage(from: &Path, to: &Path, version: Version) -> Result<()> {
    std::fs::create_dir_all(to.parent().unwrap_or(to))?;
    if is_java(from) && version == Version::V9 {
        let text = std::fs::read_to_string(from)?
            .replace("jakarta.servlet", "javax.servlet")
            .replace("jakarta.websocket", "javax.websocket");
        std::fs::write(to, text)?;
    } else {
        std::fs::copy(from, to).with_context(|| format!("copy {}", from.display()))?;
    }
    Ok(())
}

/// Compiles the classes of an application where they lie, against the version's own interfaces.
fn compile(classes: &Path, version: Version) -> Result<()> {
    let files = files_below(classes)?;
    let library = prepare(version)?.join("lib");
    // Not every line has the last one.
    let interfaces = ["servlet-api.jar", "websocket-api.jar", "websocket-client-api.jar"]
        .map(|name| library.join(name))
        .into_iter()
        .filter(|jar| jar.is_file());
    run(Command::new("javac")
        .args(["--release", "17", "-Xlint:all", "-Werror", "-cp"])
        .arg(std::env::join_paths(interfaces)?)
        .arg("-d")
        .arg(classes)
        .args(files.iter().filter(|path| is_java(path))))
}

/// All files, in a fixed order.
///
/// # Errors
/// When a directory cannot be read.
pub(super) fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Runs a program to its end.
///
/// # Errors
/// When it is missing or fails, with what it said.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("run {program}: is it installed? `make test` installs it"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{program} failed: {}", String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}
