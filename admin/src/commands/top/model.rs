//! What `top` knows, and what each message changes. Pure: time comes with the messages.
//!
//! What each server does in a second is `remora_overview`'s to say, of all that it is told here. Paused, nothing changes but what
//! keys change; what a proxy tells once is kept for later.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use remora_overview::rates::{Counter, Rates};
use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{Change, ProxyStatus, SessionStatsReply, StoreStatus};

/// Changes that are kept: a person reads no more, and each proxy remembers a thousand.
const CHANGES_MAX: usize = 200;

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
    /// What changed at a proxy since it was asked last.
    Changes(String, Vec<Change>),
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
    /// What changed lately.
    Changes,
}

impl Page {
    const ALL: [Page; 4] = [Page::Site, Page::Sessions, Page::Upstreams, Page::Changes];

    fn next(self) -> Page {
        match self {
            Page::Site => Page::Sessions,
            Page::Sessions => Page::Upstreams,
            Page::Upstreams => Page::Changes,
            Page::Changes => Page::Site,
        }
    }

    /// Of how many columns one may be sorted by.
    fn orders(self) -> usize {
        match self {
            Page::Site | Page::Changes => 1,
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
    pub(super) orders: [usize; 4],
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
    /// What changed lately, by proxy, earliest first.
    pub(super) changes: VecDeque<(String, Change)>,
    /// What changed during a pause.
    unseen: VecDeque<(String, Change)>,
}

impl Model {
    /// Takes a message in; true when somebody has seen enough.
    pub(super) fn update(&mut self, message: Message) -> bool {
        match message {
            Message::Key(key) => return self.press(key),
            Message::Resized => {}
            Message::Changes(proxy, changes) => self.hear_changes(&proxy, changes),
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
                self.show_changes();
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
            Key::Letter(digit @ '1'..='4') => self.turn(Page::ALL[usize::from(digit as u8 - b'1')]),
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

    fn hear_changes(&mut self, proxy: &str, changes: Vec<Change>) {
        let changes = changes.into_iter().map(|change| (proxy.to_owned(), change));
        self.unseen.extend(changes);
        let more = self.unseen.len().saturating_sub(CHANGES_MAX);
        self.unseen.drain(..more);
        self.show_changes();
    }

    fn show_changes(&mut self) {
        if self.is_paused || self.unseen.is_empty() {
            return;
        }
        self.changes.append(&mut self.unseen);
        // Several proxies tell theirs at different moments.
        self.changes
            .make_contiguous()
            .sort_by_key(|(_, change)| change.at_ms);
        let more = self.changes.len().saturating_sub(CHANGES_MAX);
        self.changes.drain(..more);
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
