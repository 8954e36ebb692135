//! How a site is arranged: a line for each of its parts, then its nodes and its upstreams.
//!
//! The figures are for programs; people read the same in the lines. Upstreams are a table only while the screen has room: the
//! line of the proxies counts them, and those that do not serve are troubles anyhow.

use std::collections::BTreeSet;

use remora_overview::site::{Cluster, Node, Site};
use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::{ProxyStatus, UpstreamStatus};

use crate::commands::{nodes, upstreams};
use crate::render::{Cell, Report, shown_bytes};

/// Rows of upstreams that a screen of 24 lines has room for, beside three nodes and a trouble.
const UPSTREAM_ROWS: usize = 6;

/// Columns of nodes that are not needed at a glance.
const NODE_DETAILS: [&str; 8] = [
    "votes",
    "disk",
    "peer",
    "term",
    "committed",
    "applied",
    "sessions",
    "bytes",
];

/// Columns of upstreams that are not needed at a glance; a reason stands in its trouble.
const UPSTREAM_DETAILS: [&str; 8] = [
    "url",
    "weight",
    "tunnels",
    "answered",
    "discovered",
    "wished by",
    "since",
    "reason",
];

/// The site as a report.
pub(super) fn arrange(site: &Site) -> Report {
    let cluster = site.store.as_ref().and_then(|store| store.as_ref().ok());
    let mut lines = Vec::new();
    if let Some(cluster) = cluster {
        lines.push(("store", Cell::text(store_line(cluster))));
        lines.push(("sessions", Cell::text(sessions_line(cluster))));
        if let Some(servers) = cluster.tomcats() {
            lines.push(("tomcats", Cell::text(tomcats_line(servers))));
        }
    }
    if !site.proxies.is_empty() {
        lines.push(("proxies", Cell::text(proxies_line(site))));
    }
    let mut report = Report::default();
    if !lines.is_empty() {
        report = report.told(lines);
    }
    if let Some(cluster) = cluster {
        report = report.figures("cluster", figures(cluster));
        report = nodes::add_table(report, &cluster.nodes).wide(&NODE_DETAILS);
    }
    if site.proxies.is_empty() {
        return report;
    }
    let answered = site.proxies.iter().filter_map(|(proxy, answer)| {
        let status = answer.as_ref().ok()?;
        Some((proxy.clone(), status.upstreams.clone()))
    });
    let answered: Vec<_> = answered.collect();
    let rows: usize = answered.iter().map(|(_, upstreams)| upstreams.len()).sum();
    let report = upstreams::add_table(report, &answered).wide(&UPSTREAM_DETAILS);
    if rows > UPSTREAM_ROWS {
        report.only_wide()
    } else {
        report
    }
}

fn store_line(cluster: &Cluster) -> String {
    let ready = |node: &&Node| node.status.as_ref().is_some_and(|status| status.ready);
    let ready = cluster.nodes.iter().filter(ready).count();
    let mut line = format!("{ready} of {} nodes ready", cluster.nodes.len());
    match cluster.led() {
        Some(leader) => {
            line += &format!(", node {} leads in term {}", leader.node_id, leader.term);
            line += &format!(", version {}", leader.software_version);
        }
        None => line += ", nobody leads",
    }
    if let Some(format) = cluster.format() {
        line += &format!(", format {format}");
    }
    line
}

fn sessions_line(cluster: &Cluster) -> String {
    match cluster.led() {
        Some(leader) => format!("{}, {}", leader.sessions, shown_bytes(leader.session_bytes)),
        None => "unknown while nobody leads".to_owned(),
    }
}

fn tomcats_line(servers: &[Server]) -> String {
    let applications: BTreeSet<&str> = servers
        .iter()
        .flat_map(|server| &server.applications)
        .map(String::as_str)
        .collect();
    let counted = format!(
        "{} with {}",
        servers.len(),
        counted(applications.len(), "application")
    );
    match applications.len() {
        // As many as a line has room for.
        1..=3 => format!(
            "{counted}: {}",
            applications.into_iter().collect::<Vec<_>>().join(", ")
        ),
        _ => counted,
    }
}

fn proxies_line(site: &Site) -> String {
    let answering: Vec<&ProxyStatus> = site
        .proxies
        .iter()
        .filter_map(|(_, answer)| answer.as_ref().ok())
        .collect();
    let upstreams = || answering.iter().flat_map(|status| &status.upstreams);
    let distinct = |upstreams: &mut dyn Iterator<Item = &UpstreamStatus>| {
        let named = upstreams.map(|upstream| {
            (
                upstream.pool.clone(),
                upstream.route.clone(),
                upstream.url.clone(),
            )
        });
        named.collect::<BTreeSet<_>>().len()
    };
    let all = distinct(&mut upstreams());
    let sick = distinct(&mut upstreams().filter(|upstream| upstream.health != "up"));
    let pools: BTreeSet<&str> = upstreams().map(|upstream| upstream.pool.as_str()).collect();
    let in_flight: u64 = upstreams().map(|upstream| upstream.in_flight).sum();
    format!(
        "{} of {} answer, {} of {all} upstreams up in {}, {in_flight} requests in flight",
        answering.len(),
        site.proxies.len(),
        all - sick,
        counted(pools.len(), "pool"),
    )
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn figures(cluster: &Cluster) -> Vec<(&'static str, Cell)> {
    let leader = cluster.led();
    let count = |number: Option<u64>| number.map_or(Cell::Nothing, Cell::Count);
    let servers = cluster.tomcats();
    let applications = servers.map(|servers| {
        let all = servers.iter().flat_map(|server| &server.applications);
        all.collect::<BTreeSet<_>>().len() as u64
    });
    vec![
        (
            "id",
            leader.map_or(Cell::Nothing, |leader| Cell::text(leader.cluster.as_str())),
        ),
        ("leader", count(leader.map(|leader| leader.node_id))),
        ("term", count(leader.map(|leader| leader.term))),
        ("format", count(cluster.format().map(Into::into))),
        (
            "disk room",
            leader.map_or(Cell::Nothing, |leader| Cell::text(leader.disk_room.as_str())),
        ),
        ("sessions", count(leader.map(|leader| leader.sessions))),
        (
            "bytes",
            leader.map_or(Cell::Nothing, |leader| Cell::Bytes(leader.session_bytes)),
        ),
        ("tomcats", count(servers.map(|servers| servers.len() as u64))),
        ("applications", count(applications)),
    ]
}

#[cfg(test)]
mod tests;
