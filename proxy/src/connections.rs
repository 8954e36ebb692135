//! Idle connections to upstreams, those of one thread.
//!
//! Invariants: only a connection whose last answer ended cleanly comes in; every connection is checked when it is
//! taken out, because an idle connection may have been closed by the far side meanwhile; the newest goes first, so
//! that the rest can grow old and be swept · what was secured by what files said before a reload serves nobody any more.
//!
//! Left out on purpose: sharing between threads. It would put a lock on every request's way.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::UpstreamId;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::http::Link;
use crate::tls::Outward;

/// Pause between two sweeps.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// All idle connections of a thread.
#[derive(Default)]
pub(crate) struct Connections {
    /// By [`UpstreamId::index`].
    places: RefCell<Vec<Place>>,
}

/// The connections to one upstream.
#[derive(Default)]
struct Place {
    /// Oldest first.
    idle: Vec<(Link, Instant)>,
    /// How many the far side has closed.
    closed: u64,
}

impl Connections {
    /// An idle connection to this upstream, secured by this, that is still open and has rested for less than `longest`. Sweeps come too
    /// seldom to keep that bound, and behind it the upstream may close at any moment.
    #[must_use]
    pub(crate) fn take(
        &self,
        (upstream, outward): (UpstreamId, Option<&Arc<Outward>>),
        longest: Duration,
        now: Instant,
    ) -> Option<Link> {
        let mut places = self.places.borrow_mut();
        let Place { idle, closed } = places.get_mut(upstream.index())?;
        while let Some((mut link, since)) = idle.pop() {
            if Deadline::since(since, longest).is_over(now) || !link.is_by(outward) {
                continue;
            }
            if link.is_alive() {
                return Some(link);
            }
            *closed += 1;
        }
        None
    }

    /// A connection to this upstream has carried its exchange: it rests if it can be used again and fewer than `room` do.
    pub(crate) fn put(&self, upstream: UpstreamId, mut link: Link, room: usize, now: Instant) {
        let (mut places, index) = (self.places.borrow_mut(), upstream.index());
        if places.len() <= index {
            places.resize_with(index + 1, Place::default);
        }
        let Place { idle, .. } = &mut places[index];
        if link.is_clean() && idle.len() < room {
            link.rest();
            idle.push((link, now));
        }
    }

    /// Closes what is closed on the far side or has rested for `longest`.
    pub(crate) fn sweep(&self, longest: Duration) {
        for Place { idle, closed } in self.places.borrow_mut().iter_mut() {
            idle.retain_mut(|(link, since)| {
                if Deadline::since(*since, longest).has_passed() {
                    return false;
                }
                let is_alive = link.is_alive();
                *closed += u64::from(!is_alive);
                is_alive
            });
        }
    }

    /// Tells of each upstream how many connections rest, and how many of those that did the far side has closed.
    pub(crate) fn tell(&self, mut of: impl FnMut(UpstreamId, u64, u64)) {
        for (upstream, place) in (0..).map(UpstreamId).zip(self.places.borrow().iter()) {
            of(
                upstream,
                place.idle.len().try_into().unwrap_or(u64::MAX),
                place.closed,
            );
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
    use crate::http::Towards;

    fn towards(authority: &str) -> Towards<'_> {
        let second = Duration::from_secs(1);
        Towards {
            authority,
            outward: None,
            connect: second,
            handshake: second,
        }
    }

    #[tokio::test]
    async fn a_connection_that_has_rested_for_too_long_is_not_taken() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (connections, buffers) = (Connections::default(), Rc::default());
        let limits = crate::config::Limits::default().answers();
        let upstream = UpstreamId(0);
        let mut open = Vec::new();
        for _ in 0..2 {
            let link = Link::connect(towards(&authority), limits, &buffers)
                .await
                .unwrap();
            open.push(listener.accept().await.unwrap());
            connections.put(upstream, link, 2, Instant::now());
        }
        assert!(
            connections
                .take((upstream, None), Duration::from_secs(60), Instant::now())
                .is_some()
        );
        let stand = || {
            let mut stand = Vec::new();
            connections.tell(|of, resting, closed| stand.push((of, resting, closed)));
            stand
        };
        assert_eq!(stand(), [(upstream, 1, 0)]);
        assert!(
            connections
                .take((upstream, None), Duration::ZERO, Instant::now())
                .is_none()
        );
        assert!(
            connections
                .take((upstream, None), Duration::from_secs(60), Instant::now())
                .is_none(),
            "and it is closed"
        );
        assert_eq!(stand(), [(upstream, 0, 0)], "by us");
    }

    #[tokio::test]
    async fn those_that_the_far_side_closed_are_counted() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (connections, buffers) = (Connections::default(), Rc::default());
        let limits = crate::config::Limits::default().answers();
        let upstream = UpstreamId(1);
        for _ in 0..2 {
            let link = Link::connect(towards(&authority), limits, &buffers)
                .await
                .unwrap();
            connections.put(upstream, link, 2, Instant::now());
            drop(listener.accept().await.unwrap());
        }
        let closed = || {
            let mut closed = 0;
            connections.tell(|_, _, more| closed += more);
            closed
        };
        let swept = async {
            while closed() < 2 {
                connections.sweep(Duration::from_secs(60));
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), swept)
            .await
            .unwrap();
    }
}
