//! What is gathered while a page looks: a picture of the site each second, and how many sessions each Tomcat owns, now and then.
//!
//! The first page begins it and the last ends it. The store is asked once a second and never twice at the same time: while it is
//! slow to answer, what it said last is drawn on for some seconds. This proxy is asked nothing: its status is made by what answers the command line.
//!
//! Invariants: all of it runs on the thread of operators; of those that serve clients it reads counters that they write anyway ·
//! the leader of the store counts sessions for a tenth of the time at most.
//!
//! Left out on purpose: what is wrong with a site (`remora_overview`).

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{Fuse, FusedFuture};
use remora_overview::client::Store;
use remora_overview::picture::{Users, picture};
use remora_overview::rates::{Rates, STALE_AFTER};
use remora_overview::site::{Cluster, Site, ask_store};
use remora_proto::v1::SessionStatsRequest;
use remora_proto::v1::session_stats_request::By;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Console;
use super::live::{OpenPages, event};
use crate::chronicle::{Happening, Sort};
use crate::control::Control;
use crate::directory::unix_ms;

/// How often pages are told.
const EVERY: Duration = Duration::from_secs(1);

/// How long a picture waits for the store: it answers within milliseconds, or the next picture has what it says.
const STORE_WITHIN: Duration = Duration::from_millis(700);

/// How often sessions are counted at most.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// How much longer than a count took nobody counts.
const REST: u32 = 10;

/// Owners that are counted: as many as the store tells apart.
const OWNERS_MAX: u32 = 1_000;

impl Console {
    /// Samples while somebody looks. Never ends.
    pub(super) async fn keep_sampling(&self, control: &Control) {
        let mut pages = self.0.pages.subscribe();
        loop {
            // The sender lives as long as this does.
            let _ = pages.wait_for(OpenPages::some).await;
            let all = async { tokio::join!(self.draw(control), self.count(), self.watch_sessions()) };
            tokio::select! {
                _ = all => {}
                _ = pages.wait_for(|pages| !pages.some()) => {}
            }
            // What is drawn then is of now.
            self.0.picture.send_replace(None);
            *self.users() = None;
        }
    }

    /// A picture each second.
    async fn draw(&self, control: &Control) {
        let mut asked = pin!(Fuse::terminated());
        // As the command line names it.
        let own = self.0.bound.to_string();
        let (mut rates, mut site) = (Rates::default(), Site::default());
        // When the store said what is drawn of it, or nobody had asked it before.
        let mut heard = self.now();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut told = None;
            if let Some(reach) = &self.0.store {
                if asked.is_terminated() {
                    asked.set(ask_store(reach).fuse());
                }
                told = timeout(STORE_WITHIN, &mut asked).await.ok().flatten();
            }
            let at = self.now();
            if told.is_some() {
                heard = at;
            } else if self.0.store.is_some() {
                told = silent(at.saturating_sub(heard));
            }
            if let Some(told) = told {
                tell_changes(control, site.store.as_ref(), &told);
                site.store = Some(told);
                rates.hear_store(at, site.store.as_ref());
            }
            site.proxies = vec![(own.clone(), Ok(control.status()))];
            rates.hear_proxies(at, &site.proxies);
            let users = self.users();
            let picture = picture(&site, &rates, users.as_ref(), unix_ms());
            drop(users);
            self.0.picture.send_replace(Some(event("site", None, &picture)));
        }
    }

    /// How many sessions each Tomcat owns.
    async fn count(&self) {
        let Some(store) = self.0.store.as_ref().and_then(|reach| Store::new(reach).ok()) else {
            return std::future::pending().await;
        };
        loop {
            let began = Instant::now();
            let request = SessionStatsRequest {
                by: By::Owner.into(),
                now_ms: unix_ms(),
                groups: OWNERS_MAX,
                ..SessionStatsRequest::default()
            };
            let counted = store.stats(request).await;
            *self.users() = counted.ok().map(|counted| Users::of(&counted));
            sleep(COUNT_EVERY.max(began.elapsed() * REST)).await;
        }
    }
}

/// What stands in the place of what the store said last, when that is too old to be drawn as of now.
fn silent(since: Duration) -> Option<StoreTold> {
    let seconds = since.as_secs();
    (since >= STALE_AFTER).then(|| Err(format!("the store has not answered for {seconds} s")))
}

