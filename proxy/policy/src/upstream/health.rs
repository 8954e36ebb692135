//! What the proxy believes of an upstream, and the one table by which observations change it.
//!
//! Two rules carry everything. *Silence and refusal count at once; ambiguous failures count twice*: a refused connect
//! or a process that answers nothing is no matter of opinion, while one broken connection may be one broken request.
//! *Only an answer lets an upstream back*: after a failure [`ANSWERS_TO_RETURN`] active checks in a row must be
//! answered. A connect proves nothing (the kernel accepts for a stopped process), and neither does the late answer of
//! a request that began before the failure.
//!
//! Answers of any status are signs of life: what an application answers never counts against its Tomcat, gateway
//! errors and `Remora-Effect` answers included, nor does an answer that is no HTTP or too long. Only the active check
//! judges a status and what was said.
//!
//! Left out on purpose: time. The prober decides when to ask; the table only says what an answer means.

/// Ambiguous failures in a row that make an upstream down. Two: the first may be a single broken request.
const STRIKES_TO_FALL: u8 = 2;

/// Checks in a row that must be answered before an upstream is up again. Two: the first answer of a process that is
/// starting or being resumed is often followed by a stall.
const ANSWERS_TO_RETURN: u8 = 2;

/// What the proxy believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Belief {
    /// It answers.
    Up,
    /// It was down and has begun to answer checks.
    Probing,
    /// It does not answer.
    Down,
}

impl Belief {
    /// The word that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Belief::Up => "up",
            Belief::Probing => "probing",
            Belief::Down => "down",
        }
    }
}

/// What was seen of an upstream, by a request or by a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A request got a response head, of any status.
    Answered,
    /// A request could not connect: refused, or no route to the host.
    Refused,
    /// A request could not connect in time.
    ConnectTimedOut,
    /// A fresh connection broke before a response head was complete, or the name was not found.
    Broken,
    /// A request got no response head before its deadline.
    TimedOut,
    /// A check got a complete answer below 500.
    CheckPassed,
    /// A check could not connect.
    CheckRefused,
    /// A check got no answer in time while requests waited too, and none of them was answered: the process is frozen.
    CheckSilent,
    /// A check got no answer in time, and no request tells more: some were answered, or none waited.
    CheckSlow,
    /// A check's connection broke, or its answer was not HTTP, or the name was not found.
    CheckBroken,
    /// A check got an answer of 500 or above.
    CheckRejected,
}

impl Observation {
    /// What was seen, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Observation::Answered => "a request was answered",
            Observation::Refused => "a connect was refused",
            Observation::ConnectTimedOut => "a connect timed out",
            Observation::Broken => "a connection failed before the response",
            Observation::TimedOut => "a request was not answered in time",
            Observation::CheckPassed => "a check was answered",
            Observation::CheckRefused => "a check could not connect",
            Observation::CheckSilent => "it accepts but answers nothing",
            Observation::CheckSlow => "a check was not answered in time",
            Observation::CheckBroken => "a check's connection failed",
            Observation::CheckRejected => "a check was answered with 500 or above",
        }
    }

    /// What it means.
    fn verdict(self) -> Sign {
        match self {
            Observation::Answered => Sign::Life,
            Observation::CheckPassed => Sign::Pass,
            Observation::Refused | Observation::CheckRefused | Observation::CheckSilent => Sign::Death,
            Observation::ConnectTimedOut
            | Observation::Broken
            | Observation::TimedOut
            | Observation::CheckSlow
            | Observation::CheckBroken
            | Observation::CheckRejected => Sign::Strike,
        }
    }
}

/// What an observation means for the table.
enum Sign {
    /// Alive, but no reason to trust a fallen upstream again.
    Life,
    /// Alive and answering checks.
    Pass,
    /// Ambiguous.
    Strike,
    /// Beyond doubt.
    Death,
}

/// What is believed of one upstream, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    state: State,
    reason: Option<Observation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Below [`STRIKES_TO_FALL`] strikes in a row.
    Up {
        strikes: u8,
    },
    /// Below [`ANSWERS_TO_RETURN`] passed checks in a row.
    Probing {
        passed: u8,
    },
    Down,
}

impl State {
    /// What a fallen upstream is after so many passed checks in a row.
    fn after_passing(passed: u8) -> State {
        if passed < ANSWERS_TO_RETURN {
            State::Probing { passed }
        } else {
            State::Up { strikes: 0 }
        }
    }
}

impl Default for Health {
    fn default() -> Health {
        Health::new()
    }
}

impl Health {
    /// The belief before anything was seen: up, because the first refused connect corrects it at once, while the
    /// opposite would refuse the first users of a healthy site.
    #[must_use]
    pub const fn new() -> Health {
        Health {
            state: State::Up { strikes: 0 },
            reason: None,
        }
    }

    /// What is believed.
    #[must_use]
    pub fn belief(&self) -> Belief {
        match self.state {
            State::Up { .. } => Belief::Up,
            State::Probing { .. } => Belief::Probing,
            State::Down => Belief::Down,
        }
    }

    /// The last observation that changed the belief, in words.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason.map_or("not observed yet", Observation::as_str)
    }

    /// The health after an observation; `None` when nothing changes, which is the common case and costs nothing.
    #[must_use]
    pub fn observe(&self, observation: Observation) -> Option<Health> {
        let state = match (self.state, observation.verdict()) {
            (State::Up { .. }, Sign::Life | Sign::Pass) => State::Up { strikes: 0 },
            (State::Up { strikes }, Sign::Strike) if strikes + 1 < STRIKES_TO_FALL => {
                State::Up { strikes: strikes + 1 }
            }
            (State::Up { .. }, Sign::Strike | Sign::Death) => State::Down,

            (State::Down, Sign::Pass) => State::after_passing(1),
            (State::Down, Sign::Life | Sign::Strike | Sign::Death) => State::Down,

            (State::Probing { passed }, Sign::Pass) => State::after_passing(passed + 1),
            (State::Probing { passed }, Sign::Life) => State::Probing { passed },
            (State::Probing { .. }, Sign::Strike | Sign::Death) => State::Down,
        };
        if state == self.state {
            return None;
        }
        let next = Health {
            state,
            reason: Some(observation),
        };
        Some(if next.belief() == self.belief() {
            Health {
                reason: self.reason,
                ..next
            }
        } else {
            next
        })
    }
}
