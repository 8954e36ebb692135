//! Whose turn it is: all tasks of a simulation take turns on one thread, in an order drawn by the seed, while time stands
//! still; it passes only when nobody has anything to do.
//!
//! Every task that a node starts is wrapped in a [`Gate`]. The runtime polls gates in an order of its own, which is not the
//! same in two runs (a watch channel wakes its listeners in an order drawn by the system). So a gate that is polled only
//! says that it is ready, and the referee, who comes behind all of them, lets one of those who are ready go on. Which one
//! depends on who is ready, and on nothing else.
//!
//! A task belongs to the node whose task started it. So a node can be ended like a process, with all that it has in memory,
//! and can stand still while the time of the others passes.
//!
//! Left out: what nodes say to each other (`wires`), and what is done to them (`troubles`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, JoinHandle};

use crate::raft::NodeId;
use crate::runtime;

use super::dice::Dice;

/// Turns without time passing that are too many: a whole second of a simulation takes fewer.
const STANDS_STILL_AFTER: u32 = 300_000;

/// Whose tasks those are that belong to no node: the wires, the clients, the troubles.
pub(super) const WORLD: NodeId = 0;

thread_local! {
    /// The simulation that is played on this thread.
    static PLAYED: RefCell<Option<Turns>> = const { RefCell::new(None) };
}

/// The turns of one simulation; clones are the same.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<Taken>>);

struct Taken {
    dice: Dice,
    began: Instant,
    ready: BTreeMap<u64, (NodeId, Waker)>,
    /// Whose turn it is.
    granted: Option<u64>,
    /// Whose task is polled.
    turn_of: NodeId,
    started: u64,
    running: BTreeMap<u64, Running>,
    /// How many turns were given since time last passed, and when that was.
    given: (u32, Duration),
    paused: BTreeSet<NodeId>,
    referee: Option<Waker>,
    panicked: bool,
}

struct Running {
    node: NodeId,
    what: &'static str,
    abort: Option<AbortHandle>,
}

impl Taken {
    /// Counts a turn; what is running if time stands still.
    fn count(&mut self) -> Option<&'static str> {
        let now = runtime::since(self.began);
        self.given = if self.given.1 == now {
            (self.given.0 + 1, now)
        } else {
            (0, now)
        };
        let task = self.granted.filter(|_| self.given.0 > STANDS_STILL_AFTER)?;
        self.running.get(&task).map(|running| running.what)
    }

    fn call_referee(&mut self) {
        if let Some(referee) = self.referee.take() {
            referee.wake();
        }
    }

    /// One of those who are ready and do not stand still.
    fn draw(&mut self) -> Option<Waker> {
        let paused = &self.paused;
        let free = |(_, (node, _)): &(&u64, &(NodeId, Waker))| !paused.contains(node);
        let ready: Vec<u64> = self.ready.iter().filter(free).map(|(task, _)| *task).collect();
        let drawn = self.dice.one_of(&ready)?;
        self.granted = Some(drawn);
        self.ready.remove(&drawn).map(|(_, waker)| waker)
    }
}

impl Turns {
    /// Plays a story on this thread to its end, with its own time and its own chance.
    pub(super) fn play<T, F>(seed: u64, story: impl FnOnce(Turns) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without a driver for sockets needs nothing of the system");
        let told = runtime.block_on(async {
            let turns = Self(Arc::new(Mutex::new(Taken {
                dice: Dice::new(seed),
                began: runtime::now(),
                ready: BTreeMap::new(),
                granted: None,
                turn_of: WORLD,
                started: 0,
                running: BTreeMap::new(),
                given: (0, Duration::ZERO),
                paused: BTreeSet::new(),
                referee: None,
                panicked: false,
            })));
            PLAYED.set(Some(turns.clone()));
            #[expect(clippy::disallowed_methods, reason = "the referee takes no turns")]
            let refereed = tokio::spawn(turns.clone().referee());
            let told = turns.start(WORLD, story(turns.clone()));
            tokio::select! {
                biased;
                told = told => told.expect("the story does not fail"),
                stuck = refereed => panic!("time stands still while this runs: {stuck:?}"),
            }
        });
        // What is still running ends with the runtime, and may draw a last number.
        drop(runtime);
        PLAYED.set(None);
        told
    }

