//! `remora top`: the site as it is at work, drawn once a second.
//!
//! Each server is asked by a future of its own, once a second and never twice at the same time, so that one that hangs is shown
//! as hanging and holds nothing up. What they say is a message to the `model`, as is a key; the `view` draws the model and knows
//! nothing else; both are pure. `terminal` alone names the terminal, and leaves it as it was however this ends.
//!
//! Counting sessions makes the leader walk all of them, so it is asked only while somebody looks, and rests for ten times as
//! long as that took.

mod model;
mod terminal;
mod view;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use remora_process::signals::Signals;
use remora_process::tls::Dial;
use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{Change, ProxyStatus, SessionStatsRequest};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::model::{Message, Model, Page};
use self::terminal::{Screen, keys};
use super::meant::wall_ms;
use crate::failure::Failure;
use crate::render::Report;
use remora_overview::client::{Reach, Store, check_site, lately, proxy_status};

/// How often each server is asked, and the screen drawn at least.
const EVERY: Duration = Duration::from_secs(1);

/// How long a server may take to answer before it is shown as one that does not: a little less than the client waits, whose
/// sentence would be about connections.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_900);

/// How much longer than a count took nobody counts: a tenth of one thread of the leader at most.
const REST: u32 = 10;

/// Pause between two drawings that no key asked for: what arrives in between is drawn together, for slow links.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// Messages that may wait to be taken in: some seconds of a large site.
const WAITING: usize = 1_024;

/// Shows the site until somebody has seen enough.
pub(super) async fn run(store: &Reach, proxies: &Reach) -> Result<Report, Failure> {
    check_site(store, proxies)?;
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(Failure::Usage(
            "top draws on a terminal, and this is none: programs ask with `remora status -o json`".into(),
        ));
    }
    let mut signals = Signals::install().map_err(|error| Failure::Refused(error.to_string()))?;
    let (said, heard) = mpsc::channel(WAITING);
    let asking = Asking::begin(store, proxies, said.clone());
    let screen = Screen::open().map_err(|error| cannot_draw(&error))?;
    keys(said);
    let shown = tokio::select! {
        biased;
        () = signals.only_stop() => Ok(()),
        shown = show(screen, heard, asking) => shown,
    };
    shown.map(|()| Report::default())
}

async fn show(
    mut screen: Screen,
    mut heard: mpsc::Receiver<Message>,
    mut asking: Asking,
) -> Result<(), Failure> {
    let mut model = Model::default();
    let mut draw = tokio::time::interval(DRAW_EVERY);
    draw.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let at_once = tokio::select! {
            message = heard.recv() => {
                let Some(message) = message else { return Ok(()) };
                asking.look_for_nodes(&message);
                let is_key = matches!(message, Message::Key(_) | Message::Resized);
                if model.update(message) {
                    return Ok(());
                }
                asking.wanted.send_if_modified(|wanted| {
                    let now = (model.page == Page::Sessions && !model.is_paused).then_some(model.by);
                    std::mem::replace(wanted, now) != now
                });
                is_key
            }
            _ = draw.tick() => {
                model.update(Message::Now(asking.began.elapsed()));
                true
            }
        };
        if at_once {
            screen.draw(&model).map_err(|error| cannot_draw(&error))?;
        }
    }
}

/// Everybody who is asked. All of it ends with this.
struct Asking {
    store: Reach,
    said: mpsc::Sender<Message>,
    began: Instant,
    nodes: BTreeSet<String>,
    /// By what sessions are to be counted; nothing while nobody looks.
    wanted: watch::Sender<Option<By>>,
    tasks: JoinSet<()>,
}

impl Asking {
    fn begin(store: &Reach, proxies: &Reach, said: mpsc::Sender<Message>) -> Asking {
        let (wanted, wishes) = watch::channel(None);
        let mut asking = Asking {
            store: store.clone(),
            said: said.clone(),
            began: Instant::now(),
            nodes: BTreeSet::new(),
            wanted,
            tasks: JoinSet::new(),
        };
        for address in &store.addresses {
            asking.ask_node(address);
        }
        if !store.addresses.is_empty() {
            asking
                .tasks
                .spawn(count(store.clone(), asking.began, wishes, said));
        }
        for address in &proxies.addresses {
            asking.ask_proxy(proxies, address);
        }
        asking
    }

