//! `remora sessions list`. What matches is filtered, sorted and counted by the store, and comes in pages; a list that is not
//! whole says so, and how to go on.
//!
//! Ages are reckoned against the operator's own clock.

use std::time::Duration;

use remora_proto::v1::{
    ListSessionsReply, ListSessionsRequest, SessionConditions, SessionFilter, SessionOrder, SessionSummary,
};

use crate::args::{Filter, SessionList, SortBy};
use crate::client::Store;
use crate::failure::Failure;
use crate::render::{Cell, Report};

use super::sessions::{hexadecimal, wall_ms, wire_filter};

/// Sessions asked for at first: as many as a store of any release gives.
const FIRST_PAGE: u32 = 1_000;
/// Sessions asked for at a time of a store that counts what matches; the most that it gives.
const PAGE: u32 = 4_000;

/// Digits of a key that tables show: few enough to type, enough to tell a million sessions apart.
pub(super) const KEY_DIGITS: usize = 12;

/// Lists sessions.
pub(super) async fn list(store: &Store, ask: &SessionList) -> Result<Report, Failure> {
    let now = wall_ms();
    let listed = collect(store, ask, now).await?;
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
    ];
    let rows = listed.sessions.iter().map(|session| row(session, now)).collect();
    let shown = listed.sessions.len() as u64;
    let next = hexadecimal(&listed.next_page);
    let hint = (!next.is_empty()).then(|| hint(shown, listed.matching, &next));
    let fields = vec![
        ("shown", Cell::Count(shown)),
        ("matching", listed.matching.map_or(Cell::Nothing, Cell::Count)),
        (
            "matching size",
            listed
                .matching
                .map_or(Cell::Nothing, |_| Cell::Bytes(listed.matching_bytes)),
        ),
        ("next page", Cell::text(next)),
    ];
    Ok(Report::default()
        .table("sessions", columns, rows)
        .figures("listed", fields)
        .hint(hint))
}

/// How many sessions match, in words.
pub(super) async fn matching(store: &Store, filter: &Filter) -> Result<String, Failure> {
    let matching = count(store, wire_filter(filter, "")).await?;
    Ok(matching.map_or_else(
        || "this store is of an earlier release and does not say how many".to_owned(),
        |matching| matching.to_string(),
    ))
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

/// Says that a list is not whole.
fn hint(shown: u64, matching: Option<u64>, next: &str) -> String {
    let of = matching.map_or_else(String::new, |matching| format!(" of {matching}"));
    let all = matching.map_or_else(String::new, |matching| {
        format!(", or see all with --limit {matching}")
    });
    format!("{shown}{of} sessions: go on with --page {next}{all}")
}

/// Pages until the limit is reached.
async fn collect(store: &Store, ask: &SessionList, now_ms: u64) -> Result<ListSessionsReply, Failure> {
    let mut listed = ListSessionsReply {
        next_page: page_bytes(ask.page.as_deref().unwrap_or_default())?.into(),
        ..ListSessionsReply::default()
    };
    let mut page_size = FIRST_PAGE;
    while listed.sessions.len() < ask.limit {
        let rest = ask.limit - listed.sessions.len();
        let request = ListSessionsRequest {
            filter: Some(wire_filter(&ask.filter, "")),
            page_size: u32::try_from(rest).map_or(page_size, |rest| rest.min(page_size)),
            page: listed.next_page,
            conditions: Some(conditions(ask, now_ms)),
            order: order(ask.sort).into(),
            ..ListSessionsRequest::default()
        };
        let is_narrow = request.conditions != Some(SessionConditions::default()) || request.order != 0;
        let reply = store.list(request).await?;
        if reply.matching.is_none() && is_narrow {
            return Err(Failure::Refused(
                "this store is of an earlier release: it does not know --idle, --age, --size, --attribute and --sort"
                    .into(),
            ));
        }
        page_size = reply.matching.map_or(FIRST_PAGE, |_| PAGE);
        let sessions = [listed.sessions, reply.sessions].concat();
        listed = ListSessionsReply { sessions, ..reply };
        if listed.next_page.is_empty() {
            break;
        }
    }
    Ok(listed)
}

fn conditions(ask: &SessionList, now_ms: u64) -> SessionConditions {
    let before = |age: Option<Duration>| {
        let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        // 0 would mean any; nobody is older than the clock.
        age.map_or(0, |age| now_ms.saturating_sub(age).max(1))
    };
    SessionConditions {
        last_access_before_ms: before(ask.idle.map(Into::into)),
        created_before_ms: before(ask.age.map(Into::into)),
        bytes_at_least: ask.size.unwrap_or(0),
        attribute: ask.attribute.clone().unwrap_or_default(),
        ..SessionConditions::default()
    }
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
    let mut digits = hexadecimal(&key.key);
    digits.truncate(KEY_DIGITS);
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
            assert_eq!(page_bytes(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_list_that_is_not_whole_says_how_to_go_on() {
        assert_eq!(
            hint(100, Some(131), "6b00"),
            "100 of 131 sessions: go on with --page 6b00, or see all with --limit 131"
        );
        assert_eq!(hint(100, None, "6b00"), "100 sessions: go on with --page 6b00");
    }
}
