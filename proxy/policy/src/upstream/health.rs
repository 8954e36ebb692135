//! What the proxy believes of an upstream, and the one table by which signs change it.
//!
//! Three rules carry everything. *What is beyond doubt acts at once*: a refused connect, TLS that did not come about, or silence beyond patience
//! ([`Silence`](crate::Silence)), is down. *A request that broke is no verdict*: it asks for a check, and of checks
//! `fall` in a row must fail, because what breaks one request may be that request. *Only checks let an upstream back*:
//! `rise` in a row must pass. A connect proves nothing (the kernel accepts for a stopped process), and neither does the
//! late answer of a request that began before the fall.
//!
//! Answers of any status are signs of life: what an application answers never counts against its Tomcat, gateway
//! errors and `Remora-Effect` answers included, nor does an answer that is no HTTP or too long. Only a check judges a
//! status and what was said.
//!
//! Where nobody checks (`health = "off"`), requests must do: `fall` bad signs without an answer between are down, and
//! who has rested is asked by one request at a time ([`Health::is_on_trial`]), whose answer is the verdict.
//!
//! The table is printed by `scripts/belief.script`. Left out on purpose: time. The prober decides when to ask and when
//! somebody has rested; `silence` decides when silence is beyond patience.

use std::borrow::Cow;
use std::sync::Arc;

/// What the proxy believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Belief {
    /// Nothing was seen of it yet.
    Unknown,
    /// It answers.
    Up,
    /// It answers, and asks to be spared: the page that checks ask for is gone.
    Leaving,
    /// It does not answer.
    Down,
}

impl Belief {
    /// The word that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Belief::Unknown => "unknown",
            Belief::Up => "up",
            Belief::Leaving => "leaving",
            Belief::Down => "down",
        }
    }
}

/// How the members of a pool are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthRule {
    /// Checks in a row that must pass before an upstream that was down or leaving is up; at least 1.
    pub rise: u8,
    /// Checks in a row that must fail before an upstream is down; at least 1. Of bad signs where nobody checks.
    pub fall: u8,
    /// Whether checks are made at all.
    pub checked: bool,
}

/// What was seen of an upstream, by a request or by a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A request got a response head, of any status.
    Answered,
    /// A request could not connect: refused, or no route to the host.
    Refused,
    /// TLS did not come about with it, of a request or of a check: it showed no certificate that is accepted, or refused ours.
    Unverified,
    /// A request could not connect in time.
    ConnectTimedOut,
    /// A fresh connection broke before a response head was complete, or the name was not found.
    Broken,
    /// A request got no response head before its deadline.
    TimedOut,
    /// A check got the answer that it wants.
    CheckPassed,
    /// A check's page is gone (404): its application was undeployed, or asks to be spared.
    CheckLeft,
    /// A check could not connect.
    CheckRefused,
    /// A check got no answer in time while no request waited.
    CheckSlow,
    /// A check's connection broke, or its answer was not HTTP, or the name was not found.
    CheckBroken,
    /// A check got an answer that it does not want.
    CheckRejected {
        /// Its status.
        status: u16,
        /// Those that the check wants, as the file says them.
        accepted: Arc<str>,
    },
    /// Requests wait, and the silence is beyond patience.
    Frozen,
    /// It has been down for as long as nobody is asked where nobody checks.
    Rested,
}

impl Observation {
    /// What was seen, for people.
    #[must_use]
    pub fn said(&self) -> Cow<'static, str> {
        let said = match self {
            Observation::Answered => "a request was answered",
            Observation::Refused => "a connect was refused",
            Observation::Unverified => "TLS with it did not come about",
            Observation::ConnectTimedOut => "a connect timed out",
            Observation::Broken => "a connection failed before the response",
            Observation::TimedOut => "a request was not answered in time",
            Observation::CheckPassed => "a check was answered",
            Observation::CheckLeft => "a check's page is gone",
            Observation::CheckRefused => "a check could not connect",
            Observation::CheckSlow => "a check was not answered in time",
            Observation::CheckBroken => "a check's connection failed",
            Observation::CheckRejected { status, accepted } => {
                let said = format!(
                    "a check was answered with status {status}, accepted are {accepted} (health.status)"
                );
                return said.into();
            }
            Observation::Frozen => "it accepts but answers nothing",
            Observation::Rested => "it has rested, and a request may try it",
        };
        said.into()
    }

    /// Whether it asks for a check: it speaks against the upstream, or against the request.
    #[must_use]
    pub fn is_doubt(&self) -> bool {
        self.sign() == Sign::Doubt
    }

    /// What it means.
    fn sign(&self) -> Sign {
        match self {
            Observation::Answered => Sign::Life,
            Observation::CheckPassed => Sign::Pass,
            Observation::CheckLeft => Sign::Leave,
            Observation::Refused | Observation::Unverified | Observation::CheckRefused => Sign::Death,
            Observation::Frozen => Sign::Frozen,
            Observation::ConnectTimedOut | Observation::Broken | Observation::TimedOut => Sign::Doubt,
            Observation::CheckSlow => Sign::Silence,
            Observation::CheckBroken | Observation::CheckRejected { .. } => Sign::Failure,
            Observation::Rested => Sign::Rest,
        }
    }
}

