//! The client connections of one thread as a table: who rests, who came first, whose time is up. No task, no clock, no
//! socket; times are arguments.
//!
//! Two queues run through the table, of connections that never asked for anything and of those that rest between two
//! requests, each in the order in which that began. So the longest rest is found at the front, and to rest and to work,
//! which every request does once, touch a few numbers and allocate nothing.
//!
//! Invariants: a connection is in the queue of its standing and in no other · one that was asked to give way is in none,
//! and is asked once · a number is given anew only after its connection left.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

/// How long a new connection is left alone. 3 s: the first packet of a request may be lost once and sent again. Browsers
/// also open connections that they never use, so behind that time it is the first that nobody misses.
const UNUSED: Duration = Duration::from_secs(3);

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has brought no request yet.
    Unused,
    /// It waits for its next request.
    Rests,
    /// It has a request in hand, or a tunnel.
    Works,
    /// It was asked to give way.
    GivesWay,
}

struct Slot {
    /// Wakes the task that serves the connection; none while the slot is free.
    waker: Option<Waker>,
    standing: Standing,
    /// When its place in a queue began.
    since: Instant,
    /// Neighbours in the queue; of a free slot, `after` is the next free one.
    before: Option<usize>,
    after: Option<usize>,
    /// When the task wants to be woken.
    due: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Queue {
    first: Option<usize>,
    last: Option<usize>,
}

/// The table.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Option<usize>,
    unused: Queue,
    resting: Queue,
    count: usize,
}

impl Slots {
    /// A connection comes in; answers with its number.
    pub(super) fn enter(&mut self, now: Instant) -> usize {
        let slot = Slot {
            waker: Some(Waker::noop().clone()),
            standing: Standing::Works,
            since: now,
            before: None,
            after: None,
            due: None,
        };
        self.count += 1;
        let number = if let Some(number) = self.free {
            self.free = self.slots[number].after;
            self.slots[number] = slot;
            number
        } else {
            self.slots.push(slot);
            self.slots.len() - 1
        };
        self.queue_up(number, Standing::Unused, now);
        number
    }

    /// A connection has ended.
    pub(super) fn leave(&mut self, number: usize) {
        self.unlink(number);
        let slot = &mut self.slots[number];
        (slot.waker, slot.due, slot.standing) = (None, None, Standing::Works);
        slot.after = self.free.replace(number);
        self.count -= 1;
    }

    /// Where the connection's task can be woken.
    pub(super) fn here(&mut self, number: usize, waker: Waker) {
        self.slots[number].waker = Some(waker);
    }

    /// How many connections there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The connection waits for its next request. One that rests already goes on resting.
    pub(super) fn rests(&mut self, number: usize, now: Instant) {
        if self.slots[number].standing == Standing::Works {
            self.queue_up(number, Standing::Rests, now);
        }
    }

    /// The connection has a request in hand. One that was asked to give way still is.
    pub(super) fn works(&mut self, number: usize) {
        if self.slots[number].standing != Standing::GivesWay {
            self.unlink(number);
            self.slots[number].standing = Standing::Works;
        }
    }

    /// Whether a connection could be asked to give way.
    pub(super) fn has_rest(&self, now: Instant) -> bool {
        self.longest_rest(now).is_some()
    }

    /// Asks the connection that has rested longest to give way; false when there is none.
    pub(super) fn give_way(&mut self, now: Instant) -> bool {
        let Some(number) = self.longest_rest(now) else {
            return false;
        };
        self.unlink(number);
        self.slots[number].standing = Standing::GivesWay;
        if let Some(waker) = &self.slots[number].waker {
            waker.wake_by_ref();
        }
        true
    }

    /// Whether the connection was asked to give way.
    pub(super) fn gives_way(&self, number: usize) -> bool {
        self.slots[number].standing == Standing::GivesWay
    }

    /// The connection's task is to be woken at this moment, and at no other that was named before.
    pub(super) fn wake_at(&mut self, number: usize, due: Instant) {
        self.slots[number].due = Some(due);
    }

