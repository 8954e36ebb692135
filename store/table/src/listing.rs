//! Listings for people: which sessions are meant, in which order, a page at a time.
//!
//! A page holds the first so many behind a [`ListPlace`], whatever the order in which the table is walked; and beside them it
//! counts all that match, so that nobody takes a page for everything.
//!
//! Left out: a page that stands still. Sessions that are used while somebody pages through them by idleness change their
//! places: one may be seen twice, or not at all.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::happening::{Happening, What};
use super::types::{Label, Session, SessionKey};

/// Which sessions are meant: all conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Exact application.
    pub application: Option<String>,
    /// Labels that they carry, all of them.
    pub labels: Vec<Label>,
    /// Exact node name of the owner; a released session has none.
    pub owner: Option<String>,
    /// Leading hexadecimal digits of the key, in either case; empty means any.
    pub key_prefix: String,
    /// Last used before this, in milliseconds since 1970 by the application servers' clocks.
    pub last_access_before_ms: Option<u64>,
    /// Created before this, by the same clocks.
    pub created_before_ms: Option<u64>,
    /// Bytes of attribute names and values at least.
    pub bytes_at_least: Option<u64>,
    /// Exact name of an attribute that they have.
    pub attribute: Option<String>,
    /// Nobody holds them.
    pub released: bool,
}

/// What comes first; among equals the smaller key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// The smaller key: application, then digits.
    #[default]
    Key,
    /// What was not used for longer.
    Idle,
    /// What was created earlier.
    Age,
    /// What has more bytes of attribute names and values.
    Size,
}

/// A place in an order: that of the last session of a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListPlace {
    /// Smaller comes first; what it counts is the order's own.
    pub rank: u64,
    /// The key.
    pub key: SessionKey,
}

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListStart {
    /// What comes first.
    pub order: ListOrder,
    /// The other way round: what comes first comes last.
    pub backwards: bool,
    /// Behind this place; none for the first page.
    pub after: Option<ListPlace>,
}

/// A page, and what there is altogether.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The page, in its order.
    pub sessions: Vec<(SessionKey, Arc<Session>)>,
    /// Where it ends, if more come behind it.
    pub ends_at: Option<ListPlace>,
    /// Sessions that match, on all pages together.
    pub matching: u64,
    /// Their bytes of attribute names and values.
    pub bytes: u64,
}

/// A page that is filled while the table is walked.
pub(super) struct Page<'a> {
    start: &'a ListStart,
    limit: usize,
    found: BTreeMap<ListPlace, Arc<Session>>,
    behind: usize,
    all: Listing,
}

impl<'a> Page<'a> {
    pub(super) fn new(start: &'a ListStart, limit: usize) -> Self {
        Self {
            start,
            limit,
            found: BTreeMap::new(),
            behind: 0,
            all: Listing::default(),
        }
    }

    /// Takes a session that matches, if it belongs here.
    pub(super) fn take(&mut self, key: &SessionKey, session: &Arc<Session>) {
        let bytes = session.attribute_bytes();
        self.all.matching += 1;
        self.all.bytes += bytes;
        let rank = self.start.order.rank(session, bytes);
        let is_behind = |place: &ListPlace| match (rank, key).cmp(&(place.rank, &place.key)) {
            Ordering::Less => self.start.backwards,
            Ordering::Equal => false,
            Ordering::Greater => !self.start.backwards,
        };
        if !self.start.after.as_ref().is_none_or(is_behind) {
            return;
        }
        self.behind += 1;
        let is_full = self.found.len() >= self.limit;
        if is_full && self.last().is_none_or(is_behind) {
            return;
        }
        let key = key.clone();
        self.found.insert(ListPlace { rank, key }, Arc::clone(session));
        if is_full && self.start.backwards {
            self.found.pop_first();
        } else if is_full {
            self.found.pop_last();
        }
    }

    /// What comes last of what is on the page.
    fn last(&self) -> Option<&ListPlace> {
        let places = &self.found;
        let last = if self.start.backwards {
            places.first_key_value()
        } else {
            places.last_key_value()
        };
        last.map(|(place, _)| place)
    }

