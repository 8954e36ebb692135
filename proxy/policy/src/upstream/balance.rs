//! Where new users go: by default smooth weighted round robin that counts sticky traffic.
//!
//! By requests: every upstream has a credit. A request gives each candidate its weight and takes the sum of the weights from
//! the one that serves it, whether it was chosen here or its user was sticky. So a new user goes where the least work went,
//! in proportion to the weights, and the choices spread instead of coming in runs.
//!
//! By sessions: the same, but only new users count, so that each member gets its share of them however much they click.
//! By busyness: to whom fewest requests are in flight; of equals, as by requests. By traffic: to whom has carried fewest
//! bytes for its weight. What is in flight or was carried is handed in by the caller.
//!
//! An upstream that came up beside others is cold: it has no users of its own, so by that rule every new one would be
//! its. For [`SLOW_START`] it is not in that round; it gets its share of the new users by their number alone, a tenth at
//! first and the whole at the end.
//!
//! The state belongs to one thread: threads need not agree, because each spreads its own share evenly.

use std::time::Duration;

use super::set::{Pool, Upstream, UpstreamId};
use super::traffic::Meters;

/// What the new users of a pool are shared out by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalanceBy {
    /// Requests, those of users that stick included.
    #[default]
    Requests,
    /// Requests in flight now.
    Busyness,
    /// Bytes of bodies, both ways.
    Traffic,
    /// New users alone.
    Sessions,
}

impl BalanceBy {
    /// All of them.
    pub const ALL: [BalanceBy; 4] = [
        BalanceBy::Requests,
        BalanceBy::Busyness,
        BalanceBy::Traffic,
        BalanceBy::Sessions,
    ];

    /// The word in a configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BalanceBy::Requests => "requests",
            BalanceBy::Busyness => "busyness",
            BalanceBy::Traffic => "traffic",
            BalanceBy::Sessions => "sessions",
        }
    }
}

/// How far a credit may move from zero, in rounds (sums of weights). It bounds how many new users in a row an upstream
/// gets that stood idle for long: enough to even out, too few to flood a process that has just started.
pub(super) const CREDIT_ROUNDS: i64 = 16;

/// How long an upstream that came up is spared. 30 s: a Tomcat has compiled its pages and filled its caches by then.
const SLOW_START: Duration = Duration::from_secs(30);
/// Its share at the beginning, in hundredths of its weight: enough to warm it.
const SHARE_MIN: i64 = 10;
/// The whole share.
const SHARE_WHOLE: i64 = 100;

/// The part of its share that a cold upstream gets now, in hundredths; none where it is not cold.
fn share(member: &Upstream, now: Duration) -> Option<i64> {
    let up_for = now.saturating_sub(member.rose?).as_millis();
    let whole = SLOW_START.as_millis();
    let grown = (SHARE_WHOLE - SHARE_MIN) * i64::try_from(up_for * 1_000 / whole).unwrap_or(i64::MAX) / 1_000;
    (up_for < whole).then_some(SHARE_MIN + grown)
}

/// The balance state of one thread, for all pools.
#[derive(Debug, Default)]
pub struct Balance {
    /// By [`UpstreamId::index`].
    credits: Vec<i64>,
    /// What cold upstreams may still have, in hundredths of their weight, by [`UpstreamId::index`].
    quotas: Vec<i64>,
    /// Of pools that go by traffic.
    meters: Meters,
}

impl Balance {
    /// Nobody has had anything yet.
    #[must_use]
    pub fn new() -> Balance {
        Balance::default()
    }

