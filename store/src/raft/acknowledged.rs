//! What followers acknowledged to this node while it leads, and who lacks what it acknowledged. Pure.
//!
//! A disk that was put back to its state of a moment ago looks whole, and perhaps no peer had heard yet how far it had come: but
//! its leader was answered. openraft takes a follower that lacks what it acknowledged for impossible: with its debug assertions
//! it panics in the *leader*, and without them it goes on to count what is gone. So it does not hear of it (`network`).
//!
//! Invariants:
//!
//! - Within a term, no follower ever lacks what it acknowledged to the leader of that term: only a leader of a later term may
//!   truncate it, and a node that follows one answers with that term. What was acknowledged in an earlier term says nothing.
//! - What is acknowledged *and* committed holds in every term. It goes to what is remembered of the disk's life (`lives`); what
//!   is only acknowledged may be truncated one day, and a disk that was must not be taken for an older copy.
//! - A disk that lacks something is judged anew at each try. If it has it again, because the true directory was put back, it is
//!   led on as before.
//!
//! Left out: ending the node that lacks it. It is told what is remembered of its disk, and ends by itself. What it lost before
//! that was committed nobody tells it: it gets nothing from this leader until it is committed, and ends then, or until another
//! leads, who begins with what it has.

use std::collections::BTreeMap;

use crate::log::{DiskId, LogId};

/// What one disk acknowledged to this node in one term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Followed {
    term: u64,
    /// Its last entry that matched.
    upto: Option<LogId>,
    /// The last entry that this leader knew to be committed.
    committed: Option<LogId>,
    /// Whether it lacked some of it when it was tried last.
    lacks: bool,
}

/// What disks acknowledged to this node in the last term in which it led them.
#[derive(Debug, Default)]
pub(super) struct Acknowledged(BTreeMap<DiskId, Followed>);

impl Acknowledged {
    /// A disk acknowledged entries up to this one in this term, or more is known to be committed. Gives what it can lose no
    /// more.
    pub(super) fn rise(
        &mut self,
        disk: DiskId,
        term: u64,
        (upto, committed): (Option<LogId>, Option<LogId>),
    ) -> Option<LogId> {
        let followed = self.of(disk, term)?;
        followed.upto = followed.upto.max(upto);
        followed.committed = followed.committed.max(committed);
        followed.upto.min(followed.committed)
    }

    /// A disk took what was sent to it.
    pub(super) fn is_whole(&mut self, disk: DiskId, term: u64) {
        if let Some(followed) = self.of(disk, term) {
            followed.lacks = false;
        }
    }

    /// A disk answered in this term that it has no such entry. If it acknowledged that, gives the last one that it
    /// acknowledged, and whether it lacked nothing before.
    pub(super) fn lacks(&mut self, disk: DiskId, term: u64, entry: LogId) -> Option<(LogId, bool)> {
        let followed = self.of(disk, term)?;
        let upto = followed.upto.filter(|upto| entry.index <= upto.index)?;
        Some((upto, !std::mem::replace(&mut followed.lacks, true)))
    }

    /// Whether a disk lacked something when it was tried last.
    #[cfg(test)]
    pub(super) fn is_lacking(&self, disk: DiskId) -> bool {
        self.0.get(&disk).is_some_and(|followed| followed.lacks)
    }

    /// Forgets all disks but these.
    pub(super) fn keep_only(&mut self, is_kept: impl Fn(DiskId) -> bool) {
        self.0.retain(|disk, _| is_kept(*disk));
    }

    /// What is known of a disk in this term; none if it is over.
    fn of(&mut self, disk: DiskId, term: u64) -> Option<&mut Followed> {
        let followed = self.0.entry(disk).or_default();
        if followed.term < term {
            *followed = Followed {
                term,
                ..Followed::default()
            };
        }
        (followed.term == term).then_some(followed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: DiskId = DiskId(7);

    fn id(term: u64, index: u64) -> LogId {
        LogId { term, index }
    }

    /// A disk that acknowledged so far in term 3.
    fn followed(upto: LogId, committed: LogId) -> Acknowledged {
        let mut known = Acknowledged::default();
        known.rise(DISK, 3, (Some(upto), Some(committed)));
        known
    }

    #[test]
    fn what_holds_in_every_term_is_acknowledged_and_committed() {
        let mut known = Acknowledged::default();
        let mut rise = |upto, committed| known.rise(DISK, 3, (upto, committed));
        assert_eq!(rise(None, Some(id(2, 5))), None, "it acknowledged nothing");
        assert_eq!(rise(Some(id(2, 4)), None), Some(id(2, 4)));
        assert_eq!(rise(Some(id(3, 9)), None), Some(id(2, 5)), "not committed");
        assert_eq!(rise(None, Some(id(3, 8))), Some(id(3, 8)));
        assert_eq!(rise(Some(id(2, 4)), Some(id(2, 5))), Some(id(3, 8)), "late words");
    }

    #[test]
    fn a_disk_that_has_not_what_it_acknowledged_is_known_until_it_has_it_again() {
        let mut known = followed(id(3, 9), id(2, 5));
        assert_eq!(known.lacks(DISK, 3, id(3, 10)), None, "it never said so");
        assert_eq!(known.lacks(DISK, 3, id(3, 9)), Some((id(3, 9), true)));
        assert_eq!(
            known.lacks(DISK, 3, id(2, 2)),
            Some((id(3, 9), false)),
            "said once"
        );
        known.is_whole(DISK, 3);
        assert_eq!(known.lacks(DISK, 3, id(3, 9)), Some((id(3, 9), true)));
        assert_eq!(known.lacks(DiskId(8), 3, id(3, 9)), None, "another disk");
    }

    #[test]
    fn what_was_acknowledged_in_another_term_may_have_been_truncated() {
        let mut known = followed(id(3, 9), id(2, 5));
        assert_eq!(known.lacks(DISK, 5, id(3, 9)), None);
        assert_eq!(
            known.rise(DISK, 3, (Some(id(3, 9)), Some(id(3, 9)))),
            None,
            "a word of a term that is over"
        );
        assert_eq!(known.lacks(DISK, 3, id(3, 9)), None, "openraft hears it no more");
        assert_eq!(
            known.rise(DISK, 5, (Some(id(3, 8)), Some(id(5, 10)))),
            Some(id(3, 8))
        );
    }

    #[test]
    fn disks_that_left_are_forgotten() {
        let mut known = followed(id(3, 9), id(3, 9));
        known.keep_only(|disk| disk != DISK);
        assert_eq!(known.lacks(DISK, 3, id(3, 9)), None);
    }
}
