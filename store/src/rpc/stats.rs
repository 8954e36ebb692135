//! Figures of many sessions, told to operators: wire to table and back.
//!
//! Left out: what is counted, which the table says.

use remora_proto::v1;
use remora_proto::v1::session_stats_request::By;
use remora_table::{Figures, StatsBy};
use tonic::Status;

use super::desk::Desk;
use super::listing;
use super::status::{malformed, status};

/// Groups told unless asked otherwise (admin.proto).
const GROUPS_DEFAULT: u32 = 100;
/// Groups told at most (admin.proto): some hundred KiB with the longest names.
const GROUPS_MAX: u32 = 1_000;

/// The figures that are asked for.
pub(super) async fn figures(
    desk: &Desk,
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
    let stats = listing::walk(desk, move |table| {
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
        owners: u32::try_from(figures.owners()).unwrap_or(u32::MAX),
        idle: figures.idle.to_vec(),
    }
}
