//! Figures of many sessions, in groups: how many, how large, how long unused, whose.
//!
//! Bounded, whatever the table holds: so many groups are told apart, the rest is counted together; so many nodes are known by
//! number, and a group keeps a bit for each; sizes are kept as counts in buckets, so what half of the sessions have at most is
//! known to within a quarter.
//!
//! Left out: which sessions those are, which a list says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::types::Session;

/// Groups that are told apart. With their figures they take some 40 MiB at most, while somebody counts; their names are the
/// table's own.
const GROUPS_MAX: usize = 65_536;

/// Bytes that a group takes beside its figures, at most: its place in a map whose nodes are half full, and then in a list that is
/// sorted.
const GROUP_BYTES: usize = 128;

// The figure above.
const _: () = assert!(GROUPS_MAX * (size_of::<Figures>() + GROUP_BYTES) <= 40 << 20);

/// Nodes that are told apart: more than the largest site has Tomcats.
const OWNERS_MAX: usize = 256;

/// Nodes of which one word keeps the bits.
const WORD: usize = 64;

/// Buckets of sizes, four for each doubling: up to 4 MiB, which no record reaches.
const SIZES: usize = 88;

/// Ends of the spans for which sessions were not used, in milliseconds: a minute, 5, 15, 30, an hour, 6 hours, a day.
const IDLE_ENDS_MS: [u64; 7] = [
    60_000, 300_000, 900_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000,
];

/// The label that says whose session it is (session.proto, Label.name).
const PRINCIPAL: &str = "principal";

/// What a group has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsBy {
    /// The application.
    Application,
    /// The node name of the owner; empty for those that nobody holds.
    Owner,
    /// Whose they are; empty for those of nobody.
    Principal,
    /// The name of an attribute, whose sizes are counted then; a session is in a group for each.
    Attribute,
}

/// Figures of some sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How many.
    pub sessions: u64,
    /// Their bytes of attribute names and values.
    pub bytes: u64,
    /// The largest has so many.
    pub bytes_max: u64,
    /// How many have a login.
    pub logged_in: u64,
    /// How many nobody holds.
    pub released: u64,
    /// How many were not used for less than a minute, 5 minutes, 15, 30, an hour, 6 hours, a day, and for longer; each is
    /// counted once.
    pub idle: [u64; IDLE_ENDS_MS.len() + 1],
    /// A bit for each node that holds some of them, by its number.
    owners: [u64; OWNERS_MAX / WORD],
    sizes: [u32; SIZES],
}

/// Figures of all sessions that match, and of their groups.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Of all.
    pub all: Figures,
    /// Of those groups that have the most bytes, most first.
    pub groups: Vec<(Arc<str>, Figures)>,
    /// Of all other groups together.
    pub others: Figures,
    /// How many these are.
    pub other_groups: u64,
    /// There were more groups than are told apart, so `other_groups` is too few.
    pub too_many_groups: bool,
}

/// A session that is counted.
#[derive(Clone, Copy)]
struct Seen<'a> {
    session: &'a Session,
    /// The number of the node that holds it, as far as they are told apart.
    node: Option<usize>,
    now_ms: u64,
}

/// Figures that are made while the table is walked.
pub(super) struct Counting {
    by: StatsBy,
    now_ms: u64,
    groups: BTreeMap<Arc<str>, Box<Figures>>,
    /// The nodes that are told apart, by name, with their numbers.
    nodes: BTreeMap<Arc<str>, usize>,
    found: Stats,
}

impl Counting {
    pub(super) fn new(by: StatsBy, now_ms: u64) -> Self {
        Self {
            by,
            now_ms,
            groups: BTreeMap::new(),
            nodes: BTreeMap::new(),
            found: Stats::default(),
        }
    }

    /// Takes a session that matches.
    pub(super) fn take(&mut self, application: &Arc<str>, session: &Session) {
        let seen = Seen {
            session,
            node: self.number(session),
            now_ms: self.now_ms,
        };
        let bytes = session.attribute_bytes();
        self.found.all.count(seen, bytes);
        match self.by {
            StatsBy::Application => self.group(application, seen, bytes),
            StatsBy::Owner if session.owner.instance == 0 => self.group(&Arc::from(""), seen, bytes),
            StatsBy::Owner => self.group(&session.owner.node, seen, bytes),
            StatsBy::Principal => match principal(session) {
                Some(name) => self.group(name, seen, bytes),
                None => self.group(&Arc::from(""), seen, bytes),
            },
            StatsBy::Attribute => {
                for attribute in &session.attributes {
                    self.group(&attribute.name, seen, attribute.bytes());
                }
            }
        }
    }

    /// The number of the node that holds a session; none if nobody does, or if too many nodes have one.
    fn number(&mut self, session: &Session) -> Option<usize> {
        if session.owner.instance == 0 {
            return None;
        }
        let (node, next) = (&session.owner.node, self.nodes.len());
        let known = self.nodes.get(node).copied();
        known.or_else(|| {
            (next < OWNERS_MAX).then(|| {
                self.nodes.insert(Arc::clone(node), next);
                next
            })
        })
    }

    fn group(&mut self, name: &Arc<str>, seen: Seen<'_>, bytes: u64) {
        if let Some(figures) = self.groups.get_mut(name) {
            figures.count(seen, bytes);
        } else if self.groups.len() < GROUPS_MAX {
            let figures = self.groups.entry(Arc::clone(name)).or_default();
            figures.count(seen, bytes);
        } else {
            self.found.too_many_groups = true;
            self.found.others.count(seen, bytes);
        }
    }

