//! What is wrong with the Tomcats that are announced.
//!
//! An announcement stands until somebody takes it out, so one that is silent is a *remark* and never a trouble: users were moved by
//! the proxies' own beliefs, and only a person knows whether that Tomcat comes back.

use std::collections::BTreeSet;

use remora_proto::v1::list_servers_reply::Server;

use super::{Trouble, Verdict, judge_versions};
use crate::site::{Cluster, name};

/// Seconds of silence after which somebody should look: a Tomcat that starts with many applications takes some minutes.
const SILENT_SECONDS: u64 = 300;

/// Seconds after which two of one name are more than one that was restarted: a machine that lost its power keeps its stream until
/// nobody answers for it, 10 s, and the store's own log waits as long.
const TWINS_SECONDS: u64 = 15;

/// Looks at all of them.
pub(super) fn judge(verdict: &mut Verdict, cluster: &Cluster, servers: &[Server]) {
    for server in servers {
        for application in &server.unprotected {
            verdict.trouble(
                format!(
                    "Tomcat {}: {application} has a session manager of its own and loses its users with it",
                    name(server)
                ),
                "take the <Manager> out of its context.xml, so that it inherits Remora's",
            );
        }
    }
    for twins in servers.iter().filter_map(twins) {
        verdict.trouble(twins.what, twins.advice);
    }
    judge_silence(verdict, cluster, servers);
    let observing = servers.iter().filter(|server| server.mode == "observe").map(name);
    let observing = observing.collect::<Vec<_>>().join(", ");
    if !observing.is_empty() {
        verdict.remark(format!(
            "Tomcats that only observe, and protect nobody: {observing}; mode=\"protect\" in context.xml ends that"
        ));
    }
    if servers.is_empty() {
        verdict.remark(
            "no Tomcat has announced itself: see their logs, and the `store` of the <Manager> in context.xml",
        );
    }
    let versions = servers
        .iter()
        .map(|server| (name(server).to_owned(), server.version.as_str()));
    judge_versions(verdict, "Tomcats", versions);
}

/// That several Tomcats that live have one name; nothing where it has its own.
pub fn twins(server: &Server) -> Option<Trouble> {
    let place = |url: &str| (if url.is_empty() { "an unknown address" } else { url }).to_owned();
    let beside = server.twins.iter().filter(|twin| twin.seconds >= TWINS_SECONDS);
    let others: BTreeSet<String> = beside.map(|twin| place(&twin.url)).collect();
    if others.is_empty() {
        return None;
    }
    let (node, own) = (name(server), place(&server.url));
    let others = others.into_iter().collect::<Vec<_>>().join(", ");
    Some(Trouble {
        what: format!(
            "several Tomcats are called {node}: {own} is listed, and {others} lives beside it, unseen in every list"
        ),
        advice: format!(
            "give each a name of its own, by the jvmRoute of its Engine or the node of its <Manager>, and restart it; if one of them is to \
             be gone, stop it. What is counted for {node} is the sum of them"
        ),
    })
}

/// Names those that the leader has not heard of for long. Of one that it never heard it can say nothing before it has run for as
/// long itself.
fn judge_silence(verdict: &mut Verdict, cluster: &Cluster, servers: &[Server]) {
    let runs = cluster.led().map_or(0, |leader| leader.uptime_seconds);
    for server in servers.iter().filter(|server| !server.present) {
        let since = match server.silent_seconds {
            Some(silent) if silent >= SILENT_SECONDS => format!("has been silent for {}", minutes(silent)),
            None if runs >= SILENT_SECONDS => "is announced, and the leader has never heard of it".to_owned(),
            _ => continue,
        };
        let node = name(server);
        verdict.remark(format!(
            "Tomcat {node} {since}: if it does not come back, remora applications retire {node} takes it out"
        ));
    }
}

/// A silence, as exactly as anybody needs it.
fn minutes(seconds: u64) -> String {
    match seconds / 60 {
        minutes @ ..120 => format!("{minutes} min"),
        minutes @ ..2_880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}
