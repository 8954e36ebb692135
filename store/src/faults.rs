//! Faults of one node's devices, set and cleared by a test while the node runs. Compiled for tests alone: no setting, no
//! flag and no message can bring a fault into a program that serves anybody.
//!
//! A fault is named by what it hits ([`Kind`]) and when ([`Operation`]). `disk::faulty` asks here before it does anything.
//!
//! | call | the device then |
//! |---|---|
//! | [`Faults::delay`] | takes so much longer |
//! | [`Faults::hang`] | does not return until [`Faults::clear`] |
//! | [`Faults::fail`] | returns an error |
//! | [`Faults::fill_after`] | is full after so many bytes more |
//! | [`Faults::lie`] | says of what the log writes in place that it is durable, and makes it so when it feels like it: never |
//! | [`Faults::forget`] | has lost its power, and everything that was not synced |
//! | [`Faults::tear`] | has lost its power, and kept a part of what was not synced, drawn by a seed |
//! | [`Faults::tear_pages`] | has lost its power, and kept just these pages of what was not synced |
//! | [`Faults::cut_before`] | loses its power so many operations later |
//!
//! A power cut ends a *life*: whatever was opened before fails from then on, and what is opened next finds what the cut
//! left.

use crate::runtime;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The log's segments and its manifest.
    Log,
    /// Table images, half-written ones included.
    Snapshot,
    /// Whose the data directory is.
    Identity,
    /// Names in directories: to make, change, remove and list them, and to make that durable.
    Directory,
}

/// When a fault hits. Reads and writes meet it on the thread of whoever calls, syncs where they are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// Something is read.
    Read,
    /// Something is written, and not yet durable.
    Write,
    /// What was written is made durable.
    Sync,
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Nothing.
    Nothing,
    /// Of what was added a first part, of what was overwritten any pages, drawn by this seed.
    Part(u64),
    /// Nothing that was added, and of each file's overwritten pages those that have their bit here, from the lowest on.
    Pages(u64),
}

impl Leftover {
    /// How much stays of `whole` (bytes, names): with a part, anything from none to all of it.
    pub(crate) fn of(self, whole: usize) -> usize {
        match self {
            Self::Nothing | Self::Pages(_) => 0,
            Self::Part(seed) => usize::try_from(mixed(seed, whole) % (whole as u64 + 1)).unwrap_or(whole),
        }
    }

    /// Whether the `nth` page of a file that was overwritten stays so.
    pub(crate) fn keeps(self, nth: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::Part(seed) => mixed(seed, nth) % 2 == 1,
            Self::Pages(kept) => nth < 64 && kept >> nth & 1 == 1,
        }
    }
}

/// A number that a seed and a place draw. Any mixing does; this is the finalizer of SplitMix64.
fn mixed(seed: u64, place: usize) -> u64 {
    let mixed = seed
        .wrapping_add(place as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11
}

/// The faults of one node; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Shared>);

impl Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Faults")
    }
}

/// One power-on of a node's devices.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    faults: Faults,
    number: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What each cut left; the present life is that behind the last.
    cuts: Vec<Leftover>,
    set: BTreeMap<(Kind, Operation), Fault>,
    /// Bytes that fit yet; no entry is room enough.
    room: BTreeMap<Kind, usize>,
    /// Bytes that the disk says are free, if not the truth.
    free: Option<u64>,
    lies: bool,
    hanging: BTreeMap<(Kind, Operation), usize>,
    begun: BTreeMap<(Kind, Operation), u64>,
    at_cut: Vec<AtCut>,
    /// How many writes and syncs still happen before the power goes, and what it leaves then.
    cut_before: Option<(u64, Leftover)>,
}

type AtCut = Box<dyn FnOnce(Leftover) + Send>;

