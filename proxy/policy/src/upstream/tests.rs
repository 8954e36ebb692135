//! The tables as scripts, admission by tiers, and the balance of new users.

mod scripts;

use std::time::Duration;

use super::testing::{CHECKED, after, pool};
use super::*;

/// The moment from which the balance counts time.
const START: Duration = Duration::ZERO;

#[test]
fn answers_on_a_healthy_upstream_cost_nothing() {
    let up = after(&[Observation::CheckPassed]);
    assert_eq!(up.observe(Observation::Answered, &CHECKED), None);
    assert_eq!(up.observe(Observation::CheckPassed, &CHECKED), None);
}

#[test]
fn the_reason_is_what_changed_the_belief_last() {
    assert_eq!(after(&[]).reason(), "not observed yet");
    let refused = [
        Observation::CheckPassed,
        Observation::CheckRefused,
        Observation::CheckBroken,
    ];
    assert_eq!(after(&refused).reason(), "a check could not connect");
    let once = after(&[Observation::Refused, Observation::CheckPassed]);
    assert_eq!(once.reason(), "a connect was refused");
    let frozen = after(&[Observation::Refused, Observation::Frozen]);
    assert_eq!(frozen.reason(), "it accepts but answers nothing");
}

fn candidates(pool: &Pool, tried: &[u32]) -> String {
    let tried: Vec<UpstreamId> = tried.iter().map(|id| UpstreamId(*id)).collect();
    pool.candidates(&tried)
        .map(|member| &*member.route)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn tiers_are_asked_in_order_and_never_mixed() {
    let all = pool(&[
        "a down",
        "b leaving",
        "c up drained",
        "d up",
        "e up",
        "f down drained",
        "g frozen",
        "h unknown",
        "i up standby",
        "j up disabled",
        "k up set=1",
    ]);
    assert_eq!(candidates(&all, &[]), "d e");
    assert_eq!(candidates(&all, &[3]), "e");
    assert_eq!(candidates(&all, &[3, 4]), "k");
    assert_eq!(candidates(&all, &[3, 4, 10]), "h");
    assert_eq!(candidates(&all, &[3, 4, 10, 7]), "i");
    assert_eq!(candidates(&all, &[3, 4, 10, 7, 8]), "b");
    assert_eq!(candidates(&all, &[3, 4, 10, 7, 8, 1]), "c");
    assert_eq!(candidates(&all, &[3, 4, 10, 7, 8, 1, 2]), "a f");
    assert_eq!(candidates(&all, &[3, 4, 10, 7, 8, 1, 2, 0, 5]), "g");
    assert_eq!(candidates(&all, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10]), "");
}

#[test]
fn when_nobody_answers_beliefs_are_ignored() {
    assert_eq!(candidates(&pool(&["a down", "b down drained"]), &[]), "a b");
    assert_eq!(candidates(&pool(&["a frozen", "b frozen"]), &[]), "a b");
}

fn choices(balance: &mut Balance, pool: &Pool, count: usize) -> String {
    (0..count)
        .map(|_| balance.choose(pool, &[], START).unwrap().route.to_string())
        .collect()
}

#[test]
fn new_users_are_spread_by_weight_and_not_in_runs() {
    let weighted = pool(&["a up weight=5", "b up", "c up"]);
    assert_eq!(choices(&mut Balance::new(), &weighted, 14), "aabacaaaabacaa");
}

#[test]
fn sticky_traffic_counts_against_its_upstream() {
    let even = pool(&["a up", "b up"]);
    let mut balance = Balance::new();
    for _ in 0..4 {
        balance.count(&even, UpstreamId(0), START);
    }
    assert_eq!(choices(&mut balance, &even, 6), "bbbbab");
}

#[test]
fn a_long_idle_upstream_is_not_flooded() {
    let even = pool(&["a up", "b up"]);
    let mut balance = Balance::new();
    for _ in 0..100_000 {
        balance.count(&even, UpstreamId(0), START);
    }
    let run = choices(&mut balance, &even, 1_000).find('a').unwrap();
    let bound = usize::try_from(balance::CREDIT_ROUNDS).unwrap() * 2 + 2;
    assert!(run <= bound, "{run} new users in a row");
}

#[test]
fn nobody_is_chosen_twice_in_one_exchange() {
    let even = pool(&["a up", "b up"]);
    let mut balance = Balance::new();
    let first = balance.choose(&even, &[], START).unwrap().id;
    let second = balance.choose(&even, &[first], START).unwrap().id;
    assert_ne!(first, second);
    assert!(balance.choose(&even, &[first, second], START).is_none());
}

/// Row P19 of the cases: 34 new users in a row went to a member that had just come back.
#[test]
fn a_member_that_came_up_gets_its_new_users_little_by_little() {
    let mut even = pool(&["a up", "b up"]);
    even.members[1].rose = Some(START);
    let mut balance = Balance::new();
    let mut shares = Vec::new();
    for second in [0, 10, 20, 30] {
        let now = Duration::from_secs(second);
        let mut cold = 0;
        for _ in 0..200 {
            // Ten requests of users that the other has already for each new one.
            (0..10).for_each(|_| balance.count(&even, UpstreamId(0), now));
            cold += u32::from(balance.choose(&even, &[], now).unwrap().id == UpstreamId(1));
        }
        shares.push(cold / 2);
    }
    assert_eq!(
        shares,
        [5, 19, 34, 100],
        "in hundredths; then it is the one that has less work"
    );
}
