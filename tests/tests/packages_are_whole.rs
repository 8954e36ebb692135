//! Beside the promises: what `make packages` packs is whole, sound and harmless.
//!
//! Shown with packages of what tests build. They hold what they should, owned by root, without a word of the machine that built
//! them (a program that is built for tests has its sources' places in it, and is not looked at); SHA256SUMS is right. The jars are
//! those that were built, each with a pom by which Maven takes it. Their pages lead to what is installed beside them, and what the
//! pages on installing and moving name is there: files, units, users, programs and what they are told. Their units are sound in
//! the eyes of systemd. dpkg installs them, with their scripts, on a machine that is a directory; an upgrade keeps a
//! changed file, and a purge keeps sessions.
//! Broken once to see it fail: a file for its owner alone in the layout; a page that names its checkout; a misspelled key in a
//! unit; a postrm that removes what it finds. Each failed the test that is about it.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use remora_tests::Outcome;
use remora_tests::installed::{Machine, Packages, is_root, said, tell_nothing};
use remora_tests::page::{commands, text, words};
use remora_tests::place::{adapter_jar, cache, repository};
use remora_tests::spring::built;

/// All packages, and the version that tests give to the release after this one.
const PACKAGES: [&str; 4] = ["remora", "remora-proxy", "remora-store", "remora-tomcat-adapter"];
const NEXT: &str = "99.0.0-1";

/// Directories below which a package may have files.
const PLACES: &[&str] = &[
    "etc/logrotate.d/",
    "etc/remora/",
    "usr/bin/",
    "usr/lib/systemd/system/",
    "usr/lib/sysusers.d/",
    "usr/lib/tmpfiles.d/",
    "usr/share/bash-completion/completions/",
    "usr/share/doc/",
    "usr/share/fish/vendor_completions.d/",
    "usr/share/java/",
    "usr/share/man/man1/",
    "usr/share/man/man8/",
    "usr/share/zsh/vendor-completions/",
];

/// Directories that installed pages lead to; what they say of others, the sources, is for whoever has these.
const LED_TO: [&str; 3] = ["docs", "examples", "packaging"];
/// Where files lie that pages name and packages bring.
const OURS: [&str; 5] = [
    "/etc/remora",
    "/usr/share/doc/remora",
    "/usr/share/java/remora",
    "/var/lib/remora",
    "/var/log/remora",
];
/// Links to follow at least: whoever follows fewer has read no pages.
const LINKS_MIN: usize = 60;

/// The most of systemd's points for what a service could do that it need not: 1.4 and 1.9 of 10 today, here in tenths.
const EXPOSURE_MAX: &str = "20";

/// The packages of what is built, made once.
fn packages() -> Result<Packages> {
    static MADE: Mutex<Option<Packages>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.is_none() {
        *made = Some(Packages::pack(&cache()?.join("packages"))?);
    }
    made.clone().context("just made")
}

fn package(name: &str) -> Result<PathBuf> {
    packages()?.file(name)
}

fn deb(arguments: &[&str], file: &Path) -> Result<String> {
    said(Command::new("dpkg-deb").args(arguments).arg(file))
}

