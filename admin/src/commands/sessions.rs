//! `remora sessions show`, and what leads to the other verbs about sessions: `list` (`listing`), `kill` (`killing`), `stats` and
//! `watch` (`watching`); which sessions they mean says `meant`.
//!
//! A session is known by its key, which is a hash of its id: nothing shown here can be used to log in. Values of attributes are
//! shown to who asks for them with an operator's right, and are cut in tables, where one screen has to do. Where a name or a value
//! holds the id of its session, it is left out (`values`).

use remora_proto::v1::{
    Attribute, AttributeDetail, SessionDetail, SessionFilter, SessionValues, ShowSessionRequest,
};

use crate::args::{Format, Named, Output, Sessions};
use crate::failure::Failure;
use crate::render::{Cell, Report};
use crate::values;
use remora_overview::client::{Reach, Store};
use remora_overview::kinds::kind;

use super::meant::{Meant, Picked, hexadecimal, picked, wall_ms};
use super::{killing, listing, stats, watching};

/// Characters of a value in a table: with the other columns about a line of a wide terminal.
const VALUE_CHARS: usize = 80;

/// What cannot be left out of values where nobody said under which secret ids are hashed.
const MAY_SHOW_IDS: &str = "where the Tomcats hash ids with a secret, an id that the application put into names or values is known, and \
                            left out, with --key-file alone";

/// Lists, shows, counts, ends or watches sessions.
pub(super) async fn run(reach: &Reach, verb: Sessions, output: Output) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    match verb {
        Sessions::List(ask) => listing::list(&store, &ask).await,
        Sessions::Show {
            named,
            application,
            values,
        } => show(&store, &named, application, values.then_some(output.format)).await,
        Sessions::Stats {
            filter,
            conditions,
            by,
            limit,
        } => {
            let meant = Meant::new(&filter, &conditions, wall_ms());
            stats::run(&store, &meant, by, limit).await
        }
        Sessions::Kill(ask) => killing::run(&store, &ask).await,
        Sessions::Watch { filter } => watching::run(&store, &filter, output).await,
    }
}

/// Shows one session, with its values if a format for them is given.
async fn show(
    store: &Store,
    named: &Named,
    application: Option<String>,
    values: Option<Format>,
) -> Result<Report, Failure> {
    let one = picked(named)?.ok_or_else(|| {
        Failure::Usage("say which session: a KEY, or --id - or --cookie - and what its browser sends".into())
    })?;
    let request = ShowSessionRequest {
        filter: Some(SessionFilter {
            application: application.unwrap_or_default(),
            key_prefix: one.digits.clone(),
            ..SessionFilter::default()
        }),
    };
    let report = match values {
        None => store.show(request).await.map(|session| {
            let columns = vec!["attribute", "size", "type", "version"];
            let key = key_of(&session);
            let own = |text: &str| one.is_id_of(text, &key);
            let rows = session
                .attributes
                .iter()
                .map(|attribute| attribute_row(attribute, &own));
            detail(&session, &own)
                .table("attributes", columns, rows.collect())
                .main()
        }),
        Some(format) => store
            .values(request)
            .await
            .map(|told| with_values(told, &one, format)),
    };
    report.map_err(|failure| one.missed(failure))
}

fn with_values(told: SessionValues, one: &Picked, format: Format) -> Report {
    let session = told.session.unwrap_or_default();
    let key = key_of(&session);
    let own = |text: &str| one.is_id_of(text, &key);
    let rows = told.attributes.iter().map(|attribute| {
        let Attribute {
            name,
            version,
            r#type,
            value,
        } = attribute;
        let detail = AttributeDetail {
            name: name.clone(),
            version: *version,
            r#type: *r#type,
            bytes: value.len() as u64,
        };
        let mut row = attribute_row(&detail, &own);
        let value = Cell::Document(values::read(*r#type, value, &own));
        row.push(match format {
            Format::Table => Cell::text(cut(&value.to_string())),
            _ => value,
        });
        row
    });
    let columns = vec!["attribute", "size", "type", "version", "value"];
    let remark = one.may_miss_ids().then(|| MAY_SHOW_IDS.to_owned());
    detail(&session, &own)
        .table("attributes", columns, rows.collect())
        .main()
        .remarks(remark.into_iter().collect())
}

fn key_of(session: &SessionDetail) -> Vec<u8> {
    let summary = session.summary.as_ref();
    let key = summary.and_then(|summary| summary.session.as_ref());
    key.map(|session| session.key.to_vec()).unwrap_or_default()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

/// `own` tells whether a text is the id of the session.
fn detail(session: &SessionDetail, own: &dyn Fn(&str) -> bool) -> Report {
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
    let not_stored = session.local.iter();
    let not_stored = not_stored.map(|local| {
        let name = values::without_own_id(&local.name, own);
        vec![Cell::text(name), Cell::text(local.class.as_str())]
    });
    Report::default()
        .record("session", fields)
        .table("labels", vec!["label", "value"], labels.collect())
        .table("not stored", vec!["not stored", "class"], not_stored.collect())
}

fn idle_limit(seconds: i32) -> Cell {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Cell::Seconds(seconds),
        _ => Cell::text("never"),
    }
}

/// `own` tells whether a text is the id of the session.
fn attribute_row(attribute: &AttributeDetail, own: &dyn Fn(&str) -> bool) -> Vec<Cell> {
    vec![
        Cell::text(values::without_own_id(&attribute.name, own)),
        Cell::Bytes(attribute.bytes),
        Cell::text(kind(attribute.r#type)),
        Cell::Count(attribute.version),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_less_mean_that_a_session_never_expires() {
        assert_eq!(idle_limit(0), Cell::text("never"));
        assert_eq!(idle_limit(-1), Cell::text("never"));
        assert_eq!(idle_limit(1_800), Cell::Seconds(1_800));
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = "é".repeat(VALUE_CHARS + 1);
        assert_eq!(cut(&long), format!("{}...", "é".repeat(VALUE_CHARS)));
    }
}
