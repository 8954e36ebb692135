//! What is wrong with a site, and what to do about it: a function from answers to sentences.
//!
//! A *trouble* needs a person and makes the exit code 1: somebody is down, or users lose something. A *remark* is what
//! somebody wished or what goes on as planned, and may have been forgotten: a drain, a maintenance, an upgrade half done.
//!
//! Left out: figures that only an alert over time can judge (`docs/metrics.md`).

mod proxies;
mod tomcats;

pub use self::tomcats::twins;

use std::collections::{BTreeMap, BTreeSet};

use remora_proto::v1::StoreStatus;
use serde::Serialize;

use crate::site::{Cluster, Site};

/// A disk fills when less than this part of it is left: the twentieth.
const FILLS_PART: u64 = 20;

/// And less than so many bytes: of a large disk a twentieth is room for years of sessions.
const FILLS_BYTES: u64 = 10 << 30;

/// What needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What is wrong, in a sentence.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// What is to be said of a site.
#[derive(Debug, Default, Serialize)]
pub struct Verdict {
    /// What needs a person.
    pub troubles: Vec<Trouble>,
    /// What does not.
    pub remarks: Vec<String>,
}

impl Verdict {
    fn trouble(&mut self, what: impl Into<String>, advice: impl Into<String>) {
        self.troubles.push(Trouble {
            what: what.into(),
            advice: advice.into(),
        });
    }

    fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }
}

/// Looks at everything that was answered.
pub fn judge(site: &Site) -> Verdict {
    let mut verdict = Verdict::default();
    match &site.store {
        None => {}
        Some(Ok(cluster)) => judge_cluster(&mut verdict, cluster),
        Some(Err(failure)) => verdict.trouble(
            format!("the store does not answer: {failure}"),
            "see that remora-store runs on most of its hosts, and that --store names their client addresses",
        ),
    }
    proxies::judge(&mut verdict, site);
    verdict
}

fn judge_cluster(verdict: &mut Verdict, cluster: &Cluster) {
    let is_led = judge_majority(verdict, cluster);
    judge_nodes(verdict, cluster, is_led);
    let told = || cluster.nodes.iter().filter_map(|node| node.status.as_ref());
    judge_room(verdict, &told().map(|status| status.disk_room.as_str()).collect());
    for status in told() {
        judge_disk(verdict, status);
    }
    let waiting = told().flat_map(|status| &status.waiting);
    let waiting: BTreeMap<u64, _> = waiting.map(|waiting| (waiting.disk, waiting)).collect();
    for waiting in waiting.values() {
        let (node, address) = (waiting.node_id, &waiting.peer_address);
        let is_member = cluster.nodes.iter().any(|member| member.member.node_id == node);
        let verb = if is_member { "replace" } else { "add" };
        verdict.remark(format!(
            "a new disk for node {node} waits at {address}: remora nodes {verb} {node} {address}"
        ));
    }
    let versions = told().map(|status| (status.node_id.to_string(), status.software_version.as_str()));
    judge_versions(verdict, "store nodes", versions);
    if let Some(leader) = cluster.led() {
        judge_formats(verdict, leader);
    }
    match &cluster.servers {
        // Then nobody leads, which has been said.
        None => {}
        Some(Ok(servers)) => tomcats::judge(verdict, cluster, servers),
        Some(Err(failure)) => verdict.trouble(
            format!("the store does not say which Tomcats are there: {failure}"),
            "ask again in a minute; if it stays so, the leader's log says why",
        ),
    }
}

