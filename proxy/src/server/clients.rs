//! The client connections of one thread: how many there are, and how they learn that it is time to end.
//!
//! Every connection leaves its task's waker here. So a connection that waits for a request costs nothing until the
//! stop, which wakes all of them once, and once more those that are cut; no connection polls a channel on every turn.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::sync::{Notify, watch};

use super::ending::{self, Stage};
use crate::metrics::CLIENTS;

/// The connections of a thread.
pub(super) struct Clients {
    /// What the process does.
    stage: watch::Receiver<Stage>,
    stopping: Cell<bool>,
    cut: Cut,
    next: Cell<u64>,
    due: Cell<Option<tokio::time::Instant>>,
    tasks: RefCell<BTreeMap<u64, Waker>>,
    /// How many of them are tunnels.
    tunnels: Cell<usize>,
    /// Told whenever one leaves.
    left: Notify,
}

/// Whose time is over.
#[derive(Default)]
struct Cut {
    requests: Cell<bool>,
    tunnels: Cell<bool>,
}

/// One connection's place; it leaves when this is dropped.
pub(crate) struct Ticket {
    clients: Rc<Clients>,
    number: u64,
    tunnel: Cell<bool>,
}

impl Clients {
    /// Nobody yet.
    pub(super) fn new(stage: watch::Receiver<Stage>) -> Self {
        Self {
            stage,
            stopping: Cell::default(),
            cut: Cut::default(),
            next: Cell::default(),
            due: Cell::default(),
            tasks: RefCell::default(),
            tunnels: Cell::default(),
            left: Notify::default(),
        }
    }

    /// A connection comes in. Its task says where it can be woken with [`Ticket::here`].
    pub(super) fn enter(self: &Rc<Self>) -> Ticket {
        let number = self.next.get();
        self.next.set(number + 1);
        self.tasks.borrow_mut().insert(number, Waker::noop().clone());
        metrics::gauge!(CLIENTS).increment(1.0);
        Ticket {
            clients: Rc::clone(self),
            number,
            tunnel: Cell::new(false),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Waits until there are fewer than `most`.
    pub(super) async fn room(&self, most: usize) {
        while self.count() >= most.max(1) {
            self.left.notified().await;
        }
    }

    /// Wakes connections in time, for ever.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            if self
                .due
                .get()
                .is_some_and(|due| due <= tokio::time::Instant::now())
            {
                self.due.set(None);
                for waker in self.tasks.borrow().values() {
                    waker.wake_by_ref();
                }
            }
        }
    }

    /// Tells all that it is time to end.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
        self.wake();
    }

    /// Cuts tunnels, or all others; says how many are left to be cut.
    pub(super) fn cut(&self, tunnels: bool) -> usize {
        let open = self.tunnels.get();
        if tunnels {
            self.cut.tunnels.set(true);
        } else {
            self.cut.requests.set(true);
        }
        self.wake();
        if tunnels { open } else { self.count() - open }
    }

    fn wake(&self) {
        for waker in self.tasks.borrow().values() {
            waker.wake_by_ref();
        }
    }

    /// Waits until there is none.
    pub(super) async fn all_gone(&self) {
        while self.count() > 0 {
            self.left.notified().await;
        }
    }
}

impl Ticket {
    /// The calling task serves the connection: it is woken when it is time to end.
    pub(super) async fn here(&self) {
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        self.clients.tasks.borrow_mut().insert(self.number, waker);
    }

    /// The task is woken soon after this moment.
    pub(crate) fn wake_at(&self, at: tokio::time::Instant) {
        let due = &self.clients.due;
        due.set(Some(due.get().map_or(at, |due| due.min(at))));
    }

    /// It waits for its next request.
    pub(crate) fn rests(&self) {}

    /// A request has begun.
    pub(crate) fn works(&self) {}

    /// Whether it is time to end.
    pub(crate) fn is_to_leave(&self) -> bool {
        self.clients.stopping.get()
    }

    /// The connection has left HTTP. Answers what completes when its client is to leave because the process ends.
    pub(crate) fn is_tunnel(&self) -> impl Future<Output = ()> + use<> {
        if !self.tunnel.replace(true) {
            self.clients.tunnels.update(|open| open + 1);
        }
        ending::farewell(self.clients.stage.clone())
    }

    /// Serves the connection until it ends or is cut.
    pub(super) async fn until_cut(&self, serving: impl Future<Output = ()>) {
        let mut serving = pin!(serving);
        let cut = &self.clients.cut;
        poll_fn(|context| {
            let over = if self.tunnel.get() {
                &cut.tunnels
            } else {
                &cut.requests
            };
            match over.get() {
                true => Poll::Ready(()),
                false => serving.as_mut().poll(context),
            }
        })
        .await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.clients.tasks.borrow_mut().remove(&self.number);
        self.clients
            .tunnels
            .update(|open| open - usize::from(self.tunnel.get()));
        metrics::gauge!(CLIENTS).decrement(1.0);
        // Both accept loops and the stop may wait; a permit is kept for whoever comes first.
        self.clients.left.notify_waiters();
        self.clients.left.notify_one();
    }
}