#[derive(Clone, Copy)]
enum Fault {
    Delay(Duration),
    Hang,
    Fail(io::ErrorKind),
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, kind: Kind, operation: Operation, fault: Fault) {
        self.state().set.insert((kind, operation), fault);
        self.0.changed.notify_all();
    }

    /// Every such operation takes longer from now on.
    pub(crate) fn delay(&self, kind: Kind, operation: Operation, by: Duration) {
        self.set(kind, operation, Fault::Delay(by));
    }

    /// No such operation returns from now on.
    pub(crate) fn hang(&self, kind: Kind, operation: Operation) {
        self.set(kind, operation, Fault::Hang);
    }

    /// Every such operation fails from now on.
    pub(crate) fn fail(&self, kind: Kind, operation: Operation, error: io::ErrorKind) {
        self.set(kind, operation, Fault::Fail(error));
    }

    /// Such operations are well again; those that hang go on.
    pub(crate) fn clear(&self, kind: Kind, operation: Operation) {
        self.state().set.remove(&(kind, operation));
        self.0.changed.notify_all();
    }

    /// After so many bytes more there is no room for this kind.
    pub(crate) fn fill_after(&self, kind: Kind, bytes: usize) {
        self.state().room.insert(kind, bytes);
    }

    /// The disk says that so many bytes are free; none is the truth.
    pub(crate) fn say_free(&self, bytes: Option<u64>) {
        self.state().free = bytes;
    }

    /// There is room again.
    pub(crate) fn make_room(&self, kind: Kind) {
        self.state().room.remove(&kind);
    }

    /// The log's disk says of what is written in place that it has synced it, at once, and has not.
    pub(crate) fn lie(&self) {
        self.state().lies = true;
    }

    /// The power goes; what was not synced is gone.
    pub(crate) fn forget(&self) {
        self.cut(Leftover::Nothing);
    }

    /// The power goes; a part of what was not synced stays, drawn by `seed`.
    pub(crate) fn tear(&self, seed: u64) {
        self.cut(Leftover::Part(seed));
    }

    /// The power goes; of what was overwritten in place just these pages stay, a bit each.
    pub(crate) fn tear_pages(&self, kept: u64) {
        self.cut(Leftover::Pages(kept));
    }

    /// The power goes before the write or sync that follows the next `operations` of them.
    pub(crate) fn cut_before(&self, operations: u64, leftover: Leftover) {
        self.state().cut_before = Some((operations, leftover));
    }

    fn cut(&self, leftover: Leftover) {
        let at_cut = {
            let mut state = self.state();
            state.cut_before = None;
            state.cuts.push(leftover);
            state.lies = false;
            std::mem::take(&mut state.at_cut)
        };
        self.0.changed.notify_all();
        at_cut.into_iter().for_each(|hook| hook(leftover));
    }

    /// How many such operations hang now.
    pub(crate) fn hanging(&self, kind: Kind, operation: Operation) -> usize {
        let state = self.state();
        state.hanging.get(&(kind, operation)).copied().unwrap_or(0)
    }

    /// How many such operations were ever begun.
    pub(crate) fn begun(&self, kind: Kind, operation: Operation) -> u64 {
        let state = self.state();
        state.begun.get(&(kind, operation)).copied().unwrap_or(0)
    }

    /// The present life, for what is opened now.
    pub(crate) fn life(&self) -> Life {
        Life {
            faults: self.clone(),
            number: self.state().cuts.len(),
        }
    }
}

impl State {
    /// One more operation begins; says what a cut leaves that comes before it.
    fn count_down(&mut self) -> Option<Leftover> {
        let (left, leftover) = self.cut_before.as_mut()?;
        match left.checked_sub(1) {
            Some(rest) => {
                *left = rest;
                None
            }
            None => Some(*leftover),
        }
    }
}

impl Life {
    /// Meets the fault that is set for an operation, if any.
    pub(crate) fn meet(&self, kind: Kind, operation: Operation) -> io::Result<()> {
        let key = (kind, operation);
        let began = runtime::now();
        let mut state = self.faults.state();
        if state.cuts.len() == self.number
            && operation != Operation::Read
            && let Some(leftover) = state.count_down()
        {
            drop(state);
            self.faults.cut(leftover);
            return Err(power_is_cut());
        }
        *state.begun.entry(key).or_default() += 1;
        loop {
            if state.cuts.len() != self.number {
                return Err(power_is_cut());
            }
            let rest = match state.set.get(&key) {
                None => return Ok(()),
                Some(Fault::Fail(error)) => {
                    return Err(io::Error::new(*error, format!("{key:?} is made to fail")));
                }
                Some(Fault::Delay(by)) => by.saturating_sub(runtime::since(began)),
                Some(Fault::Hang) => Duration::MAX,
            };
            if rest.is_zero() {
                return Ok(());
            }
            *state.hanging.entry(key).or_default() += 1;
            let shared = &self.faults.0;
            state = if rest == Duration::MAX {
                shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = shared.changed.wait_timeout(state, rest);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
            *state.hanging.entry(key).or_default() -= 1;
        }
    }

    /// Takes room for at most `bytes`; gives how much there was. None of it is given back.
    pub(crate) fn take_room(&self, kind: Kind, bytes: usize) -> usize {
        match self.faults.state().room.get_mut(&kind) {
            None => bytes,
            Some(room) => {
                let taken = bytes.min(*room);
                *room -= taken;
                taken
            }
        }
    }

    /// Bytes that the disk is to say are free; none is the truth.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.faults.state().free
    }

    /// Whether the log's disk lies about syncs.
    pub(crate) fn lies(&self) -> bool {
        self.faults.state().lies
    }

    /// What the cut left that ended this life; none while the power is on.
    pub(crate) fn cut(&self) -> Option<Leftover> {
        self.faults.state().cuts.get(self.number).copied()
    }

    /// Calls `hook` when the power goes, on the thread of whoever cuts it.
    pub(crate) fn at_cut(&self, hook: impl FnOnce(Leftover) + Send + 'static) {
        self.faults.state().at_cut.push(Box::new(hook));
    }
}

/// What every operation of an ended life is answered.
pub(crate) fn power_is_cut() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the power is cut")
}

/// What a write is answered for which there is no room.
pub(crate) fn no_room() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}
