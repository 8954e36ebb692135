//! Claims about the whole, over many seeds, and that the judge notices when a rule is broken.

use std::time::Duration;

use super::story::{Plan, Told, play};
use super::twists::Twist;

/// A second of troubles on three nodes.
const PLAN: Plan = Plan {
    size: 3,
    turmoil: Duration::from_secs(1),
    twist: None,
};

/// Seeds of a long search, if nobody asks for another number: half an hour.
const SEARCHED: u64 = 2_000;
/// The first of them: behind all that every change plays.
const SEARCHED_FROM: u64 = 1_001;

/// A number that whoever called named.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Each in a thread of its own, as if in a process of its own.
fn play_apart(seed: u64, plan: Plan) -> Told {
    std::thread::spawn(move || play(seed, plan)).join().unwrap()
}

fn holds(seed: u64, plan: Plan) {
    let told = play(seed, plan);
    if let Some(broken) = told.broken {
        panic!("{}\nseed {seed} of {plan:?}: {broken}", told.told);
    }
}

/// The first of these seeds that shows that a rule is broken, and how.
fn noticed(twist: Twist, seeds: impl IntoIterator<Item = u64>) -> Option<(u64, String)> {
    let plan = Plan {
        twist: Some(twist),
        ..PLAN
    };
    let mut seeds = seeds.into_iter();
    seeds.find_map(|seed| Some((seed, play(seed, plan).broken?)))
}

#[test]
fn a_seed_tells_its_story() {
    let seed = asked("REMORA_SEED").unwrap_or(1);
    let twist = std::env::var("REMORA_TWIST").ok();
    let twist = twist.map(|name| {
        let mut known = Twist::ALL.into_iter().map(|(twist, _)| twist);
        let named = known.find(|twist| format!("{twist:?}") == name);
        named.unwrap_or_else(|| panic!("REMORA_TWIST is none of {:?}", Twist::ALL))
    });
    let told = play(seed, Plan { twist, ..PLAN });
    println!("{}", told.told);
    assert_eq!(told.broken, None, "seed {seed}");
}

#[test]
fn a_seed_is_played_again_to_the_byte() {
    for seed in 1..=5 {
        let (one, other) = (play_apart(seed, PLAN), play_apart(seed, PLAN));
        let mut lines = one.all.lines().zip(other.all.lines());
        let differ = lines.find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert!(one.all == other.all, "seed {seed}");
    }
}

#[test]
fn a_hundred_seeds_keep_all_promises() {
    (1..=100).for_each(|seed| holds(seed, PLAN));
}

#[test]
fn every_broken_rule_is_noticed() {
    for (twist, seed) in Twist::ALL {
        assert!(
            noticed(twist, [seed]).is_some(),
            "{twist:?} is not noticed at {seed}"
        );
    }
}

#[test]
#[ignore = "a long search, part of `make soak`"]
fn every_broken_rule_is_noticed_within_fifty_seeds() {
    for (twist, _) in Twist::ALL {
        let noticed = noticed(twist, 1..=50);
        println!("{twist:?}: {noticed:?}");
        assert!(noticed.is_some(), "{twist:?} is not noticed");
    }
}

#[test]
#[ignore = "a long search, part of `make soak`"]
fn thousands_of_seeds_keep_all_promises() {
    let from = asked("REMORA_SEED").unwrap_or(SEARCHED_FROM);
    let seeds = asked("REMORA_SEEDS").unwrap_or(SEARCHED);
    for seed in from..from + seeds {
        let plan = Plan {
            size: 3 + seed % 2 * 2,
            turmoil: Duration::from_secs(3),
            ..PLAN
        };
        holds(seed, plan);
        println!("seed {seed} kept all promises");
    }
}
