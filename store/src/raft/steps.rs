//! What the next step of a change of the membership is. Pure: from what an operator wishes and what the leader knows.
//!
//! A verb is said again until it is done, by whoever leads then, so nothing but the membership remembers how far it came:
//!
//! | the membership | what is under way |
//! |---|---|
//! | two sets of voters | a change that a former leader left half done: it is finished first |
//! | a member without a vote | it is being added: it catches up, then it votes |
//! | the node is no member | it was removed, or is still to be added |
//!
//! Replacing is removing, then adding, with the difference that nothing is removed before the new disk answers.
//!
//! Invariants: a step leaves voters of whom a majority answers, or is refused with a sentence; while a node is being added no
//! other is added or removed; a disk that was removed is never added again.
//!
//! Left out: carrying a step out (`membership`).

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{ClusterId, DiskId};
use remora_table::{Format, Formats, RemovedDisk};

use super::NodeId;

/// How many entries a node may be behind that is to vote: as many as are on their way at any moment under load. The others wait
/// for no more than these when they need its vote.
const BEHIND_MAX: u64 = 64;

/// What an operator wishes for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// It shall be a voter; there is none of that id.
    Add,
    /// A new disk shall be the voter of that id.
    Replace,
    /// There shall be none of that id.
    Remove,
}

/// How far a member is behind the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    /// Log entries that it does not have.
    pub entries: u64,
    /// What is to be sent for that, about.
    pub bytes: u64,
}

/// Who answers at the address that an operator named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) node: NodeId,
    pub(super) disk: DiskId,
    /// Whether it waits to be added.
    pub(super) waits: bool,
    pub(super) cluster: Option<ClusterId>,
    pub(super) understands: Option<Formats>,
}

/// What the leader knows when it is asked.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) leader: NodeId,
    pub(super) cluster: Option<ClusterId>,
    pub(super) format: Format,
    /// Sets of voters: one, or two while they change.
    pub(super) voters: Vec<BTreeSet<NodeId>>,
    pub(super) members: BTreeMap<NodeId, DiskId>,
    pub(super) removed: Vec<RemovedDisk>,
    /// Members that answered lately, the leader included.
    pub(super) alive: BTreeSet<NodeId>,
    /// How far the node in question is behind; none while that is not known.
    pub(super) behind: Option<Behind>,
    /// Who answers at the address, or why nobody does.
    pub(super) candidate: Result<Candidate, String>,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Complete the change that a former leader began.
    Finish,
    /// Let another node lead: this one is to go.
    HandOver,
    /// Take the node out, which votes or does not.
    Remove { votes: bool },
    /// Make it a member without a vote.
    Learn(DiskId),
    /// Let it catch up.
    Wait(Behind),
    /// Give it a vote.
    Promote,
    /// Nothing is left to do; the disk that votes now, if one does.
    Done(Option<DiskId>),
}

/// The next step for a node.
///
/// # Errors
/// Why there is none, as a sentence for people.
pub(super) fn next(verb: Verb, node: NodeId, view: &Standing) -> Result<Step, String> {
    if view.voters.len() > 1 {
        return Ok(Step::Finish);
    }
    let learner = (view.members.keys()).find(|member| !view.votes(**member));
    if let Some(other) = learner.filter(|learner| **learner != node) {
        return Err(format!(
            "node {other} is being added: one change at a time. Say `remora nodes add {other}` with its address once more, \
             or `remora nodes remove {other}` to give that up"
        ));
    }
    match verb {
        Verb::Remove => view.remove(node),
        Verb::Add | Verb::Replace => view.enlist(verb, node),
    }
}

/// Whether so many of a set make a majority of each set of voters.
pub(super) fn is_majority(of: &[BTreeSet<NodeId>], present: &BTreeSet<NodeId>) -> bool {
    of.iter()
        .all(|voters| voters.intersection(present).count() > voters.len() / 2)
}

impl Standing {
    fn votes(&self, node: NodeId) -> bool {
        self.voters.iter().any(|voters| voters.contains(&node))
    }

