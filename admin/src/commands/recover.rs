//! `remora recover --force-new-cluster`: one node goes on alone after a lost majority.
//!
//! It asks exactly one node, for whoever is named goes on alone. Without `--yes` it only tells what is given up.

use remora_proto::v1::{RecoverReply, RecoverRequest};

use super::restore::unless_serves;
use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, Store};

/// Tells what is given up, or lets the node go on.
pub(super) async fn run(reach: &Reach, yes: bool) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    let [address] = reach.addresses.as_slice() else {
        return Err(Failure::Usage(
            "say which node goes on alone: --store with its address and no other".into(),
        ));
    };
    let reply = store.recover(address, RecoverRequest { really: yes }).await?;
    let report = report(&reply);
    if !yes {
        let told = format!(
            "nothing was done: saves that only nodes {} acknowledged are lost for good, and so is every way back to cluster {}; \
             repeat with --yes",
            listed(&reply.silent),
            reply.cluster
        );
        return Ok(report.troubles(vec![told]));
    }
    let troubles = unless_serves(&store, address, &reply.new_cluster).await;
    Ok(report.troubles(troubles))
}

fn report(reply: &RecoverReply) -> Report {
    let fields = vec![
        ("node", Cell::Count(reply.node_id)),
        ("ends", Cell::text(reply.cluster.as_str())),
        ("begins", Cell::text(reply.new_cluster.as_str())),
        ("given up", Cell::text(listed(&reply.silent))),
        ("keeps up to", Cell::Count(reply.last_log_index)),
        ("known as acknowledged", Cell::Count(reply.committed_index)),
    ];
    Report::default().record("recover", fields)
}

fn listed(nodes: &[u64]) -> String {
    let nodes: Vec<String> = nodes.iter().map(u64::to_string).collect();
    nodes.join(", ")
}
