//! Sessions in a browser: found, looked at, ended. The store does it, with the rights of the console's own certificate, and is told
//! who asks.
//!
//! Invariants: a kill names one life of one session, or a filter and how many it may end at most; anything else is refused before
//! the store is asked · no value of an attribute is asked for, and keys are hashes: no id is here.
//!
//! Left out on purpose: conditions on age and size, which the command line has.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use remora_overview::client::Store;
use remora_overview::kinds::kind;
use remora_process::audit;
use remora_process::tls::Caller;
use remora_proto::v1::{
    KillMatchingRequest, Label, ListSessionsRequest, SessionConditions, SessionDetail, SessionFilter,
    SessionSummary, ShowSessionRequest,
};
use serde::{Deserialize, Serialize};

use super::answer::{self, Refusal};
use super::history::Move;
use super::routes::{ConsoleDesk, Looking, Operating, read};
use crate::chronicle::Sort;
use crate::control::whole;

/// Sessions on a page unless it is said: a screen and a little.
const PAGE_DEFAULT: u32 = 50;

/// The most on one page: more is no page, but a download.
const PAGE_MAX: u32 = 500;

/// Hexadecimal digits of a whole key: 16 bytes.
const KEY_DIGITS: usize = 32;

/// The label under which the store finds a user's sessions.
const USER: &str = "principal";

/// What a page asks for.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Criteria {
    user: Option<String>,
    /// NAME:VALUE.
    label: Option<String>,
    application: Option<String>,
    owner: Option<String>,
    /// Hexadecimal digits with which the key begins.
    key: Option<String>,
    /// Milliseconds since 1970 at which the one session began that a kill means.
    created_ms: Option<u64>,
    /// How many a kill may end.
    at_most: Option<u64>,
}

impl Criteria {
    fn filter(&self) -> Result<SessionFilter, Refusal> {
        let mut labels = Vec::new();
        labels.extend(self.user.as_ref().map(|user| label(USER, user)));
        if let Some(written) = &self.label {
            let Some((name, value)) = written.split_once(':') else {
                return Err(Refusal::wrong("a label is NAME:VALUE"));
            };
            labels.push(label(name, value));
        }
        let key_prefix = self.key.clone().unwrap_or_default();
        if !key_prefix.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Refusal::wrong("a key is written in hexadecimal digits"));
        }
        Ok(SessionFilter {
            application: self.application.clone().unwrap_or_default(),
            owner: self.owner.clone().unwrap_or_default(),
            key_prefix: key_prefix.to_ascii_lowercase(),
            labels,
        })
    }

    /// For the books.
    fn said(&self) -> String {
        let named = [
            ("user", &self.user),
            ("label", &self.label),
            ("application", &self.application),
            ("owner", &self.owner),
            ("key", &self.key),
        ];
        let said = named
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        said.collect::<Vec<_>>().join(", ")
    }
}

