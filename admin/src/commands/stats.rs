//! `remora sessions stats`: how many sessions there are, how large, how long unused and whose, in groups that the store counts.
//! Other verbs ask it for the names of the groups (`groups`).
//!
//! Left out on purpose: sessions one by one, which a list shows.

use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{SessionFigures, SessionStatsReply, SessionStatsRequest};

use crate::args::GroupBy;
use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::Store;

use super::meant::{Meant, check_names, wall_ms};

/// Groups asked for where only their names count; the most that a store gives.
const NAMES_MAX: u32 = 1_000;

/// The spans in which the store counts how long sessions were not used (admin.proto, SessionFigures.idle).
const SPANS: [&str; 8] = [
    "under a minute",
    "under 5 minutes",
    "under 15 minutes",
    "under 30 minutes",
    "under an hour",
    "under 6 hours",
    "under a day",
    "a day or longer",
];

/// Counts.
pub(super) async fn run(store: &Store, meant: &Meant, by: GroupBy, limit: u32) -> Result<Report, Failure> {
    let told = ask(store, meant, wire(by), limit).await?;
    let all = told.all.clone().unwrap_or_default();
    if all.sessions == 0 {
        check_names(store, &meant.filter).await?;
    }
    let columns = vec![
        title(by),
        "sessions",
        "size",
        "mean",
        "median",
        "p99",
        "largest",
        "logged in",
        "share",
        "released",
        "owners",
    ];
    let groups = told.groups.iter().map(|group| {
        let name = Cell::text(group.name.as_str());
        row(name, &group.figures.clone().unwrap_or_default())
    });
    let spans = SPANS.iter().zip(&all.idle);
    let spans = spans.map(|(span, sessions)| {
        vec![
            Cell::text(*span),
            Cell::Count(*sessions),
            Cell::text(share(*sessions, all.sessions)),
        ]
    });
    let fields = row(Cell::text("all"), &all);
    let fields = columns.iter().copied().zip(fields).skip(1);
    Ok(Report::default()
        .record("total", fields.collect())
        .table("groups", columns.clone(), groups.collect())
        .main()
        .table("idle", vec!["idle", "sessions", "share"], spans.collect())
        .hint(others(&told)))
}

/// Groups as the store counts them, as many as it tells.
pub(super) async fn groups(store: &Store, meant: &Meant, by: By) -> Result<SessionStatsReply, Failure> {
    ask(store, meant, by, NAMES_MAX).await
}

async fn ask(store: &Store, meant: &Meant, by: By, groups: u32) -> Result<SessionStatsReply, Failure> {
    let request = SessionStatsRequest {
        filter: Some(meant.filter.clone()),
        conditions: Some(meant.conditions.clone()),
        by: by.into(),
        now_ms: wall_ms(),
        groups,
    };
    store.stats(request).await
}

fn wire(by: GroupBy) -> By {
    match by {
        GroupBy::Application => By::Application,
        GroupBy::Owner => By::Owner,
        GroupBy::User => By::Principal,
        GroupBy::Attribute => By::Attribute,
    }
}

fn title(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Application => "application",
        GroupBy::Owner => "owner",
        GroupBy::User => "user",
        GroupBy::Attribute => "attribute",
    }
}

fn row(name: Cell, figures: &SessionFigures) -> Vec<Cell> {
    let mean = figures.bytes.checked_div(figures.sessions);
    vec![
        name,
        Cell::Count(figures.sessions),
        Cell::Bytes(figures.bytes),
        mean.map_or(Cell::Nothing, Cell::Bytes),
        Cell::Bytes(figures.bytes_p50),
        Cell::Bytes(figures.bytes_p99),
        Cell::Bytes(figures.bytes_max),
        Cell::Count(figures.logged_in),
        Cell::text(share(figures.logged_in, figures.sessions)),
        Cell::Count(figures.released),
        Cell::Count(figures.owners.into()),
    ]
}

/// How many of a hundred; nothing of nothing.
fn share(some: u64, of: u64) -> String {
    let percent = (some * 100).checked_div(of);
    percent.map_or_else(String::new, |percent| format!("{percent}%"))
}

/// What of the groups is not in the table.
fn others(told: &SessionStatsReply) -> Option<String> {
    let others = told.others.as_ref()?;
    let groups = if told.too_many_groups {
        "in more groups than the store tells apart, so that larger ones may be among them".to_owned()
    } else {
        format!("in {} groups", told.other_groups)
    };
    let shown = crate::render::shown_bytes(others.bytes);
    Some(format!(
        "not shown: {} sessions with {shown} {groups}",
        others.sessions
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_told() {
        let told = |too_many_groups, others| SessionStatsReply {
            others,
            other_groups: 3,
            too_many_groups,
            ..SessionStatsReply::default()
        };
        let figures = SessionFigures {
            sessions: 12,
            bytes: 2_048,
            ..SessionFigures::default()
        };
        assert_eq!(others(&told(false, None)), None);
        assert_eq!(
            others(&told(false, Some(figures.clone()))).unwrap(),
            "not shown: 12 sessions with 2.0 KiB in 3 groups"
        );
        let many = others(&told(true, Some(figures))).unwrap();
        assert!(many.contains("more groups than the store tells apart"), "{many}");
        assert_eq!((share(1, 3).as_str(), share(0, 0).as_str()), ("33%", ""));
    }
}
