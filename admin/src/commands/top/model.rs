//! What `top` knows, and what each message changes. Pure: time comes with the messages.
//!
//! Rates are differences of counters between two answers of the same server; a counter that falls belongs to a new process,
//! and its rate is unknown until it was seen twice. Paused, nothing changes but what keys change.

use std::collections::BTreeMap;
use std::time::Duration;

use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{ProxyStatus, SessionStatsReply, StoreStatus, UpstreamStatus};

/// A figure as old as that is no more the present: two questions without an answer, and a little.
const STALE_AFTER: Duration = Duration::from_millis(3_500);

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

/// A number over time.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Counter {
    last: Option<(Duration, u64)>,
    /// Change per second; unknown until it was seen twice.
    pub(super) rate: Option<f64>,
}

impl Counter {
    /// Takes a number in that only rises while its process lives.
    fn rises(&mut self, at: Duration, now: u64) {
        self.moves(at, now);
        self.rate = self.rate.filter(|rate| *rate >= 0.0);
    }

    /// Takes a number in that rises and falls.
    fn moves(&mut self, at: Duration, now: u64) {
        if let Some((then, before)) = self.last
            && at > then
        {
            let seconds = (at - then).as_secs_f64();
            self.rate = Some((exact(now) - exact(before)) / seconds);
        }
        self.last = Some((at, now));
    }
}

/// A count as a fraction's part: no count that people see needs more than 52 bits.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn exact(count: u64) -> f64 {
    count as f64
}

/// A server: what it said last, when, and why it is silent.
#[derive(Debug)]
pub(super) struct Server<T> {
    /// What it said last.
    pub(super) said: Option<T>,
    heard_at: Option<Duration>,
    /// Why it did not answer last.
    pub(super) silent: Option<String>,
    /// What it has done.
    pub(super) work: Counter,
}

impl<T> Server<T> {
    fn take(&mut self, at: Duration, answer: Result<T, String>) {
        match answer {
            Ok(said) => {
                self.said = Some(said);
                self.heard_at = Some(at);
                self.silent = None;
            }
            Err(why) => {
                self.silent = Some(why);
                self.work = Counter::default();
            }
        }
    }

    /// Whether what it said is of now.
    pub(super) fn is_present(&self, now: Duration) -> bool {
        self.silent.is_none()
            && self
                .heard_at
                .is_some_and(|at| now.saturating_sub(at) < STALE_AFTER)
    }
}

impl<T> Default for Server<T> {
    fn default() -> Self {
        Self {
            said: None,
            heard_at: None,
            silent: None,
            work: Counter::default(),
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

/// What an upstream of a proxy is known by.
pub(super) type UpstreamName = (String, String, String, String);

/// An upstream at work.
#[derive(Debug, Default, Clone)]
pub(super) struct Upstream {
    /// What its proxy says of it.
    pub(super) status: UpstreamStatus,
    /// Requests that it answers.
    pub(super) answered: Counter,
    /// Attempts that fail.
    pub(super) failed: Counter,
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
    /// Store nodes by address.
    pub(super) nodes: BTreeMap<String, Server<Box<StoreStatus>>>,
    /// How the cluster commits.
    pub(super) commits: Counter,
    /// How the number of sessions changes.
    pub(super) sessions: Counter,
    /// Proxies by address.
    pub(super) proxies: BTreeMap<String, Server<Box<ProxyStatus>>>,
    /// Their upstreams.
    pub(super) upstreams: BTreeMap<UpstreamName, Upstream>,
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
            Message::Node(at, address, answer) => self.hear_node(at, address, answer),
            Message::Proxy(at, address, answer) => self.hear_proxy(at, &address, answer),
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
        self.commits = Counter::default();
        self.sessions = Counter::default();
        for node in self.nodes.values_mut() {
            node.work = Counter::default();
        }
        for proxy in self.proxies.values_mut() {
            proxy.work = Counter::default();
        }
        for upstream in self.upstreams.values_mut() {
            upstream.answered = Counter::default();
            upstream.failed = Counter::default();
        }
        for group in self.groups.values_mut() {
            group.change = Counter::default();
        }
    }

    fn hear_node(&mut self, at: Duration, address: String, answer: Result<Box<StoreStatus>, String>) {
        let node = self.nodes.entry(address).or_default();
        if let Ok(status) = &answer {
            node.work.rises(at, status.applied_index);
            if status.role == "leader" {
                self.commits.rises(at, status.committed_index);
                self.sessions.moves(at, status.sessions);
            }
        }
        node.take(at, answer);
    }

    fn hear_proxy(&mut self, at: Duration, address: &str, answer: Result<Box<ProxyStatus>, String>) {
        let before = self.upstreams.extract_if(.., |(proxy, ..), _| *proxy == address);
        let mut before: BTreeMap<UpstreamName, Upstream> = before.collect();
        let proxy = self.proxies.entry(address.to_owned()).or_default();
        match &answer {
            Ok(status) => {
                proxy.work.rises(
                    at,
                    status.upstreams.iter().map(|upstream| upstream.answered).sum(),
                );
                for status in &status.upstreams {
                    let name = (
                        address.to_owned(),
                        status.pool.clone(),
                        status.route.clone(),
                        status.url.clone(),
                    );
                    let mut upstream = before.remove(&name).unwrap_or_default();
                    upstream.answered.rises(at, status.answered);
                    upstream.failed.rises(at, status.failed);
                    upstream.status = status.clone();
                    self.upstreams.insert(name, upstream);
                }
            }
            // They are shown as they were last, without a rate.
            Err(_) => self.upstreams.extend(before.into_iter().map(|(name, upstream)| {
                let status = upstream.status;
                (
                    name,
                    Upstream {
                        status,
                        ..Upstream::default()
                    },
                )
            })),
        }
        proxy.take(at, answer);
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
