//! `remora sessions list`. What matches is filtered, sorted and counted by the store, and comes in pages; a list that is not
//! whole says so, and how to go on. One in which nothing stands is none where the store knows the names that were given, and a
//! failure where it does not.
//!
//! Ages are reckoned against the operator's own clock.

use remora_proto::v1::{
    ListSessionsReply, ListSessionsRequest, SessionConditions, SessionFilter, SessionOrder, SessionSummary,
};

use crate::args::{SessionList, SortBy};
use crate::failure::Failure;
use crate::render::{Cell, Report, shown_bytes};
use remora_overview::client::Store;

use super::meant::{Meant, check_names, hexadecimal, picked, wall_ms};

/// Sessions asked for at first: as many as a store of any release gives.
const FIRST_PAGE: u32 = 1_000;
/// Sessions asked for at a time of a store that counts what matches; the most that it gives.
const PAGE: u32 = 4_000;

/// Digits of a key that tables show: few enough to type, enough to tell a million sessions apart.
pub(super) const KEY_DIGITS: usize = 12;

/// Lists sessions, or only counts them.
pub(super) async fn list(store: &Store, ask: &SessionList) -> Result<Report, Failure> {
    let now = wall_ms();
    let mut meant = Meant::new(&ask.filter, &ask.conditions, now);
    let one = picked(&ask.named)?;
    if let Some(one) = &one {
        meant.filter.key_prefix.clone_from(&one.digits);
    }
    let listed = collect(store, ask, &meant).await?;
    if listed.sessions.is_empty() && ask.page.is_none() {
        check_names(store, &meant.filter).await?;
        if let Some(one) = one {
            return Err(one.missed(Failure::Missing("no live session matches".into())));
        }
    }
    let (matching, bytes) = (listed.matching, listed.matching_bytes);
    if ask.count {
        let count = matching.ok_or_else(|| older("--count"))?;
        let fields = vec![("sessions", Cell::Count(count)), ("size", Cell::Bytes(bytes))];
        return Ok(Report::default().record("matching", fields));
    }
    let columns = vec![
        "key",
        "application",
        "user",
        "owner",
        "age",
        "idle",
        "expires in",
        "size",
        "attributes",
        "whole key",
    ];
    let rows = listed.sessions.iter().map(|session| row(session, now)).collect();
    let shown = listed.sessions.len() as u64;
    let next = hexadecimal(&listed.next_page);
    let hint = hint(shown, matching.map(|matching| (matching, bytes)), &next);
    let fields = vec![
        ("shown", Cell::Count(shown)),
        ("matching", matching.map_or(Cell::Nothing, Cell::Count)),
        (
            "matching size",
            matching.map_or(Cell::Nothing, |_| Cell::Bytes(bytes)),
        ),
        ("next page", Cell::text(next)),
    ];
    Ok(Report::default()
        .table("sessions", columns, rows)
        .wide(&["whole key"])
        .figures("listed", fields)
        .hint(hint))
}

/// How many sessions match; nothing where the store is of an earlier release.
pub(super) async fn count(store: &Store, filter: SessionFilter) -> Result<Option<u64>, Failure> {
    let request = ListSessionsRequest {
        filter: Some(filter),
        page_size: 1,
        ..ListSessionsRequest::default()
    };
    Ok(store.list(request).await?.matching)
}

/// How many there are, and how to go on where they are not all here. Nothing of a list in which nothing stands.
fn hint(shown: u64, matching: Option<(u64, u64)>, next: &str) -> Option<String> {
    let size = matching.map_or_else(String::new, |(_, bytes)| format!(", {}", shown_bytes(bytes)));
    match (matching, next) {
        _ if shown == 0 => None,
        (None, "") => None,
        (Some((matching, _)), "") if matching == shown => {
            let ending = if shown == 1 { "" } else { "s" };
            Some(format!("{shown} session{ending}{size}"))
        }
        (Some((matching, _)), "") => Some(format!("{shown} of {matching} sessions{size}: the last of them")),
        (Some((matching, _)), _) => Some(format!(
            "{shown} of {matching} sessions{size}: go on with --page {next}, or see all with --all"
        )),
        (None, _) => Some(format!("{shown} sessions: go on with --page {next}")),
    }
}

