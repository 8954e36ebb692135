//! Replacing this process: asked for, tried, given up or done.
//!
//! Invariants: one successor at a time · one that fails, in whatever way, is ended, counted and told of, and this process keeps all that it
//! had · whoever gives up holds no socket any more.
//!
//! Left out on purpose: what clients of this process see of it (`server`), and operators (the composition root).

use std::net::SocketAddr;
use std::time::Duration;

use remora_process::{reload, service};

use super::Sockets;
use super::successor::{Program, Successor};
use crate::chronicle::{Happening, Sort};
use crate::directory::Directory;
use crate::wishes::Keeping;

/// How long a successor may take to be ready, the first checks of upstreams apart. 60 s: it needs a second, on a machine that
/// swaps some dozens.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The id of the first process of a container, which ends when that does, whoever else is in it.
const FIRST_PROCESS: u32 = 1;

/// What this process would be replaced with, and how far that is.
pub struct Replacement {
    program: Program,
    sockets: Sockets,
    keeping: Keeping,
    directory: Directory,
    successor: Option<Successor>,
    /// Whether the configuration was to be read again since the successor began.
    reload: bool,
}

impl Replacement {
    /// Nobody has asked for it yet.
    #[must_use]
    pub fn new(sockets: Sockets, keeping: Keeping, directory: Directory) -> Self {
        Self {
            program: Program::of_this_process(),
            sockets,
            keeping,
            directory,
            successor: None,
            reload: false,
        }
    }

    /// An operator asks for it.
    pub async fn begin(&mut self) {
        if self.successor.is_some() {
            tracing::warn!("a successor is starting already: SIGUSR2 changes nothing");
            return;
        }
        if std::process::id() == FIRST_PROCESS {
            tracing::error!(
                "this process is its container's first, which ends with it: start another container instead"
            );
            return;
        }
        self.reload = false;
        let started = match self.keeping.lock_file().await {
            Ok(lock) => {
                let limit = READY_WITHIN + self.directory.verdicts_within();
                Successor::start(&self.program, &self.sockets, lock.as_ref(), limit)
            }
            Err(error) => Err(error),
        };
        let path = self.program.path.display();
        match started {
            Ok(successor) => {
                tracing::info!(process = successor.id(), program = %path, "a successor is starting");
                self.tell("a successor is starting", "");
                self.successor = Some(successor);
            }
            Err(error) => {
                reload::not_replaced();
                tracing::error!(program = %path, %error, "no successor could be started: this process goes on");
                self.tell(
                    "no successor could be started: this process goes on",
                    &error.to_string(),
                );
            }
        }
    }

    /// The configuration was read again: a successor may have read it before.
    pub fn reloaded(&mut self) {
        self.reload = true;
    }

    /// Completes when a successor goes, with the addresses whose sockets it does not serve. One that fails is told of, and
    /// changes nothing. Safe to drop and call again.
    pub async fn handed_over(&mut self) -> Vec<SocketAddr> {
        loop {
            let failed = match &mut self.successor {
                None => std::future::pending().await,
                Some(successor) => match successor.ready().await {
                    Ok(untaken) => {
                        self.keeping.hand_over().await;
                        if let Some(process) = successor.id() {
                            service::follow(process);
                        }
                        match successor.go(self.reload).await {
                            Ok(()) => {
                                // It is its own from now on.
                                self.successor = None;
                                return untaken;
                            }
                            Err(error) => error.to_string(),
                        }
                    }
                    Err(why) => why,
                },
            };
            reload::not_replaced();
            tracing::error!(
                why = failed,
                "the successor failed, and this process goes on: cure what its lines say, and send SIGUSR2 again"
            );
            self.tell("the successor failed, and this process goes on", &failed);
            self.drop_successor().await;
            service::follow(std::process::id());
            self.keeping.take_back().await;
        }
    }

    /// Ends what has begun, and holds no socket any more.
    pub async fn give_up(mut self) {
        if self.successor.is_some() {
            tracing::warn!("asked to stop while a successor is starting: it is ended, too");
            self.drop_successor().await;
        }
    }

    fn tell(&self, what: &str, why: &str) {
        let happening = Happening::new(Sort::Replacement, "", what);
        self.directory.chronicle().note(happening.because(why));
    }

    async fn drop_successor(&mut self) {
        if let Some(successor) = self.successor.take() {
            successor.end().await;
        }
    }
}
