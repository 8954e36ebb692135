//! What all requests of one thread share: the directory, the idle connections, the access log, the balance of new users
//! and the budget for repeats.
//!
//! Invariants: everything but the directory and the log belongs to this thread, so nothing here is locked · the
//! policy's two states, balance and budget, change only through the methods below · no clock is read here: the moment is the
//! caller's.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use remora_policy::{Balance, BalanceBy, Budget, Pick, Pool, RetryBudget, RetryLimits, Upstream, UpstreamId};

use crate::access_log::{AccessLog, ThreadLog};
use crate::connections::Connections;
use crate::directory::{Current, Directory, Held, Holder};
use crate::http::Buffers;
use crate::metrics::OwnAnswers;
use crate::naming::{Naming, ProcessName};
use crate::tally::{Tally, Thread};

/// A thread's share of the site.
pub(crate) struct Site {
    /// Which of the threads this is: where it counts.
    pub(crate) thread: Thread,
    /// Who the upstreams are and what is believed of them.
    pub(crate) directory: Directory,
    /// Idle connections.
    pub(crate) connections: Connections,
    /// Buffers that nobody has in hand.
    pub(crate) buffers: Rc<Buffers>,
    /// What was answered in upstreams' places.
    pub(crate) own_answers: OwnAnswers,
    /// Where exchanges are noted.
    pub(crate) log: ThreadLog,
    /// How this process and its requests are called.
    pub(crate) naming: Naming,
    holder: Holder,
    balance: RefCell<Balance>,
    retries: RefCell<RetryBudget>,
}

impl Site {
    /// Nobody has been served yet, and the budget for repeats is full.
    pub(crate) fn new(thread: Thread, directory: Directory, log: &AccessLog, process: ProcessName) -> Self {
        let holder = directory.holder();
        let retries = RetryBudget::new(&holder.current().snapshot.limits.retry, Duration::ZERO);
        Self {
            thread,
            directory,
            connections: Connections::default(),
            buffers: Rc::default(),
            own_answers: OwnAnswers::default(),
            log: log.of_thread(),
            naming: Naming::new(process),
            holder,
            balance: RefCell::new(Balance::new()),
            retries: RefCell::new(retries),
        }
    }

    /// The current snapshot, with its counters.
    pub(crate) fn current(&self) -> Held {
        self.holder.current()
    }

    /// The upstream of a pick, counted in the balance; none when all were tried.
    pub(crate) fn upstream<'a>(
        &self,
        pool: &'a Pool,
        tally: &Tally,
        picked: Pick<'a>,
        tried: &[UpstreamId],
        now: Instant,
    ) -> Option<&'a Upstream> {
        let now = self.directory.time(now);
        let mut balance = self.balance.borrow_mut();
        match picked {
            Pick::Sticky(upstream) | Pick::Moved(upstream) => {
                balance.count(pool, upstream.id, now);
                Some(upstream)
            }
            Pick::Fresh => {
                let load_of = |member: &Upstream| load(member, pool.balance, tally);
                balance.choose(pool, tried, now, load_of)
            }
            Pick::None => None,
        }
    }

    /// An exchange begins, which earns its share of a repeat.
    pub(crate) fn earn_repeats(&self, limits: &RetryLimits, now: Instant) {
        self.retries.borrow_mut().earn(limits, self.directory.time(now));
    }

    /// What an exchange may still do that has begun `attempts` and has `time` until its deadline.
    pub(crate) fn budget(&self, limits: &RetryLimits, attempts: u32, time: Duration) -> Budget {
        self.retries.borrow().budget(limits, attempts, time)
    }

    /// Shows what is counted seldom enough that no exchange has to.
    pub(crate) fn show(&self, now: Instant) {
        let Current { snapshot, tally } = &*self.current();
        let tokens = self
            .retries
            .borrow()
            .left(&snapshot.limits.retry, self.directory.time(now));
        tally.thread(self.thread).retry_tokens.set(tokens);
        self.connections.tell(|upstream, resting, closed| {
            if let Some(counters) = tally.known(upstream) {
                counters.of(self.thread).figures.rest(resting, closed);
            }
        });
    }

    /// Another attempt begins.
    pub(crate) fn spend_repeat(&self) {
        self.retries.borrow_mut().spend();
    }
}

/// What a member bears, as its pool's balance goes by that.
fn load(member: &Upstream, by: BalanceBy, tally: &Tally) -> u64 {
    let counters = tally.upstream(member.id);
    match by {
        BalanceBy::Requests | BalanceBy::Sessions => 0,
        BalanceBy::Busyness => counters.in_flight_now(),
        BalanceBy::Traffic => counters.carried_so_far(),
    }
}
