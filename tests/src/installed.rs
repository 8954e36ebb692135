//! Machines on which our packages are installed, each a directory, and what the units there say: commands, users, sockets,
//! and what systemd would let a process do.
//!
//! Invariant: nothing of the machine that runs the tests is changed. dpkg, sysusers and tmpfiles know the directory as their root,
//! and what a maintainer script does it does there.
//!
//! Left out on purpose: systemd itself. Its sandbox is not built; instead every call is seen by strace that the filter of the unit
//! would refuse, and every family of sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::wait::START;
use crate::{Outcome, place};

/// Where a service manager listens, and what strace saw, on a machine.
const NOTIFY: &str = "tmp/notify";
const TRACE: &str = "tmp/trace";

/// Packages of what is built for tests.
#[derive(Clone, Debug)]
pub struct Packages(PathBuf);

impl Packages {
    /// Packs them into `parent`.
    ///
    /// # Errors
    /// Something is not built, or is in no package.
    pub fn pack(parent: &Path) -> Result<Self> {
        let directory = parent.join("dist");
        let mut pack = Command::new(place::repository().join("tools/packages"));
        said(pack.arg(&directory).env("PROFILE", "dev"))?;
        Ok(Self(directory))
    }

    /// Where they lie.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The package of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let is_it = |file: &PathBuf| {
            let called = file.file_name().unwrap_or_default().to_string_lossy();
            called.starts_with(&format!("{name}_")) && called.ends_with(".deb")
        };
        let mut files = self.0.read_dir()?.flatten().map(|entry| entry.path());
        files.find(is_it).with_context(|| format!("no package {name}"))
    }
}

