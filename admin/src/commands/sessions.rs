//! `remora sessions show|kill`. A session is named by the leading digits of its key, which is a hash of its id: nothing shown
//! here can be used to log in.
//!
//! Invariants: what could be a session id is refused before it travels, and is not repeated in the refusal. A kill says
//! exactly what it is for: one key, which is looked up first so that a short prefix ends nobody else's session, or a
//! filter, or `--all` in so many words; but for a single key nothing ends without `--yes`. A kill is sent once.
//!
//! Ages are reckoned against the operator's own clock. Left out on purpose: lists (`listing`), watches (`watching`), and values of attributes.

use std::time::{SystemTime, UNIX_EPOCH};

use remora_proto::v1::{
    AttributeDetail, KillSessionsRequest, Label, SessionDetail, SessionFilter, ShowSessionRequest,
};

use crate::args::{Filter, Output, Sessions};
use crate::client::{Reach, Store};
use crate::failure::Failure;
use crate::render::{Cell, Report};

use super::{listing, watching};

/// Lists, shows, ends or watches sessions.
pub(super) async fn run(reach: &Reach, verb: Sessions, output: Output) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    match verb {
        Sessions::List(ask) => listing::list(&store, &ask).await,
        Sessions::Show { key } => Ok(detail(&find(&store, &key).await?)),
        Sessions::Kill { key: Some(key), .. } => kill_one(&store, &key).await,
        Sessions::Kill {
            key: None,
            filter,
            all,
            yes,
        } => kill_many(&store, &filter, all, yes).await,
        Sessions::Watch { filter } => watching::run(&store, &filter, output).await,
    }
}

async fn find(store: &Store, key: &str) -> Result<SessionDetail, Failure> {
    let digits = key_digits(key)?;
    store
        .show(ShowSessionRequest {
            filter: Some(wire_filter(&Filter::default(), &digits)),
        })
        .await
}

/// Looks first, so that a prefix of several keys ends nobody's session.
async fn kill_one(store: &Store, key: &str) -> Result<Report, Failure> {
    let found = find(store, key).await?;
    let session = found
        .summary
        .and_then(|summary| summary.session)
        .unwrap_or_default();
    let filter = SessionFilter {
        application: session.application,
        key_prefix: hexadecimal(&session.key),
        ..SessionFilter::default()
    };
    kill(
        store,
        KillSessionsRequest {
            filter: Some(filter),
            all: false,
        },
    )
    .await
}

async fn kill_many(store: &Store, filter: &Filter, all: bool, yes: bool) -> Result<Report, Failure> {
    let Filter {
        application,
        label,
        principal,
        owner,
    } = filter;
    let labelled = !label.is_empty() || principal.is_some();
    let narrowed = application.is_some() || labelled || owner.is_some();
    if !narrowed && !all {
        return Err(Failure::Usage(
            "say which sessions: a KEY, or --application, --label, --principal, --owner, or --all".into(),
        ));
    }
    if !yes {
        let matching = listing::matching(store, filter).await?;
        return Err(Failure::Refused(format!(
            "{matching} sessions match; repeat with --yes to end them"
        )));
    }
    kill(
        store,
        KillSessionsRequest {
            filter: Some(wire_filter(filter, "")),
            all,
        },
    )
    .await
}

async fn kill(store: &Store, request: KillSessionsRequest) -> Result<Report, Failure> {
    let reply = store.kill(request).await?;
    Ok(Report::default().record("result", vec![("sessions ended", Cell::Count(reply.killed))]))
}

pub(super) fn wire_filter(filter: &Filter, key_prefix: &str) -> SessionFilter {
    SessionFilter {
        application: filter.application.clone().unwrap_or_default(),
        labels: filter.labels().map(label).collect(),
        owner: filter.owner.clone().unwrap_or_default(),
        key_prefix: key_prefix.to_owned(),
    }
}

