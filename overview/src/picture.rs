//! A site as one document: what a page draws and a program reads. A function of what was gathered, and of nothing else.
//!
//! Every key is always there; what is not known is null, so that a page never takes silence for a zero. The document is of one
//! proxy, the first of the site, which is the one that serves the page: each proxy has its own beliefs about the Tomcats.
//!
//! Left out on purpose: sessions, of which there may be millions. They are asked for.

use std::collections::BTreeMap;

use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::status::Application;
use remora_proto::v1::{
    DiscoveryStatus, PoolStatus, ProxyStatus, SessionStatsReply, StoreStatus, UpstreamStatus,
};
use serde::Serialize;

use crate::judge::{Verdict, judge};
use crate::owned::{Owned, owned};
use crate::rates::{Rates, Upstream};
use crate::site;

/// A site at a moment.
#[derive(Debug, Serialize)]
pub struct Picture {
    /// The moment, milliseconds since 1970.
    pub at: u64,
    /// What is wrong.
    pub verdict: Verdict,
    /// The store; nothing where nobody asks it.
    pub store: Option<StorePicture>,
    /// The proxy; nothing where it does not answer.
    pub proxy: Option<Proxy>,
    /// Its upstreams.
    pub upstreams: Vec<UpstreamPicture>,
    /// Its pools.
    pub pools: Vec<Pool>,
}

/// The store, or why it is not seen.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum StorePicture {
    /// It does not answer.
    Away {
        /// Why, a sentence.
        error: String,
    },
    /// It does.
    There(ClusterPicture),
}

/// The store as its nodes tell it.
#[derive(Debug, Serialize)]
pub struct ClusterPicture {
    /// Its identity.
    pub cluster: Option<String>,
    /// Id of the node that leads.
    pub leader: Option<u64>,
    /// What it writes.
    pub format: Option<u32>,
    /// The members, by their ids.
    pub nodes: Vec<NodePicture>,
    /// The Tomcats that are announced, by their names; nothing while nobody says who is.
    pub tomcats: Option<Vec<Tomcat>>,
}

/// A store node. What it says itself is unknown while it does not answer.
#[derive(Debug, Serialize)]
pub struct NodePicture {
    /// Its id.
    pub id: u64,
    /// Where clients reach it.
    pub address: String,
    /// As which it works.
    pub role: Option<String>,
    /// Whether it votes.
    pub voter: bool,
    /// Whether it answers.
    pub reachable: bool,
    /// Whether it serves.
    pub ready: bool,
    /// Its Raft term.
    pub term: Option<u64>,
    /// The last entry in its table.
    pub applied: Option<u64>,
    /// Entries that its log is behind the leader's.
    pub lag: Option<u64>,
    /// Sessions in its table.
    pub sessions: Option<u64>,
    /// Their bytes.
    pub session_bytes: Option<u64>,
    /// What room the fullest disk leaves, as this node hears.
    pub disk_room: Option<String>,
    /// What is left of its own disk.
    pub disk_free_bytes: Option<u64>,
    /// How large its own disk is.
    pub disk_bytes: Option<u64>,
    /// How long its slowest syncs take.
    pub sync_micros: Option<u64>,
    /// Its program's version.
    pub version: Option<String>,
    /// How long it has run.
    pub uptime_seconds: Option<u64>,
    /// Entries that it takes into its table in a second.
    pub changes_per_second: Option<f64>,
    /// Why it does not answer.
    pub silent: Option<String>,
}

/// A Tomcat that is announced.
#[derive(Debug, Serialize)]
pub struct Tomcat {
    /// Its name, which is its route.
    pub node: String,
    /// Where a proxy reaches it.
    pub url: String,
    /// Applications whose sessions the store keeps.
    pub applications: Vec<String>,
    /// Those beside them that have a manager of their own.
    pub unprotected: Vec<String>,
    /// How it works.
    pub mode: String,
    /// Version of the adapter.
    pub version: Option<String>,
    /// Threads that serve requests.
    pub threads: Option<u32>,
    /// Whether the leader has a stream to it.
    pub present: bool,
    /// Since when the leader has heard nothing of it.
    pub silent_seconds: Option<u64>,
    /// Threads at work.
    pub busy: Option<u32>,
    /// Requests in flight.
    pub in_flight: Option<u32>,
    /// What would be lost with it, by application, as far as it has said.
    pub fares: Vec<Fares>,
}

/// How an application fares on a Tomcat.
#[derive(Debug, Serialize)]
pub struct Fares {
    /// Its name.
    pub application: String,
    /// Values that stay on this Tomcat.
    pub local: u64,
    /// Values that it could not read.
    pub undecodable: u64,
    /// Answers that it refused.
    pub refused: u64,
    /// Values that the application changed in place.
    pub changed_in_place: u64,
    /// Classes of the values that stay.
    pub classes: Vec<String>,
}