/// Runs a program to its end and gives what it said.
///
/// # Errors
/// It is missing, or fails, with what it said.
pub fn said(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("run {program}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether users can be changed here.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says aloud, past what the test harness captures, that this machine cannot show something.
///
/// # Panics
/// When nobody listens.
pub fn tell_nothing(of: &str) {
    writeln!(std::io::stderr(), "NOTHING WAS SHOWN {of}").expect("somebody listens");
}

/// A directory that is the root of a machine.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    manager: UnixDatagram,
}

impl Machine {
    /// One without any package.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn new(root: &Path) -> Result<Self> {
        for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "tmp"] {
            std::fs::create_dir_all(root.join(directory))?;
        }
        std::fs::write(root.join("var/lib/dpkg/status"), "")?;
        // Whoever runs a service has to come by.
        std::fs::set_permissions(root, Permissions::from_mode(0o755))?;
        std::fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777))?;
        let manager = UnixDatagram::bind(root.join(NOTIFY))?;
        std::fs::set_permissions(root.join(NOTIFY), Permissions::from_mode(0o777))?;
        manager.set_read_timeout(Some(START))?;
        Ok(Self {
            root: root.to_owned(),
            manager,
        })
    }

    /// A file there.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What dpkg does there, with the scripts of packages. What they depend on is on the machine that runs the tests.
    ///
    /// # Errors
    /// dpkg or a script fails.
    pub fn dpkg(&self, arguments: &[&str]) -> Result<String> {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.root.display()));
        dpkg.args([
            "--force-depends",
            "--force-script-chrootless",
            "--force-confold",
            "--log=/dev/null",
        ]);
        said(dpkg.args(arguments))
    }

    /// Installs packages; where that is not ours to do, they are unpacked, and the directories of their users are ours.
    ///
    /// # Errors
    /// dpkg or a script fails.
    pub fn install(&self, packages: &[PathBuf]) -> Result<()> {
        for package in packages {
            if is_root() {
                self.dpkg(&["--install", &package.display().to_string()])?;
                continue;
            }
            said(Command::new("dpkg-deb").arg("-x").arg(package).arg(&self.root))?;
            for directory in [
                "var/lib/remora-store",
                "var/lib/remora-proxy",
                "var/log/remora-proxy",
            ] {
                std::fs::create_dir_all(self.root.join(directory))?;
            }
        }
        Ok(())
    }

    /// Changes a file there; each change has to change something.
    ///
    /// # Errors
    /// One does not, or the file cannot be written.
    pub fn change(&self, path: &str, changes: &[(&str, &str)]) -> Result<()> {
        let file = self.at(path);
        let mut text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        for (from, to) in changes {
            ensure!(text.contains(from), "{path} does not say {from}");
            text = text.replace(from, to);
        }
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))
    }

    /// What a unit says.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn unit(&self, name: &str) -> Result<Unit> {
        let file = self.at("usr/lib/systemd/system").join(name);
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| line.split_once('='));
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Unit(values.collect()))
    }

    /// The words by which a unit's process is started here: its ExecStart, with the files of this machine, as its user, under the
    /// eyes of strace. What is handed to it by sockets stands before it, if anything is.
    ///
    /// # Errors
    /// The unit says something else than units do.
    pub fn command(&self, unit: &Unit, sockets: &[String]) -> Result<Vec<String>> {
        let mut words = Vec::new();
        if is_root() {
            let (user, group) = self.ids(unit.one("User")?)?;
            words.extend(owned(&[
                "setpriv",
                "--reuid",
                &user,
                "--regid",
                &group,
                "--clear-groups",
            ]));
            // Whoever changes its user forgets this.
            words.extend(owned(&["--pdeathsig", "KILL", "--"]));
        }
        let trace = self.at(TRACE).display().to_string();
        let seen = unit.refused()?.into_iter().chain(["socket".to_owned()]);
        let seen: Vec<String> = seen.map(|call| format!("?{call}")).collect();
        words.extend(owned(&[
            "strace",
            "-D",
            "-f",
            "-A",
            "-qq",
            "--seccomp-bpf",
            "-e",
            "signal=none",
            "-o",
            &trace,
        ]));
        words.extend(["-e".to_owned(), format!("trace={}", seen.join(","))]);
        let notify = format!("NOTIFY_SOCKET={}", self.at(NOTIFY).display());
        if sockets.is_empty() {
            words.extend(["env".to_owned(), notify]);
        } else {
            // It passes nothing on that it was not told to.
            words.extend(owned(&["systemd-socket-activate", "-E", &notify]));
            words.extend(
                sockets
                    .iter()
                    .flat_map(|address| ["-l".to_owned(), address.clone()]),
            );
        }
        words.extend(self.words(unit.one("ExecStart")?));
        Ok(words)
    }

    /// The words of a unit's line, with the files of this machine.
    pub fn words(&self, line: &str) -> Vec<String> {
        line.split(' ').map(|word| self.here(word)).collect()
    }

    /// A word of a command, as the file of this machine if it names one.
    fn here(&self, word: &str) -> String {
        let file = self.at(word);
        if word.starts_with('/') && file.exists() {
            file.display().to_string()
        } else {
            word.to_owned()
        }
    }

    /// The installed program of these words knows its flags among them, by its own help.
    ///
    /// # Errors
    /// For the first that it does not know.
    pub fn knows(&self, told: &[&str]) -> Outcome {
        let verbs = told[1..]
            .iter()
            .take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase()));
        let help = said(
            Command::new(self.at("usr/bin").join(told[0]))
                .args(verbs)
                .arg("--help"),
        )?;
        for flag in told[1..]
            .iter()
            .filter(|word| word.starts_with("--") && word.len() > 2)
        {
            ensure!(help.contains(flag), "{flag} is not known");
        }
        Ok(())
    }

    /// The number of a user and of its group.
    ///
    /// # Errors
    /// sysusers did not make it.
    pub fn ids(&self, user: &str) -> Result<(String, String)> {
        let passwd = std::fs::read_to_string(self.at("etc/passwd"))?;
        let line = passwd.lines().find(|line| line.starts_with(&format!("{user}:")));
        let mut fields = line
            .with_context(|| format!("no user {user}"))?
            .split(':')
            .skip(2);
        let mut number = || fields.next().map(str::to_owned).context("a number");
        Ok((number()?, number()?))
    }

    /// The next word to the service manager.
    ///
    /// # Errors
    /// None comes in time.
    pub fn told(&self) -> Result<String> {
        let mut word = [0; 64];
        let length = self
            .manager
            .recv(&mut word)
            .context("a word to the service manager")?;
        Ok(String::from_utf8_lossy(&word[..length]).trim().to_owned())
    }

    /// What was done here that systemd would have refused: calls, and sockets of families that the unit does not name.
    ///
    /// # Errors
    /// strace has seen nothing at all, not even a socket.
    pub fn refused(&self, unit: &Unit) -> Result<Vec<String>> {
        let trace = std::fs::read_to_string(self.at(TRACE))?;
        ensure!(trace.contains("socket(AF_INET"), "strace saw no socket: {trace}");
        let families = unit.one("RestrictAddressFamilies")?;
        let allowed = |line: &&str| {
            let family = line
                .split_once("socket(")
                .and_then(|(_, rest)| rest.split(',').next());
            let named = family.is_some_and(|family| families.split(' ').any(|name| name == family));
            named || line.contains("<... socket resumed>")
        };
        Ok(trace
            .lines()
            .filter(|line| !allowed(line))
            .map(str::to_owned)
            .collect())
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a unit says: keys and values, in their order.
#[derive(Debug)]
pub struct Unit(Vec<(String, String)>);

impl Unit {
    /// All values of a key.
    pub fn all(&self, key: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(name, _)| name == key);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a key that stands there once.
    ///
    /// # Errors
    /// It does not.
    pub fn one(&self, key: &str) -> Result<&str> {
        match self.all(key).as_slice() {
            [value] => Ok(value),
            values => anyhow::bail!("{key} stands {} times", values.len()),
        }
    }

    /// Calls that its filter refuses, of all that systemd knows.
    fn refused(&self) -> Result<BTreeSet<String>> {
        let listing = said(Command::new("systemd-analyze").arg("syscall-filter"))?;
        let groups = groups(&listing);
        let mut allowed = BTreeSet::new();
        for line in self.all("SystemCallFilter") {
            match line.strip_prefix('~') {
                None => line.split(' ').for_each(|word| add(&groups, word, &mut allowed)),
                Some(line) => {
                    let mut out = BTreeSet::new();
                    line.split(' ').for_each(|word| add(&groups, word, &mut out));
                    allowed.retain(|call| !out.contains(call));
                }
            }
        }
        // What no process can be without.
        add(&groups, "@default", &mut allowed);
        let all = groups.values().flatten().filter(|call| !call.starts_with('@'));
        Ok(all.filter(|call| !allowed.contains(*call)).cloned().collect())
    }
}

/// Groups of calls by their names, as systemd-analyze lists them.
fn groups(listing: &str) -> BTreeMap<&str, Vec<String>> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut group = "";
    for line in listing.lines() {
        let word = line.trim();
        if line.starts_with('@') {
            group = word;
        } else if line.starts_with(' ') && !word.is_empty() && !word.starts_with('#') {
            groups.entry(group).or_default().push(word.to_owned());
        }
    }
    groups
}

/// Adds a call, or all calls of a group and of those in it.
fn add(groups: &BTreeMap<&str, Vec<String>>, word: &str, to: &mut BTreeSet<String>) {
    match groups.get(word) {
        Some(members) => members.iter().for_each(|member| add(groups, member, to)),
        None => {
            to.insert(word.to_owned());
        }
    }
}
