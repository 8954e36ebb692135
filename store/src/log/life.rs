//! What a node remembers of its peers' disks, so that an older copy of one is known when it speaks. Pure.
//!
//! A disk that is put back to an older state looks whole: its parts vouch for each other. But it has forgotten what it
//! promised since, and only whoever heard that can tell. So each node tells its peers how far its disk has come, they keep it,
//! and tell it back.
//!
//! Invariants: what is remembered only rises, and never goes beyond what the disk said, or acknowledged to its leader, of what
//! it can lose no more: a start that was counted durably, a vote that is durable, an entry that is committed and durable there. Therefore no crash, no
//! power cut and no truncation makes a disk lack anything of its own earlier lives. Reading believes nothing and never panics.
//!
//! Left out: the file (`lives_file`), and who hears, tells and judges (`raft`).

use std::collections::BTreeMap;

use remora_table::{Format, Formats};

use super::data_dir::DiskId;
use super::fields::{Fields, put_log_id, put_option, put_u32, put_u64};
use super::record::Unreadable;
use super::types::LogId;

/// Begins the file; the format follows.
const LIVES_MAGIC: &[u8; 7] = b"remoraR";

/// How far a disk has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiskLife {
    /// How often its data directory was started, from 1; 0 if that is not known.
    pub start: u64,
    /// Drawn at that start, never 0: two that bear one number are not the same. 0 if that is not known.
    pub draw: u64,
    /// Term of its newest durable vote; 0 if there is none.
    pub voted: u64,
    /// An entry that it holds; of a life that is remembered, a committed one that is durable there.
    pub entry: Option<LogId>,
}

impl DiskLife {
    /// What of a remembered life of the same disk this one does not know, as words for people. None if this one may be that
    /// one or a later one.
    pub(crate) fn lacks(&self, remembered: &Self) -> Option<String> {
        let (is, was) = (self, remembered);
        if was.start > is.start {
            return Some(format!(
                "its start number {}, and this is number {}",
                was.start, is.start
            ));
        }
        let draws_differ = was.draw != is.draw && was.draw != 0 && is.draw != 0;
        if was.start == is.start && draws_differ {
            return Some(format!("another start under the number {} of this one", is.start));
        }
        if was.voted > is.voted {
            return Some(format!(
                "its vote in term {}, and the newest one here is of term {}",
                was.voted, is.voted
            ));
        }
        let entry = was.entry.filter(|_| was.entry > is.entry)?;
        Some(format!(
            "that it acknowledged entry {} of term {}, and the log here ends before that",
            entry.index, entry.term
        ))
    }

    /// Takes what the disk said later.
    fn rise(&mut self, said: &Self) {
        if said.start > self.start {
            (self.start, self.draw) = (said.start, said.draw);
        }
        self.voted = self.voted.max(said.voted);
        self.entry = self.entry.max(said.entry);
    }
}

/// What is remembered, by disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lives(BTreeMap<DiskId, DiskLife>);

impl Lives {
    /// What is remembered of a disk.
    pub(crate) fn of(&self, disk: DiskId) -> Option<DiskLife> {
        self.0.get(&disk).copied()
    }

    /// A disk said of itself how far it has come.
    pub(crate) fn heard(&mut self, disk: DiskId, said: &DiskLife) {
        self.0.entry(disk).or_default().rise(said);
    }

    /// Forgets all disks but these.
    pub(crate) fn keep_only(&mut self, is_kept: impl Fn(DiskId) -> bool) {
        self.0.retain(|disk, _| is_kept(*disk));
    }

    /// The bytes of the file in the data directory of this disk.
    pub(super) fn encode(&self, owner: DiskId, format: Format) -> Vec<u8> {
        let mut out = LIVES_MAGIC.to_vec();
        out.push(format.0);
        put_u64(&mut out, owner.0);
        // A cluster has some members.
        put_u32(&mut out, u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        for (disk, life) in &self.0 {
            put_u64(&mut out, disk.0);
            put_u64(&mut out, life.start);
            put_u64(&mut out, life.draw);
            put_u64(&mut out, life.voted);
            put_option(&mut out, life.entry, put_log_id);
        }
        let checksum = crc32fast::hash(&out);
        put_u32(&mut out, checksum);
        out
    }

    /// Reads the file of this disk.
    pub(super) fn decode(bytes: &[u8], owner: DiskId, understood: Formats) -> Result<Self, Unreadable> {
        let (content, checksum) = bytes.split_last_chunk().ok_or(Unreadable::Bad)?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return Err(Unreadable::Bad);
        }
        let rest = content.strip_prefix(LIVES_MAGIC).ok_or(Unreadable::Bad)?;
        let mut fields = Fields::of(rest);
        let format = Format(fields.u8().ok_or(Unreadable::Bad)?);
        if !understood.hold(format) {
            return Err(Unreadable::Later(format));
        }
        Self::from_fields(fields, owner).ok_or(Unreadable::Bad)
    }

