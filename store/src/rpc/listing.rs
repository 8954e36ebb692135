//! Sessions told to operators: pages of a list, and one session whole, its values only to who asks for them.
//!
//! A page token carries its order, so that nobody goes on in another one. Left out: what is on a page, which the table says.

use std::sync::Arc;

use bytes::Bytes;
use remora_proto::v1;
use remora_table::{
    KEY_BYTES, ListFilter, ListOrder, ListPlace, ListStart, Session, SessionKey, TableReader, TableTime,
};
use tonic::Status;

use crate::runtime;

use super::convert::{self, owner, session_key};
use super::desk::Desk;
use super::status::{malformed, status};

/// Sessions in a page unless asked otherwise (admin.proto).
const PAGE_DEFAULT: u32 = 100;
/// Sessions in a page at most (admin.proto): with the longest names a page stays below the message limit, and a million are
/// listed in 250 walks of the table.
const PAGE_MAX: u32 = 4_000;
/// Digits of a key that may stand in a log line.
const KEY_DIGITS_SAID: usize = 8;

/// How much of a list's request this store knows (admin.proto, ListSessionsReply.knows).
const KNOWS: u32 = 1;

/// The label that says whose session it is (session.proto, Label.name).
const PRINCIPAL: &str = "principal";

/// The page that is asked for.
pub(super) async fn page(desk: &Desk, ask: v1::ListSessionsRequest) -> Result<v1::ListSessionsReply, Status> {
    let start = page_start(order(ask.order)?, ask.backwards, &ask.page)?;
    let limit = match ask.page_size {
        0 => PAGE_DEFAULT,
        size if size <= PAGE_MAX => size,
        size => {
            let sentence = format!("page_size is {size}: {PAGE_MAX} are allowed");
            return Err(status(malformed(sentence)));
        }
    };
    let filter = meant(ask.filter, ask.conditions)?;
    desk.barrier().await.map_err(status)?;
    let now = desk.raft.table().table_time();
    let (asked, limit) = (start.clone(), limit as usize);
    let found = walk(desk, move |table| table.list(&filter, &asked, limit)).await?;
    let sessions = found.sessions.iter();
    Ok(v1::ListSessionsReply {
        sessions: sessions
            .map(|(key, session)| summary(key, session, now))
            .collect(),
        next_page: found
            .ends_at
            .map_or_else(Bytes::new, |place| page_token(&start, &place)),
        matching: Some(found.matching),
        matching_bytes: found.bytes,
        knows: KNOWS,
    })
}

/// Walks the table on a blocking thread: with millions of sessions a walk takes as long as an election.
pub(super) async fn walk<T: Send + 'static>(
    desk: &Desk,
    walk: impl FnOnce(&TableReader) -> T + Send + 'static,
) -> Result<T, Status> {
    let table = desk.raft.table().clone();
    runtime::blocking(move || walk(&table))
        .await
        .map_err(|error| Status::internal(format!("the table could not be walked: {error}")))
}

/// The only live session that matches, as it stands now.
pub(super) async fn one(
    desk: &Desk,
    filter: Option<v1::SessionFilter>,
) -> Result<(SessionKey, Arc<Session>), Status> {
    let filter = meant(filter, None)?;
    desk.barrier().await.map_err(status)?;
    let mut found = walk(desk, move |table| table.list(&filter, &ListStart::default(), 2)).await?;
    match (found.sessions.pop(), found.sessions.pop()) {
        (None, _) => Err(Status::not_found("no live session matches")),
        (Some(only), None) => Ok(only),
        _ => Err(Status::failed_precondition(
            "several sessions match: give more digits of the key, or list them first",
        )),
    }
}

/// Which sessions somebody means.
pub(super) fn meant(
    filter: Option<v1::SessionFilter>,
    conditions: Option<v1::SessionConditions>,
) -> Result<ListFilter, Status> {
    let given = |number: u64| (number != 0).then_some(number);
    let conditions = conditions.unwrap_or_default();
    let filter = convert::filter(filter).map_err(status)?;
    Ok(ListFilter {
        last_access_before_ms: given(conditions.last_access_before_ms),
        created_before_ms: given(conditions.created_before_ms),
        bytes_at_least: given(conditions.bytes_at_least),
        attribute: (!conditions.attribute.is_empty()).then_some(conditions.attribute),
        released: conditions.released,
        ..filter
    })
}

fn order(wire: i32) -> Result<ListOrder, Status> {
    match v1::SessionOrder::try_from(wire) {
        Ok(v1::SessionOrder::Key) => Ok(ListOrder::Key),
        Ok(v1::SessionOrder::Idle) => Ok(ListOrder::Idle),
        Ok(v1::SessionOrder::Age) => Ok(ListOrder::Age),
        Ok(v1::SessionOrder::Size) => Ok(ListOrder::Size),
        Err(_) => Err(status(malformed(
            "the order is of a later release: upgrade the store",
        ))),
    }
}

/// The first byte of a token; a capital where the order is the other way round.
fn order_byte(start: &ListStart) -> u8 {
    let byte = match start.order {
        ListOrder::Key => b'k',
        ListOrder::Idle => b'i',
        ListOrder::Age => b'a',
        ListOrder::Size => b's',
    };
    if start.backwards {
        byte.to_ascii_uppercase()
    } else {
        byte
    }
}

/// A page token is the place of the last session before: the order, the rank in it, the 16 bytes of the key, then the
/// application.
fn page_token(start: &ListStart, place: &ListPlace) -> Bytes {
    let (rank, key) = (place.rank.to_be_bytes(), &place.key);
    let parts = [
        &[order_byte(start)],
        rank.as_slice(),
        key.key.as_slice(),
        key.application.as_bytes(),
    ];
    parts.concat().into()
}

