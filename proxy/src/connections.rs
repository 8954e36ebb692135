//! Idle connections to upstreams, those of one thread.
//!
//! Invariants: only a connection whose last answer ended cleanly comes in; every connection is checked when it is
//! taken out, because an idle connection may have been closed by the far side meanwhile; the newest goes first, so
//! that the rest can grow old and be swept.
//!
//! Left out on purpose: sharing between threads. It would put a lock on every request's way.

use std::cell::RefCell;
use std::time::Duration;

use remora_policy::UpstreamId;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::http::Link;

/// Pause between two sweeps.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// All idle connections of a thread.
#[derive(Default)]
pub(crate) struct Connections {
    /// By [`UpstreamId::index`], oldest first.
    places: RefCell<Vec<Vec<(Link, Instant)>>>,
}

impl Connections {
    /// An idle connection to this upstream that is still open and has rested for less than `longest`. Sweeps come too
    /// seldom to keep that bound, and behind it the upstream may close at any moment.
    #[must_use]
    pub(crate) fn take(&self, upstream: UpstreamId, longest: Duration, now: Instant) -> Option<Link> {
        let mut places = self.places.borrow_mut();
        let idle = places.get_mut(upstream.index())?;
        while let Some((mut link, since)) = idle.pop() {
            if !Deadline::since(since, longest).is_over(now) && link.is_alive() {
                return Some(link);
            }
        }
        None
    }

    /// A connection to this upstream has carried its exchange: it rests if it can be used again and fewer than `room` do.
    pub(crate) fn put(&self, upstream: UpstreamId, mut link: Link, room: usize, now: Instant) {
        let (mut places, index) = (self.places.borrow_mut(), upstream.index());
        if places.len() <= index {
            places.resize_with(index + 1, Vec::new);
        }
        if link.is_clean() && places[index].len() < room {
            link.rest();
            places[index].push((link, now));
        }
    }

    /// Closes what is closed on the far side or has rested for `longest`.
    pub(crate) fn sweep(&self, longest: Duration) {
        for idle in self.places.borrow_mut().iter_mut() {
            idle.retain_mut(|(link, since)| {
                !Deadline::since(*since, longest).has_passed() && link.is_alive()
            });
        }
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connections")
            .field("places", &self.places.borrow().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_has_rested_for_too_long_is_not_taken() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (connections, buffers) = (Connections::default(), Rc::default());
        let limits = crate::config::Limits::default().answers();
        let upstream = UpstreamId(0);
        let second = Duration::from_secs(1);
        let mut open = Vec::new();
        for _ in 0..2 {
            let link = Link::connect(&authority, second, limits, &buffers).await.unwrap();
            open.push(listener.accept().await.unwrap());
            connections.put(upstream, link, 2, Instant::now());
        }
        assert!(
            connections
                .take(upstream, Duration::from_secs(60), Instant::now())
                .is_some()
        );
        assert!(
            connections
                .take(upstream, Duration::ZERO, Instant::now())
                .is_none()
        );
        assert!(
            connections
                .take(upstream, Duration::from_secs(60), Instant::now())
                .is_none(),
            "and it is closed"
        );
    }
}
