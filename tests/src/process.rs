//! Children: started with their output in a file, killed with the harness, stopped and continued by signal.
//!
//! Invariant: no child outlives this process, however it ends. Each runs under `setpriv --pdeathsig KILL`, and all
//! are started by one thread that lives as long as the process, because the kernel sends that signal when the
//! starting *thread* ends. Dropping a [`Process`] kills it at once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wait::{SOON, wait_for};

/// How much of a log is shown when a claim fails.
const TAIL_BYTES: u64 = 6_000;

/// Children that wait to be started: one, because every caller waits for its own.
const WAITING_STARTS: usize = 1;

/// Ids of the children that run.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

type Start = (Command, SyncSender<std::io::Result<Child>>);

/// A running child, or one that was killed and can be started again.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; its output is appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program not be started.
    pub fn start(name: &str, program: &Path, log: &Path, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("open {}", log.display()))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        // A tail of a log must hold the sentence of a panic, not the frames behind it.
        command.env("RUST_BACKTRACE", "0");
        prepare(&mut command);
        let errors = output
            .try_clone()
            .context("share the log between output and errors")?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        // An own process group: Ctrl-C at a terminal reaches the harness only, which then stops its children in order.
        command.process_group(0);
        let child =
            start_by_lasting_thread(command).with_context(|| format!("start {}", program.display()))?;
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(child.id());
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_path_buf(),
        })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs (a stopped one does).
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL: no last word, no flush.
    pub fn kill(&mut self) {
        // Fails only when the child is already dead and reaped, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.child.id());
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause(&self) -> Result<()> {
        self.signal("STOP")?;
        // Its threads stop one after the other, each when it comes round: a quick caller could still be answered.
        let threads = format!("/proc/{}/task", self.id());
        wait_for("all its threads stand still", SOON, || {
            let mut stand = std::fs::read_dir(&threads).ok()?.flatten().map(|thread| {
                let state = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
                state
                    .rsplit(") ")
                    .next()
                    .is_none_or(|state| state.starts_with('T'))
            });
            stand.all(|stands| stands).then_some(())
        })
    }

    /// SIGCONT: it goes on as if no time had passed.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it has not ended within `limit`.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait_for_end(limit)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it has not ended within `limit`.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait_for(&what, limit, || self.child.try_wait().ok().flatten())
    }

    /// Sends a signal by its name.
    ///
    /// # Errors
    /// When the process does not exist any more.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let id = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .stderr(Stdio::null())
            .status();
        match sent {
            Ok(status) if status.success() => Ok(()),
            _ => bail!("SIG{signal} did not reach {}: it is not running", self.name),
        }
    }

    /// What it wrote last.
    pub fn tail(&self) -> String {
        tail(&self.log, TAIL_BYTES)
    }

    /// All that it wrote.
    pub fn output(&self) -> String {
        tail(&self.log, u64::MAX)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills every child at once and returns when the signals are sent: for the end on Ctrl-C, where nobody unwinds.
pub fn end_all() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let ids = running.iter().map(u32::to_string);
    // Children that ended meanwhile are not reaped, so no id can have been given to somebody else.
    let _ = Command::new("kill")
        .args(["-s", "KILL"])
        .args(ids)
        .stderr(Stdio::null())
        .status();
}

/// A command as its program and what follows that.
///
/// # Errors
/// When it has no word.
pub fn split(command: &[String]) -> Result<(PathBuf, Vec<String>)> {
    let (program, words) = command.split_first().context("a command has a word")?;
    Ok((program.into(), words.to_vec()))
}

/// How a process ended, in words.
pub fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

fn tail(log: &Path, most: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(no log: {error})"),
    }
}

fn start_by_lasting_thread(command: Command) -> Result<Child> {
    static STARTER: OnceLock<SyncSender<Start>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, waiting) = sync_channel::<Start>(WAITING_STARTS);
        std::thread::spawn(move || {
            for (mut command, answer) in waiting {
                // The caller waits for exactly this; if it is gone, dropping the child changes nothing.
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, started) = sync_channel(WAITING_STARTS);
    starter
        .send((command, answer))
        .context("the starting thread is gone")?;
    Ok(started.recv().context("the starting thread is gone")??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::{SOON, wait_until};

    fn state(id: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit(')').next()?.trim().chars().next()
    }

    fn sleeper(log: &Path) -> Process {
        Process::start("sleeper", Path::new("sleep"), log, |command| {
            command.arg("600");
        })
        .unwrap()
    }

    #[test]
    fn dropping_a_child_kills_it() {
        let directory = tempfile::tempdir().unwrap();
        let child = sleeper(&directory.path().join("log"));
        let id = child.id();
        wait_until("the child runs", SOON, || state(id).is_some()).unwrap();
        drop(child);
        assert_eq!(state(id), None);
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut child = std::thread::spawn(move || sleeper(&log)).join().unwrap();
        crate::wait::holds_for("the child runs on", Duration::from_millis(300), || {
            child.is_running()
        })
        .unwrap();
    }

    #[test]
    fn a_paused_child_is_stopped_and_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let child = sleeper(&directory.path().join("log"));
        child.pause().unwrap();
        wait_until("the child is stopped", SOON, || state(child.id()) == Some('T')).unwrap();
        child.resume().unwrap();
        wait_until("the child goes on", SOON, || state(child.id()) == Some('S')).unwrap();
    }
}
