//! What pages are told: a picture each second, and each change as it comes, as events that a browser follows by itself.
//!
//! A picture is written once, and all pages are given the same bytes. A page that reads slowly is given the newest when it has
//! read the last: nothing is kept for it.
//!
//! Invariants: so many pages at a time · a page is told nothing any more when its login ends or the process has a successor.
//!
//! Left out on purpose: what is in a picture (`sampling`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Serialize;
use tokio::sync::watch;

use super::Console;
use super::answer::{self, Refusal};
use super::logins::Login;
use super::routes::{ConsoleDesk, Looking, Shown};
use crate::chronicle::{Changed, Chronicle, Lately};

/// Pages at a time: more than the operators of a large site have open.
const PAGES_MAX: usize = 64;

/// A change as pages are told it.
#[derive(Serialize)]
struct ToldChange<'a> {
    number: u64,
    at: u64,
    kind: &'static str,
    of: &'a str,
    what: &'a str,
    why: &'a str,
    who: &'a str,
}

impl<'a> ToldChange<'a> {
    fn of(change: &'a Changed) -> Self {
        let Changed {
            number,
            at_ms,
            sort,
            of,
            what,
            why,
            who,
        } = change;
        Self {
            number: *number,
            at: *at_ms,
            kind: sort.as_str(),
            of,
            what,
            why,
            who,
        }
    }
}

/// What changed lately.
pub(super) async fn lately(State(desk): State<ConsoleDesk>, _: Looking) -> Response {
    let Lately { changes, missed } = desk.control.lately(0);
    let changes: Vec<ToldChange<'_>> = changes.iter().map(|change| ToldChange::of(change)).collect();
    answer::json(&serde_json::json!({ "changes": changes, "missed": missed }))
}

/// An event as it travels.
pub(super) fn event(name: &str, id: Option<u64>, told: &impl Serialize) -> Bytes {
    // A value of ours that cannot be said would be a fault of this program: then pages are told nothing of it.
    let data = serde_json::to_string(told).unwrap_or_else(|_| "null".to_owned());
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Bytes::from(format!("event: {name}\n{id}data: {data}\n\n"))
}

/// One page that looks. As long as it is there, somebody does.
struct OpenPage {
    console: Console,
    cookie: Shown,
    login: Arc<Login>,
    picture: watch::Receiver<Option<Bytes>>,
    chronicle: Chronicle,
    changes: watch::Receiver<u64>,
    over: watch::Receiver<bool>,
    /// The last change that it was told of.
    told: u64,
}

impl OpenPage {
    fn open(
        desk: &ConsoleDesk,
        cookie: Shown,
        login: Arc<Login>,
        told: Option<u64>,
    ) -> Result<Self, Refusal> {
        let console = desk.console.clone();
        let is_one_more = console.0.pages.send_if_modified(|pages| {
            let there_is_room = *pages < PAGES_MAX;
            *pages += usize::from(there_is_room);
            there_is_room
        });
        if !is_one_more {
            return Err(Refusal::away(format!(
                "{PAGES_MAX} pages look already: close one"
            )));
        }
        let chronicle = desk.control.chronicle().clone();
        let mut changes = chronicle.watch();
        let last = *changes.borrow_and_update();
        let mut picture = console.0.picture.subscribe();
        // The one that is there is told at once.
        picture.mark_changed();
        let told = told.unwrap_or(last);
        if told != last {
            changes.mark_changed();
        }
        Ok(Self {
            picture,
            chronicle,
            changes,
            over: console.0.over.subscribe(),
            told,
            console,
            cookie,
            login,
        })
    }

    /// What it is told next; none at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if *self.over.borrow() || !self.is_logged_in() {
                return None;
            }
            tokio::select! {
                _ = self.over.changed() => {}
                // The senders live as long as this does.
                _ = self.changes.changed() => {
                    if let Some(told) = self.what_changed() {
                        return Some(told);
                    }
                }
                _ = self.picture.changed() => {
                    let picture = self.picture.borrow_and_update().clone();
                    if picture.is_some() {
                        return picture;
                    }
                }
            }
        }
    }

    /// All changes that it was not told of, each an event.
    fn what_changed(&mut self) -> Option<Bytes> {
        let lately = self.chronicle.after(self.told);
        let last = lately.changes.last()?.number;
        let events = lately.changes.iter();
        let events = events.map(|change| event("change", Some(change.number), &ToldChange::of(change)));
        self.told = last;
        Some(Bytes::from(events.collect::<Vec<_>>().concat()))
    }

    fn is_logged_in(&self) -> bool {
        let now = self.cookie.login(&self.console);
        now.is_some_and(|now| Arc::ptr_eq(&now, &self.login))
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        self.console.0.pages.send_modify(|pages| *pages -= 1);
    }
}

/// Follows the site.
pub(super) async fn live(
    State(desk): State<ConsoleDesk>,
    Looking(login): Looking,
    cookie: Shown,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let told = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let page = OpenPage::open(&desk, cookie, login, told)?;
    let events = stream::unfold(page, |mut page| async move {
        let event = page.next().await?;
        Some((Ok::<_, Infallible>(event), page))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((kind, Body::from_stream(events)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_block_of_lines() {
        let told = serde_json::json!({ "what": "line\nline" });
        let site = event("site", None, &told);
        assert_eq!(site, "event: site\ndata: {\"what\":\"line\\nline\"}\n\n");
        let change = event("change", Some(7), &told);
        assert!(change.starts_with(b"event: change\nid: 7\ndata: "));
    }
}
