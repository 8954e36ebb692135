//! What was counted of upstreams that are gone, added up by pool and route.
//!
//! Invariants: a name's counts never fall while it is remembered · of names that nobody has any more so many are remembered as
//! [`NAMES`] says; what the others counted goes on under their pools with an empty route, so a pool's sums never fall.
//!
//! Left out on purpose: who is gone, which the tally knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::upstreams::UpstreamSums;
use crate::tally::Counters;

/// Names of upstreams that are gone. 256: each takes some fifty series of the page, and whoever looks back at a Tomcat of weeks ago has
/// Prometheus for it.
const NAMES: usize = 256;

/// A pool and a route.
type Name = (Arc<str>, Arc<str>);

/// Counts of those that are gone.
#[derive(Clone, Default)]
pub(crate) struct Gone {
    sums: BTreeMap<Name, Arc<UpstreamSums>>,
    /// The names with a route, the one that left last at the end.
    order: Vec<Name>,
}

impl Gone {
    /// One more is gone: nobody counts of it any more.
    pub(crate) fn add(&mut self, counters: &Counters) {
        let (pool, route) = counters.name();
        let name: Name = (pool.into(), route.into());
        let mut sums = UpstreamSums::default();
        sums.count(counters);
        // What rested there is closed, or will be by whoever has it.
        sums.resting = 0;
        self.order.retain(|known| *known != name);
        self.order.push(name.clone());
        self.merge(name, &sums);
    }

    /// Forgets the names of the oldest beyond [`NAMES`], but for those that somebody has again.
    pub(crate) fn fold(&mut self, is_had: impl Fn((&str, &str)) -> bool) {
        let idle = self
            .order
            .iter()
            .filter(|(pool, route)| !is_had((&**pool, &**route)));
        let idle: Vec<Name> = idle.cloned().collect();
        for name in &idle[..idle.len().saturating_sub(NAMES)] {
            self.order.retain(|known| known != name);
            if let Some(sums) = self.sums.remove(name) {
                self.merge((Arc::clone(&name.0), "".into()), &sums);
            }
        }
    }

    /// What was counted by each name.
    pub(super) fn iter(&self) -> impl Iterator<Item = ((&str, &str), &UpstreamSums)> {
        let sums = self.sums.iter();
        sums.map(|((pool, route), sums)| ((&**pool, &**route), &**sums))
    }

    fn merge(&mut self, name: Name, sums: &UpstreamSums) {
        Arc::make_mut(self.sums.entry(name).or_default()).merge(sums);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use remora_policy::UpstreamId;

    use super::*;
    use crate::tally::{Tally, Thread};

    /// Answers that are told of this route.
    fn told(tally: &Tally, route: &str) -> u64 {
        let of_route = tally.gone().iter().filter(|((_, known), _)| *known == route);
        let gone: u64 = of_route.map(|(_, sums)| sums.classes.iter().sum::<u64>()).sum();
        let known = tally.all_upstreams().filter(|known| known.name().1 == route);
        gone + known.map(Counters::answered_so_far).sum::<u64>()
    }

    #[test]
    fn a_route_never_counts_back_and_who_is_gone_is_added_up_once() {
        let mut tally = Tally::new(1);
        for id in 0..3 {
            tally.add("p", "n1");
            let earlier = tally.clone();
            earlier.upstream(UpstreamId(id)).of(Thread(0)).answered(200);
            tally.keep(&BTreeSet::new());
            earlier.upstream(UpstreamId(id)).of(Thread(0)).answered(200);
            assert_eq!(told(&tally, "n1"), 2 * u64::from(id) + 2);
            assert!(tally.known(UpstreamId(id)).is_some());
            drop(earlier);
            tally.keep(&BTreeSet::new());
            assert_eq!(tally.all_upstreams().count(), 0, "nobody goes by it");
            assert!(tally.known(UpstreamId(id)).is_none());
            assert_eq!(told(&tally, "n1"), 2 * u64::from(id) + 2);
        }
    }

    #[test]
    fn names_are_bounded_and_what_they_counted_stays_with_their_pool() {
        let mut tally = Tally::new(1);
        let routes = NAMES + 9;
        for id in 0..u32::try_from(routes).unwrap() {
            tally.add("p", &format!("n{id}"));
            tally.upstream(UpstreamId(id)).of(Thread(0)).answered(200);
            tally.keep(&BTreeSet::new());
            tally.keep(&BTreeSet::new());
        }
        assert_eq!(tally.gone().iter().count(), NAMES + 1);
        assert_eq!(
            (told(&tally, ""), told(&tally, "n0"), told(&tally, "n9")),
            (9, 0, 1)
        );
        // One that is there again is not forgotten.
        tally.add("p", "n9");
        let here = UpstreamId(u32::try_from(routes).unwrap());
        tally.add("p", "m");
        tally.keep(&BTreeSet::from([here]));
        tally.keep(&BTreeSet::from([here]));
        assert_eq!((told(&tally, "n9"), told(&tally, "n10")), (1, 1));
    }
}