#[test]
fn packages_hold_what_they_should() -> Outcome {
    for name in PACKAGES {
        let file = package(name)?;
        for line in deb(&["--contents"], &file)?.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let path = words.get(5).context("a path")?.trim_start_matches("./");
            let mode = match path {
                _ if path.is_empty() || path.ends_with('/') => "drwxr-xr-x",
                _ if path.starts_with("usr/bin/") => "-rwxr-xr-x",
                _ => "-rw-r--r--",
            };
            ensure!(words[0] == mode && words[1] == "root/root", "{name}: {line}");
            let may_lie = |place: &&str| path.starts_with(*place) || place.starts_with(path);
            ensure!(PLACES.iter().any(may_lie), "{name}: {path} lies elsewhere");
        }
        let control = deb(&["--field"], &file)?;
        let has_programs = name != "remora-tomcat-adapter";
        ensure!(
            control.contains("Depends: libc6 (>= ") == has_programs,
            "{control}"
        );
        ensure!(control.contains("Architecture: all") != has_programs, "{control}");
    }
    let conffiles = |name: &str| {
        said(
            Command::new("dpkg-deb")
                .arg("--info")
                .arg(package(name)?)
                .arg("conffiles"),
        )
    };
    ensure!(conffiles("remora-store")? == "/etc/remora/store.toml\n");
    ensure!(conffiles("remora-proxy")? == "/etc/logrotate.d/remora-proxy\n/etc/remora/proxy.toml\n");
    said(
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(packages()?.directory()),
    )?;
    Ok(())
}

/// The relative links of a page, without what they say of a place in the other.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|link| !link.is_empty() && !link.contains("://"))
}

#[test]
fn installed_pages_lead_somewhere() -> Outcome {
    let scratch = tempfile::tempdir()?;
    said(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package("remora")?)
            .arg(scratch.path()),
    )?;
    let top = scratch.path().join("usr/share/doc/remora");
    let mut followed = 0;
    for directory in ["", "docs"] {
        for page in top
            .join(directory)
            .read_dir()?
            .flatten()
            .map(|entry| entry.path())
        {
            if page.extension().is_none_or(|end| end != "md") {
                continue;
            }
            for link in links(&std::fs::read_to_string(&page)?) {
                let target = match link.strip_prefix("../") {
                    Some(rest) => PathBuf::from(rest),
                    None => Path::new(directory).join(link),
                };
                let is_source =
                    target.components().count() > 1 && !LED_TO.iter().any(|place| target.starts_with(place));
                if is_source {
                    continue;
                }
                ensure!(top.join(target).exists(), "{}: nothing at {link}", page.display());
                followed += 1;
            }
        }
    }
    ensure!(followed > LINKS_MIN, "{followed} links");
    Ok(())
}

/// The jars as they were built, each with a pom that names it and, of all that there is, only the jar beside it.
fn jars_are_what_maven_takes(lib: &Path) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let jars = [
        (
            "remora-tomcat-adapter",
            adapter_jar()?,
            vec!["remora-tomcat-adapter"],
        ),
        (
            "remora-spring-boot-starter",
            built("remora-spring-boot-starter")?,
            vec!["remora-spring-boot-starter", "remora-tomcat-adapter"],
        ),
    ];
    ensure!(lib.read_dir()?.count() == 2 * jars.len(), "others lie there");
    for (name, jar, artifacts) in jars {
        let packed = std::fs::read(lib.join(name).with_extension("jar"))?;
        ensure!(packed == std::fs::read(jar)?, "another {name}");
        let pom = std::fs::read_to_string(lib.join(name).with_extension("pom"))?;
        let said = |element: &str| {
            let open = format!("<{element}>");
            let values = pom.split(&open).skip(1).filter_map(|rest| rest.split('<').next());
            values.map(str::to_owned).collect::<Vec<_>>()
        };
        ensure!(said("artifactId") == artifacts, "{pom}");
        ensure!(said("version") == vec![version; artifacts.len()], "{pom}");
    }
    Ok(())
}

/// The pages that tell what to do with installed files.
const PAGES: [&str; 2] = ["docs/install.md", "docs/migration.md"];
/// What they say of ours at least: files, units, users and commands. Who finds fewer has read no pages.
const NAMED_MIN: [usize; 4] = [8, 3, 2, 8];

