//! The store's nodes.
//!
//! `remora nodes list` asks every member of the cluster itself, so that what is shown is what it knows. `remora nodes
//! upgrade` tells what the cluster writes on its disks and wires, who understands more, and when it may write that; `remora
//! nodes transfer-leader` lets another node lead.

use remora_proto::v1::upgrade_request::Wish;
use remora_proto::v1::{Formats, HandOverRequest, StoreMember, StoreStatus, UpgradeReply, UpgradeRequest};

use crate::args::{Nodes, Upgrade};
use crate::client::Store;
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// A member of the cluster and what it said of itself; nothing when it did not answer.
pub(super) struct Node {
    pub(super) member: StoreMember,
    pub(super) status: Option<StoreStatus>,
}

/// Lists the nodes (one that does not answer is shown as down, which is no failure of this command), or asks about the
/// cluster's format.
pub(super) async fn run(addresses: &[String], verb: Nodes) -> Result<Report, Failure> {
    let store = Store::new(addresses)?;
    match verb {
        Nodes::List => Ok(add_table(Report::default(), &ask_all(&store).await?)),
        Nodes::Upgrade(wanted) => {
            let wish = wish(&wanted);
            let reply = store.upgrade(UpgradeRequest { wish: wish.into() }).await?;
            Ok(formats(&reply))
        }
        Nodes::TransferLeader { node } => transfer_leader(&store, node).await,
    }
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
    let now = Store::hand_over(&leader.client_address, request).await?;
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

/// Asks every member that the cluster names, in the order of their ids.
pub(super) async fn ask_all(store: &Store) -> Result<Vec<Node>, Failure> {
    let view = store.status().await?;
    let mut nodes = Vec::new();
    for member in view.members {
        let status = match member.client_address.as_str() {
            "" => None,
            address => Store::status_of(address).await.ok(),
        };
        nodes.push(Node { member, status });
    }
    nodes.sort_by_key(|node| node.member.node_id);
    Ok(nodes)
}

/// Adds the table of nodes to a report.
pub(super) fn add_table(report: Report, nodes: &[Node]) -> Report {
    let columns = vec![
        "node",
        "role",
        "ready",
        "client",
        "peer",
        "term",
        "committed",
        "applied",
        "sessions",
        "bytes",
        "up",
    ];
    report.table("nodes", columns, nodes.iter().map(row).collect())
}

fn row(node: &Node) -> Vec<Cell> {
    let said = |value: fn(&StoreStatus) -> Cell| node.status.as_ref().map_or(Cell::Nothing, value);
    vec![
        Cell::Count(node.member.node_id),
        node.status
            .as_ref()
            .map_or(Cell::text("down"), |status| Cell::text(status.role.as_str())),
        said(|status| Cell::Flag(status.ready)),
        Cell::text(node.member.client_address.as_str()),
        Cell::text(node.member.peer_address.as_str()),
        said(|status| Cell::Count(status.term)),
        said(|status| Cell::Count(status.committed_index)),
        said(|status| Cell::Count(status.applied_index)),
        said(|status| Cell::Count(status.sessions)),
        said(|status| Cell::Bytes(status.session_bytes)),
        said(|status| Cell::Seconds(status.uptime_seconds)),
    ]
}
