//! What a wish takes from a pool: the last member that is up.
//!
//! Invariant: total, and of two pictures of one pool alone · who was away before is not missed.
//!
//! Left out on purpose: whether it may be done all the same. That is an operator's word.

use super::admission::Tier;
use super::set::Pool;

/// A pool that would lose the last of those it can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emptied {
    /// In which tier its requests are asked afterwards; none where they are asked of nobody.
    pub then: Option<Tier>,
}

/// How well a pool is served: by somebody who is up, by somebody who may be, by way of precaution, by nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Served {
    Up,
    Maybe,
    Anyhow,
    Not,
}

impl Served {
    fn of(pool: &Pool) -> Served {
        let of = |tier| match tier {
            Tier::Open | Tier::Standby => Served::Up,
            Tier::Unknown | Tier::Leaving => Served::Maybe,
            Tier::Drained | Tier::Panic | Tier::Frozen => Served::Anyhow,
        };
        let tiers = pool.members.iter().filter_map(|member| pool.tier(member));
        tiers.map(of).min().unwrap_or(Served::Not)
    }
}

impl Emptied {
    /// What becomes of a pool that is so now and would be so then; none where somebody as good is left, or nobody was there.
    #[must_use]
    pub fn by(now: &Pool, then: &Pool) -> Option<Emptied> {
        let (before, after) = (Served::of(now), Served::of(then));
        (before <= Served::Maybe && after > before).then(|| Emptied {
            then: then.present_tier(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pool;
    use super::*;

    /// A pool now and then, and in which tier it is asked where it lost somebody.
    type Case<'c> = (&'c [&'c str], &'c [&'c str], Option<Option<Tier>>);

    #[test]
    fn the_last_that_is_up_is_missed_and_nobody_else() {
        let cases: [Case<'_>; 9] = [
            (&["n1 up", "n2 up"], &["n1 up drained", "n2 up"], None),
            (&["n1 up"], &["n1 up drained"], Some(Some(Tier::Drained))),
            (
                &["n1 up", "n2 down"],
                &["n1 up finishing", "n2 down"],
                Some(Some(Tier::Drained)),
            ),
            (
                &["n1 up", "n2 down"],
                &["n1 up stopped", "n2 down"],
                Some(Some(Tier::Panic)),
            ),
            (&["n1 up"], &["n1 up disabled"], Some(None)),
            // Who stands by serves then.
            (
                &["n1 up", "n2 up standby"],
                &["n1 up drained", "n2 up standby"],
                None,
            ),
            (&["n1 up"], &["n1 up standby"], None),
            // One that is down is not missed.
            (&["n1 up", "n2 down"], &["n1 up", "n2 down drained"], None),
            (&["n1 down"], &["n1 down stopped"], None),
        ];
        for (now, then, expected) in cases {
            let emptied = Emptied::by(&pool(now), &pool(then));
            assert_eq!(emptied.map(|emptied| emptied.then), expected, "{now:?} {then:?}");
        }
    }

    #[test]
    fn who_may_be_up_is_less_than_who_is() {
        let (now, then) = (
            pool(&["n1 up", "n2 unknown"]),
            pool(&["n1 up drained", "n2 unknown"]),
        );
        assert_eq!(
            Emptied::by(&now, &then),
            Some(Emptied {
                then: Some(Tier::Unknown)
            })
        );
        let (now, then) = (pool(&["n1 unknown"]), pool(&["n1 unknown drained"]));
        assert!(Emptied::by(&now, &then).is_some());
    }
}
