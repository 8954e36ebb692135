//! What is wrong with the Tomcats that are announced.
//!
//! An announcement stands until somebody takes it out, so one that is silent is a *remark* and never a trouble: users were moved by
//! the proxies' own beliefs, and only a person knows whether that Tomcat comes back.

use remora_proto::v1::list_servers_reply::Server;

use super::{Verdict, judge_versions};
use crate::site::{Cluster, name};

/// Seconds of silence after which somebody should look: a Tomcat that starts with many applications takes some minutes.
const SILENT_SECONDS: u64 = 300;

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
