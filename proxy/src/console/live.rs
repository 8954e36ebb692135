//! What pages are told: a picture each second, and each change as it comes, as events that a browser follows by itself.
//!
//! A picture is written once, and all pages are given the same bytes. A page that reads slowly is given the newest when it has
//! read the last: nothing is kept for it. A task beside each keeps its place, because a page that does not read at all has to give it back.
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
use tokio::sync::{oneshot, watch};

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

/// A place among the pages that look, free again when this goes.
struct PagePlace {
    console: Console,
    name: String,
}

impl PagePlace {
    fn take(console: &Console, name: &str) -> Result<Self, Refusal> {
        let mut admitted = Ok(());
        console.0.pages.send_if_modified(|pages| {
            admitted = pages.admit(name);
            admitted.is_ok()
        });
        admitted.map_err(Refusal::away)?;
        Ok(Self {
            console: console.clone(),
            name: name.to_owned(),
        })
    }
}

impl Drop for PagePlace {
    fn drop(&mut self) {
        self.console.0.pages.send_modify(|pages| pages.leave(&self.name));
    }
}

/// What a page is told by: a login that holds, while this process is the one to ask.
#[derive(Clone)]
struct PageRight {
    console: Console,
    cookie: Arc<Shown>,
    login: Arc<Login>,
    over: watch::Receiver<bool>,
}

impl PageRight {
    fn has_ended(&self) -> bool {
        let now = self.cookie.login(&self.console);
        *self.over.borrow() || !now.is_some_and(|now| Arc::ptr_eq(&now, &self.login))
    }

    /// Keeps a page's place until it has ended or is closed. Each picture, which comes every second while somebody looks, asks again
    /// whether it has ended.
    async fn keep(mut self, _place: PagePlace, mut closed: oneshot::Receiver<()>) {
        let mut ticks = self.console.0.picture.subscribe();
        while !self.has_ended() {
            tokio::select! {
                _ = &mut closed => return,
                // The senders live as long as this does.
                _ = ticks.changed() => {}
                _ = self.over.changed() => {}
            }
        }
    }
}

/// One page that looks.
struct OpenPage {
    right: PageRight,
    picture: watch::Receiver<Option<Bytes>>,
    chronicle: Chronicle,
    changes: watch::Receiver<u64>,
    /// The last change that it was told of.
    told: u64,
    /// Goes with the page, and says so to what keeps its place.
    _open: oneshot::Sender<()>,
}

impl OpenPage {
    fn open(right: PageRight, chronicle: &Chronicle, told: Option<u64>, open: oneshot::Sender<()>) -> Self {
        let mut changes = chronicle.watch();
        let last = *changes.borrow_and_update();
        let mut picture = right.console.0.picture.subscribe();
        // The one that is there is told at once.
        picture.mark_changed();
        let told = told.unwrap_or(last);
        if told != last {
            changes.mark_changed();
        }
        Self {
            right,
            picture,
            chronicle: chronicle.clone(),
            changes,
            told,
            _open: open,
        }
    }

    /// What it is told next; none at its end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.right.has_ended() {
            let told = tokio::select! {
                _ = self.right.over.changed() => None,
                // The senders live as long as this does.
                _ = self.changes.changed() => self.what_changed(),
                _ = self.picture.changed() => self.picture.borrow_and_update().clone(),
            };
            if told.is_some() {
                // The login may have ended while there was nothing to tell.
                return told.filter(|_| !self.right.has_ended());
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
    let console = &desk.console;
    let place = PagePlace::take(console, login.caller.name())?;
    let right = PageRight {
        console: console.clone(),
        cookie: Arc::new(cookie),
        login,
        over: console.0.over.subscribe(),
    };
    let (open, closed) = oneshot::channel();
    tokio::spawn(right.clone().keep(place, closed));
    let page = OpenPage::open(right, desk.control.chronicle(), told, open);
    let events = stream::unfold(page, |mut page| async move {
        let event = page.next().await?;
        Some((Ok::<_, Infallible>(event), page))
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
        let eve = Caller::with_roles("eve", vec![Role::Reader]);
        let until = (console.now(), console.now() + Duration::from_secs(3_600));
        let granted = console.logins().by_certificate(&eve, until, &drawn());
        let shown = Shown {
            caller: eve,
            remote: None,
            cookie_name: String::new(),
            cookies: vec![granted.cookie],
        };
        let place = PagePlace::take(&console, "eve").unwrap();
        let right = PageRight {
            console: console.clone(),
            cookie: Arc::new(shown),
            login: Arc::clone(&granted.login),
            over: console.0.over.subscribe(),
        };
        let (_open, closed) = oneshot::channel();
        let kept = tokio::spawn(right.keep(place, closed));
        tokio::task::yield_now().await;
        assert!(console.0.pages.borrow().some());
        console.logins().close(&granted.login);
        console.0.picture.send_replace(Some(Bytes::from("event")));
        kept.await.unwrap();
        assert!(!console.0.pages.borrow().some());
    }
}