/// What an observation means for the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// Alive, but no reason to trust a fallen upstream again.
    Life,
    /// Alive and answering checks.
    Pass,
    /// Alive, and asks to be spared.
    Leave,
    /// A request's bad sign: ambiguous.
    Doubt,
    /// A check that failed.
    Failure,
    /// A check that is not answered.
    Silence,
    /// Beyond doubt.
    Death,
    /// Beyond patience.
    Frozen,
    /// Time passed.
    Rest,
}

/// What is believed of one upstream, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    state: State,
    reason: Option<Observation>,
}

/// The state of the table. Counts are of a row that may yet change the belief; one is always zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    belief: Belief,
    /// Checks that failed in a row, or bad signs where nobody checks; below `fall`. Zero while down.
    failures: u8,
    /// Checks that passed in a row; below `rise`. Zero unless down or leaving.
    passes: u8,
    /// Down because it was silent, and nothing was heard since.
    frozen: bool,
}

impl State {
    const fn of(belief: Belief) -> State {
        State {
            belief,
            failures: 0,
            passes: 0,
            frozen: false,
        }
    }

    /// One more failure in a row.
    fn failing(self, rule: &HealthRule) -> State {
        if self.belief == Belief::Down {
            return State { passes: 0, ..self };
        }
        let failures = self.failures.saturating_add(1);
        if failures >= rule.fall {
            return State::of(Belief::Down);
        }
        State {
            failures,
            passes: 0,
            ..self
        }
    }

    /// One more answered check in a row, after which the upstream is `then` once there are enough of them.
    fn passing(self, rule: &HealthRule, then: Belief) -> State {
        let passes = self.passes.saturating_add(1);
        if passes >= rule.rise {
            return State::of(then);
        }
        State {
            passes,
            ..State::of(self.belief)
        }
    }

    fn after(self, sign: Sign, rule: &HealthRule) -> State {
        match (sign, self.belief) {
            (Sign::Life, Belief::Unknown) if !rule.checked => State::of(Belief::Up),
            (Sign::Life, _) => State {
                failures: 0,
                frozen: false,
                ..self
            },
            (Sign::Pass, Belief::Unknown | Belief::Up) => State::of(Belief::Up),
            (Sign::Pass, Belief::Leaving | Belief::Down) => self.passing(rule, Belief::Up),
            (Sign::Leave, Belief::Down) => self.passing(rule, Belief::Leaving),
            (Sign::Leave, _) => State::of(Belief::Leaving),
            (Sign::Doubt, _) if rule.checked => self,
            // On trial: one bad sign is enough.
            (Sign::Doubt, Belief::Unknown) => State::of(Belief::Down),
            (Sign::Doubt | Sign::Failure, _) => self.failing(rule),
            (Sign::Silence, _) => {
                let next = self.failing(rule);
                State {
                    frozen: next.belief == Belief::Down,
                    ..next
                }
            }
            (Sign::Death, _) => State::of(Belief::Down),
            (Sign::Frozen, _) => State {
                frozen: true,
                ..State::of(Belief::Down)
            },
            (Sign::Rest, Belief::Down) if !rule.checked => State::of(Belief::Unknown),
            (Sign::Rest, _) => self,
        }
    }
}

impl Health {
    /// The belief before anything was seen: unknown where checks will tell, up where they will not, because the first
    /// refused connect corrects it at once.
    #[must_use]
    pub const fn new(rule: &HealthRule) -> Health {
        let belief = if rule.checked { Belief::Unknown } else { Belief::Up };
        Health {
            state: State::of(belief),
            reason: None,
        }
    }

    /// What is believed.
    #[must_use]
    pub fn belief(&self) -> Belief {
        self.state.belief
    }

    /// Whether it is down because it was silent, and nothing was heard of it since.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.state.frozen
    }

    /// Whether requests are its check, one at a time: nobody checks, and it has rested.
    #[must_use]
    pub fn is_on_trial(&self, rule: &HealthRule) -> bool {
        !rule.checked && self.state.belief == Belief::Unknown
    }

    /// Whether nothing was seen of it yet.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        self.state.belief == Belief::Unknown && !self.is_undecided()
    }

    /// Whether the next check may change the belief: it should come soon.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.state.failures > 0 || self.state.passes > 0
    }

    /// The last observation that changed the belief, in words.
    #[must_use]
    pub fn reason(&self) -> Cow<'static, str> {
        let reason = self.reason.as_ref();
        reason.map_or("not observed yet".into(), Observation::said)
    }

    /// The health after an observation; `None` when nothing changes, which is the common case and costs nothing.
    #[must_use]
    pub fn observe(&self, observation: &Observation, rule: &HealthRule) -> Option<Health> {
        let state = self.state.after(observation.sign(), rule);
        if state == self.state {
            return None;
        }
        let same = state.belief == self.state.belief && state.frozen <= self.state.frozen;
        let seen = if same {
            self.reason.as_ref()
        } else {
            Some(observation)
        };
        let reason = seen.cloned();
        Some(Health { state, reason })
    }
}
