//! Figures of many sessions, told to operators: wire to table and back.
//!
//! Left out: what is counted, which the table says; lists, of which each keeps no more than a page while it walks.

use std::sync::Arc;

use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::session_stats_request::By;
use remora_table::{Figures, StatsBy};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::desk::Desk;
use super::listing;
use super::status::{malformed, refusal, status};

/// Groups told unless asked otherwise (admin.proto).
const GROUPS_DEFAULT: u32 = 100;
/// Groups told at most (admin.proto): some hundred KiB with the longest names.
const GROUPS_MAX: u32 = 1_000;

/// Counts on one node at a time: each walks all sessions, and keeps some 40 MiB of figures at most meanwhile.
const COUNTS_MAX: usize = 2;

/// The counts that go on on this node.
#[derive(Debug)]
pub(super) struct Counts(Arc<Semaphore>);

impl Default for Counts {
    /// None yet.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(COUNTS_MAX)))
    }
}

impl Counts {
    /// The right to one more; it goes with the walk, which goes on though whoever asked is gone.
    fn begin(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let sentence =
                format!("{COUNTS_MAX} count sessions at this store node already: ask again shortly");
            status(refusal(Reason::Overloaded, sentence))
        })
    }
}

/// The figures that are asked for.
pub(super) async fn figures(
    desk: &Desk,
    counts: &Counts,
    ask: v1::SessionStatsRequest,
) -> Result<v1::SessionStatsReply, Status> {
    let by = by(ask.by)?;
    let groups = match ask.groups {
        0 => GROUPS_DEFAULT,
        groups if groups <= GROUPS_MAX => groups,
        groups => {
            let sentence = format!("groups is {groups}: {GROUPS_MAX} are allowed");
            return Err(status(malformed(sentence)));
        }
    };
    let filter = listing::meant(ask.filter, ask.conditions)?;
    desk.barrier().await.map_err(status)?;
    let now_ms = ask.now_ms;
    let permit = counts.begin()?;
    let stats = listing::walk(desk, move |table| {
        let _permit = permit;
        table.stats(&filter, (by, now_ms), groups as usize)
    })
    .await?;
    let told = |name: &str, figures: &Figures| v1::SessionGroup {
        name: name.to_owned(),
        figures: Some(wire(figures)),
    };
    let groups = stats.groups.iter();
    let others = Some(&stats.others).filter(|others| others.sessions > 0);
    Ok(v1::SessionStatsReply {
        all: Some(wire(&stats.all)),
        groups: groups.map(|(name, figures)| told(name, figures)).collect(),
        others: others.map(wire),
        other_groups: stats.other_groups,
        too_many_groups: stats.too_many_groups,
    })
}

fn by(wire: i32) -> Result<StatsBy, Status> {
    match By::try_from(wire) {
        Ok(By::Application) => Ok(StatsBy::Application),
        Ok(By::Owner) => Ok(StatsBy::Owner),
        Ok(By::Principal) => Ok(StatsBy::Principal),
        Ok(By::Attribute) => Ok(StatsBy::Attribute),
        Err(_) => Err(status(malformed(
            "what groups have in common is of a later release: upgrade the store",
        ))),
    }
}

fn wire(figures: &Figures) -> v1::SessionFigures {
    /// Half of the sessions.
    const HALF: u64 = 50;
    /// All but one of a hundred.
    const NEARLY_ALL: u64 = 99;
    v1::SessionFigures {
        sessions: figures.sessions,
        bytes: figures.bytes,
        bytes_p50: figures.bytes_of(HALF),
        bytes_p99: figures.bytes_of(NEARLY_ALL),
        bytes_max: figures.bytes_max,
        logged_in: figures.logged_in,
        released: figures.released,
        owners: figures.owners(),
        idle: figures.idle.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_third_count_is_refused_until_one_of_two_has_ended() {
        let counts = Counts::default();
        let (first, second) = (counts.begin().unwrap(), counts.begin().unwrap());
        let refused = counts.begin().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains("ask again"), "{refused}");
        drop(first);
        let third = counts.begin();
        assert!(third.is_ok() && counts.begin().is_err());
        drop((second, third));
    }
}
