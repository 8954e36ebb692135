//! The store's nodes.
//!
//! `remora nodes list` asks every member of the cluster itself, so that what is shown is what it knows; who waits to be added is
//! shown as it told any of them. `remora nodes upgrade` tells what the cluster writes on its disks and wires, who
//! understands more, and when it may write that; `remora nodes transfer-leader` lets another node lead. Who is added,
//! replaced and removed: `members`.

use std::collections::BTreeMap;

use remora_overview::client::{Reach, Store};
use remora_overview::site::{Node, ask_nodes, behind};
use remora_proto::v1::upgrade_request::Wish;
use remora_proto::v1::{Formats, HandOverRequest, StoreStatus, UpgradeReply, UpgradeRequest, WaitingNode};

use super::members;
use crate::args::{Nodes, Upgrade};
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// Lists the nodes (one that does not answer is shown as down, which is no failure of this command; a cluster that is not formed
/// is one), changes who they are, or
/// asks about the cluster's format.
pub(super) async fn run(reach: &Reach, verb: Nodes) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    match verb {
        Nodes::List => list(&store).await,
        Nodes::Upgrade(wanted) => {
            let wish = wish(&wanted);
            let reply = store.upgrade(UpgradeRequest { wish: wish.into() }).await?;
            Ok(formats(&reply))
        }
        Nodes::Add { node, address } => members::add(&store, node, address).await,
        Nodes::Replace { node, address } => members::replace(&store, node, address).await,
        Nodes::Remove { node } => members::remove(&store, node).await,
        Nodes::TransferLeader { node } => transfer_leader(&store, node).await,
    }
}

async fn list(store: &Store) -> Result<Report, Failure> {
    let nodes = ask_nodes(store).await?;
    if nodes.is_empty() {
        return Err(Failure::Refused(
            "no cluster is formed yet: the logs of the nodes say what each waits for, the others of its list, a backup, or to be \
             added"
                .into(),
        ));
    }
    Ok(add_table(Report::default(), &nodes))
}

/// Asks the present leader to hand over to a node, or to the one that is furthest ahead.
async fn transfer_leader(store: &Store, node: Option<u64>) -> Result<Report, Failure> {
    let view = store.status().await?;
    if let Some(stranger) = node.filter(|node| view.members.iter().all(|member| member.node_id != *node)) {
        return Err(Failure::Refused(format!(
            "node {stranger} is no member of this cluster: `remora nodes list` shows who is"
        )));
    }
    let leader = view
        .members
        .iter()
        .find(|member| member.node_id == view.leader_id);
    let leader = leader.ok_or_else(|| {
        Failure::Refused("no node leads at the moment: `remora nodes list` shows who answers".into())
    })?;
    let request = HandOverRequest {
        to_node: node.unwrap_or(0),
    };
    let now = store.hand_over(&leader.client_address, request).await?;
    Ok(Report::default().record(
        "leader",
        vec![("node", Cell::Count(now.leader)), ("term", Cell::Count(now.term))],
    ))
}

fn wish(wanted: &Upgrade) -> Wish {
    match wanted {
        Upgrade { now: true, .. } => Wish::Now,
        Upgrade { hold: true, .. } => Wish::Hold,
        Upgrade { release: true, .. } => Wish::Release,
        Upgrade { .. } => Wish::Tell,
    }
}

/// What the cluster writes, and what its nodes understand.
fn formats(reply: &UpgradeReply) -> Report {
    let ready = Some(reply.ready_format).filter(|format| *format > 0);
    let cluster = vec![
        ("writes", Cell::Count(reply.format.into())),
        (
            "all understand",
            ready.map_or(Cell::Nothing, |format| Cell::Count(format.into())),
        ),
        (
            "rises in",
            reply.rises_in_seconds.map_or(Cell::Nothing, Cell::Seconds),
        ),
        ("held", Cell::Flag(reply.held)),
    ];
    let rows = reply.members.iter().map(|member| {
        let of = |number: fn(&Formats) -> u32| {
            let formats = member.understands.as_ref();
            formats.map_or(Cell::Nothing, |formats| Cell::Count(number(formats).into()))
        };
        vec![
            Cell::Count(member.node_id),
            of(|formats| formats.oldest),
            of(|formats| formats.newest),
        ]
    });
    let columns = vec!["node", "oldest", "newest"];
    Report::default()
        .record("format", cluster)
        .table("nodes", columns, rows.collect())
}

/// Columns of the table of nodes that people see with `-o wide` only.
pub(super) const WIDE: [&str; 4] = ["disk", "peer", "committed", "applied"];

/// Adds the table of nodes to a report, those that wait to be added last.
pub(super) fn add_table(report: Report, nodes: &[Node]) -> Report {
    let columns = vec![
        "node",
        "role",
        "votes",
        "ready",
        "disk",
        "client",
        "peer",
        "term",
        "committed",
        "applied",
        "behind",
        "sessions",
        "bytes",
        "up",
    ];
    let told = || nodes.iter().filter_map(|node| node.status.as_ref());
    let leader = told().find(|status| status.role == "leader");
    let mut rows: Vec<Vec<Cell>> = nodes.iter().map(|node| row(node, leader)).collect();
    let waiting = told().flat_map(|status| &status.waiting);
    let waiting: BTreeMap<u64, &WaitingNode> = waiting.map(|waiting| (waiting.disk, waiting)).collect();
    for waiting in waiting.into_values() {
        let mut row = vec![Cell::Nothing; columns.len()];
        row[0] = Cell::Count(waiting.node_id);
        row[1] = Cell::text("waiting");
        row[2] = Cell::Flag(false);
        row[4] = disk(waiting.disk);
        row[6] = Cell::text(waiting.peer_address.as_str());
        rows.push(row);
    }
    report.table("nodes", columns, rows).wide(&WIDE)
}

/// A disk id as the store writes it into its log; nothing for none.
pub(super) fn disk(id: u64) -> Cell {
    if id == 0 {
        return Cell::Nothing;
    }
    Cell::text(format!("{id:016x}"))
}

/// A node, and how far the leader knows it to be behind, in entries.
fn row(node: &Node, leader: Option<&StoreStatus>) -> Vec<Cell> {
    let said = |value: fn(&StoreStatus) -> Cell| node.status.as_ref().map_or(Cell::Nothing, value);
    let behind = leader.and_then(|leader| behind(leader, node.member.node_id));
    vec![
        Cell::Count(node.member.node_id),
        node.status
            .as_ref()
            .map_or(Cell::text("down"), |status| Cell::text(status.role.as_str())),
        Cell::Flag(node.member.voter),
        said(|status| Cell::Flag(status.ready)),
        disk(node.member.disk),
        Cell::text(node.member.client_address.as_str()),
        Cell::text(node.member.peer_address.as_str()),
        said(|status| Cell::Count(status.term)),
        said(|status| Cell::Count(status.committed_index)),
        said(|status| Cell::Count(status.applied_index)),
        behind.map_or(Cell::Nothing, Cell::Count),
        said(|status| Cell::Count(status.sessions)),
        said(|status| Cell::Bytes(status.session_bytes)),
        said(|status| Cell::Seconds(status.uptime_seconds)),
    ]
}