    fn from_fields(mut fields: Fields<'_>, owner: DiskId) -> Option<Self> {
        if fields.u64()? != owner.0 {
            return None;
        }
        let mut lives = Self::default();
        for _ in 0..fields.u32()? {
            let disk = DiskId(fields.u64()?);
            let life = DiskLife {
                start: fields.u64()?,
                draw: fields.u64()?,
                voted: fields.u64()?,
                entry: fields.option(Fields::log_id)?,
            };
            let rises = lives.0.last_key_value().is_none_or(|(before, _)| *before < disk);
            rises.then(|| lives.0.insert(disk, life))?;
        }
        fields.end()?;
        Some(lives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::fixture;

    const OWNER: DiskId = DiskId(0xd15c_0001);

    fn life(start: u64, draw: u64, voted: u64, entry: Option<(u64, u64)>) -> DiskLife {
        DiskLife {
            start,
            draw,
            voted,
            entry: entry.map(|(term, index)| LogId { term, index }),
        }
    }

    fn lives() -> Lives {
        let mut lives = Lives::default();
        lives.heard(DiskId(0xd15c_0002), &life(5, 0x0dd5, 3, Some((3, 77))));
        lives.heard(DiskId(0xd15c_0003), &life(1, 0xe4e5, 0, None));
        lives
    }

    #[test]
    fn lives_are_read_and_written_as_ever() {
        let bytes = fixture("lives", &lives().encode(OWNER, Format::FIRST));
        assert_eq!(Lives::decode(&bytes, OWNER, Formats::OURS), Ok(lives()));
    }

    #[test]
    fn no_changed_bit_no_shorter_file_and_no_other_disks_file_is_read() {
        let whole = lives().encode(OWNER, Format::FIRST);
        let read = |bytes: &[u8], owner| Lives::decode(bytes, owner, Formats::OURS);
        assert_eq!(read(&whole, DiskId(7)), Err(Unreadable::Bad));
        for at in 0..whole.len() {
            assert_eq!(read(&whole[..at], OWNER), Err(Unreadable::Bad));
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(read(&changed, OWNER), Err(Unreadable::Bad), "byte {at}");
            }
        }
        let later = Format(Format::FIRST.0 + 1);
        assert_eq!(
            read(&lives().encode(OWNER, later), OWNER),
            Err(Unreadable::Later(later))
        );
    }

    #[test]
    fn what_is_remembered_only_rises() {
        let disk = DiskId(7);
        let mut lives = Lives::default();
        let steps = [
            (life(2, 20, 4, Some((3, 9))), life(2, 20, 4, Some((3, 9)))),
            // An older copy speaks: nothing of what was known goes.
            (life(1, 10, 1, None), life(2, 20, 4, Some((3, 9)))),
            // So does another under the same number.
            (life(2, 21, 4, Some((3, 8))), life(2, 20, 4, Some((3, 9)))),
            // It starts again, and has not applied its log yet.
            (life(3, 30, 4, None), life(3, 30, 4, Some((3, 9)))),
            (life(3, 30, 5, Some((5, 10))), life(3, 30, 5, Some((5, 10)))),
        ];
        for (said, known) in steps {
            lives.heard(disk, &said);
            assert_eq!(lives.of(disk), Some(known), "{said:?}");
        }
        lives.keep_only(|kept| kept != disk);
        assert_eq!(lives, Lives::default());
    }

    #[test]
    fn a_life_that_lacks_something_is_an_older_one() {
        let remembered = life(5, 50, 3, Some((3, 77)));
        let lacks = |now: DiskLife| now.lacks(&remembered);
        for well in [
            life(5, 50, 3, Some((3, 77))),
            life(6, 60, 3, Some((3, 77))),
            life(6, 60, 4, Some((4, 78))),
            // Whoever does not tell its draw is of an earlier release.
            life(5, 0, 3, Some((3, 77))),
        ] {
            assert_eq!(lacks(well), None, "{well:?}");
        }
        for (older, why) in [
            (
                life(4, 40, 3, Some((3, 77))),
                "its start number 5, and this is number 4",
            ),
            (life(5, 51, 3, Some((3, 77))), "another start under the number 5"),
            (life(6, 60, 2, Some((3, 77))), "its vote in term 3"),
            (life(6, 60, 3, Some((3, 76))), "acknowledged entry 77 of term 3"),
            (life(6, 60, 3, Some((2, 99))), "acknowledged entry 77 of term 3"),
            (life(6, 60, 3, None), "acknowledged entry 77 of term 3"),
        ] {
            let said = lacks(older).unwrap_or_default();
            assert!(said.contains(why), "{older:?}: {said}");
        }
        assert_eq!(life(1, 10, 0, None).lacks(&DiskLife::default()), None);
    }
}
