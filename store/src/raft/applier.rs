//! openraft's state machine seam over the session table.
//!
//! The table lives in memory; what survives a restart is the newest snapshot, the log behind it and the hint how far
//! it is committed. Applying has no error of its own: an entry that cannot be decoded is not this program's, and stops
//! the node, because a replica that skips an entry diverges.
//!
//! What walks the whole table (copying it for a snapshot, restoring it) runs on a blocking thread: openraft applies
//! nothing meanwhile, but heartbeats share the runtime's one thread.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::metrics::Histogram;
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::type_config::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf};
use openraft::{EntryPayload, OptionalSend};
use tokio::task::JoinHandle;

use crate::log::GROUP;
use crate::{metrics, runtime};
use remora_table::{
    CodecError, Entry, Formats, Outcome, Proposal, SessionTable, Stamp, TableImage, TableReader, Tidings,
    decode_proposal,
};

use super::imaging::{self, SharedBacklog};
use super::settings::EventSink;
use super::snapshots::{self, SnapshotBuilder, SnapshotData, Snapshots};
use super::stamps::Marks;
use super::types::{Commands, StoredMembership, Types};

/// Entries applied before other tasks of the runtime get a turn: a replay must not starve heartbeats. An entry holds
/// at most 256 commands, about 0.3 ms.
const APPLIED_BEFORE_YIELD: usize = 8;

/// A running openraft, which applies to our table.
pub(super) type Raft = openraft::Raft<Types, Applier>;

/// How a proposal at this index of the log changes the table. Programs have the table's own rules; the simulation looks on,
/// and breaks one to see that this is noticed.
pub(super) type Rules =
    Box<dyn FnMut(u64, &mut SessionTable, &Proposal, &mut Tidings) -> Outcome + Send + Sync>;

/// Applies the log to the table.
pub(super) struct Applier {
    /// Never contended: whoever walks the table is waited for before the next entry is applied.
    table: Arc<Mutex<SessionTable>>,
    last_applied: Option<LogIdOf<Types>>,
    membership: StoredMembership,
    understands: Formats,
    rules: Rules,
    snapshots: Snapshots,
    events: Arc<dyn EventSink>,
    marks: Arc<Marks>,
    /// Shared with whoever decides when the next image is due.
    backlog: SharedBacklog,
    seconds: Histogram,
}

impl Applier {
    /// Over an empty table; openraft restores the newest snapshot itself.
    pub(super) fn new(
        (understands, rules): (Formats, Rules),
        snapshots: Snapshots,
        events: Arc<dyn EventSink>,
        (marks, backlog): (Arc<Marks>, SharedBacklog),
    ) -> Self {
        Self {
            table: Arc::default(),
            last_applied: None,
            membership: StoredMembership::default(),
            understands,
            rules,
            snapshots,
            events,
            marks,
            backlog,
            seconds: metrics::applies(),
        }
    }

    /// A reader of the table.
    pub(super) fn reader(&self) -> TableReader {
        lock(&self.table).reader()
    }

    /// Begins to copy the table as it stands, for whoever keeps this from applying meanwhile.
    pub(super) fn copy(&self) -> JoinHandle<TableImage> {
        let table = Arc::clone(&self.table);
        runtime::blocking(move || lock(&table).image())
    }

    /// Applies the commands of one entry, in order; gives their outcomes and its stamp.
    fn apply_commands(&mut self, index: u64, commands: &Commands) -> io::Result<(Vec<Outcome>, Stamp)> {
        let began = runtime::now();
        let (mut told, rules) = (Tidings::default(), &mut self.rules);
        let mut table = lock(&self.table);
        let applied = apply_entry(&mut table, &commands.0, self.understands, |table, proposal| {
            rules(index, table, proposal, &mut told)
        })?;
        drop(table);
        if !told.owners.is_empty() {
            self.events.happened(&told.owners);
        }
        if !told.ousted.is_empty() {
            self.events.ousted(&told.ousted);
        }
        if !told.watchers.is_empty() {
            self.events.seen(index, told.watchers);
        }
        self.seconds.record(runtime::since(began));
        Ok(applied)
    }
}

/// Applies the commands of one entry to a table by these rules, in order; gives their outcomes and its stamp.
pub(super) fn apply_entry(
    table: &mut SessionTable,
    commands: &Bytes,
    understands: Formats,
    mut rules: impl FnMut(&mut SessionTable, &Proposal) -> Outcome,
) -> io::Result<(Vec<Outcome>, Stamp)> {
    let entry = Entry::decode(commands, understands).map_err(io::Error::other)?;
    if entry.group != GROUP {
        return Err(io::Error::other(format!(
            "a log entry belongs to group {}",
            entry.group
        )));
    }
    table.begin_entry(entry.stamp);
    let mut outcomes = Vec::with_capacity(entry.proposals.len());
    for bytes in &entry.proposals {
        let proposal = decode_proposal(bytes, understands).map_err(io::Error::other)?;
        outcomes.push(rules(table, &proposal));
        // A release that was put back while the rise was under way must not go on under a number whose meaning it does not
        // know.
        let format = table.reader().format();
        if !understands.hold(format) {
            return Err(io::Error::other(CodecError::WrongVersion {
                what: "what the cluster writes from here on",
                found: format,
                understood: understands,
            }));
        }
    }
    Ok((outcomes, entry.stamp))
}

fn term(position: LogIdOf<Types>) -> u64 {
    position.committed_leader_id().term
}

/// A panic while the table was changed has ended consensus: nobody looks at it afterwards.
fn lock(table: &Mutex<SessionTable>) -> MutexGuard<'_, SessionTable> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RaftStateMachine<Types> for Applier {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogIdOf<Types>>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut applied = 0_usize;
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let (mut stamp, mut bytes) = (None, 0);
            let outcomes = match entry.payload {
                EntryPayload::Blank => Vec::new(),
                EntryPayload::Normal(commands) => {
                    let (outcomes, stamped) = self.apply_commands(entry.log_id.index, &commands)?;
                    (stamp, bytes) = (Some(stamped), commands.0.len());
                    outcomes
                }
                EntryPayload::Membership(membership) => {
                    let disks = membership.nodes().map(|(node, member)| (*node, member.disk.0));
                    lock(&self.table).set_members(&disks.collect());
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Vec::new()
                }
            };
            self.marks.applied(term(entry.log_id), stamp);
            imaging::lock(&self.backlog).applied(entry.log_id.index, bytes);
            self.last_applied = Some(entry.log_id);
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
            applied += 1;
            if applied.is_multiple_of(APPLIED_BEFORE_YIELD) {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        imaging::lock(&self.backlog).image_taken();
        let image = self.copy().await;
        SnapshotBuilder {
            snapshots: self.snapshots.clone(),
            meta: snapshots::meta(self.last_applied, self.membership.clone()),
            image: image.ok(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<Types>,
        snapshot: SnapshotData,
    ) -> Result<(), io::Error> {
        let image = self.snapshots.install(meta, snapshot).await?;
        let table = Arc::clone(&self.table);
        runtime::blocking(move || lock(&table).restore(image))
            .await
            .map_err(io::Error::other)?;
        let stamp = lock(&self.table).stamp();
        self.marks.applied(meta.last_log_id.map_or(0, term), Some(stamp));
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        let index = meta.last_log_id.map_or(0, |last| last.index);
        self.events.skipped(index);
        imaging::lock(&self.backlog).image_installed(index);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<Types, SnapshotData>>, io::Error> {
        self.snapshots.newest().await
    }
}
