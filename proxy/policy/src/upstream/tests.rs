//! The table of transitions in full, admission by tiers, and the balance of new users.

use super::testing::{after, pool};
use super::*;

/// Every observation, in the order of the table.
const OBSERVATIONS: [Observation; 11] = [
    Observation::Answered,
    Observation::Refused,
    Observation::ConnectTimedOut,
    Observation::Broken,
    Observation::TimedOut,
    Observation::CheckPassed,
    Observation::CheckRefused,
    Observation::CheckSilent,
    Observation::CheckSlow,
    Observation::CheckBroken,
    Observation::CheckRejected,
];

fn shown(health: &Health) -> String {
    let steps = format!("{health:?}");
    let count = steps
        .chars()
        .find(char::is_ascii_digit)
        .filter(|count| *count != '0');
    match (health.belief(), count) {
        (Belief::Up, Some(strikes)) => format!("up({strikes})"),
        (Belief::Probing, Some(passed)) => format!("probing({passed})"),
        (belief, _) => belief.as_str().to_owned(),
    }
}

#[test]
fn every_observation_in_every_state() {
    let starts = [
        after(&[]),
        after(&[Observation::Broken]),
        after(&[Observation::Refused]),
        after(&[Observation::Refused, Observation::CheckPassed]),
    ];
    let heads: Vec<String> = starts.iter().map(shown).collect();
    let mut table = format!("{:16}{}\n", "", heads.join(" | "));
    for observation in OBSERVATIONS {
        let row: Vec<String> = starts
            .iter()
            .map(|start| {
                start
                    .observe(observation)
                    .map_or_else(|| "-".to_owned(), |next| shown(&next))
            })
            .collect();
        table.push_str(&format!("{:16}{}\n", format!("{observation:?}"), row.join(" | ")));
    }
    // Columns: the state before; cells: the state after, "-" when nothing changes.
    let expected = "                up | up(1) | down | probing(1)
Answered        - | up | - | -
Refused         down | down | - | down
ConnectTimedOut up(1) | down | - | down
Broken          up(1) | down | - | down
TimedOut        up(1) | down | - | down
CheckPassed     - | up | probing(1) | up
CheckRefused    down | down | - | down
CheckSilent     down | down | - | down
CheckSlow       up(1) | down | - | down
CheckBroken     up(1) | down | - | down
CheckRejected   up(1) | down | - | down
";
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn answers_on_a_healthy_upstream_cost_nothing() {
    assert_eq!(Health::new().observe(Observation::Answered), None);
    assert_eq!(Health::new().observe(Observation::CheckPassed), None);
}

#[test]
fn a_broken_request_between_answers_marks_nobody() {
    let health = after(&[
        Observation::Broken,
        Observation::Answered,
        Observation::Broken,
        Observation::Answered,
        Observation::TimedOut,
        Observation::CheckPassed,
    ]);
    assert_eq!(health, Health::new());
}

#[test]
fn only_answered_checks_let_an_upstream_back() {
    let fallen = after(&[Observation::CheckSilent]);
    for seen in OBSERVATIONS
        .into_iter()
        .filter(|seen| *seen != Observation::CheckPassed)
    {
        assert_eq!(
            fallen.observe(seen),
            None,
            "{seen:?} must not let a fallen upstream back"
        );
    }
    let once = fallen.observe(Observation::CheckPassed).unwrap();
    assert_eq!(once.belief(), Belief::Probing);
    assert_eq!(
        once.observe(Observation::CheckPassed).unwrap().belief(),
        Belief::Up
    );
}

#[test]
fn the_reason_is_what_changed_the_belief_last() {
    assert_eq!(Health::new().reason(), "not observed yet");
    let down = after(&[
        Observation::Refused,
        Observation::CheckRefused,
        Observation::Broken,
    ]);
    assert_eq!(down.reason(), "a connect was refused");
    let probing = down.observe(Observation::CheckPassed).unwrap();
    assert_eq!(probing.reason(), "a check was answered");
    assert_eq!(after(&[Observation::Broken]).reason(), "not observed yet");
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
        "b probing",
        "c up drained",
        "d up",
        "e up",
        "f down drained",
    ]);
    assert_eq!(candidates(&all, &[]), "d e");
    assert_eq!(candidates(&all, &[3]), "e");
    assert_eq!(candidates(&all, &[3, 4]), "c");
    assert_eq!(candidates(&all, &[3, 4, 2]), "b");
    assert_eq!(candidates(&all, &[3, 4, 2, 1]), "a f");
    assert_eq!(candidates(&all, &[0, 1, 2, 3, 4, 5]), "");
}

#[test]
fn when_nobody_is_up_beliefs_are_ignored() {
    assert_eq!(candidates(&pool(&["a down", "b down drained"]), &[]), "a b");
}

fn choices(balance: &mut Balance, pool: &Pool, count: usize) -> String {
    (0..count)
        .map(|_| balance.choose(pool, &[]).unwrap().route.to_string())
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
        balance.count(&even, UpstreamId(0));
    }
    assert_eq!(choices(&mut balance, &even, 6), "bbbbab");
}

#[test]
fn a_long_idle_upstream_is_not_flooded() {
    let even = pool(&["a up", "b up"]);
    let mut balance = Balance::new();
    for _ in 0..100_000 {
        balance.count(&even, UpstreamId(0));
    }
    let run = choices(&mut balance, &even, 1_000).find('a').unwrap();
    let bound = usize::try_from(balance::CREDIT_ROUNDS).unwrap() * 2 + 2;
    assert!(run <= bound, "{run} new users in a row");
}

#[test]
fn nobody_is_chosen_twice_in_one_exchange() {
    let even = pool(&["a up", "b up"]);
    let mut balance = Balance::new();
    let first = balance.choose(&even, &[]).unwrap().id;
    let second = balance.choose(&even, &[first]).unwrap().id;
    assert_ne!(first, second);
    assert!(balance.choose(&even, &[first, second]).is_none());
}