/// Says who is not well. Without a leader nobody is ready, which then is no trouble of its own.
fn judge_nodes(verdict: &mut Verdict, cluster: &Cluster, is_led: bool) {
    for node in &cluster.nodes {
        let id = node.member.node_id;
        match &node.status {
            None => verdict.trouble(
                match node.silent.as_str() {
                    "" => format!("store node {id} is down"),
                    why => format!("store node {id} is down ({why})"),
                },
                format!(
                    "start it; if its disk is lost for good, start it with an empty data directory and --join, and then: \
                     remora nodes replace {id}"
                ),
            ),
            Some(status) if status.role == "forming" => verdict.trouble(
                format!("store node {id} has formed no cluster yet"),
                "start all nodes of its list; its log says whom it waits for",
            ),
            Some(status) if status.role == "awaiting restore" => verdict.trouble(
                format!("store node {id} waits for a backup"),
                format!("remora --store {} restore FILE", node.member.client_address),
            ),
            Some(status) if !status.ready && is_led => verdict.trouble(
                format!("store node {id} is not ready"),
                "it catches up, or hears no leader: ask again in a minute; then its log and its /readyz say why",
            ),
            Some(_) if !node.member.voter => verdict.remark(format!(
                "node {id} is a member without a vote: remora nodes add {id} {} completes it",
                node.member.peer_address
            )),
            Some(_) => {}
        }
    }
}

/// Says whether the store can do its work at all; true when somebody leads.
fn judge_majority(verdict: &mut Verdict, cluster: &Cluster) -> bool {
    let voters = cluster.nodes.iter().filter(|node| node.member.voter);
    let (answering, all) = voters.fold((0, 0), |(answering, all), node| {
        (answering + usize::from(node.status.is_some()), all + 1)
    });
    let needed = all / 2 + 1;
    if answering < needed && all > 0 {
        verdict.trouble(
            format!("the store has no majority: {answering} of {all} voters answer, {needed} must"),
            "start the others. Only if their disks are lost for good: remora recover --force-new-cluster tells what is given up",
        );
    } else if cluster.leader().is_none() {
        verdict.trouble(
            "the store has no leader",
            "an election is over within a second or a few: ask again; then the nodes' logs say why",
        );
    }
    match all {
        0 => {}
        1 => verdict.remark("the store is one node: with its disk all sessions are lost"),
        _ if all % 2 == 0 => verdict.remark(format!(
            "the store has {all} voters, which bear no more losses than {}",
            all - 1
        )),
        _ => {}
    }
    cluster.leader().is_some()
}

fn judge_room(verdict: &mut Verdict, told: &BTreeSet<&str>) {
    let advice = "make room on the disks of the data directories; all goes on by itself within seconds";
    if told.contains("reserve") {
        verdict.trouble(
            "a disk of the store is full: every save is refused, logouts are served",
            advice,
        );
    } else if told.contains("short") {
        verdict.trouble(
            "a disk of the store is nearly full: new sessions and saves that grow are refused",
            advice,
        );
    }
}

/// Says whose disk fills, long before the store acts on it.
fn judge_disk(verdict: &mut Verdict, status: &StoreStatus) {
    let StoreStatus {
        node_id,
        disk_free_bytes: free,
        disk_bytes: all,
        ..
    } = status;
    // One of an earlier release says neither, and what the store acts on is a trouble.
    let fills = *free < all / FILLS_PART && *free < FILLS_BYTES && status.disk_room == "ample";
    if fills {
        verdict.remark(format!(
            "the disk of store node {node_id} has {} MiB of {} left: make room before new sessions are refused",
            free >> 20,
            all >> 20
        ));
    }
}

/// That not all run the same program: as during an upgrade, which is to be finished.
fn judge_versions<'a>(verdict: &mut Verdict, whose: &str, told: impl Iterator<Item = (String, &'a str)>) {
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, version) in told.filter(|(_, version)| !version.is_empty()) {
        versions.entry(version).or_default().push(name);
    }
    if versions.len() > 1 {
        let each = versions
            .iter()
            .map(|(version, names)| format!("{version} ({})", names.join(", ")));
        let each = each.collect::<Vec<_>>().join(", ");
        verdict.remark(format!("{whose} run different versions: {each}"));
    }
}

/// One of an earlier release says nothing of formats, which then are all 0.
fn judge_formats(verdict: &mut Verdict, leader: &StoreStatus) {
    let (now, next) = (leader.format, leader.ready_format);
    if leader.format_held {
        verdict.remark(format!(
            "an operator holds format {now}: remora nodes upgrade --release lets it rise"
        ));
    } else if next > now {
        verdict.remark(format!(
            "all nodes understand format {next}, and {now} is written: it rises by itself, or with remora nodes upgrade --now"
        ));
    }
}

#[cfg(test)]
pub(crate) mod tests;
