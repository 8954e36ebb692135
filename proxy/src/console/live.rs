//! What pages are told: a picture each second, and each change as it comes, as events that a browser follows by itself.
//!
//! A picture is written once, and all pages are given the same bytes. A page that reads slowly is given the newest when there is
//! room for it: one event is kept for it, and no more. Each has a task, because a page that does not read at all has to end as well.
//!
//! Invariants: so many pages at a time, and so many of one caller · a page is told nothing any more, and its place is free, when its login
//! ends or the process has a successor, whether it reads or not.
//!
//! Left out on purpose: what is in a picture (`sampling`).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::Console;
use super::answer::{self, Refusal};
use super::logins::Login;
use super::routes::{ConsoleDesk, Looking, Shown};
use crate::chronicle::{Changed, Chronicle, Lately};

/// Pages at a time: more than the operators of a large site have open.
const PAGES_MAX: usize = 64;

/// Pages of one caller at a time: a quarter of what all can have, for without TLS the operators of a machine are one caller.
const PAGES_OF_ONE_MAX: usize = 16;

/// The pages that look, by the names of those who are logged in.
#[derive(Default)]
pub(super) struct OpenPages {
    of: BTreeMap<String, usize>,
    all: usize,
}

impl OpenPages {
    /// Whether somebody looks.
    pub(super) fn some(&self) -> bool {
        self.all > 0
    }

    /// Takes one more in, or says why not.
    fn admit(&mut self, name: &str) -> Result<(), String> {
        if self.all == PAGES_MAX {
            return Err(format!("{PAGES_MAX} pages look already: close one"));
        }
        let own = self.of.get(name).copied().unwrap_or_default();
        if own == PAGES_OF_ONE_MAX {
            return Err(format!(
                "{PAGES_OF_ONE_MAX} pages of {name} look already: close one"
            ));
        }
        self.of.insert(name.to_owned(), own + 1);
        self.all += 1;
        Ok(())
    }

    /// One that was let in is closed.
    fn leave(&mut self, name: &str) {
        self.all -= 1;
        if let Some(own) = self.of.get_mut(name) {
            *own -= 1;
        }
        self.of.retain(|_, pages| *pages > 0);
    }
}

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
        (console, chronicle): (&Console, &Chronicle),
        cookie: Shown,
        login: Arc<Login>,
        told: Option<u64>,
    ) -> Result<Self, Refusal> {
        let mut admitted = Ok(());
        console.0.pages.send_if_modified(|pages| {
            admitted = pages.admit(login.caller.name());
            admitted.is_ok()
        });
        admitted.map_err(Refusal::away)?;
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
            chronicle: chronicle.clone(),
            changes,
            over: console.0.over.subscribe(),
            told,
            console: console.clone(),
            cookie,
            login,
        })
    }

    /// Tells it all, until it is closed or has ended.
    async fn tell(mut self, page: mpsc::Sender<Bytes>) {
        while let Some(room) = self.room(&page).await {
            let told = tokio::select! {
                told = self.next() => told,
                () = page.closed() => None,
            };
            // The login may have ended while there was nothing to tell.
            let Some(told) = told.filter(|_| !self.has_ended()) else {
                return;
            };
            room.send(told);
        }
    }

    /// Room for one more event, as soon as the page has read so far. Each picture, which comes every second while somebody looks,
    /// asks again whether it has ended.
    async fn room<'a>(&mut self, page: &'a mpsc::Sender<Bytes>) -> Option<mpsc::Permit<'a, Bytes>> {
        let mut ticks = self.console.0.picture.subscribe();
        while !self.has_ended() {
            tokio::select! {
                room = page.reserve() => return room.ok(),
                _ = ticks.changed() => {}
                _ = self.over.changed() => {}
            }
        }
        None
    }

    /// What it is told next; none at its end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended() {
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
        None
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

    fn has_ended(&self) -> bool {
        let now = self.cookie.login(&self.console);
        *self.over.borrow() || !now.is_some_and(|now| Arc::ptr_eq(&now, &self.login))
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        let name = self.login.caller.name();
        self.console.0.pages.send_modify(|pages| pages.leave(name));
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
    let whole = (&desk.console, desk.control.chronicle());
    let page = OpenPage::open(whole, cookie, login, told)?;
    let (to, events) = mpsc::channel(1);
    tokio::spawn(page.tell(to));
    let events = stream::unfold(events, |mut events| async move {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((kind, Body::from_stream(events)).into_response())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use remora_process::tls::{Caller, Role};

    use super::super::drawn;
    use super::*;

    #[test]
    fn an_event_is_one_block_of_lines() {
        let told = serde_json::json!({ "what": "line\nline" });
        let site = event("site", None, &told);
        assert_eq!(site, "event: site\ndata: {\"what\":\"line\\nline\"}\n\n");
        let change = event("change", Some(7), &told);
        assert!(change.starts_with(b"event: change\nid: 7\ndata: "));
    }

    #[test]
    fn so_many_pages_of_one_and_of_all() {
        let mut pages = OpenPages::default();
        let admitted = (0..20).filter(|_| pages.admit("eve").is_ok()).count();
        assert_eq!(admitted, PAGES_OF_ONE_MAX);
        for number in 0..PAGES_MAX - PAGES_OF_ONE_MAX {
            pages.admit(&format!("ada{number}")).unwrap();
        }
        assert!(pages.admit("bob").is_err());
        pages.leave("eve");
        pages.admit("bob").unwrap();
        assert_eq!(pages.all, PAGES_MAX);
    }

    #[tokio::test]
    async fn a_page_that_does_not_read_ends_with_its_login() {
        let console = Console::new("127.0.0.1:7410".parse().unwrap(), None, None);
        let chronicle = Chronicle::default();
        let eve = Caller::with_roles("eve", vec![Role::Reader]);
        let until = (console.now(), console.now() + Duration::from_secs(3_600));
        let granted = console.logins().by_certificate(&eve, until, &drawn());
        let shown = Shown {
            caller: eve,
            remote: None,
            cookie_name: String::new(),
            cookies: vec![granted.cookie],
        };
        let whole = (&console, &chronicle);
        let page = OpenPage::open(whole, shown, Arc::clone(&granted.login), None).unwrap();
        let (to, _unread) = mpsc::channel(1);
        let told = tokio::spawn(page.tell(to.clone()));
        console.0.picture.send_replace(Some(Bytes::from("event")));
        while to.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(console.0.pages.borrow().some());
        console.logins().close(&granted.login);
        console.0.picture.send_replace(Some(Bytes::from("event")));
        told.await.unwrap();
        assert!(!console.0.pages.borrow().some());
    }
}
