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
    assert_eq!(up.observe(&Observation::Answered, &CHECKED), None);
    assert_eq!(up.observe(&Observation::CheckPassed, &CHECKED), None);
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
    let rejected = Observation::CheckRejected {
        status: 503,
        accepted: "200-399".into(),
    };
    assert_eq!(
        after(&[rejected.clone(), rejected]).reason(),
        "a check was answered with status 503, accepted are 200-399 (health.status)"
    );
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
    let words: Vec<&str> = all
        .members
        .iter()
        .map(|member| all.tier(member).map_or("-", Tier::as_str))
        .collect();
    assert_eq!(
        words.join(" "),
        "panic leaving drained open open panic frozen unknown standby - open"
    );
}

#[test]
fn the_present_tier_is_the_best_of_all_members() {
    let tier = |members: &[&str]| pool(members).present_tier();
    assert_eq!(tier(&["a down", "b leaving"]), Some(Tier::Leaving));
    assert_eq!(tier(&["a down", "b frozen"]), Some(Tier::Panic));
    assert_eq!(tier(&["a up disabled"]), None);
    for (number, tier) in Tier::ALL.into_iter().enumerate() {
        assert_eq!(tier as usize, number, "a table by tier is in their order");
    }
}

#[test]
fn when_nobody_answers_beliefs_are_ignored() {
    assert_eq!(candidates(&pool(&["a down", "b down drained"]), &[]), "a b");
    assert_eq!(candidates(&pool(&["a frozen", "b frozen"]), &[]), "a b");
}

fn choices(balance: &mut Balance, pool: &Pool, count: usize) -> String {
    (0..count)
        .map(|_| balance.choose(pool, &[], START, |_| 0).unwrap().route.to_string())
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
    let first = balance.choose(&even, &[], START, |_| 0).unwrap().id;
    let second = balance.choose(&even, &[first], START, |_| 0).unwrap().id;
    assert_ne!(first, second);
    assert!(balance.choose(&even, &[first, second], START, |_| 0).is_none());
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
            cold += u32::from(balance.choose(&even, &[], now, |_| 0).unwrap().id == UpstreamId(1));
        }
        shares.push(cold / 2);
    }
    assert_eq!(
        shares,
        [5, 19, 34, 100],
        "in hundredths; then it is the one that has less work"
    );
}

fn by(balance: BalanceBy, members: &[&str]) -> Pool {
    Pool {
        balance,
        ..pool(members)
    }
}

#[test]
fn by_sessions_each_member_gets_its_share_of_the_users_however_much_they_click() {
    let weighted = by(BalanceBy::Sessions, &["a up weight=2", "b up"]);
    let mut balance = Balance::new();
    let mut chosen = String::new();
    for _ in 0..9 {
        (0..100).for_each(|_| balance.count(&weighted, UpstreamId(0), START));
        chosen += &choices(&mut balance, &weighted, 1);
    }
    assert_eq!(chosen, "abaabaaba");
}

/// The choice under these loads, of those not tried.
fn under(balance: &mut Balance, pool: &Pool, tried: &[UpstreamId], loads: &[u64]) -> String {
    let chosen = balance.choose(pool, tried, START, |member| loads[member.id.index()]);
    chosen.map_or("-".to_owned(), |member| member.route.to_string())
}

#[test]
fn by_busyness_whoever_has_least_in_flight_is_chosen_and_of_equals_as_by_requests() {
    let even = by(BalanceBy::Busyness, &["a up weight=9", "b up", "c down", "d up"]);
    let mut balance = Balance::new();
    assert_eq!(
        under(&mut balance, &even, &[], &[2, 1, 0, 2]),
        "b",
        "c is no candidate"
    );
    assert_eq!(under(&mut balance, &even, &[UpstreamId(1)], &[2, 1, 0, 1]), "d");
    let equals: String = (0..11)
        .map(|_| under(&mut Balance::new(), &even, &[], &[1, 1, 1, 1]))
        .collect();
    assert_eq!(equals, "a".repeat(11), "the weight decides among equals");
    let tried = [UpstreamId(0), UpstreamId(1), UpstreamId(2), UpstreamId(3)];
    assert_eq!(under(&mut balance, &even, &tried, &[0; 4]), "-");
}

#[test]
fn by_traffic_whoever_carried_fewest_bytes_for_its_weight_is_chosen() {
    let weighted = by(BalanceBy::Traffic, &["a up weight=3", "b up"]);
    let mut balance = Balance::new();
    let mut carried = [0; 2];
    let mut chosen = String::new();
    for _ in 0..12 {
        let route = under(&mut balance, &weighted, &[], &carried);
        // What b serves is three times as large.
        carried[usize::from(route == "b")] += if route == "b" { 3_000 } else { 1_000 };
        chosen += &route;
    }
    assert_eq!(carried, [10_000, 6_000].map(|bytes: u64| bytes), "{chosen}");
}

#[test]
fn by_traffic_a_member_that_was_away_need_not_catch_up() {
    let mut even = by(BalanceBy::Traffic, &["a up", "b up"]);
    let mut balance = Balance::new();
    assert_eq!(under(&mut balance, &even, &[], &[0, 0]), "a");
    even.members[1].rose = Some(START);
    let later = START + Duration::from_secs(60);
    let mut carried = [1_000_000, 10];
    let mut chosen = String::new();
    for _ in 0..6 {
        let id = balance
            .choose(&even, &[], later, |member| carried[member.id.index()])
            .unwrap()
            .id;
        carried[id.index()] += 100;
        chosen += if id == UpstreamId(0) { "a" } else { "b" };
    }
    assert_eq!(chosen.matches('b').count(), 3, "{chosen}");
}

#[test]
fn a_cold_member_is_spared_whatever_the_balance_goes_by() {
    for how in BalanceBy::ALL {
        let mut even = by(how, &["a up", "b up"]);
        even.members[1].rose = Some(START);
        let mut balance = Balance::new();
        let cold = (0..100).filter(|_| under(&mut balance, &even, &[], &[1_000, 0]) == "b");
        assert_eq!(cold.count(), 5, "{}", how.as_str());
    }
}