    /// The simulation that is played on this thread, if one is.
    pub(crate) fn played() -> Option<Self> {
        PLAYED.with_borrow(Clone::clone)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws something.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut self.taken().dice)
    }

    /// Draws so many bytes.
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut drawn = [0; N];
        self.fill(&mut drawn);
        drawn
    }

    /// Draws as many bytes as there are.
    pub(crate) fn fill(&self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            let drawn = self.draw(Dice::next).to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }

    /// How much time has passed.
    pub(super) fn passed(&self) -> Duration {
        runtime::since(self.taken().began)
    }

    /// Starts a task of whoever's turn it is.
    pub(crate) fn start_here<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let node = self.taken().turn_of;
        self.start(node, future)
    }

    /// Starts a task of a node.
    pub(super) fn start<F>(&self, node: NodeId, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let task = {
            let mut taken = self.taken();
            taken.started += 1;
            let task = taken.started;
            let running = Running {
                node,
                what: std::any::type_name::<F>(),
                abort: None,
            };
            taken.running.insert(task, running);
            task
        };
        let gate = Gate {
            future: Box::pin(future),
            task,
            node,
            turns: self.clone(),
        };
        #[expect(clippy::disallowed_methods, reason = "behind its gate it takes turns")]
        let started = tokio::spawn(gate);
        if let Some(running) = self.taken().running.get_mut(&task) {
            running.abort = Some(started.abort_handle());
        }
        started
    }

    /// Ends a node: none of its tasks gets another turn, and all that they hold is gone on return.
    pub(super) async fn end(&self, node: NodeId) {
        self.wake(node);
        loop {
            let tasks: Vec<AbortHandle> = {
                let taken = self.taken();
                let own = taken.running.values().filter(|running| running.node == node);
                own.filter_map(|running| running.abort.clone()).collect()
            };
            if tasks.is_empty() {
                return;
            }
            tasks.iter().for_each(AbortHandle::abort);
            tokio::task::yield_now().await;
        }
    }

    /// Lets a node stand still.
    pub(super) fn pause(&self, node: NodeId) {
        self.taken().paused.insert(node);
    }

    /// Lets a node go on that stood still.
    pub(super) fn wake(&self, node: NodeId) {
        let mut taken = self.taken();
        taken.paused.remove(&node);
        taken.call_referee();
    }

    /// Whether a task has panicked.
    pub(super) fn has_panicked(&self) -> bool {
        self.taken().panicked
    }

    /// Waits so long.
    pub(super) async fn pass(time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until then.
    pub(super) async fn pass_until(due: Instant) {
        tokio::time::sleep_until(due.into()).await;
    }

    /// Gives turns, one after the other; ends when time stands still, with what is running then.
    async fn referee(self) -> &'static str {
        poll_fn(|context| {
            let mut taken = self.taken();
            taken.referee = Some(context.waker().clone());
            if taken.granted.is_none()
                && let Some(next) = taken.draw()
            {
                if let Some(stuck) = taken.count() {
                    return Poll::Ready(stuck);
                }
                next.wake();
            }
            Poll::Pending
        })
        .await
    }
}

/// A task that waits for its turn before each step.
struct Gate<F> {
    future: Pin<Box<F>>,
    task: u64,
    node: NodeId,
    turns: Turns,
}

impl<F: Future> Future for Gate<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut taken = self.turns.taken();
            if taken.granted != Some(self.task) {
                let (task, node) = (self.task, self.node);
                taken.ready.insert(task, (node, context.waker().clone()));
                taken.call_referee();
                return Poll::Pending;
            }
            taken.turn_of = self.node;
        }
        let _turn = Turn(self.turns.clone());
        self.future.as_mut().poll(context)
    }
}

impl<F> Drop for Gate<F> {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        taken.running.remove(&self.task);
        taken.ready.remove(&self.task);
        if taken.granted == Some(self.task) {
            taken.granted = None;
        }
        taken.call_referee();
    }
}

/// A turn; it ends when it is dropped, also by a panic.
struct Turn(Turns);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.panicked |= std::thread::panicking();
        taken.granted = None;
        taken.turn_of = WORLD;
        taken.call_referee();
    }
}
