//! Sessions told to operators: pages of a list, and one session whole but for the values of its attributes.
//!
//! A page token carries its order, so that nobody goes on in another one. Left out: what is on a page, which the table says.

use std::sync::Arc;

use bytes::Bytes;
use remora_proto::v1;
use remora_table::{KEY_BYTES, ListFilter, ListOrder, ListPlace, Listing, Session, SessionKey, TableTime};
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

/// The label that says whose session it is (session.proto, Label.name).
const PRINCIPAL: &str = "principal";

/// The page that is asked for.
pub(super) async fn page(desk: &Desk, ask: v1::ListSessionsRequest) -> Result<v1::ListSessionsReply, Status> {
    let order = order(ask.order)?;
    let after = page_start(order, &ask.page)?;
    let limit = match ask.page_size {
        0 => PAGE_DEFAULT,
        size if size <= PAGE_MAX => size,
        size => {
            let sentence = format!("page_size is {size}: {PAGE_MAX} are allowed");
            return Err(status(malformed(sentence)));
        }
    };
    let filter = convert::filter(ask.filter).map_err(status)?;
    let filter = narrowed(filter, ask.conditions.unwrap_or_default());
    desk.barrier().await.map_err(status)?;
    let now = desk.raft.table().table_time();
    let found = walk(desk, filter, (order, after), limit as usize).await?;
    let sessions = found.sessions.iter();
    Ok(v1::ListSessionsReply {
        sessions: sessions
            .map(|(key, session)| summary(key, session, now))
            .collect(),
        next_page: found
            .ends_at
            .map_or_else(Bytes::new, |place| page_token(order, &place)),
        matching: Some(found.matching),
        matching_bytes: found.bytes,
    })
}

/// Walks the table on a blocking thread: with millions of sessions a walk takes as long as an election.
pub(super) async fn walk(
    desk: &Desk,
    filter: ListFilter,
    (order, after): (ListOrder, Option<ListPlace>),
    limit: usize,
) -> Result<Listing, Status> {
    let table = desk.raft.table().clone();
    runtime::blocking(move || table.list(&filter, (order, after.as_ref()), limit))
        .await
        .map_err(|error| Status::internal(format!("the table could not be walked: {error}")))
}

fn narrowed(filter: ListFilter, conditions: v1::SessionConditions) -> ListFilter {
    let given = |number: u64| (number != 0).then_some(number);
    ListFilter {
        last_access_before_ms: given(conditions.last_access_before_ms),
        created_before_ms: given(conditions.created_before_ms),
        bytes_at_least: given(conditions.bytes_at_least),
        attribute: (!conditions.attribute.is_empty()).then_some(conditions.attribute),
        ..filter
    }
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

/// The first byte of a token.
fn order_byte(order: ListOrder) -> u8 {
    match order {
        ListOrder::Key => b'k',
        ListOrder::Idle => b'i',
        ListOrder::Age => b'a',
        ListOrder::Size => b's',
    }
}

/// A page token is the place of the last session before: the order, the rank in it, the 16 bytes of the key, then the
/// application.
fn page_token(order: ListOrder, place: &ListPlace) -> Bytes {
    let (rank, key) = (place.rank.to_be_bytes(), &place.key);
    let parts = [
        &[order_byte(order)],
        rank.as_slice(),
        key.key.as_slice(),
        key.application.as_bytes(),
    ];
    parts.concat().into()
}

fn page_start(order: ListOrder, token: &[u8]) -> Result<Option<ListPlace>, Status> {
    if token.is_empty() {
        return Ok(None);
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
        (*of == order_byte(order)).then_some(place)
    };
    match place() {
        Some(place) => Ok(Some(place)),
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
    ];
    let labels = filter.labels.iter().map(|label| (&*label.name, &*label.value));
    let named = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let said: Vec<String> = labels
        .chain(named)
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if said.is_empty() {
        "all".to_owned()
    } else {
        said.join(", ")
    }
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
        let token = page_token(ListOrder::Age, &place);
        assert_eq!(page_start(ListOrder::Age, &token).unwrap(), Some(place));
        for other in [ListOrder::Key, ListOrder::Idle, ListOrder::Size] {
            assert!(page_start(other, &token).is_err(), "{other:?}");
        }
        assert_eq!(page_start(ListOrder::Key, b"").unwrap(), None);
        for length in 1..=24 {
            assert!(
                page_start(ListOrder::Age, &token[..length]).is_err(),
                "{length} bytes"
            );
        }
    }
}