    fn remove(&self, node: NodeId) -> Result<Step, String> {
        if !self.members.contains_key(&node) {
            let was_one = self.removed.iter().any(|removed| removed.node == node);
            return if was_one {
                Ok(Step::Done(None))
            } else {
                Err(format!(
                    "node {node} is no member: `remora nodes list` shows who is"
                ))
            };
        }
        if !self.votes(node) {
            return Ok(Step::Remove { votes: false });
        }
        let mut rest: BTreeSet<NodeId> = self.voters.iter().flatten().copied().collect();
        rest.remove(&node);
        if rest.is_empty() {
            return Err(format!(
                "node {node} is the only voter: stop it to end the cluster"
            ));
        }
        self.check_majority(&rest)?;
        if node == self.leader {
            return Ok(Step::HandOver);
        }
        Ok(Step::Remove { votes: true })
    }

    fn enlist(&self, verb: Verb, node: NodeId) -> Result<Step, String> {
        let candidate = self.candidate.as_ref().map_err(Clone::clone)?;
        match self.members.get(&node) {
            Some(disk) if *disk == candidate.disk && candidate.node == node => self.promote(node, *disk),
            Some(disk) if verb == Verb::Add => Err(format!(
                "node {node} is a member already, with disk {disk}, and disk {} answers at that address: `remora nodes \
                 replace {node}` puts it in the place of the other",
                candidate.disk
            )),
            Some(_) => {
                self.check_candidate(node, candidate)?;
                self.remove(node)
            }
            None => {
                self.check_candidate(node, candidate)?;
                self.check_majority(&self.with(node))?;
                Ok(Step::Learn(candidate.disk))
            }
        }
    }

    fn promote(&self, node: NodeId, disk: DiskId) -> Result<Step, String> {
        if self.votes(node) {
            return Ok(Step::Done(Some(disk)));
        }
        match self.behind {
            Some(behind) if behind.entries <= BEHIND_MAX => {
                self.check_majority(&self.with(node))?;
                Ok(Step::Promote)
            }
            Some(behind) => Ok(Step::Wait(behind)),
            None => Err(format!(
                "node {node} is a member, and does not answer the leader yet"
            )),
        }
    }

    fn check_candidate(&self, node: NodeId, candidate: &Candidate) -> Result<(), String> {
        let Candidate {
            node: found, disk, ..
        } = candidate;
        if *found != node {
            return Err(format!(
                "node {found} answers at that address, not node {node}: check the address, or --node-id there"
            ));
        }
        if self.removed.iter().any(|removed| removed.disk == disk.0) {
            return Err(format!(
                "disk {disk} was removed from this cluster and is never taken again: start node {node} with an empty data \
                 directory and --join"
            ));
        }
        let named_before = candidate.cluster.is_some() && candidate.cluster == self.cluster;
        if !candidate.waits && !named_before {
            return Err(format!(
                "node {node} with disk {disk} does not wait to be added: start it with an empty data directory and --join"
            ));
        }
        let fits = candidate
            .understands
            .is_some_and(|understood| understood.hold(self.format));
        if !fits {
            return Err(format!(
                "the cluster writes format {}, and the program of node {node} does not understand it: start the release \
                 of remora-store there that the others run",
                self.format
            ));
        }
        Ok(())
    }

    fn with(&self, node: NodeId) -> BTreeSet<NodeId> {
        let voters = self.voters.iter().flatten().copied();
        voters.chain([node]).collect()
    }

    /// Whether a majority of the voters to be would answer. One that is to be added answers: its candidate does.
    fn check_majority(&self, voters: &BTreeSet<NodeId>) -> Result<(), String> {
        let added = voters.iter().filter(|node| !self.votes(**node)).copied();
        let alive: BTreeSet<NodeId> = self.alive.iter().copied().chain(added).collect();
        if is_majority(std::slice::from_ref(voters), &alive) {
            return Ok(());
        }
        let silent: Vec<String> = voters.difference(&alive).map(NodeId::to_string).collect();
        Err(format!(
            "of the {} nodes that would vote then, no majority answers: start what is down first, which is {}",
            voters.len(),
            silent.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests;
