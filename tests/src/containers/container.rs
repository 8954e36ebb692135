//! A program as the first process of a machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::image::{Image, overlays};
use super::network::{Machine, Network};
use crate::process::Process;
use crate::wait::{SOON, wait_for};

/// Where a shell of Debian looks for programs.
const PATH: &str = "PATH=/usr/local/tomcat/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A file or directory of the outside.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Where it is.
    pub from: PathBuf,
    /// Where the container has it.
    pub at: String,
    /// Whether the container may not write there.
    pub read_only: bool,
}

/// What a container is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is run.
    pub words: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// What of the outside it has.
    pub mounts: Vec<Mount>,
    /// As whom: user and group.
    pub user: (u32, u32),
    /// Whether it may not write into its image.
    pub read_only: bool,
}

/// A running container.
#[derive(Debug)]
pub struct Container {
    /// Its machine.
    pub machine: Machine,
    plan: Plan,
    process: Process,
}

impl Container {
    /// Starts it; does not wait.
    ///
    /// # Errors
    /// When files cannot be made, or the process not be started.
    pub fn start(
        directory: &Path,
        network: &Network,
        machine: Machine,
        image: &Image,
        plan: Plan,
    ) -> Result<Self> {
        let own = directory.join(format!("container-{}-{}", machine.name, machine.address));
        let root = own.join("root");
        fs::create_dir_all(&root)?;
        overlays(&own)?;
        let mut script = image.root_over(&root, &own, true);
        let names = [
            (network.names_file(), "/etc/hosts"),
            (own.join("resolv.conf"), "/etc/resolv.conf"),
        ];
        fs::write(own.join("resolv.conf"), "")?;
        for (from, at) in names {
            script.push_str(&mounted(&from, at, true));
        }
        for mount in &plan.mounts {
            script.push_str(&mounted(&mount.from, &mount.at, mount.read_only));
        }
        if plan.read_only {
            script.push_str(
                "for part in \"\" usr etc var; do mount -o remount,ro,bind \"$ROOT/$part\"; done\n",
            );
        } else {
            script.push_str("chmod 1777 \"$ROOT/tmp\"\n");
        }
        script.push_str("exec chroot \"$ROOT\" \"$@\"\n");
        let log = directory.join(format!("{}.log", machine.name));
        let process = Process::start(&machine.name, Path::new("nsenter"), &log, |command| {
            command.args(machine.entry());
            command.args(["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--"]);
            command
                .args(["sh", "-ec", &script, "sh"])
                .args(as_user(&plan, true))
                .args(&plan.words);
        })?;
        Ok(Self {
            machine,
            plan,
            process,
        })
    }

    /// Runs something more in it, as an engine does for checks and for a person, with a bound.
    ///
    /// # Errors
    /// When it does not run.
    pub fn exec(&self, words: &[String], seconds: i32) -> Result<Output> {
        let first = self.first()?;
        let mut command = Command::new("timeout");
        command
            .arg(seconds.to_string())
            .args(["nsenter", "--target", &first]);
        command.args(["--net", "--uts", "--pid", "--mount", "--root", "--wd", "--"]);
        command.args(as_user(&self.plan, false)).args(words);
        command.output().with_context(|| words.join(" "))
    }

    /// Asks it to end, and waits; how long that took, and how it ended.
    ///
    /// # Errors
    /// When it has not ended within its grace.
    pub fn stop(&mut self, grace: Duration) -> Result<(Duration, ExitStatus)> {
        let began = Instant::now();
        self.ask_to_stop()?;
        let ended = self.process.wait_for_end(grace)?;
        Ok((began.elapsed(), ended))
    }

    /// Asks it to end, and does not wait.
    ///
    /// # Errors
    /// When it does not run.
    pub fn ask_to_stop(&self) -> Result<()> {
        let sent = Command::new("kill")
            .args(["-s", "TERM", &self.first()?])
            .status()?;
        ensure!(sent.success(), "{} does not run", self.machine.name);
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it has not ended in time.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait_for_end(limit)
    }

    /// What it wrote.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// What it wrote last, under its name.
    pub fn tail(&self) -> String {
        format!("--- {}\n{}", self.machine.name, self.process.tail())
    }

    /// The id of its first process as this system knows it.
    fn first(&self) -> Result<String> {
        let id = self.process.id();
        let children = format!("/proc/{id}/task/{id}/children");
        wait_for(&format!("{} runs", self.machine.name), SOON, || {
            let first = fs::read_to_string(&children).ok()?;
            first.split_whitespace().next().map(str::to_owned)
        })
    }
}

/// Words of a shell that put a file or directory of the outside into `$ROOT`.
fn mounted(from: &Path, at: &str, read_only: bool) -> String {
    let make = if from.is_dir() {
        format!("mkdir -p \"$ROOT{at}\"")
    } else {
        format!("mkdir -p \"$(dirname \"$ROOT{at}\")\"; [ -e \"$ROOT{at}\" ] || : > \"$ROOT{at}\"")
    };
    let locked = if read_only {
        format!("mount -o remount,ro,bind \"$ROOT{at}\"\n")
    } else {
        String::new()
    };
    format!("{make}\nmount --bind {} \"$ROOT{at}\"\n{locked}", from.display())
}

/// Words that run what follows as the user of a container, without rights and with its variables alone.
fn as_user(plan: &Plan, first: bool) -> Vec<String> {
    let (user, group) = plan.user;
    let mut words: Vec<String> = [
        "setpriv",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]
    .map(str::to_owned)
    .into();
    words.extend([
        format!("--reuid={user}"),
        format!("--regid={group}"),
        format!("--groups={group}"),
    ]);
    if first {
        // Whoever changes its user is forgotten by the signal that `unshare` asked for.
        words.push("--pdeathsig=KILL".to_owned());
    }
    words.extend(["--", "env", "-i", PATH].map(str::to_owned));
    words.extend(
        plan.environment
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    words
}