/// The proxy.
#[derive(Debug, Serialize)]
pub struct Proxy {
    /// Its program's version.
    pub version: String,
    /// How long it has run.
    pub uptime_seconds: u64,
    /// Number of its set of upstreams.
    pub generation: u64,
    /// Requests answered in a second.
    pub requests_per_second: Option<f64>,
    /// Attempts that failed in a second.
    pub failures_per_second: Option<f64>,
    /// How it follows the registry; nothing where its file asks for no discovery.
    pub discovery: Option<Discovery>,
}

/// How a proxy follows the store's registry.
#[derive(Debug, Serialize)]
pub struct Discovery {
    /// Whether the store tells it that its view stands.
    pub present: bool,
    /// The view's version.
    pub version: u64,
    /// Since when the store has not.
    pub silent_seconds: Option<u64>,
    /// Why it does not.
    pub reason: Option<String>,
    /// Wishes that the store does not know yet.
    pub untold: u32,
}

/// An upstream as the proxy sees it.
#[derive(Debug, Serialize)]
pub struct UpstreamPicture {
    /// Its pool.
    pub pool: String,
    /// Its route.
    pub route: String,
    /// Its address.
    pub url: String,
    /// What the proxy believes of it.
    pub health: String,
    /// Why.
    pub reason: String,
    /// What is wanted of it.
    pub state: String,
    /// Its share of new users.
    pub weight: u32,
    /// Its group.
    pub group: String,
    /// Requests in flight.
    pub in_flight: u64,
    /// Open tunnels.
    pub tunnels: u64,
    /// Requests answered since the proxy's start.
    pub answered: u64,
    /// Attempts that failed since then.
    pub failed: u64,
    /// Requests answered in a second.
    pub requests_per_second: Option<f64>,
    /// Attempts that failed in a second.
    pub failures_per_second: Option<f64>,
    /// Sessions that it owns.
    pub users: Option<u64>,
    /// Why nobody can know how many, and what to do about it.
    pub users_unknown: Option<String>,
    /// When finishing becomes draining.
    pub finishes_in_seconds: Option<u64>,
    /// Whether an operator wishes otherwise than the file says.
    pub wished: bool,
    /// Who.
    pub wished_by: Option<String>,
    /// Since when, seconds since 1970.
    pub wished_since: Option<u64>,
    /// Whether it is of the registry, and not of the file.
    pub discovered: bool,
}

/// A pool of the proxy.
#[derive(Debug, Serialize)]
pub struct Pool {
    /// Its name.
    pub pool: String,
    /// Whether it is closed for maintenance.
    pub maintenance: bool,
    /// Whether an operator wishes that, and not the file.
    pub wished: bool,
    /// Who.
    pub by: Option<String>,
    /// Since when, seconds since 1970.
    pub since: Option<u64>,
}

/// How many sessions each Tomcat owns, as they were last counted.
#[derive(Debug, Default)]
pub struct Users {
    by_owner: BTreeMap<String, u64>,
    /// Whether who is not among them owns none.
    is_whole: bool,
}

impl Users {
    /// Out of figures by owner.
    pub fn of(reply: &SessionStatsReply) -> Users {
        let owners = reply.groups.iter().map(|group| {
            let sessions = group.figures.as_ref().map_or(0, |figures| figures.sessions);
            (group.name.clone(), sessions)
        });
        Users {
            by_owner: owners.collect(),
            is_whole: reply.other_groups == 0 && !reply.too_many_groups,
        }
    }

    fn at(&self, route: &str) -> Option<u64> {
        let counted = self.by_owner.get(route).copied();
        counted.or(self.is_whole.then_some(0))
    }
}

/// Draws what was gathered, as of a moment in milliseconds since 1970; users are unknown before they were counted.
pub fn picture(site: &site::Site, rates: &Rates, users: Option<&Users>, at: u64) -> Picture {
    let store = site.store.as_ref().map(|store| match store {
        Ok(cluster) => StorePicture::There(drawn(cluster, rates)),
        Err(error) => StorePicture::Away { error: error.clone() },
    });
    let own = site.proxies.first();
    let own = own.and_then(|(name, answer)| Some((name.as_str(), answer.as_ref().ok()?)));
    let upstreams = own.map(|(name, status)| {
        let drawn = status.upstreams.iter().map(|upstream| {
            let counted = users.and_then(|users| users.at(&upstream.route));
            let owned = owned(upstream, counted, site.tomcats());
            upstream_of(upstream, rates.upstream(name, upstream), owned)
        });
        drawn.collect()
    });
    Picture {
        at,
        verdict: judge(site),
        store,
        proxy: own.map(|(name, status)| proxy(name, status, rates)),
        upstreams: upstreams.unwrap_or_default(),
        pools: own.map_or_else(Vec::new, |(_, status)| status.pools.iter().map(pool).collect()),
    }
}