#[test]
fn what_pages_tell_to_do_finds_its_files_units_and_users() -> Outcome {
    if !is_root() {
        tell_nothing("of what pages name on a machine: only root can install packages");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let machine = Machine::new(&scratch.path().join("machine"))?;
    let files: Vec<PathBuf> = PACKAGES.into_iter().map(package).collect::<Result<_>>()?;
    machine.install(&files)?;
    let mut named: [BTreeSet<String>; 4] = Default::default();
    for name in PAGES {
        let page = text(name)?;
        for path in words(&page).filter(|word| OURS.iter().any(|place| word.starts_with(place))) {
            // A key is the operator's own, in a directory of ours.
            let is_own = [".key", ".pem"].iter().any(|kind| path.ends_with(kind));
            let there = if is_own { "/etc/remora" } else { path };
            ensure!(machine.at(there).exists(), "{name}: there is no {path}");
            named[0].insert(path.to_owned());
        }
        for command in commands(&page) {
            let told: Vec<&str> = command.split(' ').collect();
            for unit in told.iter().filter(|_| told[0] == "systemctl") {
                if unit.starts_with("remora") {
                    let kind = if unit.contains('.') { "" } else { ".service" };
                    let file = format!("{unit}{kind}");
                    machine
                        .unit(&file)
                        .with_context(|| format!("{name}: {command}"))?;
                    named[1].insert(file);
                }
            }
            for pair in told.windows(2).filter(|pair| ["-u", "-o"].contains(&pair[0])) {
                if pair[1].starts_with("remora-") {
                    machine
                        .ids(pair[1])
                        .with_context(|| format!("{name}: {command}"))?;
                    named[2].insert(pair[1].to_owned());
                }
            }
            let program = told
                .iter()
                .position(|word| ["remora", "remora-proxy"].contains(word));
            let Some(at) = program.filter(|at| *at == 0 || told[at - 1] == "--") else {
                continue;
            };
            machine
                .knows(&told[at..])
                .with_context(|| format!("{name}: {command}"))?;
            named[3].insert(command.to_owned());
        }
    }
    let found = named.each_ref().map(BTreeSet::len);
    ensure!(
        found.iter().zip(NAMED_MIN).all(|(found, least)| *found >= least),
        "{found:?} of files, units, users and commands: {named:#?}"
    );
    Ok(())
}

#[test]
fn the_archive_tells_nothing_of_the_machine_that_built_it() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let archive = packages()?
        .directory()
        .read_dir()?
        .flatten()
        .map(|entry| entry.path());
    let archive = archive
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "gz"));
    let archive = archive.context("no archive")?;
    said(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(scratch.path()),
    )?;
    let tops: Vec<_> = scratch
        .path()
        .read_dir()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let [top] = tops.as_slice() else {
        anyhow::bail!("not one directory: {tops:?}");
    };
    for part in [
        "bin/remora",
        "bin/remora-store",
        "bin/remora-proxy",
        "docs/restarts.md",
        "examples/shop.war",
        "LICENSE",
    ] {
        ensure!(top.join(part).is_file(), "no {part}");
    }
    jars_are_what_maven_takes(&top.join("lib"))?;
    let home = std::env::var("HOME").unwrap_or_default() + "/.";
    for place in [repository().display().to_string() + "/", home] {
        let found = Command::new("grep")
            .args([
                "--recursive",
                "--files-with-matches",
                "--fixed-strings",
                "--exclude-dir=bin",
                &place,
            ])
            .arg(top)
            .output()?;
        ensure!(
            found.stdout.is_empty(),
            "{place} stands in {}",
            String::from_utf8_lossy(&found.stdout)
        );
    }
    Ok(())
}

