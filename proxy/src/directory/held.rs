//! The current snapshot as one thread holds it, so that an exchange costs the thread a count of its own and nothing that
//! other threads share.
//!
//! Invariants: what is handed out is current at that moment, and whoever published it on this thread sees it at once · a
//! snapshot lives for as long as somebody holds it; the one that a thread found last, until it looks again.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::Current;

/// A thread's own look at the directory.
pub(crate) struct Holder(RefCell<Found>);

struct Found {
    /// Compares pointers; takes part in counting only when they differ.
    cache: Cache<Arc<ArcSwap<Current>>, Arc<Current>>,
    last: Held,
}

/// A snapshot that does not change in the hand of its holder.
#[derive(Clone)]
#[expect(
    clippy::redundant_allocation,
    reason = "the inner count is shared by all threads, the outer is this thread's"
)]
pub(crate) struct Held(Rc<Arc<Current>>);

impl Holder {
    pub(super) fn new(shared: Arc<ArcSwap<Current>>) -> Self {
        let mut cache = Cache::new(shared);
        let last = Held(Rc::new(Arc::clone(cache.load())));
        Self(RefCell::new(Found { cache, last }))
    }

    /// The current snapshot. Never waits, and allocates only when it is another than the last one.
    #[must_use]
    pub(crate) fn current(&self) -> Held {
        let mut found = self.0.borrow_mut();
        let Found { cache, last } = &mut *found;
        let current = cache.load();
        if !Arc::ptr_eq(current, &last.0) {
            *last = Held(Rc::new(Arc::clone(current)));
        }
        last.clone()
    }
}

impl Deref for Held {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.0
    }
}