    pub(super) fn finish(self) -> Listing {
        let last = self.last().cloned();
        let sessions = self
            .found
            .into_iter()
            .map(|(place, session)| (place.key, session));
        let mut sessions: Vec<_> = sessions.collect();
        if self.start.backwards {
            sessions.reverse();
        }
        Listing {
            ends_at: last.filter(|_| self.behind > sessions.len()),
            sessions,
            ..self.all
        }
    }
}

impl ListOrder {
    fn rank(self, session: &Session, bytes: u64) -> u64 {
        match self {
            Self::Key => 0,
            Self::Idle => session.last_access_ms,
            Self::Age => session.created_ms,
            Self::Size => u64::MAX - bytes,
        }
    }
}

impl ListFilter {
    /// Whether a session is meant.
    pub(super) fn matches(&self, key: &SessionKey, session: &Session) -> bool {
        let owner = Some(&*session.owner.node).filter(|_| session.owner.instance != 0);
        let has = |name: &String| session.attributes.iter().any(|held| *held.name == **name);
        is(&self.application, &key.application)
            && self.carried_by(&session.labels)
            && is(&self.owner, owner.unwrap_or_default())
            && (!self.released || owner.is_none())
            && self
                .last_access_before_ms
                .is_none_or(|before| session.last_access_ms < before)
            && self
                .created_before_ms
                .is_none_or(|before| session.created_ms < before)
            && has_prefix(key, &self.key_prefix)
            && self.attribute.as_ref().is_none_or(has)
            && self
                .bytes_at_least
                .is_none_or(|least| session.attribute_bytes() >= least)
    }
}

impl ListFilter {
    /// Whether something happened to a session that is meant, before it or after. Application, labels, owner and key are asked;
    /// what else a filter says is about a list.
    pub fn means(&self, happening: &Happening) -> bool {
        let Happening {
            session,
            owner,
            labels,
            what,
            ..
        } = happening;
        let (mut owner_before, mut labels_before, mut key_after) = (owner, labels, None);
        match what {
            What::Moved { from } => owner_before = from,
            What::Labelled { before } => labels_before = before,
            What::Renamed { new_key } => key_after = Some(session.with_key(*new_key)),
            What::Created | What::Released | What::Ended { .. } => {}
        }
        let named = |key: &SessionKey| has_prefix(key, &self.key_prefix);
        is(&self.application, &session.application)
            && (self.carried_by(labels) || self.carried_by(labels_before))
            && (is(&self.owner, owner) || is(&self.owner, owner_before))
            && (named(session) || key_after.as_ref().is_some_and(named))
    }

    /// Whether all labels that are asked for are among these.
    fn carried_by(&self, labels: &[Label]) -> bool {
        self.labels.iter().all(|label| labels.contains(label))
    }
}

/// Whether this is what is asked for, if anything is.
fn is(wanted: &Option<String>, found: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == found)
}

