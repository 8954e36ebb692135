//! The negative controls: rules of the product broken on purpose, one at a time, to see that the oracle notices.
//!
//! Each is put around the product from outside, at a seam that it has anyway: its disk, its log, its wires, the rules by
//! which a proposal changes the table. Nothing here is compiled into a program.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remora_table::{Command, Outcome, Proposal, RequestId, SessionTable, Tidings};

use crate::disk::Disk;
use crate::log::{Completion, DrivenLog, FileLog, Log, LogBounds, LogEntry, LogId, LogWorkers, Vote};
use crate::raft::NodeId;
use crate::raft::applier::Rules;
use crate::raft::opening::OpenLog;

use super::tomcats::SERIAL_STEP;
use super::turns::Turns;
use super::world::World;

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    /// The log's disks say that they have synced, and have not.
    SyncSkipped,
    /// Votes but the first are answered without being written.
    VoteNotKept,
    /// One node counts as having what it is never sent, until all is mended.
    QuorumMinusOne,
    /// A repeat is taken for something new.
    RepeatForgotten,
    /// Every command is applied twice.
    AppliedTwice,
    /// One node leaves out one sweep.
    SweepLeftOut,
    /// Reads ask no majority.
    ReadUnproven,
    /// A disk that has voted and lost its log is taken for a new one.
    VotedIgnored,
    /// A late save makes its sender the owner again.
    LateTakesBack,
}

impl Twist {
    /// All of them, each with a seed at which it is noticed; found by the search that `make soak` repeats.
    pub(super) const ALL: [(Self, u64); 9] = [
        (Self::SyncSkipped, 2),
        (Self::VoteNotKept, 1),
        (Self::QuorumMinusOne, 1),
        (Self::RepeatForgotten, 3),
        (Self::AppliedTwice, 1),
        (Self::SweepLeftOut, 1),
        (Self::ReadUnproven, 1),
        (Self::VotedIgnored, 4),
        (Self::LateTakesBack, 18),
    ];
}

impl World {
    /// How a node opens its log: the product's own, whose workers take turns with everybody else.
    pub(super) fn opening_log(&self, node: NodeId, disk: Disk) -> OpenLog {
        let world = self.clone();
        Box::new(move |data_dir, understands, segment_bytes| {
            let DrivenLog { log, workers } = DrivenLog::open(&disk, data_dir, understands, segment_bytes)?;
            let gauge = log.gauge();
            world.turns.start(node, work(world.clone(), node, workers));
            let log: Arc<dyn Log> = match world.twist {
                Some(Twist::VoteNotKept) => Arc::new(Forgetful::new(log)),
                _ => Arc::new(log),
            };
            Ok((log, gauge))
        })
    }

    /// The rules by which a node applies: the table's own, of which one may be broken.
    pub(super) fn rules(&self, node: NodeId) -> Rules {
        let world = self.clone();
        let (mut before, mut nth, mut left_out) = (0, 0, false);
        Box::new(move |index, table, proposal, told| {
            nth = if index == before { nth + 1 } else { 0 };
            before = index;
            let leaves_out = world.twist == Some(Twist::SweepLeftOut)
                && node == 2
                && !left_out
                && table.reader().due()
                && matches!(proposal.command, Command::Sweep { .. });
            let outcome = if leaves_out {
                left_out = true;
                Outcome::Swept { removed: 0 }
            } else {
                apply(world.twist, table, proposal, told)
            };
            world.applied(node, (index, nth), &outcome);
            outcome
        })
    }
}

/// Lets a log's workers work, as fast as the disk is.
async fn work(world: World, node: NodeId, mut workers: LogWorkers) {
    loop {
        Turns::pass(world.disk_time(node)).await;
        if workers.step() {
            world.chronicle.note(&format!("node {node} wrote"));
        }
    }
}

/// Applies a proposal by the table's rules, but for the one that is broken.
fn apply(twist: Option<Twist>, table: &mut SessionTable, proposal: &Proposal, told: &mut Tidings) -> Outcome {
    match twist {
        Some(Twist::RepeatForgotten) => table.apply(&renumbered(proposal, table), told),
        Some(Twist::AppliedTwice) => {
            let outcome = table.apply(proposal, told);
            table.apply(&renumbered(proposal, table), told);
            outcome
        }
        Some(Twist::LateTakesBack) => {
            let taken_back = taken_back(proposal, table);
            let outcome = table.apply(proposal, told);
            if let Some(command) = taken_back {
                let claim = Proposal {
                    command,
                    ..proposal.clone()
                };
                table.apply(&renumbered(&claim, table), told);
            }
            outcome
        }
        _ => table.apply(proposal, told),
    }
}

/// The claim by which the sender of a late save would own the session again.
fn taken_back(proposal: &Proposal, table: &SessionTable) -> Option<Command> {
    let Command::Save(save) = &proposal.command else {
        return None;
    };
    let held = table.reader().get(&save.session)?;
    (save.late && held.previous_epoch == save.epoch).then(|| Command::Claim {
        session: save.session.clone(),
    })
}

/// The same proposal under a serial that comes after its own and before the next one's.
fn renumbered(proposal: &Proposal, table: &SessionTable) -> Proposal {
    let nth = 1 + table.reader().version().0 % (SERIAL_STEP - 1);
    let request_id = proposal.request_id.map(|id| RequestId {
        serial: id.serial + nth,
        ..id
    });
    Proposal {
        request_id,
        ..proposal.clone()
    }
}

/// A log that keeps only the first vote: a disk that has none is noticed before it can do harm.
struct Forgetful {
    log: FileLog,
    vote: Mutex<Option<Vote>>,
}

impl Forgetful {
    fn new(log: FileLog) -> Self {
        let vote = Mutex::new(log.vote());
        Self { log, vote }
    }

    fn last(&self) -> MutexGuard<'_, Option<Vote>> {
        self.vote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Forgetful {
    fn bounds(&self) -> LogBounds {
        self.log.bounds()
    }

    fn vote(&self) -> Option<Vote> {
        *self.last()
    }

    fn committed(&self) -> Option<LogId> {
        self.log.committed()
    }

    fn save_vote(&self, vote: Vote, done: Completion) {
        *self.last() = Some(vote);
        if self.log.vote().is_none() {
            self.log.save_vote(vote, done);
        } else {
            done(Ok(()));
        }
    }

    fn save_committed(&self, committed: LogId) -> io::Result<()> {
        self.log.save_committed(committed)
    }

    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()> {
        self.log.append(entries, done)
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        self.log.read(range, bytes_max)
    }

    fn durable_up_to(&self, index: u64) -> Option<LogId> {
        self.log.durable_up_to(index)
    }

    fn in_memory(&self, index: u64) -> bool {
        self.log.in_memory(index)
    }

    fn truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        self.log.truncate_after(last)
    }

    fn purge_to(&self, upto: LogId) -> io::Result<()> {
        self.log.purge_to(upto)
    }
}