    /// The figures, with at most so many groups of their own.
    pub(super) fn finish(self, limit: usize) -> Stats {
        let mut stats = self.found;
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        // By name among equals, for the map was in that order.
        groups.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.bytes));
        for (_, figures) in groups.drain(limit.min(groups.len())..) {
            stats.others.add(&figures);
            stats.other_groups += 1;
        }
        let groups = groups.into_iter().map(|(name, figures)| (name, *figures));
        Stats {
            groups: groups.collect(),
            ..stats
        }
    }
}

/// Whose a session is.
fn principal(session: &Session) -> Option<&Arc<str>> {
    let label = session.labels.iter().find(|label| *label.name == *PRINCIPAL);
    label.map(|label| &label.value)
}

impl Figures {
    /// What so many of a hundred sessions have at most, in bytes: the end of the bucket in which it lies.
    pub fn bytes_of(&self, percent: u64) -> u64 {
        let wanted = (self.sessions * percent).div_ceil(100);
        let mut counted = 0;
        for (bucket, count) in self.sizes.iter().enumerate() {
            counted += u64::from(*count);
            if counted >= wanted {
                return bucket_end(bucket).min(self.bytes_max);
            }
        }
        self.bytes_max
    }

    /// How many nodes hold them, as far as they are told apart.
    pub fn owners(&self) -> u32 {
        self.owners.iter().map(|word| word.count_ones()).sum()
    }

    fn count(&mut self, seen: Seen<'_>, bytes: u64) {
        let session = seen.session;
        self.sessions += 1;
        self.bytes += bytes;
        self.bytes_max = self.bytes_max.max(bytes);
        self.logged_in += u64::from(session.login.is_some() || principal(session).is_some());
        self.released += u64::from(session.owner.instance == 0);
        if let Some(node) = seen.node {
            self.owners[node / WORD] |= 1 << (node % WORD);
        }
        let unused = seen.now_ms.saturating_sub(session.last_access_ms);
        self.idle[IDLE_ENDS_MS.partition_point(|end| *end <= unused)] += 1;
        let size = &mut self.sizes[bucket(bytes)];
        *size = size.saturating_add(1);
    }

    fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.bytes += other.bytes;
        self.bytes_max = self.bytes_max.max(other.bytes_max);
        self.logged_in += other.logged_in;
        self.released += other.released;
        for (mine, others) in self.idle.iter_mut().zip(other.idle) {
            *mine += others;
        }
        for (mine, others) in self.sizes.iter_mut().zip(other.sizes) {
            *mine = mine.saturating_add(others);
        }
        for (mine, others) in self.owners.iter_mut().zip(other.owners) {
            *mine |= others;
        }
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            sessions: 0,
            bytes: 0,
            bytes_max: 0,
            logged_in: 0,
            released: 0,
            idle: [0; IDLE_ENDS_MS.len() + 1],
            owners: [0; OWNERS_MAX / WORD],
            sizes: [0; SIZES],
        }
    }
}

/// The bucket of a size: its highest bit and the two below it.
fn bucket(bytes: u64) -> usize {
    let Some(octave) = bytes.checked_ilog2().filter(|octave| *octave >= 2) else {
        return usize::try_from(bytes).unwrap_or(0);
    };
    let quarter = (bytes >> (octave - 2)) & 3;
    let bucket = u64::from(octave - 1) * 4 + quarter;
    usize::try_from(bucket).map_or(SIZES - 1, |bucket| bucket.min(SIZES - 1))
}

/// The largest size in a bucket.
fn bucket_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 4 {
        return bucket;
    }
    let (octave, quarter) = (bucket / 4 + 1, bucket % 4);
    ((4 + quarter + 1) << (octave - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_lies_in_its_bucket_and_a_quarter_below_its_end() {
        let mut before = 0;
        for bytes in (0..5_000).chain([65_535, 65_536, 1 << 20, 3_932_160]) {
            let (at, end) = (bucket(bytes), bucket_end(bucket(bytes)));
            assert!(at >= before && at < SIZES, "{bytes}: {at}");
            assert!(bytes <= end && end <= bytes + bytes / 4, "{bytes}: {end}");
            before = at;
        }
        assert_eq!(bucket(u64::MAX), SIZES - 1);
    }

    #[test]
    fn a_node_that_holds_some_of_two_groups_counts_once_in_both_together() {
        let mut figures = Figures::default();
        figures.owners[0] = 0b11;
        let mut other = Figures::default();
        other.owners[0] = 0b10;
        other.owners[OWNERS_MAX / WORD - 1] = 1 << (WORD - 1);
        assert_eq!((figures.owners(), other.owners()), (2, 2));
        figures.add(&other);
        assert_eq!(figures.owners(), 3);
    }

    #[test]
    fn a_percentile_is_what_so_many_have_at_most() {
        let mut figures = Figures {
            sessions: 100,
            bytes_max: 1_000,
            ..Figures::default()
        };
        assert_eq!(Figures::default().bytes_of(50), 0);
        figures.sizes[bucket(100)] = 98;
        figures.sizes[bucket(1_000)] = 2;
        assert_eq!((figures.bytes_of(50), figures.bytes_of(98)), (111, 111));
        assert_eq!(figures.bytes_of(99), 1_000, "no more than the largest");
    }
}