    /// Wakes the tasks whose moment has come.
    pub(super) fn wake_due(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if slot.due.is_some_and(|due| due <= now) {
                slot.due = None;
                if let Some(waker) = &slot.waker {
                    waker.wake_by_ref();
                }
            }
        }
    }

    /// Wakes all tasks.
    pub(super) fn wake_all(&self) {
        for waker in self.slots.iter().filter_map(|slot| slot.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    fn longest_rest(&self, now: Instant) -> Option<usize> {
        let since = |number: &usize| self.slots[*number].since;
        let unused = self.unused.first.filter(|number| since(number) + UNUSED <= now);
        let resting = self.resting.first;
        unused.into_iter().chain(resting).min_by_key(since)
    }

    /// The queue of this standing; none where there is none to wait in.
    fn queue(&mut self, standing: Standing) -> Option<&mut Queue> {
        match standing {
            Standing::Unused => Some(&mut self.unused),
            Standing::Rests => Some(&mut self.resting),
            Standing::Works | Standing::GivesWay => None,
        }
    }

    fn queue_up(&mut self, number: usize, standing: Standing, now: Instant) {
        let Some(queue) = self.queue(standing) else { return };
        let before = queue.last.replace(number);
        if before.is_none() {
            queue.first = Some(number);
        }
        let slot = &mut self.slots[number];
        (slot.standing, slot.since, slot.before, slot.after) = (standing, now, before, None);
        if let Some(before) = before {
            self.slots[before].after = Some(number);
        }
    }

    fn unlink(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let (before, after, standing) = (slot.before.take(), slot.after.take(), slot.standing);
        let Some(queue) = self.queue(standing) else { return };
        if before.is_none() {
            queue.first = after;
        }
        if after.is_none() {
            queue.last = before;
        }
        if let Some(before) = before {
            self.slots[before].after = after;
        }
        if let Some(after) = after {
            self.slots[after].before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// Who gives way, one after the other, until nobody can.
    fn order(slots: &mut Slots, now: Instant) -> Vec<usize> {
        let mut order = Vec::new();
        while let Some(number) = slots.longest_rest(now) {
            assert!(slots.has_rest(now) && !slots.gives_way(number));
            assert!(slots.give_way(now) && slots.gives_way(number));
            order.push(number);
        }
        assert!(!slots.give_way(now));
        order
    }

    #[test]
    fn the_longest_rest_gives_way_first_and_who_works_never_does() {
        let (mut slots, began) = (Slots::default(), Instant::now());
        let numbers = [(); 5].map(|()| slots.enter(began));
        for number in numbers {
            slots.works(number);
        }
        assert!(!slots.has_rest(began + second(60)));
        for (after, number) in [(1, 3), (2, 0), (3, 4), (4, 1), (5, 2)] {
            slots.rests(number, began + second(after));
        }
        slots.works(4);
        slots.works(2);
        slots.rests(2, began + second(6));
        slots.rests(3, began + second(7));
        assert_eq!(order(&mut slots, began + second(8)), [3, 0, 1, 2], "3 rested on");
    }

    #[test]
    fn a_new_connection_is_left_alone_for_a_while() {
        let (mut slots, began) = (Slots::default(), Instant::now());
        let (used, unused) = (slots.enter(began), slots.enter(began));
        slots.works(used);
        assert!(!slots.has_rest(began + UNUSED - second(1)));
        slots.rests(used, began + second(1));
        assert_eq!(slots.longest_rest(began + second(2)), Some(used));
        assert_eq!(order(&mut slots, began + UNUSED), [unused, used]);
    }

    #[test]
    fn who_was_asked_to_give_way_is_asked_once_whatever_it_does() {
        let (mut slots, began) = (Slots::default(), Instant::now());
        let (woken, number) = (Arc::new(Woken::default()), slots.enter(began));
        slots.here(number, Waker::from(Arc::clone(&woken)));
        slots.works(number);
        slots.rests(number, began);
        assert_eq!(order(&mut slots, began), [number]);
        slots.works(number);
        slots.rests(number, began);
        assert!(slots.gives_way(number) && !slots.has_rest(began));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_number_is_given_anew_and_means_another() {
        let (mut slots, began) = (Slots::default(), Instant::now());
        let numbers = [(); 3].map(|()| slots.enter(began));
        slots.works(numbers[1]);
        slots.rests(numbers[1], began);
        slots.wake_at(numbers[1], began);
        assert!(slots.give_way(began));
        for number in numbers {
            slots.leave(number);
        }
        assert_eq!((slots.count(), slots.has_rest(began + UNUSED)), (0, false));
        let woken = Arc::new(Woken::default());
        let again = [(); 3].map(|()| slots.enter(began));
        slots.here(again[1], Waker::from(Arc::clone(&woken)));
        slots.wake_due(began + UNUSED);
        assert_eq!(
            (slots.slots.len(), slots.count(), woken.0.load(Ordering::Relaxed)),
            (3, 3, 0)
        );
        assert_eq!(order(&mut slots, began + UNUSED), again);
    }

    #[test]
    fn a_task_is_woken_once_when_its_moment_has_come() {
        let (mut slots, began) = (Slots::default(), Instant::now());
        let woken = Arc::new(Woken::default());
        let number = slots.enter(began);
        slots.here(number, Waker::from(Arc::clone(&woken)));
        slots.wake_at(number, began + second(2));
        for (after, so_far) in [(1, 0), (2, 1), (3, 1)] {
            slots.wake_due(began + second(after));
            assert_eq!(woken.0.load(Ordering::Relaxed), so_far, "after {after} s");
        }
        slots.wake_all();
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    }

    /// Any order of calls leaves queues that hold each connection once, in order.
    #[test]
    fn the_queues_stay_whole_whatever_happens() {
        let (mut slots, began) = (Slots::default(), Instant::now());
        let (mut present, mut draw) = (Vec::new(), 1_u32);
        for turn in 0..4_000 {
            // A linear congruence: the same sequence in every run.
            draw = draw.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let choice = usize::try_from(draw >> 16).unwrap();
            let now = began + Duration::from_millis(turn);
            match (choice % 5, present.len()) {
                (0, _) | (_, 0) => present.push(slots.enter(now)),
                (1, len) => slots.leave(present.swap_remove(choice / 5 % len)),
                (2, len) => slots.works(present[choice / 5 % len]),
                (3, len) => slots.rests(present[choice / 5 % len], now),
                _ => {
                    slots.give_way(now);
                }
            }
            let mut queued = 0;
            for queue in [slots.unused, slots.resting] {
                let (mut next, mut before) = (queue.first, None);
                while let Some(number) = next {
                    let slot = &slots.slots[number];
                    assert_eq!(slot.before, before);
                    assert!(before.is_none_or(|before: usize| slots.slots[before].since <= slot.since));
                    (before, next) = (next, slot.after);
                    queued += 1;
                }
                assert_eq!(queue.last, before);
            }
            let standing = |number: &&usize| {
                matches!(slots.slots[**number].standing, Standing::Unused | Standing::Rests)
            };
            assert_eq!(queued, present.iter().filter(standing).count());
            assert_eq!(slots.count(), present.len());
        }
    }
}
