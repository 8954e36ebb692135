//! Signals as values: SIGTERM and SIGINT ask to stop, SIGHUP asks to reload; SIGUSR2 asks a server that can be replaced to be.
//!
//! Install before the first listener is bound, so that a signal during the start is not lost. A second stop while the
//! first is being obeyed is delivered as well: a server that looks for it ends at once.

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::exit::Failure;

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Finish what is in flight and end (SIGTERM, SIGINT).
    Stop,
    /// Read the configuration again; a bad file changes nothing (SIGHUP).
    Reload,
}

/// The signals of this process from the moment of [`Signals::install`].
#[derive(Debug)]
pub struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Signals {
    /// Takes the signals over from their default actions. Must run inside a tokio runtime with IO.
    pub fn install() -> Result<Signals, Failure> {
        let take =
            |kind| signal(kind).map_err(|error| Failure::while_doing("cannot listen for signals", &error));
        Ok(Signals {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// The next signal. Safe to drop and call again.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    /// Waits until a stop is asked, and leaves a reload for later.
    pub async fn only_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits until a stop is asked: for a server that is starting, and reads its configuration anyway.
    pub async fn stop(&mut self) {
        while self.next().await != Signal::Stop {
            tracing::warn!("SIGHUP came before this server had started: send it again");
        }
    }
}

/// SIGUSR2 of a server that can be replaced by a new process of its own; others die of it, as is usual.
#[derive(Debug)]
pub struct Replacements(Stream);

impl Replacements {
    /// Takes the signal over from its default action. Must run inside a tokio runtime with IO.
    pub fn install() -> Result<Replacements, Failure> {
        let stream = signal(SignalKind::user_defined2());
        let stream = stream.map_err(|error| Failure::while_doing("cannot listen for signals", &error))?;
        Ok(Replacements(stream))
    }

    /// Completes when the server is to be replaced. Safe to drop and call again.
    pub async fn asked(&mut self) {
        self.0.recv().await;
    }
}