/// Who leads the store, and who of its nodes answers.
struct Seen {
    leader: Option<u64>,
    nodes: BTreeMap<u64, bool>,
}

impl Seen {
    fn of(cluster: &Cluster) -> Self {
        let nodes = cluster.nodes.iter();
        Self {
            leader: cluster.led().map(|leader| leader.node_id),
            nodes: nodes
                .map(|node| (node.member.node_id, node.status.is_some()))
                .collect(),
        }
    }
}

/// What the store said last and what it says now.
type StoreTold = Result<Cluster, String>;

/// Tells what is different since the store was asked last.
fn tell_changes(control: &Control, before: Option<&StoreTold>, now: &StoreTold) {
    let Some(before) = before else { return };
    for happening in changes(before, now) {
        control.chronicle().note(happening);
    }
}

fn changes(before: &StoreTold, now: &StoreTold) -> Vec<Happening> {
    let (before, now) = match (before, now) {
        (Ok(before), Ok(now)) => (Seen::of(before), Seen::of(now)),
        (Ok(_), Err(why)) => {
            return vec![Happening::new(Sort::Node, "", "the store does not answer").because(why)];
        }
        (Err(_), Ok(_)) => return vec![Happening::new(Sort::Node, "", "the store answers again")],
        (Err(_), Err(_)) => return Vec::new(),
    };
    let mut told = Vec::new();
    if before.leader != now.leader {
        told.push(match now.leader {
            Some(leader) => Happening::new(
                Sort::Leader,
                &leader.to_string(),
                format!("node {leader} leads the store"),
            ),
            None => Happening::new(Sort::Leader, "", "nobody leads the store"),
        });
    }
    for (node, answers) in &now.nodes {
        let what = match (before.nodes.get(node), answers) {
            (None, _) => "is a member of the store",
            (Some(true), false) => "does not answer",
            (Some(false), true) => "answers again",
            _ => continue,
        };
        told.push(Happening::new(
            Sort::Node,
            &node.to_string(),
            format!("store node {node} {what}"),
        ));
    }
    for node in before.nodes.keys().filter(|node| !now.nodes.contains_key(node)) {
        let what = format!("store node {node} is a member of the store no more");
        told.push(Happening::new(Sort::Node, &node.to_string(), what));
    }
    told
}

#[cfg(test)]
mod tests {
    use remora_overview::site::Node;
    use remora_proto::v1::{StoreMember, StoreStatus};

    use super::*;

    /// A cluster of these nodes, each with its role; none where it does not answer.
    fn cluster(nodes: &[(u64, Option<&str>)]) -> StoreTold {
        let nodes = nodes.iter().map(|(id, role)| Node {
            member: StoreMember {
                node_id: *id,
                ..StoreMember::default()
            },
            status: role.map(|role| StoreStatus {
                node_id: *id,
                role: role.to_owned(),
                ..StoreStatus::default()
            }),
            silent: String::new(),
        });
        Ok(Cluster {
            nodes: nodes.collect(),
            servers: None,
        })
    }

    #[test]
    fn what_the_store_said_long_ago_is_not_drawn_as_of_now() {
        assert!(silent(STALE_AFTER - Duration::from_millis(1)).is_none());
        let told = silent(Duration::from_secs(12)).unwrap();
        assert_eq!(told.err().as_deref(), Some("the store has not answered for 12 s"));
    }

    #[test]
    fn elections_and_nodes_that_come_and_go_are_told() {
        let (leader, follower) = (Some("leader"), Some("follower"));
        let before = cluster(&[(1, leader), (2, follower), (3, follower)]);
        assert!(changes(&before, &before).is_empty());
        let after = cluster(&[(1, None), (2, leader), (4, follower)]);
        let told = [
            Happening::new(Sort::Leader, "2", "node 2 leads the store"),
            Happening::new(Sort::Node, "1", "store node 1 does not answer"),
            Happening::new(Sort::Node, "4", "store node 4 is a member of the store"),
            Happening::new(Sort::Node, "3", "store node 3 is a member of the store no more"),
        ];
        assert_eq!(changes(&before, &after), told);
        let away = Err("no answer".to_owned());
        let told = Happening::new(Sort::Node, "", "the store does not answer").because("no answer");
        assert_eq!(changes(&before, &away), [told]);
        assert_eq!(
            changes(&away, &before),
            [Happening::new(Sort::Node, "", "the store answers again")]
        );
    }
}
