//! Which format the cluster writes: what members say they understand goes into the log, and the rise when it is time.
//!
//! Every node introduces itself to every other again and again, and says what its program understands. The leader
//! proposes what the table does not know yet, for itself and for its peers: so a node that is far behind, or cannot
//! propose, is heard too. Once the table knows a higher format that everybody understands, it waits [`RAISE_AFTER_MS`]
//! before it uses it: until then the older release can be put back.
//!
//! Invariant: an older release that is put back after a rise reads nothing that it takes for damage. A node that has applied
//! the rise records it beside its identity, where the older release finds it before anything else; in the moment before
//! that, entries and images say their format themselves.

use std::sync::Arc;
use std::time::Duration;

use remora_table::{ClusterFormat, Command, Format, Outcome, Ready, TableReader, TableTime};
use tokio::sync::watch;

use crate::log::DiskId;
use crate::runtime;

use super::Fate;
use super::duties::own;
use super::identity::NodeIdentity;
use super::leadership::Leadership;
use super::membership::Turn;
use super::proposer::Proposer;

/// How often the table is compared with what members say: how late a node may become ready after its start.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Table time, in milliseconds, between the moment at which the last member understands a format and its use: a working
/// day and a night in which an operator may find that the new release must go.
pub(crate) const RAISE_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;

/// Keeps the table's knowledge of formats and this node's record of it true, until it is aborted.
pub(super) async fn keep(
    identity: Arc<NodeIdentity>,
    proposer: Proposer,
    table: TableReader,
    leadership: watch::Receiver<Leadership>,
    turn: Arc<Turn>,
) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Behind a lock that is held while the disk writes.
    let of = Arc::clone(&identity);
    let Ok(mut recorded) = runtime::blocking(move || of.recorded_format()).await else {
        return;
    };
    loop {
        look.tick().await;
        let cluster = table.cluster();
        if cluster.format > recorded {
            record(&identity, cluster.format).await;
            recorded = cluster.format;
        }
        if leadership.borrow().leads()
            && let Some(command) = next(&identity, &cluster, table.table_time())
        {
            // A rise waits for a change of the membership, and the other way round.
            let _turn = match command {
                Command::Raise { .. } => Some(turn.take().await),
                _ => None,
            };
            said(&command, &proposer.propose(own(command.clone())).await);
        }
    }
}

/// What a leader has to propose about formats now.
fn next(identity: &NodeIdentity, cluster: &ClusterFormat, now: TableTime) -> Option<Command> {
    let unheard = cluster.members.iter().find_map(|(node, member)| {
        let formats = identity.understood_by(*node, DiskId(member.disk))?;
        (member.understood != Some(formats)).then_some(Command::Understands {
            node: *node,
            disk: member.disk,
            formats,
        })
    });
    let due = |ready: &Ready| !cluster.held && now >= ready.since.plus_ms(RAISE_AFTER_MS);
    let raise = || {
        cluster.ready.filter(due).map(|ready| Command::Raise {
            format: ready.format,
            asked: false,
        })
    };
    unheard.or_else(raise)
}

/// Tells operators what came of it; whatever was not done is tried again at the next look.
fn said(command: &Command, answer: &Fate) {
    match (command, answer) {
        (Command::Understands { node, formats, .. }, Fate::Done(Outcome::Understood)) => {
            tracing::info!(node, "node understands {formats}");
        }
        (_, Fate::Done(Outcome::Raised { format })) => {
            tracing::info!(%format, "the cluster's format rises");
        }
        _ => tracing::debug!(?command, ?answer, "formats are as they were"),
    }
}

/// Writes the format beside the identity of this disk. A disk that cannot take it ends the node.
async fn record(identity: &Arc<NodeIdentity>, format: Format) {
    let of = Arc::clone(identity);
    let written = runtime::blocking(move || of.record_format(format)).await;
    match written {
        Ok(Ok(())) => {
            tracing::info!(%format, "the cluster writes a new format; an older release cannot be put back");
        }
        Ok(Err(error)) => identity.fail(format!("cannot record the cluster's format: {error}")),
        // The runtime ends, and this node with it.
        Err(_) => {}
    }
}
