//! How the clients of a thread end: told first, then not accepted any more, then within a bound of their kind.
//!
//! Invariants: steps are never taken back · nobody is cut before the bound of what its connection carries has passed,
//! unless an operator asks a second time · WebSockets are told to leave early enough to close in order, and at times of their
//! own, so that they do not come back all at once.
//!
//! Left out on purpose: what a resting connection does when it is told (`http`), and what a frame is (`remora_policy`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::clients::Clients;
use crate::deadline::Deadline;
use crate::directory::Directory;

/// When, of the time that WebSockets have, one is told to leave: the earliest and the latest, as shares of it. What is left
/// behind that is for the client to close in order.
const TOLD_WITHIN: std::ops::Range<f64> = 0.5..0.75;

/// How long each kind of connection may go on when the process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// While clients are still accepted, and told to close.
    pub announce: Duration,
    /// Of requests, from the moment that nobody is accepted any more.
    pub requests: Duration,
    /// Of tunnels, from the same moment.
    pub tunnels: Duration,
}

impl Grace {
    /// As the current limits say.
    #[must_use]
    pub fn now(directory: &Directory) -> Self {
        let limits = directory.current().snapshot.limits;
        Self {
            announce: limits.announce,
            requests: limits.stop,
            tunnels: limits.tunnel_stop,
        }
    }
}

/// Who serves those that wait in the accept queues when nobody is accepted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queues {
    /// This process, before it closes the sockets.
    Own,
    /// A successor that has the same sockets, but for those at these addresses.
    Successor(Arc<[SocketAddr]>),
}

impl Queues {
    /// Whether this process has to serve who waits at this address.
    pub(super) fn are_own(&self, address: Option<SocketAddr>) -> bool {
        match self {
            Self::Own => true,
            // An address that cannot be told is looked at, to be sure.
            Self::Successor(others) => address.is_none_or(|address| others.contains(&address)),
        }
    }
}

/// What the threads do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// They are there, and accept nobody yet.
    Starting,
    /// They serve.
    Serving,
    /// They serve, and tell clients to close.
    Announcing,
    /// They accept nobody, and let what is there end.
    Ending(Grace, Queues),
    /// They end.
    Cut,
}

impl Stage {
    /// Whether clients are to be told.
    pub(super) fn is_announced(&self) -> bool {
        matches!(self, Self::Announcing) || self.is_closed()
    }

    /// Whether nobody is accepted any more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Ending(..) | Self::Cut)
    }
}

/// Lets the clients of a thread end, and cuts whoever is still there when its time is over.
pub(super) async fn end(clients: &Clients, grace: Grace) {
    let began = tokio::time::Instant::now();
    let cut = async |tunnels: bool, limit| {
        Deadline::since(began, limit).passed().await;
        let cut = clients.cut(tunnels);
        if cut > 0 {
            tracing::warn!(clients = cut, tunnels, "the grace period is over: cutting them");
        }
    };
    let bounds = async { tokio::join!(cut(false, grace.requests), cut(true, grace.tunnels)) };
    tokio::select! {
        () = clients.all_gone() => {}
        _ = bounds => {}
    }
}

/// Completes when the client of a tunnel is to leave because the process ends.
pub(super) async fn farewell(mut stage: watch::Receiver<Stage>) {
    let bound = match stage.wait_for(Stage::is_closed).await.as_deref() {
        Ok(Stage::Ending(grace, _)) => grace.tunnels,
        // The thread ends with all that it has.
        _ => Duration::ZERO,
    };
    tokio::time::sleep(bound.mul_f64(rand::random_range(TOLD_WITHIN))).await;
}
