//! How many bytes each member of a pool has carried, on scales that can be compared.
//!
//! A member's bytes are counted from where it joined the others: level with the one that carried least for its weight. So
//! one that was away for an hour, or is new, is not given every new user until it has caught up with the years before.
//!
//! The state belongs to one thread; the counts that it is handed are those of the process.

use std::time::Duration;

use super::set::{Upstream, UpstreamId};

/// Where each member's count begins.
#[derive(Debug, Default)]
pub(super) struct Meters {
    /// By [`UpstreamId::index`].
    places: Vec<Option<Meter>>,
}

#[derive(Clone, Copy, Debug)]
struct Meter {
    /// When the member came up; it joins anew whenever that changes.
    rose: Option<Duration>,
    /// The bytes at which its count is zero.
    zero: i128,
}

impl Meters {
    /// Lets those join that have not, or that came up again; `bytes` is what each has carried.
    pub(super) fn join<'a>(&mut self, members: impl Iterator<Item = (&'a Upstream, u64)> + Clone) {
        let level = members
            .clone()
            .filter(|(member, _)| self.has_joined(member))
            .map(|(member, bytes)| self.carried(member.id, bytes) / i128::from(member.weight))
            .min()
            .unwrap_or(0);
        for (member, bytes) in members {
            if self.has_joined(member) {
                continue;
            }
            let index = member.id.index();
            if self.places.len() <= index {
                self.places.resize(index + 1, None);
            }
            self.places[index] = Some(Meter {
                rose: member.rose,
                zero: i128::from(bytes) - level * i128::from(member.weight),
            });
        }
    }

    /// What a member has carried that joined, of so many bytes since the process began.
    pub(super) fn carried(&self, id: UpstreamId, bytes: u64) -> i128 {
        let meter = self.places.get(id.index()).copied().flatten();
        i128::from(bytes) - meter.map_or(0, |meter| meter.zero)
    }

    fn has_joined(&self, member: &Upstream) -> bool {
        let meter = self.places.get(member.id.index()).copied().flatten();
        meter.is_some_and(|meter| meter.rose == member.rose)
    }
}