    /// The upstream for a new user: of the candidates with least load the one with most credit, the first of equals. `None`
    /// when all were tried. Times are counted from any fixed moment. `load_of` says how many requests a member has in
    /// flight, or how many bytes it carried, as the pool goes by; it is not asked where that goes by neither.
    pub fn choose<'a>(
        &mut self,
        pool: &'a Pool,
        tried: &[UpstreamId],
        now: Duration,
        load_of: impl Fn(&Upstream) -> u64,
    ) -> Option<&'a Upstream> {
        if let Some(cold) = self.choose_cold(pool, tried, now) {
            return Some(cold);
        }
        if pool.balance == BalanceBy::Traffic {
            let round = round(pool, tried, now);
            self.meters.join(round.map(|member| (member, load_of(member))));
        }
        let mut best: Option<(&Upstream, i128, i64)> = None;
        for member in round(pool, tried, now) {
            let load = match pool.balance {
                BalanceBy::Traffic => self.meters.carried(member.id, load_of(member)),
                BalanceBy::Busyness => i128::from(load_of(member)),
                BalanceBy::Requests | BalanceBy::Sessions => 0,
            };
            let credit = self.credit(member.id) + i64::from(member.weight);
            let is_better = best.is_none_or(|(other, least, most)| match pool.balance {
                BalanceBy::Requests | BalanceBy::Sessions => credit > most,
                BalanceBy::Busyness => (load, -credit) < (least, -most),
                BalanceBy::Traffic => {
                    // Loads for their weights, without a division.
                    let (ours, theirs) = (load * i128::from(other.weight), least * i128::from(member.weight));
                    (ours, -credit) < (theirs, -most)
                }
            });
            if is_better {
                best = Some((member, load, credit));
            }
        }
        let (chosen, ..) = best?;
        self.settle(pool, tried, chosen.id, now);
        Some(chosen)
    }

    /// Counts a request whose upstream was given by its user's session.
    pub fn count(&mut self, pool: &Pool, served_by: UpstreamId, now: Duration) {
        if pool.balance == BalanceBy::Sessions {
            return;
        }
        self.settle(pool, &[], served_by, now);
    }

    /// A cold upstream whose turn it is: each new user gives it its share of one.
    fn choose_cold<'a>(
        &mut self,
        pool: &'a Pool,
        tried: &[UpstreamId],
        now: Duration,
    ) -> Option<&'a Upstream> {
        let weights = pool.candidates(tried).map(|member| i64::from(member.weight));
        let user = SHARE_WHOLE * weights.sum::<i64>();
        let mut chosen = None;
        for member in pool.candidates(tried) {
            let Some(share) = share(member, now) else { continue };
            let quota = at(&mut self.quotas, member.id);
            *quota = (*quota + share * i64::from(member.weight)).min(2 * user);
            if *quota >= user && chosen.is_none() {
                *quota -= user;
                chosen = Some(member);
            }
        }
        chosen
    }

    fn settle(&mut self, pool: &Pool, tried: &[UpstreamId], served_by: UpstreamId, now: Duration) {
        let mut total = 0;
        let mut counts = false;
        for member in round(pool, tried, now) {
            total += i64::from(member.weight);
            counts |= member.id == served_by;
        }
        if !counts {
            return;
        }
        let bound = total.saturating_mul(CREDIT_ROUNDS);
        for member in round(pool, tried, now) {
            self.add(member.id, i64::from(member.weight), bound);
        }
        self.add(served_by, -total, bound);
    }

    fn credit(&self, id: UpstreamId) -> i64 {
        self.credits.get(id.index()).copied().unwrap_or(0)
    }

    fn add(&mut self, id: UpstreamId, amount: i64, bound: i64) {
        let credit = at(&mut self.credits, id);
        *credit = credit.saturating_add(amount).clamp(-bound, bound);
    }
}

/// The place of an upstream.
fn at(places: &mut Vec<i64>, id: UpstreamId) -> &mut i64 {
    let index = id.index();
    if places.len() <= index {
        places.resize(index + 1, 0);
    }
    &mut places[index]
}

/// The candidates that are not cold; all, if there are no others.
fn round<'a>(
    pool: &'a Pool,
    tried: &[UpstreamId],
    now: Duration,
) -> impl Iterator<Item = &'a Upstream> + Clone {
    let is_cold = move |member: &Upstream| share(member, now).is_some();
    let all_cold = pool.candidates(tried).all(is_cold);
    pool.candidates(tried)
        .filter(move |member| all_cold || !is_cold(member))
}
