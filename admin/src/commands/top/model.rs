//! What `top` knows, and what each message changes. Pure: time comes with the messages.
//!
//! What each server does in a second is `remora_overview`'s to say, of all that it is told here. Paused, nothing changes but what keys change.

use std::collections::BTreeMap;
use std::time::Duration;

use remora_overview::rates::{Counter, Rates};
use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{ProxyStatus, SessionStatsReply, StoreStatus};

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter.
    Letter(char),
    /// The next page.
    Next,
    /// Out of the help.
    Back,
    /// A row down.
    Down,
    /// A row up.
    Up,
}

/// What there is to hear.
#[derive(Debug)]
pub(super) enum Message {
    /// A key.
    Key(Key),
    /// The terminal has another size.
    Resized,
    /// Time passes.
    Now(Duration),
    /// What the node at an address said, or why it did not.
    Node(Duration, String, Result<Box<StoreStatus>, String>),
    /// What a proxy said, or why it did not.
    Proxy(Duration, String, Result<Box<ProxyStatus>, String>),
    /// Sessions in groups.
    Sessions(Duration, By, Result<Box<SessionStatsReply>, String>),
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// Nodes, and the upstreams that there is room for.
    #[default]
    Site,
    /// Sessions in groups.
    Sessions,
    /// Upstreams.
    Upstreams,
}

impl Page {
    const ALL: [Page; 3] = [Page::Site, Page::Sessions, Page::Upstreams];

    fn next(self) -> Page {
        match self {
            Page::Site => Page::Sessions,
            Page::Sessions => Page::Upstreams,
            Page::Upstreams => Page::Site,
        }
    }

    /// Of how many columns one may be sorted by.
    fn orders(self) -> usize {
        match self {
            Page::Site => 1,
            Page::Sessions => 4,
            Page::Upstreams => 5,
        }
    }
}

/// A row of the page of sessions.
#[derive(Debug, Default, Clone)]
pub(super) struct Group {
    /// Sessions now.
    pub(super) sessions: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// How their number changes.
    pub(super) change: Counter,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Since the start.
    pub(super) now: Duration,
    /// What is looked at.
    pub(super) page: Page,
    /// Which of its orders each page is in.
    pub(super) orders: [usize; 3],
    /// The first row that is shown.
    pub(super) top: usize,
    /// By what sessions are grouped.
    pub(super) by: By,
    /// Whether figures stand still.
    pub(super) is_paused: bool,
    /// Whether keys are explained.
    pub(super) is_helping: bool,
    /// Whoever is asked, with what each does in a second.
    pub(super) rates: Rates,
    /// Sessions in groups.
    pub(super) groups: BTreeMap<String, Group>,
    /// When they were counted, or why they are not.
    pub(super) counted: Option<Result<Duration, String>>,
}

impl Model {
    /// Takes a message in; true when somebody has seen enough.
    pub(super) fn update(&mut self, message: Message) -> bool {
        match message {
            Message::Key(key) => return self.press(key),
            Message::Resized => {}
            _ if self.is_paused => {}
            Message::Now(now) => self.now = now,
            Message::Node(at, address, answer) => self.rates.hear_node(at, address, answer),
            Message::Proxy(at, address, answer) => self.rates.hear_proxy(at, &address, answer),
            Message::Sessions(at, by, answer) if by == self.by => self.hear_count(at, answer),
            Message::Sessions(..) => {}
        }
        false
    }

    /// What orders the present page.
    pub(super) fn order(&self) -> usize {
        self.orders[self.page as usize]
    }

    fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Letter('q') => return true,
            Key::Letter('h' | '?') => self.is_helping = !self.is_helping,
            Key::Back => self.is_helping = false,
            Key::Letter('p' | ' ') => {
                self.is_paused = !self.is_paused;
                // What happened meanwhile is no rate.
                self.forget_rates();
            }
            Key::Letter('s') => {
                let order = &mut self.orders[self.page as usize];
                *order = (*order + 1) % self.page.orders();
            }
            Key::Letter('o') => {
                self.by = match self.by {
                    By::Application => By::Owner,
                    _ => By::Application,
                };
                self.groups.clear();
                self.counted = None;
            }
            Key::Letter(digit @ '1'..='3') => self.turn(Page::ALL[usize::from(digit as u8 - b'1')]),
            Key::Next => self.turn(self.page.next()),
            Key::Down => self.top = self.top.saturating_add(1),
            Key::Up => self.top = self.top.saturating_sub(1),
            Key::Letter(_) => {}
        }
        false
    }

    fn turn(&mut self, page: Page) {
        self.page = page;
        self.top = 0;
        self.is_helping = false;
    }

    fn forget_rates(&mut self) {
        self.rates.forget();
        for group in self.groups.values_mut() {
            group.change = Counter::default();
        }
    }

    fn hear_count(&mut self, at: Duration, answer: Result<Box<SessionStatsReply>, String>) {
        let reply = match answer {
            Ok(reply) => reply,
            Err(why) => {
                self.counted = Some(Err(why));
                return;
            }
        };
        let mut before = std::mem::take(&mut self.groups);
        let others = reply
            .others
            .map(|figures| (format!("{} others", reply.other_groups), figures));
        let groups = reply
            .groups
            .into_iter()
            .map(|group| (group.name, group.figures.unwrap_or_default()));
        for (name, figures) in groups.chain(others) {
            let mut group = before.remove(&name).unwrap_or_default();
            group.sessions = figures.sessions;
            group.bytes = figures.bytes;
            group.change.moves(at, figures.sessions);
            self.groups.insert(name, group);
        }
        self.counted = Some(Ok(at));
    }
}

#[cfg(test)]
pub(super) mod tests;
