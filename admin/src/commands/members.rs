//! Nodes that are added, replaced and removed.
//!
//! The store takes one step at a time and keeps no other memory of it than who is a member; this says the same again until
//! nothing is left to do, and tells on standard error what came of each step. So a verb that was interrupted is completed by
//! saying it once more.
//!
//! Left out: deciding what is right. That is the leader's, whose sentence is shown.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use remora_proto::v1::change_member_reply::State;
use remora_proto::v1::change_member_request::Verb;
use remora_proto::v1::{ChangeMemberReply, ChangeMemberRequest};

use super::nodes::disk;
use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::Store;
use remora_overview::site::ask_nodes;

/// Pause between two steps: nobody is kept waiting by it, and the leader is asked for little.
const STEP_EVERY: Duration = Duration::from_millis(200);

/// How often somebody who waits is told how far a node is behind.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// How long a node may come no nearer before somebody has to look: an image of gigabytes is on its way for minutes, and is seen
/// only when it has arrived.
const STALLED_AFTER: Duration = Duration::from_secs(600);

/// Adds a node that waits at this address (host:port, where peers reach it).
pub(super) async fn add(store: &Store, node: u64, address: String) -> Result<Report, Failure> {
    change(store, Verb::Add, node, address).await
}

/// Puts a new disk in the place of a node's. Without an address: where a node of that id says that it waits, else where the
/// present one is.
pub(super) async fn replace(store: &Store, node: u64, address: Option<String>) -> Result<Report, Failure> {
    let address = match address {
        Some(address) => address,
        None => where_it_is(store, node).await?,
    };
    change(store, Verb::Replace, node, address).await
}

/// Removes a node; its disk is never taken again. One that is no member is no success: perhaps another was meant.
pub(super) async fn remove(store: &Store, node: u64) -> Result<Report, Failure> {
    let view = store.status().await?;
    if view.members.iter().all(|member| member.node_id != node) {
        return Err(Failure::Refused(format!(
            "node {node} is no member of this cluster, and nothing was changed: `remora nodes list` shows who is"
        )));
    }
    change(store, Verb::Remove, node, String::new()).await
}

async fn where_it_is(store: &Store, node: u64) -> Result<String, Failure> {
    let nodes = ask_nodes(store).await?;
    let told = nodes.iter().filter_map(|node| node.status.as_ref());
    let waiting = told.flat_map(|status| &status.waiting);
    let waiting: BTreeSet<&str> = waiting
        .filter(|waiting| waiting.node_id == node)
        .map(|waiting| waiting.peer_address.as_str())
        .collect();
    let present = nodes.iter().find(|known| known.member.node_id == node);
    let places: Vec<&str> = waiting.into_iter().collect();
    match (places.as_slice(), present) {
        ([place], _) => Ok((*place).to_owned()),
        ([], Some(present)) => Ok(present.member.peer_address.clone()),
        ([], None) => Err(Failure::Refused(format!(
            "no node {node} is a member or waits to be added: start it with an empty data directory and --join, or say where \
             it is, as in `remora nodes replace {node} HOST:PORT`"
        ))),
        (several, _) => Err(Failure::Refused(format!(
            "more than one waits to be node {node}, at {}: say which, as in `remora nodes replace {node} {}`",
            several.join(" and "),
            several[0]
        ))),
    }
}

async fn change(store: &Store, verb: Verb, node: u64, address: String) -> Result<Report, Failure> {
    let request = ChangeMemberRequest {
        verb: verb.into(),
        node_id: node,
        peer_address: address,
    };
    let mut waiting = Waiting::default();
    loop {
        let reply = store.change_member(request.clone()).await?;
        if reply.state() == State::Done {
            let votes = reply.disk != 0;
            return Ok(Report::default().record(
                "node",
                vec![
                    ("node", Cell::Count(node)),
                    ("votes", Cell::Flag(votes)),
                    ("disk", disk(reply.disk)),
                ],
            ));
        }
        waiting.hear(node, &reply)?;
        tokio::time::sleep(STEP_EVERY).await;
    }
}

/// What somebody who waits was told.
#[derive(Debug, Default)]
struct Waiting {
    /// The fewest entries that were missing, and since when.
    nearest: Option<(u64, Instant)>,
    told: Option<Instant>,
}

impl Waiting {
    /// Tells what came of a step.
    fn hear(&mut self, node: u64, reply: &ChangeMemberReply) -> Result<(), Failure> {
        let sentence = match reply.state() {
            State::Finished => "a change that was left half done is complete".to_owned(),
            State::HandedOver => format!("node {node} led: another node leads now"),
            State::Removed => format!("node {node}: its disk is a member no more"),
            State::Learns => format!("node {node}: disk {:016x} is a member without a vote", reply.disk),
            State::CatchesUp => {
                self.check_nearer(node, reply.entries_behind)?;
                if self.told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
                    return Ok(());
                }
                self.told = Some(Instant::now());
                format!(
                    "node {node}: catches up, {} entries behind, about {}",
                    reply.entries_behind,
                    Cell::Bytes(reply.bytes_behind)
                )
            }
            State::Done | State::Unspecified => return Ok(()),
        };
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "{sentence}");
        Ok(())
    }

    fn check_nearer(&mut self, node: u64, behind: u64) -> Result<(), Failure> {
        match self.nearest {
            Some((nearest, since)) if behind >= nearest => {
                if since.elapsed() < STALLED_AFTER {
                    return Ok(());
                }
                let minutes = STALLED_AFTER.as_secs() / 60;
                Err(Failure::Refused(format!(
                    "node {node} came no nearer in {minutes} minutes: look into its log, then say the same again"
                )))
            }
            _ => {
                self.nearest = Some((behind, Instant::now()));
                Ok(())
            }
        }
    }
}