fn label((name, value): (&str, &str)) -> Label {
    Label {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// Refuses what cannot be a key here, so that nobody pastes a session id and waits for a "not found". Tomcat writes its
/// ids as 32 digits with upper-case letters, and keys are shown in lower case.
fn key_digits(key: &str) -> Result<String, Failure> {
    let fits = (1..=32).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_session_id = key.len() == 32 && key.bytes().any(|byte| byte.is_ascii_uppercase());
    if fits && !is_session_id {
        return Ok(key.to_ascii_lowercase());
    }
    // The sentence must not repeat what may be a credential.
    Err(Failure::Usage(
        "that is not a key: give the leading hexadecimal digits that `remora sessions list` shows, not a session id"
            .into(),
    ))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn detail(session: &SessionDetail) -> Report {
    let summary = session.summary.clone().unwrap_or_default();
    let key = summary.session.clone().unwrap_or_default();
    let owner = summary.owner.clone().unwrap_or_default();
    let now = wall_ms();
    let fields = vec![
        ("key", Cell::text(hexadecimal(&key.key))),
        ("application", Cell::text(key.application)),
        ("user", Cell::text(summary.principal)),
        ("roles", Cell::text(session.roles.join(", "))),
        ("login by", Cell::text(session.auth_type.as_str())),
        ("owner", Cell::text(owner.node)),
        ("owner instance", Cell::text(format!("{:016x}", owner.instance))),
        ("epoch", Cell::Count(session.epoch)),
        ("version", Cell::Count(summary.version)),
        (
            "age",
            Cell::Seconds(now.saturating_sub(summary.created_ms) / 1_000),
        ),
        (
            "idle",
            Cell::Seconds(now.saturating_sub(summary.last_access_ms) / 1_000),
        ),
        ("idle limit", idle_limit(session.max_idle_seconds)),
        (
            "expires in",
            summary
                .expires_in_seconds
                .map_or(Cell::text("never"), Cell::Seconds),
        ),
        ("size", Cell::Bytes(summary.bytes)),
    ];
    let labels = session.labels.iter();
    let labels = labels.map(|label| vec![Cell::text(label.name.as_str()), Cell::text(label.value.as_str())]);
    let columns = vec!["attribute", "size", "type", "version"];
    let rows = session.attributes.iter().map(attribute_row).collect();
    Report::default()
        .record("session", fields)
        .table("labels", vec!["label", "value"], labels.collect())
        .table("attributes", columns, rows)
}

fn idle_limit(seconds: i32) -> Cell {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Cell::Seconds(seconds),
        _ => Cell::text("never"),
    }
}

fn attribute_row(attribute: &AttributeDetail) -> Vec<Cell> {
    vec![
        Cell::text(attribute.name.as_str()),
        Cell::Bytes(attribute.bytes),
        Cell::Count(attribute.r#type.into()),
        Cell::Count(attribute.version),
    ]
}

/// The wall clock in milliseconds since 1970, against which people read the ages of sessions.
#[expect(
    clippy::disallowed_methods,
    reason = "the operator's own clock, used for display only"
)]
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_session_id_is_refused_before_it_travels() {
        let refused = key_digits("4DF1C0FFEE.n1").unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        let whole = key_digits("4DF1C0FFEE4DF1C0FFEE4DF1C0FFEE00").unwrap_err();
        assert_eq!(whole.exit_code(), 2);
        assert!(!whole.to_string().contains("4DF1"), "it may be a credential");
        assert!(key_digits("4df1c0ffee4df1c0ffee4df1c0ffee00").is_ok());
        assert_eq!(key_digits("3FA4").unwrap(), "3fa4");
    }

    #[test]
    fn zero_and_less_mean_that_a_session_never_expires() {
        assert_eq!(idle_limit(0), Cell::text("never"));
        assert_eq!(idle_limit(-1), Cell::text("never"));
        assert_eq!(idle_limit(1_800), Cell::Seconds(1_800));
    }
}
