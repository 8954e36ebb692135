//! An operator's word about what the cluster writes, and what there is to know of it.
//!
//! Invariant: a rise waits its turn behind changes of the membership. Left out: when it comes by itself (`raft`).

use std::sync::Arc;

use remora_proto::v1;
use remora_proto::v1::upgrade_request::Wish;
use remora_table::{Command, Format, MemberFormats, Outcome, Proposal};
use tonic::Status;

use crate::raft::RAISE_AFTER_MS;

use super::convert;
use super::desk::Desk;
use super::status::status;

/// Carries out what an operator wants, at the leader.
pub(super) async fn wish(desk: &Desk, wish: Wish) -> Result<(), Status> {
    let command = match wish {
        Wish::Tell => return Ok(()),
        Wish::Hold => Command::Hold { held: true },
        Wish::Release => Command::Hold { held: false },
        Wish::Now => match newest(desk)? {
            Some(format) => Command::Raise { format, asked: true },
            None => return Ok(()),
        },
    };
    let proposal = Proposal {
        request_id: None,
        node: Arc::from("operator"),
        command,
    };
    let outcome = match &proposal.command {
        Command::Raise { .. } => desk.raise(proposal).await,
        _ => desk.propose(proposal).await,
    };
    match outcome.map_err(status)? {
        Outcome::Held { held } => tracing::info!(held, "an operator spoke about the cluster's format"),
        Outcome::Raised { format } => tracing::info!(%format, "an operator let the cluster's format rise"),
        // A member said something else between the look and the command.
        other => {
            tracing::warn!(outcome = ?other, "the cluster's format stays");
            return Err(Status::failed_precondition(
                "a member said meanwhile that it does not understand the format: ask again",
            ));
        }
    }
    Ok(())
}

/// The newest format that every member understands; none if nobody understands more than is written already, as when the
/// wish is repeated. Or who lacks what another understands.
fn newest(desk: &Desk) -> Result<Option<Format>, Status> {
    let cluster = desk.raft.table().cluster();
    if let Some(ready) = cluster.ready {
        return Ok(Some(ready.format));
    }
    let next = Format(cluster.format.0.saturating_add(1));
    let understands = |member: &MemberFormats| {
        member
            .understood
            .is_some_and(|understood| understood.newest >= next)
    };
    if !cluster.members.is_empty() && !cluster.members.values().any(understands) {
        return Ok(None);
    }
    let sentence = match cluster.lacking(next) {
        Some((node, member)) => {
            let said = member.understood.map_or_else(
                || "has not said what it understands".to_owned(),
                |understood| format!("understands {understood}"),
            );
            format!(
                "the cluster writes format {}, and node {node} {said}: start the later release there first",
                cluster.format
            )
        }
        None => "the cluster is not formed yet".to_owned(),
    };
    Err(Status::failed_precondition(sentence))
}

/// What there is to know.
pub(super) fn tell(desk: &Desk) -> v1::UpgradeReply {
    let table = desk.raft.table();
    let (cluster, now) = (table.cluster(), table.table_time());
    let rises = cluster.ready.filter(|_| !cluster.held);
    v1::UpgradeReply {
        format: u32::from(cluster.format.0),
        ready_format: cluster.ready.map_or(0, |ready| u32::from(ready.format.0)),
        rises_in_seconds: rises
            .map(|ready| ready.since.plus_ms(RAISE_AFTER_MS).0.saturating_sub(now.0) / 1_000),
        held: cluster.held,
        members: cluster
            .members
            .iter()
            .map(|(node, member)| v1::upgrade_reply::Member {
                node_id: *node,
                understands: member.understood.map(convert::range),
            })
            .collect(),
    }
}
