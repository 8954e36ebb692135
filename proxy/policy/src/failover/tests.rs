//! Every failure with every request, and the budget.

use std::time::Duration;

use super::*;

const PLENTY: Budget = Budget {
    attempts: 3,
    token: true,
    time: Duration::from_secs(10),
};

const PHASES: [Phase; 5] = [
    Phase::Connecting,
    Phase::Sending,
    Phase::Waiting,
    Phase::Declined,
    Phase::Passing,
];

fn shape(idempotent: bool, replayable: bool) -> RequestShape {
    RequestShape {
        idempotent,
        replayable,
    }
}

fn on_reused(phase: Phase, cause: Cause) -> Failure {
    Failure {
        reused: true,
        ..Failure::new(phase, cause)
    }
}

fn shown(verdict: Verdict) -> String {
    match verdict {
        Verdict::SameUpstream => "same".to_owned(),
        Verdict::NextUpstream => "next".to_owned(),
        Verdict::GiveUp(how) => format!("{how:?}"),
    }
}

#[test]
fn the_verdict_on_every_failure_of_every_request() {
    let failures = [
        Failure::new(Phase::Connecting, Cause::Refused),
        Failure::new(Phase::Connecting, Cause::Unverified),
        Failure::new(Phase::Connecting, Cause::TimedOut),
        Failure::new(Phase::Connecting, Cause::Ours),
        on_reused(Phase::Connecting, Cause::Broken),
        Failure::new(Phase::Sending, Cause::Broken),
        on_reused(Phase::Sending, Cause::Broken),
        Failure::new(Phase::Waiting, Cause::Broken),
        on_reused(Phase::Waiting, Cause::Broken),
        Failure::new(Phase::Waiting, Cause::Malformed),
        on_reused(Phase::Waiting, Cause::Frozen),
        Failure::new(Phase::Waiting, Cause::TimedOut),
        Failure::new(Phase::Declined, Cause::Declined),
        Failure::new(Phase::Passing, Cause::Broken),
    ];
    let mut table = String::new();
    for failure in failures {
        let cells = [
            shape(true, true),
            shape(false, true),
            shape(true, false),
            shape(false, false),
        ]
        .map(|shape| shown(decide(&failure, shape, &PLENTY)));
        let connection = if failure.reused { "reused" } else { "fresh" };
        let name = format!("{:?} {:?} {connection}", failure.phase, failure.cause);
        table.push_str(&format!("{name:28}{}\n", cells.join(" | ")));
    }
    // Columns: GET with its body at hand, POST with its body at hand, PUT and POST whose body is gone.
    let expected = "\
Connecting Refused fresh    next | next | Unavailable | Unavailable
Connecting Unverified fresh next | next | Unavailable | Unavailable
Connecting TimedOut fresh   next | next | Unavailable | Unavailable
Connecting Ours fresh       next | next | Unavailable | Unavailable
Connecting Broken reused    same | same | Unavailable | Unavailable
Sending Broken fresh        next | BadGateway | BadGateway | BadGateway
Sending Broken reused       same | BadGateway | BadGateway | BadGateway
Waiting Broken fresh        next | BadGateway | BadGateway | BadGateway
Waiting Broken reused       same | BadGateway | BadGateway | BadGateway
Waiting Malformed fresh     BadGateway | BadGateway | BadGateway | BadGateway
Waiting Frozen reused       next | GatewayTimeout | Unavailable | GatewayTimeout
Waiting TimedOut fresh      next | GatewayTimeout | GatewayTimeout | GatewayTimeout
Declined Declined fresh     next | next | PassOn | PassOn
Passing Broken fresh        Cut | Cut | Cut | Cut
";
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn a_request_that_may_have_run_is_repeated_only_if_idempotent() {
    let causes = [
        Cause::Refused,
        Cause::TimedOut,
        Cause::Broken,
        Cause::Malformed,
        Cause::Frozen,
    ];
    for phase in [Phase::Sending, Phase::Waiting] {
        for cause in causes {
            for reused in [false, true] {
                let verdict = decide(&Failure { phase, cause, reused }, shape(false, true), &PLENTY);
                assert!(
                    matches!(verdict, Verdict::GiveUp(_)),
                    "{phase:?} {cause:?} {reused}"
                );
            }
        }
    }
}

#[test]
fn nothing_follows_once_the_head_has_left() {
    for cause in [Cause::TimedOut, Cause::Broken, Cause::Malformed] {
        for reused in [false, true] {
            let failure = Failure {
                phase: Phase::Passing,
                cause,
                reused,
            };
            assert_eq!(
                decide(&failure, shape(true, true), &PLENTY),
                Verdict::GiveUp(GiveUp::Cut)
            );
        }
    }
}

#[test]
fn every_part_of_the_budget_stops_a_repeat() {
    let spent = [
        Budget {
            attempts: 0,
            ..PLENTY
        },
        Budget {
            token: false,
            ..PLENTY
        },
        Budget {
            time: Duration::ZERO,
            ..PLENTY
        },
    ];
    let paid = Failure::new(Phase::Waiting, Cause::Broken);
    let verdicts = spent.map(|budget| shown(decide(&paid, shape(true, true), &budget)));
    assert_eq!(verdicts, ["BadGateway"; 3]);
    // Where nothing can have happened, time alone counts.
    let free = Failure::new(Phase::Connecting, Cause::Refused);
    let verdicts = spent.map(|budget| shown(decide(&free, shape(false, true), &budget)));
    assert_eq!(verdicts, ["next", "next", "Unavailable"]);
}

#[test]
fn methods_are_idempotent_by_the_registry() {
    let some = [
        "GET", "PUT", "QUERY", "PROPFIND", "REPORT", "SEARCH", "MKCOL", "MOVE",
    ];
    let others = ["POST", "PATCH", "CONNECT", "LOCK", "get", "PURGE", ""];
    assert!(some.iter().all(|method| is_idempotent(method.as_bytes())));
    assert!(!others.iter().any(|method| is_idempotent(method.as_bytes())));
}

#[test]
fn two_breaks_speak_against_a_request_and_nothing_else_does() {
    let causes = [Cause::Refused, Cause::TimedOut, Cause::Malformed, Cause::Frozen];
    for phase in [Phase::Sending, Phase::Waiting] {
        assert!(Failure::new(phase, Cause::Broken).is_break());
        assert!(!on_reused(phase, Cause::Broken).is_break());
        assert!(!causes.iter().any(|cause| Failure::new(phase, *cause).is_break()));
    }
    assert!(!Failure::new(Phase::Connecting, Cause::Broken).is_break());
    assert!(!Failure::new(Phase::Passing, Cause::Broken).is_break());
}

#[test]
fn health_hears_of_failures_but_not_of_stale_connections_or_declined_requests() {
    use crate::upstream::Observation;
    let cases = [
        (
            Failure::new(Phase::Connecting, Cause::Refused),
            Some(Observation::Refused),
        ),
        (
            Failure::new(Phase::Connecting, Cause::Unverified),
            Some(Observation::Unverified),
        ),
        (
            Failure::new(Phase::Connecting, Cause::TimedOut),
            Some(Observation::ConnectTimedOut),
        ),
        (Failure::new(Phase::Connecting, Cause::Ours), None),
        (
            Failure::new(Phase::Waiting, Cause::Broken),
            Some(Observation::Broken),
        ),
        (on_reused(Phase::Waiting, Cause::Broken), None),
        (
            Failure::new(Phase::Waiting, Cause::TimedOut),
            Some(Observation::TimedOut),
        ),
        (Failure::new(Phase::Waiting, Cause::Frozen), None),
        (Failure::new(Phase::Waiting, Cause::Malformed), None),
        (Failure::new(Phase::Passing, Cause::Malformed), None),
        (
            Failure::new(Phase::Declined, Cause::Declined),
            Some(Observation::Answered),
        ),
        (
            on_reused(Phase::Passing, Cause::Broken),
            Some(Observation::Broken),
        ),
        (Failure::new(Phase::Passing, Cause::TimedOut), None),
    ];
    for (failure, expected) in cases {
        assert_eq!(failure.observation(), expected, "{failure:?}");
    }
}

#[test]
fn every_phase_has_its_effect() {
    let effects = PHASES.map(|phase| Failure::new(phase, Cause::Broken).effect());
    let expected = [
        Effect::None,
        Effect::Possible,
        Effect::Possible,
        Effect::None,
        Effect::Certain,
    ];
    assert_eq!(effects, expected);
}

fn limits(percent: u32, per_second: u32, burst: u32) -> RetryLimits {
    RetryLimits {
        attempts: 4,
        percent,
        per_second,
        burst,
    }
}

fn spend_all(budget: &mut RetryBudget, limits: &RetryLimits) -> u32 {
    let mut spent = 0;
    while budget
        .budget(limits, 1, Duration::from_secs(1))
        .allows_another(true)
    {
        budget.spend();
        spent += 1;
    }
    spent
}

#[test]
fn tokens_come_with_traffic_with_time_and_never_above_the_burst() {
    let second = Duration::from_secs(1);
    let limits = limits(20, 10, 50);
    let mut budget = RetryBudget::new(&limits, second);
    assert_eq!(spend_all(&mut budget, &limits), 50);
    for _ in 0..10 {
        budget.earn(&limits, second);
    }
    assert_eq!(spend_all(&mut budget, &limits), 2, "a fifth of ten exchanges");
    assert_eq!(budget.left(&limits, second), 0);
    assert_eq!(budget.left(&limits, second * 2), 10, "time alone");
    assert_eq!(budget.left(&limits, second * 100), 50);
    budget.earn(&limits, second * 3);
    assert_eq!(spend_all(&mut budget, &limits), 20, "two seconds at ten");
    budget.earn(&limits, second * 1_000_000);
    assert_eq!(spend_all(&mut budget, &limits), 50);
    budget.earn(&limits, second);
    assert_eq!(
        spend_all(&mut budget, &limits),
        0,
        "a moment that is past earns nothing"
    );
}

#[test]
fn an_outage_multiplies_load_by_the_share_at_most() {
    let limits = limits(20, 0, 100);
    let mut budget = RetryBudget::new(&limits, Duration::ZERO);
    let mut repeats = 0;
    for _ in 0..10_000 {
        budget.earn(&limits, Duration::ZERO);
        for attempts in 1..4 {
            if budget
                .budget(&limits, attempts, Duration::from_secs(1))
                .allows_another(true)
            {
                budget.spend();
                repeats += 1;
            }
        }
    }
    assert_eq!(
        repeats,
        100 + 2_000 - 1,
        "the burst and a fifth; the first share met a full budget"
    );
}

#[test]
fn a_cause_has_a_word_of_its_own() {
    let words = Cause::ALL.map(Cause::as_str);
    for (number, cause) in Cause::ALL.into_iter().enumerate() {
        assert_eq!(cause as usize, number, "a table by cause is in their order");
        assert_eq!(words.iter().filter(|word| **word == cause.as_str()).count(), 1);
    }
    let shown = |phase, cause| Failure::new(phase, cause).effect().as_str();
    assert_eq!(shown(Phase::Connecting, Cause::Refused), "none");
    assert_eq!(shown(Phase::Waiting, Cause::TimedOut), "possible");
    assert_eq!(shown(Phase::Passing, Cause::Broken), "certain");
    assert_eq!(
        PHASES.map(Phase::as_str),
        ["connecting", "sending", "waiting", "declined", "passing"]
    );
}
