//! What each server does in a second, out of what it says again and again. Pure: time comes with the answers.
//!
//! Rates are differences of counters between two answers of the same server; a counter that falls belongs to a new process,
//! and its rate is unknown until it was seen twice.

use std::collections::BTreeMap;
use std::time::Duration;

use remora_proto::v1::{ProxyStatus, StoreStatus, UpstreamStatus};

use crate::site::{Cluster, Node, Site};

/// A figure as old as that is no more the present: two questions without an answer, and a little.
pub const STALE_AFTER: Duration = Duration::from_millis(3_500);

/// A number over time.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Counter {
    last: Option<(Duration, u64)>,
    /// Change per second; unknown until it was seen twice.
    pub rate: Option<f64>,
}

impl Counter {
    /// Takes a number in that only rises while its process lives.
    pub fn rises(&mut self, at: Duration, now: u64) {
        self.moves(at, now);
        self.rate = self.rate.filter(|rate| *rate >= 0.0);
    }

    /// Takes a number in that rises and falls.
    pub fn moves(&mut self, at: Duration, now: u64) {
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
pub struct Server<T> {
    /// What it said last.
    pub said: Option<T>,
    heard_at: Option<Duration>,
    /// Why it did not answer last.
    pub silent: Option<String>,
    /// What it has done.
    pub work: Counter,
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

    /// What it says now, or why nothing is known of now.
    pub fn present(&self, now: Duration) -> Result<&T, String> {
        let said = self.said.as_ref().filter(|_| self.is_present(now));
        said.ok_or_else(|| self.silent.clone().unwrap_or_else(|| "no answer yet".to_owned()))
    }

    /// Whether what it said is of now.
    pub fn is_present(&self, now: Duration) -> bool {
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

/// What an upstream of a proxy is known by.
pub type UpstreamName = (String, String, String, String);

fn named(proxy: &str, status: &UpstreamStatus) -> UpstreamName {
    let UpstreamStatus { pool, route, url, .. } = status;
    (proxy.to_owned(), pool.clone(), route.clone(), url.clone())
}

/// A sentence that begins with an address, which the client's own do.
fn said_once(address: &str, why: &str) -> String {
    if why.starts_with(address) {
        why.to_owned()
    } else {
        format!("{address}: {why}")
    }
}

/// An upstream at work.
#[derive(Debug, Default, Clone)]
pub struct Upstream {
    /// What its proxy says of it.
    pub status: UpstreamStatus,
    /// Requests that it answers.
    pub answered: Counter,
    /// Attempts that fail.
    pub failed: Counter,
}

/// All servers that are asked, as each was last heard.
#[derive(Debug, Default)]
pub struct Rates {
    /// Store nodes by address.
    pub nodes: BTreeMap<String, Server<Box<StoreStatus>>>,
    /// How the cluster commits.
    pub commits: Counter,
    /// How the number of sessions changes.
    pub sessions: Counter,
    /// Proxies by address.
    pub proxies: BTreeMap<String, Server<Box<ProxyStatus>>>,
    /// Their upstreams.
    pub upstreams: BTreeMap<UpstreamName, Upstream>,
}

impl Rates {
    /// Takes in what the store said at a moment, and forgets who is no node of it. Once: taken in again, its nodes would seem to stand still,
    /// and to be there.
    pub fn hear_store(&mut self, at: Duration, store: Option<&Result<Cluster, String>>) {
        match store {
            Some(Ok(cluster)) => {
                let is_member = |address: &String| {
                    let mut nodes = cluster.nodes.iter();
                    nodes.any(|node| node.member.client_address == *address)
                };
                self.nodes.retain(|address, _| is_member(address));
                for node in &cluster.nodes {
                    let answer = node
                        .status
                        .clone()
                        .map(Box::new)
                        .ok_or_else(|| node.silent.clone());
                    self.hear_node(at, node.member.client_address.clone(), answer);
                }
            }
            Some(Err(why)) => {
                let addresses: Vec<String> = self.nodes.keys().cloned().collect();
                for address in addresses {
                    self.hear_node(at, address, Err(why.clone()));
                }
            }
            None => self.nodes.clear(),
        }
    }

    /// Takes in what all proxies said at a moment, and forgets who is none of them.
    pub fn hear_proxies(&mut self, at: Duration, proxies: &[(String, Result<ProxyStatus, String>)]) {
        let is_named = |address: &String| proxies.iter().any(|(named, _)| named == address);
        self.proxies.retain(|address, _| is_named(address));
        self.upstreams.retain(|(address, ..), _| is_named(address));
        for (address, answer) in proxies {
            self.hear_proxy(at, address, answer.clone().map(Box::new));
        }
    }

    /// Whether every node that another names has been asked, too, and has answered or not.
    pub fn is_whole(&self) -> bool {
        let told = self.nodes.values().filter_map(|node| node.said.as_ref());
        let mut members = told.flat_map(|status| &status.members);
        members
            .all(|member| member.client_address.is_empty() || self.nodes.contains_key(&member.client_address))
    }

    /// The site as it is known at a moment: whoever has been silent for long does not answer. Nobody was asked for the Tomcats.
    pub fn site(&self, now: Duration) -> Site {
        let proxies = self.proxies.iter().map(|(address, proxy)| {
            let said = proxy.present(now).map(|status| ProxyStatus::clone(status));
            (address.clone(), said.map_err(|why| said_once(address, &why)))
        });
        Site {
            store: self.cluster(now),
            proxies: proxies.collect(),
        }
    }

    fn cluster(&self, now: Duration) -> Option<Result<Cluster, String>> {
        let (first, server) = self.nodes.first_key_value()?;
        let told: BTreeMap<u64, &StoreStatus> = self
            .nodes
            .values()
            .filter_map(|node| node.present(now).ok())
            .map(|status| (status.node_id, status.as_ref()))
            .collect();
        let best = told
            .values()
            .max_by_key(|status| (status.role == "leader", status.members.len()));
        let Some(best) = best else {
            let why = server.present(now).err().unwrap_or_default();
            return Some(Err(said_once(first, &why)));
        };
        let nodes = best.members.iter().map(|member| {
            let status = told.get(&member.node_id).map(|status| StoreStatus::clone(status));
            let silent = self
                .nodes
                .get(&member.client_address)
                .and_then(|node| node.present(now).err());
            Node {
                member: member.clone(),
                silent: match &status {
                    Some(_) => String::new(),
                    None => said_once(&member.client_address, &silent.unwrap_or_default()),
                },
                status,
            }
        });
        let mut nodes: Vec<Node> = nodes.collect();
        nodes.sort_by_key(|node| node.member.node_id);
        Some(Ok(Cluster { nodes, servers: None }))
    }

    /// Attempts of a proxy that fail in a second, at all of its upstreams.
    pub fn failures(&self, proxy: &str) -> Option<f64> {
        let own = self.upstreams.iter().filter(|((of, ..), _)| of == proxy);
        let failed = own.filter_map(|(_, upstream)| upstream.failed.rate);
        failed.reduce(|all, one| all + one)
    }

    /// An upstream at work, as its proxy names it.
    pub fn upstream(&self, proxy: &str, status: &UpstreamStatus) -> Option<&Upstream> {
        self.upstreams.get(&named(proxy, status))
    }

    /// Takes in what the node at an address said, or why it did not.
    pub fn hear_node(&mut self, at: Duration, address: String, answer: Result<Box<StoreStatus>, String>) {
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

    /// Takes in what a proxy said, or why it did not.
    pub fn hear_proxy(&mut self, at: Duration, address: &str, answer: Result<Box<ProxyStatus>, String>) {
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
                    let name = named(address, status);
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

    /// Forgets all rates, and not what was said: for whoever has not listened for a while.
    pub fn forget(&mut self) {
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
    }
}

#[cfg(test)]
mod tests;