    /// Asks members that a node names, too.
    fn look_for_nodes(&mut self, message: &Message) {
        if let Message::Node(_, _, Ok(status)) = message {
            for member in &status.members {
                if !member.client_address.is_empty() {
                    self.ask_node(&member.client_address);
                }
            }
        }
    }

    fn ask_node(&mut self, address: &str) {
        if !self.nodes.insert(address.to_owned()) {
            return;
        }
        let (reach, address, began, said) = (
            self.store.clone(),
            address.to_owned(),
            self.began,
            self.said.clone(),
        );
        self.tasks.spawn(async move {
            let Ok(store) = Store::new(&reach) else { return };
            loop {
                let next = tokio::time::Instant::now() + EVERY;
                let answer = within(store.status_of(&address)).await;
                let message = Message::Node(began.elapsed(), address.clone(), answer.map(Box::new));
                if said.send(message).await.is_err() {
                    return;
                }
                tokio::time::sleep_until(next).await;
            }
        });
    }

    fn ask_proxy(&mut self, proxies: &Reach, address: &str) {
        let (dial, address, began, said) = (
            proxies.dial.clone(),
            address.to_owned(),
            self.began,
            self.said.clone(),
        );
        self.tasks.spawn(async move {
            let mut heard = Heard::default();
            loop {
                let next = tokio::time::Instant::now() + EVERY;
                let answer = within(proxy_status(&dial, &address)).await;
                let changes = match &answer {
                    Ok(status) => heard.behind(&dial, &address, status).await,
                    Err(_) => Vec::new(),
                };
                let message = Message::Proxy(began.elapsed(), address.clone(), answer.map(Box::new));
                if said.send(message).await.is_err() {
                    return;
                }
                let message = Message::Changes(address.clone(), changes);
                if said.send(message).await.is_err() {
                    return;
                }
                tokio::time::sleep_until(next).await;
            }
        });
    }
}

/// How far a proxy's changes are known.
#[derive(Default)]
struct Heard {
    /// Number of the last one.
    last: u64,
    /// How long its process had run then.
    uptime_seconds: u64,
    /// Whether its release does not tell them.
    is_older: bool,
}

impl Heard {
    /// What changed since; nothing where the proxy does not tell it. A new process counts from 1.
    async fn behind(&mut self, dial: &Dial, address: &str, status: &ProxyStatus) -> Vec<Change> {
        if status.uptime_seconds < self.uptime_seconds {
            *self = Heard::default();
        }
        self.uptime_seconds = status.uptime_seconds;
        if self.is_older {
            return Vec::new();
        }
        let changes = match timeout(ANSWERS_WITHIN, lately(dial, address, self.last)).await {
            Ok(Ok(reply)) => reply.changes,
            Ok(Err(failure)) => {
                self.is_older = matches!(failure, Failure::Older(_));
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        self.last = changes.last().map_or(self.last, |change| change.number);
        changes
    }
}

/// Counts sessions while that is wanted.
async fn count(
    reach: Reach,
    began: Instant,
    mut wishes: watch::Receiver<Option<By>>,
    said: mpsc::Sender<Message>,
) {
    let Ok(store) = Store::new(&reach) else { return };
    loop {
        let Ok(wish) = wishes.wait_for(Option::is_some).await.map(|wish| *wish) else {
            return;
        };
        let by = wish.unwrap_or_default();
        let request = SessionStatsRequest {
            by: by.into(),
            now_ms: wall_ms(),
            ..SessionStatsRequest::default()
        };
        let asked = Instant::now();
        let answer = store.stats(request).await.map_err(|failure| failure.to_string());
        let took = asked.elapsed();
        let message = Message::Sessions(began.elapsed(), by, answer.map(Box::new));
        if said.send(message).await.is_err() {
            return;
        }
        let rest = tokio::time::sleep(EVERY.max(took * REST));
        tokio::select! {
            () = rest => {}
            // Somebody wants other groups now.
            changed = wishes.changed() => if changed.is_err() { return },
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, Failure>>) -> Result<T, String> {
    match timeout(ANSWERS_WITHIN, answer).await {
        Ok(answer) => answer.map_err(|failure| failure.to_string()),
        Err(_) => Err(format!("no answer for {ANSWERS_WITHIN:?}")),
    }
}

fn cannot_draw(error: &std::io::Error) -> Failure {
    Failure::Refused(format!("cannot draw: {error}"))
}