fn page_start(order: ListOrder, backwards: bool, token: &[u8]) -> Result<ListStart, Status> {
    let start = ListStart {
        order,
        backwards,
        after: None,
    };
    if token.is_empty() {
        return Ok(start);
    }
    let place = || {
        let (of, rest) = token.split_first()?;
        let (rank, rest) = rest.split_first_chunk()?;
        let (key, application) = rest.split_first_chunk::<KEY_BYTES>()?;
        let application = std::str::from_utf8(application).ok()?;
        let place = ListPlace {
            rank: u64::from_be_bytes(*rank),
            key: SessionKey {
                application: Arc::from(application),
                key: *key,
            },
        };
        (*of == order_byte(&start)).then_some(place)
    };
    match place() {
        Some(place) => Ok(ListStart {
            after: Some(place),
            ..start
        }),
        None => Err(status(malformed(
            "page is not one that this store gave for this order: start with an empty one",
        ))),
    }
}

fn summary(key: &SessionKey, session: &Session, now: TableTime) -> v1::SessionSummary {
    let expires_in_seconds =
        (session.deadline != TableTime::NEVER).then(|| session.deadline.0.saturating_sub(now.0) / 1_000);
    let user = session.labels.iter().find(|label| *label.name == *PRINCIPAL);
    v1::SessionSummary {
        session: Some(session_key(key)),
        owner: Some(owner(&session.owner)),
        principal: user.map(|label| label.value.to_string()).unwrap_or_default(),
        created_ms: session.created_ms,
        last_access_ms: session.last_access_ms,
        expires_in_seconds,
        bytes: session.attribute_bytes(),
        attributes: u32::try_from(session.attributes.len()).unwrap_or(u32::MAX),
        version: session.version.0,
    }
}

/// A session without the values of its attributes.
pub(super) fn detail(key: &SessionKey, session: &Session, now: TableTime) -> v1::SessionDetail {
    let attributes = session.attributes.iter().map(|attribute| v1::AttributeDetail {
        name: attribute.name.to_string(),
        version: attribute.version.0,
        r#type: attribute.type_tag,
        bytes: attribute.value.len() as u64,
    });
    let login = session.login.as_deref();
    v1::SessionDetail {
        summary: Some(summary(key, session, now)),
        roles: login
            .map(|login| login.roles.iter().map(|role| role.to_string()).collect())
            .unwrap_or_default(),
        auth_type: login.map(|login| login.auth_type.to_string()).unwrap_or_default(),
        epoch: session.epoch.0,
        max_idle_seconds: session.max_idle_seconds,
        attributes: attributes.collect(),
        labels: session.labels.iter().map(convert::label).collect(),
        local: session.local.iter().map(convert::local).collect(),
        created_version: session.created_version.0,
    }
}

/// A session with the values of its attributes.
pub(super) fn values(key: &SessionKey, session: &Session, now: TableTime) -> v1::SessionValues {
    // Names once: with the longest of them twice, a reply could outgrow a message.
    let detail = v1::SessionDetail {
        attributes: Vec::new(),
        ..detail(key, session, now)
    };
    let attributes = session.attributes.iter().map(|attribute| v1::Attribute {
        name: attribute.name.to_string(),
        version: attribute.version.0,
        r#type: attribute.type_tag,
        value: attribute.value.clone(),
    });
    v1::SessionValues {
        session: Some(detail),
        attributes: attributes.collect(),
    }
}

/// What a kill is about, for the books; of a key no more than its first digits.
pub(super) fn named(filter: &ListFilter) -> String {
    let digits = filter
        .key_prefix
        .get(..KEY_DIGITS_SAID)
        .unwrap_or(&filter.key_prefix);
    let said = [
        ("application", filter.application.as_deref()),
        ("owner", filter.owner.as_deref()),
        ("key", Some(digits).filter(|digits| !digits.is_empty())),
        ("attribute", filter.attribute.as_deref()),
        ("released", filter.released.then_some("by all")),
    ];
    let numbers = [
        ("used last before", filter.last_access_before_ms.map(moment)),
        ("created before", filter.created_before_ms.map(moment)),
        (
            "bytes at least",
            filter.bytes_at_least.map(|bytes| bytes.to_string()),
        ),
    ];
    let labels = filter.labels.iter().map(|label| (&*label.name, &*label.value));
    let named = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let numbers = numbers
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let said: Vec<String> = labels
        .chain(named)
        .chain(numbers)
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if said.is_empty() {
        "all".to_owned()
    } else {
        said.join(", ")
    }
}

/// A moment of the application servers' clocks, for people: seconds since 1970, as `date --date=@SECONDS` reads them.
fn moment(since_1970_ms: u64) -> String {
    format!("@{}", since_1970_ms / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_in_its_own_order_alone() {
        let place = ListPlace {
            rank: 7,
            key: SessionKey {
                application: Arc::from("localhost/shop"),
                key: [3; KEY_BYTES],
            },
        };
        for backwards in [false, true] {
            let start = page_start(ListOrder::Age, backwards, b"").unwrap();
            assert_eq!(start.after, None);
            let token = page_token(&start, &place);
            let onward = page_start(ListOrder::Age, backwards, &token).unwrap();
            assert_eq!(onward.after.as_ref(), Some(&place));
            for other in [ListOrder::Key, ListOrder::Idle, ListOrder::Size] {
                assert!(page_start(other, backwards, &token).is_err(), "{other:?}");
            }
            assert!(page_start(ListOrder::Age, !backwards, &token).is_err());
            for length in 1..=24 {
                assert!(
                    page_start(ListOrder::Age, backwards, &token[..length]).is_err(),
                    "{length} bytes"
                );
            }
        }
    }
}