#[test]
fn units_are_sound() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let root = scratch.path();
    for name in ["remora-store", "remora-proxy"] {
        said(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(package(name)?)
                .arg(root),
        )?;
    }
    // What a machine with systemd has besides.
    let units = root.join("usr/lib/systemd/system");
    for unit in Path::new("/lib/systemd/system")
        .read_dir()?
        .flatten()
        .map(|entry| entry.path())
    {
        if unit.extension().is_some_and(|end| end == "target") {
            std::fs::copy(&unit, units.join(unit.file_name().context("a name")?))?;
        }
    }
    std::fs::create_dir(root.join("bin"))?;
    std::fs::copy("/bin/kill", root.join("bin/kill"))?;
    for name in [
        "remora-store.service",
        "remora-proxy.service",
        "remora-proxy.socket",
    ] {
        let root = format!("--root={}", root.display());
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no", &root, name])
            .output()?;
        let said = String::from_utf8_lossy(&verified.stderr);
        ensure!(verified.status.success() && said.is_empty(), "{said}");
    }
    for name in ["remora-store.service", "remora-proxy.service"] {
        let mut judge = Command::new("systemd-analyze");
        judge.args([
            "security",
            "--offline=yes",
            "--no-pager",
            &format!("--threshold={EXPOSURE_MAX}"),
        ]);
        said(judge.arg(units.join(name)))?;
    }
    Ok(())
}

#[test]
fn an_upgrade_keeps_changes_and_a_purge_keeps_sessions() -> Outcome {
    if !is_root() {
        tell_nothing("of scripts and upgrades: only root can install packages");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let machine = Machine::new(&scratch.path().join("machine"))?;
    machine.install(&[package("remora-store")?, package("remora-proxy")?])?;
    let (user, _) = machine.ids("remora-store")?;
    let data = machine.at("var/lib/remora-store").metadata()?;
    ensure!(
        data.mode() & 0o7777 == 0o700 && data.uid().to_string() == user,
        "{data:?}"
    );
    let wishes = machine.at("var/lib/remora-proxy").metadata()?;
    ensure!(wishes.mode() & 0o7777 == 0o700 && wishes.uid().to_string() == machine.ids("remora-proxy")?.0);

    machine.change("etc/remora/store.toml", &[("node-id = 1", "node-id = 3")])?;
    std::fs::write(machine.at("var/lib/remora-store/log"), "sessions")?;
    std::fs::write(machine.at("var/lib/remora-proxy/wishes"), "drains")?;
    for name in ["remora-store", "remora-proxy"] {
        machine.install(&[next(&package(name)?, scratch.path())?])?;
    }
    let listed = machine.dpkg(&["--list"])?;
    ensure!(listed.matches(NEXT).count() == 2, "{listed}");
    machine.change("etc/remora/store.toml", &[("node-id = 3", "node-id = 2")])?;

    machine.dpkg(&["--remove", "remora-store", "remora-proxy"])?;
    ensure!(!machine.at("usr/bin/remora-store").exists() && machine.at("etc/remora/store.toml").exists());
    let said = machine.dpkg(&["--purge", "remora-store", "remora-proxy"])?;
    ensure!(
        said.contains("session data is left in /var/lib/remora-store"),
        "{said}"
    );
    ensure!(std::fs::read(machine.at("var/lib/remora-store/log"))? == b"sessions");
    ensure!(!machine.at("etc/remora").exists() && !machine.at("var/lib/remora-proxy").exists());
    Ok(())
}

/// The same package as the next release would have it.
fn next(package: &Path, scratch: &Path) -> Result<PathBuf> {
    let unpacked = scratch.join("unpacked");
    said(
        Command::new("dpkg-deb")
            .arg("--raw-extract")
            .arg(package)
            .arg(&unpacked),
    )?;
    let control = unpacked.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control)?;
    let version = |line: &str| {
        if line.starts_with("Version: ") {
            format!("Version: {NEXT}\n")
        } else {
            format!("{line}\n")
        }
    };
    std::fs::write(&control, text.lines().map(version).collect::<String>())?;
    let next = scratch.join("next.deb");
    said(
        Command::new("dpkg-deb")
            .args(["-Zgzip", "-z1", "--root-owner-group", "--build"])
            .arg(&unpacked)
            .arg(&next),
    )?;
    std::fs::remove_dir_all(&unpacked)?;
    Ok(next)
}
