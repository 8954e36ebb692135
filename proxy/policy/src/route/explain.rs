//! Why a request goes where: the pick itself, with the rule that made it and what became of the route that was asked for.
//!
//! Invariant: the pick is made by the code that picks for requests, so that it cannot be explained otherwise than it is done.
//!
//! Left out on purpose: words (the proxy's), and whom a thread's balance gives its next new user, which only that thread knows.

use super::key::RouteKey;
use super::pick::{Pick, Rule, ruled};
use crate::upstream::{Pool, Tier, Upstream, UpstreamId};

/// What became of the route in a request.
#[derive(Clone, Copy, Debug)]
pub enum Fate<'a> {
    /// There was none.
    Absent,
    /// No member has it.
    Unknown,
    /// It is followed, in the tier in which its own users ask its member.
    Followed(Tier),
    /// Its members were tried, or nobody may be sent there.
    Closed(&'a Upstream),
    /// Others are better: the tier in which its own users would ask it, and theirs.
    Behind(&'a Upstream, Tier, Tier),
}

/// A pick, and why it was made.
#[derive(Clone, Debug)]
pub struct Explained<'a> {
    /// Which upstream.
    pub pick: Pick<'a>,
    /// By which rule.
    pub rule: Rule,
    /// What became of the route.
    pub fate: Fate<'a>,
    /// Among whom a stand-in or a new user's upstream is chosen.
    pub candidates: Vec<&'a Upstream>,
}

/// As [`pick`](super::pick::pick), with the reasons.
#[must_use]
pub fn explain<'a>(pool: &'a Pool, key: &RouteKey<'_>, tried: &[UpstreamId]) -> Explained<'a> {
    let (pick, rule) = ruled(pool, key, tried);
    let named = key.route.and_then(|route| pool.member_by_route(route));
    let fate = match (key.route, named) {
        (None, _) => Fate::Absent,
        (Some(_), None) => Fate::Unknown,
        (Some(route), Some(named)) => {
            let own = pool.best_own(route, key.session.is_some(), tried);
            match own.zip(pool.best_tier(tried)) {
                None => Fate::Closed(named),
                Some(((tier, _), _)) if rule == Rule::Own => Fate::Followed(tier),
                Some(((tier, own), best)) => Fate::Behind(own, tier, best),
            }
        }
    };
    // A new user's upstream is balanced over all candidates; a stand-in is looked for in the group of whom it stands in for.
    let group = named
        .filter(|_| rule == Rule::Rendezvous)
        .and_then(|named| named.group.as_deref());
    Explained {
        pick,
        rule,
        fate,
        candidates: pool.candidates_near(group, tried).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use remora_fuzz::Draw;

    use super::super::pick::pick;
    use super::*;
    use crate::upstream::Balance;
    use crate::upstream::testing::pool;

    fn id(pick: &Pick<'_>) -> (&'static str, Option<UpstreamId>) {
        let upstream = match pick {
            Pick::Sticky(upstream) | Pick::Moved(upstream) => Some(upstream.id),
            Pick::Fresh | Pick::None => None,
        };
        (pick.as_str(), upstream)
    }

    fn one_of<'w>(draw: &mut Draw, words: &[&'w str]) -> &'w str {
        let words_there = u64::try_from(words.len()).unwrap();
        words[usize::try_from(draw.number() % words_there).unwrap()]
    }

    fn drawn(draw: &mut Draw) -> Pool {
        let members = draw.number() % 6;
        let lines: Vec<String> = (1..=members)
            .map(|number| {
                let health = one_of(draw, &["up", "up", "down", "frozen", "leaving", "unknown"]);
                let state = one_of(
                    draw,
                    &[
                        "active",
                        "active",
                        "active",
                        "standby",
                        "finishing",
                        "draining",
                        "disabled",
                        "stopped",
                    ],
                );
                let more = one_of(
                    draw,
                    &["", "", " set=1", " group=blue", " redirect=n1", " redirect=n3"],
                );
                let same = if draw.number().is_multiple_of(7) {
                    1
                } else {
                    number
                };
                format!("n{same} {health} {state}{more}")
            })
            .collect();
        pool(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Whoever is explained is picked, step by step until nobody is left; and what is said of the route is what was done with it.
    #[test]
    fn a_thousand_drawn_requests_go_where_it_is_explained() {
        let mut draw = Draw::new(14);
        for round in 0..1_000 {
            let pool = drawn(&mut draw);
            let session = one_of(&mut draw, &["", "A", "B", "CDEF"]);
            let route = one_of(&mut draw, &["", "n1", "n2", "n3", "n9"]);
            let part = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
            let key = RouteKey {
                session: part(session),
                route: part(route),
            };
            let (mut tried, mut balance) = (Vec::new(), Balance::new());
            loop {
                let picked = pick(&pool, &key, &tried);
                let explained = explain(&pool, &key, &tried);
                let what = format!("round {round}, {session}.{route} after {tried:?} in {pool:#?}");
                assert_eq!(id(&explained.pick), id(&picked), "{what}");
                let followed = matches!(explained.fate, Fate::Followed(_));
                assert_eq!(followed, matches!(picked, Pick::Sticky(_)), "{what}");
                if let Fate::Behind(_, own, best) = explained.fate {
                    assert!(own > best, "{what}");
                }
                let next = match picked {
                    Pick::Sticky(upstream) => Some(upstream),
                    Pick::Moved(upstream) => {
                        let is_candidate = explained.candidates.iter().any(|one| one.id == upstream.id);
                        assert!(is_candidate || explained.rule == Rule::Redirect, "{what}");
                        Some(upstream)
                    }
                    Pick::Fresh => {
                        let chosen = balance.choose(&pool, &tried, Duration::ZERO, |_| 0);
                        let chosen = chosen.expect("somebody is there for a new user");
                        assert!(
                            explained.candidates.iter().any(|one| one.id == chosen.id),
                            "{what}"
                        );
                        Some(chosen)
                    }
                    Pick::None => None,
                };
                let Some(next) = next else { break };
                tried.push(next.id);
            }
        }
    }
}
