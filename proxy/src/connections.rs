//! Idle connections to upstreams, those of one thread.
//!
//! Invariants: only a connection whose last answer ended cleanly comes in; every connection is checked when it is
//! taken out, because an idle connection may have been closed by the far side meanwhile; the newest goes first, so
//! that the rest can grow old and be swept.
//!
//! Left out on purpose: sharing between threads. It would put a lock on every request's way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use remora_policy::UpstreamId;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::http::outbound::{Link, Shelf};

/// Pause between two sweeps.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// All idle connections of a thread.
#[derive(Default)]
pub(crate) struct Connections {
    /// By [`UpstreamId::index`].
    places: RefCell<Vec<Rc<Place>>>,
}

/// The idle connections to one upstream, oldest first.
#[derive(Default)]
struct Place {
    idle: RefCell<Vec<(Link, Instant)>>,
    /// How many may rest here; set at each exchange, because a reload may change it.
    room: Cell<usize>,
}

impl Connections {
    /// An idle connection to this upstream that is still open and has rested for less than `longest`. Sweeps come too
    /// seldom to keep that bound, and behind it the upstream may close at any moment.
    #[must_use]
    pub(crate) fn take(&self, upstream: UpstreamId, longest: Duration) -> Option<Link> {
        let place = self.place(upstream);
        let mut idle = place.idle.borrow_mut();
        while let Some((mut link, since)) = idle.pop() {
            if !Deadline::since(since, longest).has_passed() && link.is_alive() {
                return Some(link);
            }
        }
        None
    }

    /// Where connections to this upstream go back to, if fewer than `room` rest there.
    #[must_use]
    pub(crate) fn shelf(&self, upstream: UpstreamId, room: usize) -> Rc<dyn Shelf> {
        let place = self.place(upstream);
        place.room.set(room);
        place
    }

    /// Closes what is closed on the far side or has rested for `longest`.
    pub(crate) fn sweep(&self, longest: Duration) {
        for place in self.places.borrow().iter() {
            place.idle.borrow_mut().retain_mut(|(link, since)| {
                !Deadline::since(*since, longest).has_passed() && link.is_alive()
            });
        }
    }

    fn place(&self, upstream: UpstreamId) -> Rc<Place> {
        let index = upstream.index();
        let mut places = self.places.borrow_mut();
        if places.len() <= index {
            places.resize_with(index + 1, Rc::default);
        }
        Rc::clone(&places[index])
    }
}

impl Shelf for Place {
    fn put(&self, link: Link) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.room.get() {
            idle.push((link, Instant::now()));
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
    use super::*;

    #[tokio::test]
    async fn a_connection_that_has_rested_for_too_long_is_not_taken() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let connections = Connections::default();
        let upstream = UpstreamId(0);
        let second = Duration::from_secs(1);
        let mut open = Vec::new();
        for _ in 0..2 {
            let link = Link::connect(&authority, second).await.unwrap();
            open.push(listener.accept().await.unwrap());
            connections.shelf(upstream, 2).put(link);
        }
        assert!(connections.take(upstream, Duration::from_secs(60)).is_some());
        assert!(connections.take(upstream, Duration::ZERO).is_none());
        assert!(
            connections.take(upstream, Duration::from_secs(60)).is_none(),
            "and it is closed"
        );
    }
}