fn drawn(cluster: &site::Cluster, rates: &Rates) -> ClusterPicture {
    let leader = cluster.led();
    let tomcats = cluster.tomcats().map(|announced| {
        let mut tomcats: Vec<Tomcat> = announced.iter().map(tomcat).collect();
        tomcats.sort_by(|one, other| one.node.cmp(&other.node));
        tomcats
    });
    ClusterPicture {
        cluster: leader.and_then(|leader| said(&leader.cluster)),
        leader: leader.map(|leader| leader.node_id),
        format: cluster.format(),
        nodes: cluster
            .nodes
            .iter()
            .map(|member| node(member, leader, rates))
            .collect(),
        tomcats,
    }
}

fn node(node: &site::Node, leader: Option<&StoreStatus>, rates: &Rates) -> NodePicture {
    let status = node.status.as_ref();
    let text = |of: fn(&StoreStatus) -> &String| status.and_then(|status| said(of(status)));
    let figure = |of: fn(&StoreStatus) -> u64| status.map(of);
    let address = &node.member.client_address;
    let work = rates.nodes.get(address).and_then(|server| server.work.rate);
    NodePicture {
        id: node.member.node_id,
        address: address.clone(),
        role: text(|status| &status.role),
        voter: node.member.voter,
        reachable: status.is_some(),
        ready: status.is_some_and(|status| status.ready),
        term: figure(|status| status.term),
        applied: figure(|status| status.applied_index),
        lag: leader.and_then(|leader| site::behind(leader, node.member.node_id)),
        sessions: figure(|status| status.sessions),
        session_bytes: figure(|status| status.session_bytes),
        disk_room: text(|status| &status.disk_room),
        disk_free_bytes: status
            .filter(|status| status.disk_bytes > 0)
            .map(|status| status.disk_free_bytes),
        disk_bytes: figure(|status| status.disk_bytes).filter(|bytes| *bytes > 0),
        sync_micros: figure(|status| status.sync_micros).filter(|micros| *micros > 0),
        version: text(|status| &status.software_version),
        uptime_seconds: figure(|status| status.uptime_seconds),
        changes_per_second: work.filter(|_| status.is_some()).map(rounded),
        silent: said(&node.silent),
    }
}

fn tomcat(server: &Server) -> Tomcat {
    let status = server.status.as_ref();
    let fares = status.map_or_else(Vec::new, |status| status.applications.iter().map(fares).collect());
    Tomcat {
        node: site::name(server).to_owned(),
        url: server.url.clone(),
        applications: server.applications.clone(),
        unprotected: server.unprotected.clone(),
        mode: server.mode.clone(),
        version: said(&server.version),
        threads: Some(server.threads).filter(|threads| *threads > 0),
        present: server.present,
        silent_seconds: server.silent_seconds,
        busy: status.map(|status| status.busy),
        in_flight: status.map(|status| status.in_flight),
        fares,
    }
}

fn fares(told: &Application) -> Fares {
    Fares {
        application: told.application.clone(),
        local: told.local,
        undecodable: told.undecodable,
        refused: told.refused,
        changed_in_place: told.changed_in_place,
        classes: told.classes.clone(),
    }
}

fn proxy(name: &str, status: &ProxyStatus, rates: &Rates) -> Proxy {
    let work = rates.proxies.get(name).and_then(|server| server.work.rate);
    Proxy {
        version: status.software_version.clone(),
        uptime_seconds: status.uptime_seconds,
        generation: status.generation,
        requests_per_second: work.map(rounded),
        failures_per_second: rates.failures(name).map(rounded),
        discovery: status.discovery.as_ref().map(discovery),
    }
}

fn discovery(status: &DiscoveryStatus) -> Discovery {
    Discovery {
        present: status.present,
        version: status.version,
        silent_seconds: status.silent_seconds,
        reason: said(&status.reason),
        untold: status.untold,
    }
}

fn upstream_of(status: &UpstreamStatus, seen: Option<&Upstream>, owned: Owned) -> UpstreamPicture {
    UpstreamPicture {
        pool: status.pool.clone(),
        route: status.route.clone(),
        url: status.url.clone(),
        health: status.health.clone(),
        reason: status.reason.clone(),
        state: status.state.clone(),
        weight: status.weight,
        group: status.group.clone(),
        in_flight: status.in_flight,
        tunnels: status.tunnels,
        answered: status.answered,
        failed: status.failed,
        requests_per_second: seen.and_then(|seen| seen.answered.rate).map(rounded),
        failures_per_second: seen.and_then(|seen| seen.failed.rate).map(rounded),
        users: owned.sessions(),
        users_unknown: owned.into_reason(),
        finishes_in_seconds: status.finishes_in_seconds,
        wished: status.wished,
        wished_by: said(&status.wished_by),
        wished_since: Some(status.wished_since).filter(|since| *since > 0),
        discovered: status.discovered,
    }
}

fn pool(status: &PoolStatus) -> Pool {
    Pool {
        pool: status.pool.clone(),
        maintenance: status.maintenance,
        wished: status.wished,
        by: said(&status.by),
        since: Some(status.since).filter(|since| *since > 0),
    }
}

/// What is not said is not known.
fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A rate to the hundredth: more digits say nothing, and travel each second.
fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
