//! A process that is to replace this one, from its start until it has the word to go.
//!
//! Invariants: it is handed what the convention says and nothing else that this process has open · all that is heard of it is
//! bounded, in bytes and in time · it is not asked twice: what it said is kept.
//!
//! Left out on purpose: when one is started, and what its failure means (`replacement`).

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{GREETING, LINE_BYTES, Sockets, WIRE};
use crate::deadline::Deadline;

/// The first descriptor that is handed down, as the convention has it.
const FIRST: RawFd = 3;
/// How long a process may take to end that was killed, or has closed its wire. 2 s: the kernel needs milliseconds.
const END_WITHIN: Duration = Duration::from_secs(2);

/// How this process was started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: OsString,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    /// As the shell or the supervisor named it: whatever stands at that path when it is started again.
    pub(super) fn of_this_process() -> Self {
        let mut words = std::env::args_os();
        Self {
            path: words.next().unwrap_or_default(),
            arguments: words.collect(),
        }
    }
}

/// The process.
pub(super) struct Successor {
    child: Child,
    wire: tokio::net::UnixStream,
    /// What it said so far.
    said: Vec<u8>,
    until: Deadline,
}

impl Successor {
    /// Starts a program with these sockets and the lock of the wishes; it has to be ready within `limit`.
    pub(super) fn start(
        program: &Program,
        sockets: &Sockets,
        lock: Option<&OwnedFd>,
        limit: Duration,
    ) -> io::Result<Self> {
        let (wire, far_end) = UnixStream::pair()?;
        greet(&wire, lock.map(AsFd::as_fd))?;
        let mut names = vec!["listen"; sockets.listen.len()];
        names.extend(["control", WIRE]);
        let mut handed = Vec::new();
        for socket in sockets.listen.iter().chain([&sockets.control]) {
            handed.push(OwnedFd::from(socket.try_clone()?));
        }
        handed.push(OwnedFd::from(far_end));
        let mappings = (FIRST..)
            .zip(handed)
            .map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        let mut command = std::process::Command::new(&program.path);
        command
            .args(&program.arguments)
            .env("LISTEN_FDS", names.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            // Its id is known to nobody yet; without one, whoever reads these is meant.
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_PIDFDID")
            .env_remove("LISTEN_FDS_FIRST_FD");
        command
            .fd_mappings(mappings.collect())
            .map_err(io::Error::other)?;
        // What was handed to the command is closed here with it: the wire ends when the child does.
        wire.set_nonblocking(true)?;
        // Whatever can fail comes first: a child without a wire would take us for dead, and serve beside us.
        let wire = tokio::net::UnixStream::from_std(wire)?;
        let child = Command::from(command).spawn()?;
        Ok(Self {
            child,
            wire,
            said: Vec::new(),
            until: Deadline::within(limit),
        })
    }

    /// Its process id, while it has one.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it is ready, and gives the addresses whose sockets it does not serve; or says why it will not be. Safe to
    /// drop and call again.
    pub(super) async fn ready(&mut self) -> Result<Vec<SocketAddr>, String> {
        loop {
            if let Some(line) = self.said.strip_suffix(b"\n") {
                return untaken(line).ok_or_else(|| {
                    format!(
                        "it said `{}`, which is not understood",
                        String::from_utf8_lossy(line)
                    )
                });
            }
            if self.said.len() >= LINE_BYTES {
                return Err("it said more than is read".to_owned());
            }
            tokio::select! {
                read = self.wire.read_buf(&mut self.said) => match read {
                    Ok(1..) => {}
                    _ => return Err(self.ended().await),
                },
                () = self.until.passed() => return Err("it was not ready in time".to_owned()),
            }
        }
    }

    /// How it ended, whose wire has.
    async fn ended(&mut self) -> String {
        match tokio::time::timeout(END_WITHIN, self.child.wait()).await {
            Ok(Ok(status)) => format!("it ended with {status}; its last words stand above"),
            _ => "it closed the wire".to_owned(),
        }
    }

    /// Gives it the word to go.
    pub(super) async fn go(&mut self, reload: bool) -> io::Result<()> {
        let word: &[u8] = if reload { b"go reload\n" } else { b"go\n" };
        self.wire.write_all(word).await
    }

    /// Ends it. It had no word to go, so nobody loses anything.
    pub(super) async fn end(mut self) {
        if tokio::time::timeout(END_WITHIN, self.child.kill()).await.is_err() {
            tracing::warn!("the successor was killed and has not ended yet");
        }
    }
}

/// Says the greeting, with the lock beside it.
fn greet(wire: &UnixStream, lock: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let files: Vec<BorrowedFd<'_>> = lock.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(&files));
    }
    // A fresh wire takes it whole.
    sendmsg(
        wire,
        &[IoSlice::new(GREETING.as_bytes())],
        &mut beside,
        SendFlags::empty(),
    )?;
    Ok(())
}

/// The addresses in a line that says ready.
fn untaken(line: &[u8]) -> Option<Vec<SocketAddr>> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|word| *word == "ready")?;
    words.map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