/// Whether the key in hexadecimal digits begins so.
fn has_prefix(key: &SessionKey, prefix: &str) -> bool {
    let digits = key.key.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    prefix.len() <= 2 * key.key.len()
        && prefix
            .chars()
            .zip(digits)
            .all(|(wanted, digit)| wanted.to_digit(16) == Some(u32::from(digit)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Attribute, Command, Epoch, Proposal, Save, SessionTable, Tidings, Version};

    /// Sessions by number: the higher it is, the younger, the larger, and the longer unused.
    fn table() -> SessionTable {
        let mut table = SessionTable::new();
        for number in 1..=5_u8 {
            let attribute = Attribute {
                name: Arc::from(if number == 3 { "cart" } else { "note" }),
                version: Version(0),
                type_tag: 1,
                value: Bytes::from(vec![0; usize::from(number) * 10]),
            };
            let save = Save {
                session: key(number),
                epoch: Epoch(0),
                base: Version(0),
                changed: vec![attribute],
                removed: Vec::new(),
                local: Vec::new(),
                login: None,
                labels: None,
                max_idle_seconds: Some(60),
                late: false,
                limit: None,
                created_ms: 1_000 + u64::from(number),
                last_access_ms: 9_000 - u64::from(number),
            };
            let proposal = Proposal {
                request_id: None,
                node: Arc::from("n1"),
                command: Command::Save(save),
            };
            table.apply(&proposal, &mut Tidings::default());
        }
        table
    }

    /// Keys fall as numbers rise.
    fn key(number: u8) -> SessionKey {
        SessionKey {
            application: Arc::from("localhost/shop"),
            key: [9 - number; 16],
        }
    }

    /// The numbers of a page, and where it ends.
    fn page(filter: &ListFilter, start: &ListStart, limit: usize) -> (Vec<u8>, Option<ListPlace>) {
        let listing = table().reader().list(filter, start, limit);
        let numbers = listing.sessions.iter().map(|(key, _)| 9 - key.key[0]);
        (numbers.collect(), listing.ends_at)
    }

    #[test]
    fn each_order_comes_page_by_page_whole_and_once() {
        let orders = [
            (ListOrder::Key, [5, 4, 3, 2, 1]),
            (ListOrder::Idle, [5, 4, 3, 2, 1]),
            (ListOrder::Age, [1, 2, 3, 4, 5]),
            (ListOrder::Size, [5, 4, 3, 2, 1]),
        ];
        for (order, mut wanted) in orders {
            for backwards in [false, true] {
                for limit in 1..=6 {
                    let (mut found, mut start) = (
                        Vec::new(),
                        ListStart {
                            order,
                            backwards,
                            after: None,
                        },
                    );
                    loop {
                        let (numbers, ends_at) = page(&ListFilter::default(), &start, limit);
                        assert!(numbers.len() <= limit);
                        found.extend(numbers);
                        start.after = ends_at;
                        if start.after.is_none() {
                            break;
                        }
                    }
                    assert_eq!(found, wanted, "{order:?} in pages of {limit}, {backwards}");
                }
                wanted.reverse();
            }
        }
    }

    #[test]
    fn a_page_says_how_many_there_are_on_all_pages() {
        let filter = ListFilter {
            bytes_at_least: Some(24),
            ..ListFilter::default()
        };
        let by_size = |after| ListStart {
            order: ListOrder::Size,
            after,
            ..ListStart::default()
        };
        let first = table().reader().list(&filter, &by_size(None), 1);
        let rest = table().reader().list(&filter, &by_size(first.ends_at.clone()), 9);
        for listing in [&first, &rest] {
            assert_eq!((listing.matching, listing.bytes), (4, 4 * 4 + 20 + 30 + 40 + 50));
        }
        assert_eq!((first.sessions.len(), rest.sessions.len()), (1, 3));
        assert_eq!(rest.ends_at, None);
    }

    #[test]
    fn conditions_hold_at_their_bounds() {
        let any = ListFilter::default();
        let filters = [
            (
                ListFilter {
                    last_access_before_ms: Some(8_997),
                    ..any.clone()
                },
                vec![5, 4],
            ),
            (
                ListFilter {
                    created_before_ms: Some(1_003),
                    ..any.clone()
                },
                vec![2, 1],
            ),
            (
                ListFilter {
                    bytes_at_least: Some(44),
                    ..any.clone()
                },
                vec![5, 4],
            ),
            (
                ListFilter {
                    bytes_at_least: Some(45),
                    ..any.clone()
                },
                vec![5],
            ),
            (
                ListFilter {
                    attribute: Some("cart".to_owned()),
                    ..any.clone()
                },
                vec![3],
            ),
            (
                ListFilter {
                    attribute: Some("car".to_owned()),
                    ..any.clone()
                },
                vec![],
            ),
            (
                ListFilter {
                    owner: Some("n1".to_owned()),
                    ..any.clone()
                },
                vec![],
            ),
            (
                ListFilter {
                    released: true,
                    ..any.clone()
                },
                vec![5, 4, 3, 2, 1],
            ),
            (
                ListFilter {
                    key_prefix: "0606".to_owned(),
                    ..any
                },
                vec![3],
            ),
        ];
        for (filter, wanted) in filters {
            let (numbers, _) = page(&filter, &ListStart::default(), 9);
            assert_eq!(numbers, wanted, "{filter:?}");
        }
    }
}
