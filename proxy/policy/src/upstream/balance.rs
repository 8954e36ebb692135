//! Where new users go: smooth weighted round robin that counts sticky traffic.
//!
//! Every upstream has a credit. A request gives each candidate its weight and takes the sum of the weights from the one
//! that serves it, whether it was chosen here or its user was sticky. So a new user goes where the least work went,
//! in proportion to the weights, and the choices spread instead of coming in runs.
//!
//! The state belongs to one thread: threads need not agree, because each spreads its own share evenly.

use super::set::{Pool, Upstream, UpstreamId};

/// How far a credit may move from zero, in rounds (sums of weights). It bounds how many new users in a row an upstream
/// gets that stood idle for long: enough to even out, too few to flood a process that has just started.
pub(super) const CREDIT_ROUNDS: i64 = 16;

/// The balance state of one thread, for all pools.
#[derive(Debug, Default)]
pub struct Balance {
    /// By [`UpstreamId::index`].
    credits: Vec<i64>,
}

impl Balance {
    /// Nobody has had anything yet.
    #[must_use]
    pub fn new() -> Balance {
        Balance::default()
    }

    /// The upstream for a new user: the candidate with most credit, the first of equals. `None` when all were tried.
    pub fn choose<'a>(&mut self, pool: &'a Pool, tried: &[UpstreamId]) -> Option<&'a Upstream> {
        let mut best: Option<(&Upstream, i64)> = None;
        for member in pool.candidates(tried) {
            let credit = self.credit(member.id) + i64::from(member.weight);
            if best.is_none_or(|(_, most)| credit > most) {
                best = Some((member, credit));
            }
        }
        let (chosen, _) = best?;
        self.settle(pool, tried, chosen.id);
        Some(chosen)
    }

    /// Counts a request whose upstream was given by its user's session.
    pub fn count(&mut self, pool: &Pool, served_by: UpstreamId) {
        self.settle(pool, &[], served_by);
    }

    fn settle(&mut self, pool: &Pool, tried: &[UpstreamId], served_by: UpstreamId) {
        let total: i64 = pool
            .candidates(tried)
            .map(|member| i64::from(member.weight))
            .sum();
        let bound = total.saturating_mul(CREDIT_ROUNDS);
        for member in pool.candidates(tried) {
            self.add(member.id, i64::from(member.weight), bound);
        }
        self.add(served_by, -total, bound);
    }

    fn credit(&self, id: UpstreamId) -> i64 {
        self.credits.get(id.index()).copied().unwrap_or(0)
    }

    fn add(&mut self, id: UpstreamId, amount: i64, bound: i64) {
        let index = id.index();
        if self.credits.len() <= index {
            self.credits.resize(index + 1, 0);
        }
        self.credits[index] = self.credits[index].saturating_add(amount).clamp(-bound, bound);
    }
}