/// Pages until the limit is reached.
async fn collect(store: &Store, ask: &SessionList, meant: &Meant) -> Result<ListSessionsReply, Failure> {
    let mut listed = ListSessionsReply {
        next_page: page_bytes(ask.page.as_deref().unwrap_or_default())?.into(),
        ..ListSessionsReply::default()
    };
    let limit = match ask {
        SessionList { all: true, .. } => u64::MAX,
        SessionList { count: true, .. } => 1,
        _ => ask.limit,
    };
    let mut page_size = FIRST_PAGE;
    loop {
        let rest = limit.saturating_sub(listed.sessions.len() as u64);
        let request = ListSessionsRequest {
            filter: Some(meant.filter.clone()),
            page_size: u32::try_from(rest).map_or(page_size, |rest| rest.min(page_size)),
            page: listed.next_page,
            conditions: Some(meant.conditions.clone()),
            order: order(ask.sort).into(),
            backwards: ask.reverse,
        };
        let reply = store.list(request.clone()).await?;
        check_known(&request, &reply)?;
        page_size = reply.matching.map_or(FIRST_PAGE, |_| PAGE);
        let sessions = [listed.sessions, reply.sessions].concat();
        listed = ListSessionsReply { sessions, ..reply };
        if listed.next_page.is_empty() || listed.sessions.len() as u64 >= limit {
            return Ok(listed);
        }
    }
}

/// Whether the store knew all that it was asked: one of an earlier release would list what was not asked for.
fn check_known(request: &ListSessionsRequest, reply: &ListSessionsReply) -> Result<(), Failure> {
    let conditions = request.conditions.clone().unwrap_or_default();
    let is_narrow = conditions != SessionConditions::default() || request.order != 0;
    if reply.matching.is_none() && is_narrow {
        return Err(older("--idle, --age, --size, --attribute and --sort"));
    }
    if reply.knows == 0 && (request.backwards || conditions.released) {
        return Err(older("--reverse and --owner none"));
    }
    Ok(())
}

fn older(flags: &str) -> Failure {
    Failure::Older(format!(
        "this store is of an earlier release: it does not know {flags}"
    ))
}

fn order(sort: SortBy) -> SessionOrder {
    match sort {
        SortBy::Key => SessionOrder::Key,
        SortBy::Idle => SessionOrder::Idle,
        SortBy::Age => SessionOrder::Age,
        SortBy::Size => SessionOrder::Size,
    }
}

/// The bytes of a page token, as a list has printed it.
fn page_bytes(digits: &str) -> Result<Vec<u8>, Failure> {
    let wrong = || Failure::Usage("--page is what a list printed: copy all of its digits".into());
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    let bytes: Result<Vec<u8>, _> = pairs.map(|pair| u8::from_str_radix(pair, 16)).collect();
    bytes.map_err(|_| wrong())
}

fn row(session: &SessionSummary, now_ms: u64) -> Vec<Cell> {
    let key = session.session.clone().unwrap_or_default();
    let whole = hexadecimal(&key.key);
    let digits = whole.get(..KEY_DIGITS).unwrap_or(&whole);
    vec![
        Cell::text(digits),
        Cell::text(key.application),
        Cell::text(session.principal.as_str()),
        Cell::text(session.owner.clone().unwrap_or_default().node),
        Cell::Seconds(now_ms.saturating_sub(session.created_ms) / 1_000),
        Cell::Seconds(now_ms.saturating_sub(session.last_access_ms) / 1_000),
        session
            .expires_in_seconds
            .map_or(Cell::text("never"), Cell::Seconds),
        Cell::Bytes(session.bytes),
        Cell::Count(session.attributes.into()),
        Cell::text(whole.as_str()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_named_by_what_a_list_printed() {
        let token = [0x6b, 0, 0xff];
        assert_eq!(page_bytes(&hexadecimal(&token)).unwrap(), token);
        assert!(page_bytes("").unwrap().is_empty());
        for wrong in ["6", "6b0", "zz", "é1"] {
            assert_eq!(
                crate::failure::exit_code(&page_bytes(wrong).unwrap_err()),
                2,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_list_says_how_many_there_are_and_how_to_go_on() {
        assert_eq!(hint(0, Some((0, 0)), ""), None);
        assert_eq!(hint(1, Some((1, 512)), "").unwrap(), "1 session, 512 B");
        assert_eq!(
            hint(31, Some((131, 2_048)), "").unwrap(),
            "31 of 131 sessions, 2.0 KiB: the last of them"
        );
        assert_eq!(
            hint(100, Some((131, 2_048)), "6b00").unwrap(),
            "100 of 131 sessions, 2.0 KiB: go on with --page 6b00, or see all with --all"
        );
        assert_eq!(
            hint(100, None, "6b00").unwrap(),
            "100 sessions: go on with --page 6b00"
        );
    }
}