fn label(name: &str, value: &str) -> Label {
    Label {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// A session in a list. What is not known there is null.
#[derive(Serialize)]
struct Listed {
    application: String,
    key: String,
    owner: String,
    principal: String,
    labels: Option<Vec<(String, String)>>,
    bytes: u64,
    created_ms: u64,
    last_access_ms: u64,
    expires_in_seconds: Option<u64>,
}

impl Listed {
    fn of(summary: SessionSummary, labels: Option<Vec<Label>>) -> Self {
        let session = summary.session.unwrap_or_default();
        let labels = labels.map(|labels| {
            labels
                .into_iter()
                .map(|label| (label.name, label.value))
                .collect()
        });
        Self {
            application: session.application,
            key: hexadecimal(&session.key),
            owner: summary.owner.unwrap_or_default().node,
            principal: summary.principal,
            labels,
            bytes: summary.bytes,
            created_ms: summary.created_ms,
            last_access_ms: summary.last_access_ms,
            expires_in_seconds: summary.expires_in_seconds,
        }
    }
}

/// A page of sessions.
#[derive(Serialize)]
struct SessionsPage {
    sessions: Vec<Listed>,
    next: Option<String>,
    matching: Option<u64>,
}

/// One session.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    listed: Listed,
    roles: Vec<String>,
    auth: String,
    version: u64,
    epoch: u64,
    attributes: Vec<Attribute>,
    /// What stays on its Tomcat; a store of an earlier release does not say it.
    not_stored: Option<Vec<NotStored>>,
    history: Vec<Move>,
}

/// A value that could not be stored.
#[derive(Serialize)]
struct NotStored {
    name: String,
    class: String,
}

#[derive(Serialize)]
struct Attribute {
    name: String,
    r#type: String,
    bytes: u64,
    version: u64,
}

/// Sessions that match.
pub(super) async fn list(
    State(desk): State<ConsoleDesk>,
    Looking(login): Looking,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let store = asked_for(&desk, &login.caller)?;
    let (mut criteria, mut limit, mut from) = (Criteria::default(), PAGE_DEFAULT, Vec::new());
    for (name, value) in pairs(query.as_deref()) {
        match name.as_str() {
            "user" => criteria.user = Some(value),
            "label" => criteria.label = Some(value),
            "application" => criteria.application = Some(value),
            "owner" => criteria.owner = Some(value),
            "key" => criteria.key = Some(value),
            "limit" => limit = value.parse().map_err(|_| Refusal::wrong("limit is a number"))?,
            "from" => from = bytes(&value)?,
            other => return Err(Refusal::wrong(format!("`{other}` is not known"))),
        }
    }
    let request = ListSessionsRequest {
        filter: Some(criteria.filter()?),
        page_size: limit.clamp(1, PAGE_MAX),
        page: from.into(),
        ..ListSessionsRequest::default()
    };
    let reply = store.list(request).await?;
    let sessions = reply
        .sessions
        .into_iter()
        .map(|summary| Listed::of(summary, None));
    Ok(answer::json(&SessionsPage {
        sessions: sessions.collect(),
        next: (!reply.next_page.is_empty()).then(|| hexadecimal(&reply.next_page)),
        matching: reply.matching,
    }))
}

/// One session.
pub(super) async fn show(
    State(desk): State<ConsoleDesk>,
    Looking(login): Looking,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let store = asked_for(&desk, &login.caller)?;
    let mut criteria = Criteria::default();
    for (name, value) in pairs(query.as_deref()) {
        match name.as_str() {
            "application" => criteria.application = Some(value),
            "key" => criteria.key = Some(value),
            other => return Err(Refusal::wrong(format!("`{other}` is not known"))),
        }
    }
    if criteria.application.is_none() || criteria.key.is_none() {
        return Err(Refusal::wrong("say application and key"));
    }
    let filter = Some(criteria.filter()?);
    let detail = store.show(ShowSessionRequest { filter }).await?;
    let SessionDetail {
        summary,
        roles,
        auth_type,
        epoch,
        attributes,
        labels,
        local,
        created_version,
        ..
    } = detail;
    let summary = summary.unwrap_or_default();
    let version = summary.version;
    let name = summary.session.clone().unwrap_or_default();
    let attributes = attributes.into_iter().map(|attribute| Attribute {
        r#type: kind(attribute.r#type),
        name: attribute.name,
        bytes: attribute.bytes,
        version: attribute.version,
    });
    let local = local.into_iter().map(|value| NotStored {
        name: value.name,
        class: value.class,
    });
    Ok(answer::json(&Whole {
        listed: Listed::of(summary, Some(labels)),
        roles,
        auth: auth_type,
        version,
        epoch,
        attributes: attributes.collect(),
        not_stored: (created_version > 0).then(|| local.collect()),
        history: desk.console.histories().of(&name.application, &name.key),
    }))
}

/// Ends sessions: one that is named, or those that match, if they are no more than were said.
pub(super) async fn kill(
    State(desk): State<ConsoleDesk>,
    Operating(login): Operating,
    body: Bytes,
) -> Result<Response, Refusal> {
    let criteria: Criteria = read(&body)?;
    // Whoever asked may go away meanwhile: what was ended is written down all the same.
    whole(async move {
        let said = criteria.said();
        match end(&desk, &login.caller, &criteria).await {
            Ok(killed) => {
                let sessions = if killed == 1 { "session" } else { "sessions" };
                let did = format!("{killed} {sessions} ended: {said}");
                audit::done(&login.caller, "Console/Kill", &did);
                if killed > 0 {
                    desk.control.tell(Sort::Session, "", &did, &login.caller);
                }
                Ok(answer::json(&serde_json::json!({ "killed": killed })))
            }
            Err(refusal) => {
                audit::failed(&login.caller, "Console/Kill", refusal.sentence());
                Err(refusal)
            }
        }
    })
    .await
}

async fn end(desk: &ConsoleDesk, caller: &Caller, criteria: &Criteria) -> Result<u64, Refusal> {
    let mut conditions = SessionConditions::default();
    let at_most = match (&criteria.key, criteria.created_ms, criteria.at_most) {
        (Some(key), Some(created_ms), None) if criteria.application.is_some() => {
            if key.len() != KEY_DIGITS {
                return Err(Refusal::wrong(format!(
                    "a key has {KEY_DIGITS} digits, and one session is named by all of them"
                )));
            }
            // A later life of the key began later. The store takes no version of a life beside a filter.
            let later = created_ms.checked_add(1);
            conditions.created_before_ms = later.ok_or_else(|| Refusal::wrong("created_ms is no time"))?;
            1
        }
        // For the store 0 is no bound.
        (None, None, Some(at_most)) if at_most > 0 => at_most,
        _ => {
            let sentence = "say application, key and created_ms of one session; or user, label, application or owner, and at_most";
            return Err(Refusal::wrong(sentence));
        }
    };
    let filter = criteria.filter()?;
    if filter == SessionFilter::default() {
        return Err(Refusal::wrong(
            "say whose sessions: user, label, application or owner",
        ));
    }
    let store = asked_for(desk, caller)?;
    let request = KillMatchingRequest {
        filter: Some(filter),
        conditions: Some(conditions),
        at_most,
    };
    Ok(store.kill_matching(request).await?.killed)
}

/// The store, which is told for whom it is asked.
fn asked_for(desk: &ConsoleDesk, caller: &Caller) -> Result<Store, Refusal> {
    Ok(desk.console.store()?.on_behalf_of(caller.name()))
}

/// What a query says; what is empty is not said.
fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let pairs = pairs.filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// Bytes in hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hexadecimal`] has written.
fn bytes(digits: &str) -> Result<Vec<u8>, Refusal> {
    let wrong = || Refusal::wrong("from is what `next` said");
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            let is_pair = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let byte = u8::from_str_radix(pair, 16).ok().filter(|_| is_pair);
            byte.ok_or_else(wrong)
        })
        .collect()
}
