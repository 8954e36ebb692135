//! `remora nodes list`: every member of the store cluster, asked itself, so that what is shown is what it knows.

use remora_proto::v1::{StoreMember, StoreStatus};

use crate::client::Store;
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// A member of the cluster and what it said of itself; nothing when it did not answer.
pub(super) struct Node {
    pub(super) member: StoreMember,
    pub(super) status: Option<StoreStatus>,
}

/// Lists the nodes; a node that does not answer is shown as down, which is no failure of this command.
pub(super) async fn list(addresses: &[String]) -> Result<Report, Failure> {
    let nodes = ask_all(&Store::new(addresses)?).await?;
    Ok(add_table(Report::default(), &nodes))
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
