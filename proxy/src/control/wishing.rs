//! From what an operator asks for to what is wished of each route.
//!
//! Invariant: what is refused changes nothing, and says what to write instead.

use remora_policy::{AdminState, Wish};
use remora_proto::v1::{DrainMode, DrainRequest, ForeseeRequest, SetRequest, foresee_request};

use crate::config::WEIGHT;
use crate::directory::{Meant, unix_now};

/// Seconds after which a finish becomes a drain, unless an operator says otherwise: an hour, twice the time after which
/// Tomcat lets an idle session end.
const DEADLINE_SECONDS: u64 = 3_600;
/// The longest deadline. A month: beyond that it is a slip of the pen.
const DEADLINE_SECONDS_MAX: u64 = 31 * 86_400;

/// What changes of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Users leave, at once or at a deadline.
    Drain { until: Option<u64> },
    /// They stay.
    Undrain,
    /// What is said holds; what is not said holds as before, or as in the file.
    Set {
        state: Option<AdminState>,
        weight: Option<u32>,
        reset: bool,
    },
}

impl Change {
    /// What a drain asks for.
    pub(super) fn drain(request: &DrainRequest) -> Result<Change, String> {
        let seconds = match request.deadline_seconds {
            0 => DEADLINE_SECONDS,
            seconds if seconds <= DEADLINE_SECONDS_MAX => seconds,
            seconds => {
                return Err(format!(
                    "a deadline of {seconds} s is not taken: choose at most {DEADLINE_SECONDS_MAX} s, a month"
                ));
            }
        };
        let until = (request.mode() == DrainMode::Finish).then(|| unix_now() + seconds);
        Ok(Change::Drain { until })
    }

    /// What a set asks for.
    pub(super) fn set(request: &SetRequest) -> Result<Change, String> {
        let state = request.state.as_deref().map(|word| {
            AdminState::named(word).ok_or_else(|| {
                format!(
                    "state `{word}` is not known: write one of {}",
                    AdminState::words()
                )
            })
        });
        if request.weight.is_some_and(|weight| !WEIGHT.contains(&weight)) {
            return Err(format!("a weight is {} to {}", WEIGHT.start(), WEIGHT.end()));
        }
        if request.state.is_none() && request.weight.is_none() && !request.reset {
            return Err("say a state, a weight, or reset".to_owned());
        }
        Ok(Change::Set {
            state: state.transpose()?,
            weight: request.weight,
            reset: request.reset,
        })
    }

    /// Whether it is told to the store over whatever was wished elsewhere meanwhile. A weight is not: what is told is a whole wish, and
    /// the state in it may be one that somebody has just taken back.
    pub(super) fn presses(self) -> bool {
        !matches!(
            self,
            Change::Set {
                state: None,
                reset: false,
                ..
            }
        )
    }

    /// What it does, for people; `now` in seconds since 1970.
    pub(super) fn said(self, now: u64) -> String {
        match self {
            Change::Drain { until: None } => "is drained: its users leave with their next request".to_owned(),
            Change::Drain { until: Some(until) } => {
                let left = until.saturating_sub(now);
                format!("finishes: its users may stay for {left} s")
            }
            Change::Undrain => "is not drained any more".to_owned(),
            Change::Set { state, weight, reset } => {
                let reset = reset.then(|| "is as the file says".to_owned());
                let state = state.map(|state| format!("has state {}", state.as_str()));
                let weight = weight.map(|weight| format!("has weight {weight}"));
                let said: Vec<String> = [reset, state, weight].into_iter().flatten().collect();
                said.join(", ")
            }
        }
    }

    /// The wish after this change. `drained` says whether the file drains the route: then an undrain has to say that it
    /// serves.
    pub(super) fn of(self, wish: Wish, drained: bool) -> Wish {
        match self {
            Change::Drain { until } => Wish {
                state: Some(until.map_or(AdminState::Draining, |_| AdminState::Finishing)),
                until,
                ..wish
            },
            Change::Undrain => Wish {
                state: drained.then_some(AdminState::Active),
                until: None,
                ..wish
            },
            Change::Set { state, weight, reset } => {
                let before = if reset { Wish::default() } else { wish };
                Wish {
                    state: state.or(before.state),
                    until: before.until.filter(|_| state.is_none()),
                    weight: weight.or(before.weight),
                    ..before
                }
            }
        }
    }
}

/// What a wish that somebody else said asks for, for people; `now` in seconds since 1970.
pub(super) fn heard(wish: &Wish, now: u64) -> String {
    let until = wish.until.filter(|_| wish.state == Some(AdminState::Finishing));
    let is_drain = until.is_some() || wish.state == Some(AdminState::Draining);
    let rest = Change::Set {
        state: wish.state.filter(|_| !is_drain),
        weight: wish.weight,
        reset: wish.says_nothing(),
    };
    let drain = is_drain.then(|| Change::Drain { until }.said(now));
    let said: Vec<String> = drain.into_iter().chain([rest.said(now)]).collect();
    let said: Vec<&str> = said
        .iter()
        .map(|said| &**said)
        .filter(|said| !said.is_empty())
        .collect();
    said.join(", ")
}

/// Whom a request means.
pub(super) fn meant(route: String, group: String) -> Result<Meant, String> {
    match (route.is_empty(), group.is_empty()) {
        (false, true) => Ok(Meant::Route(route)),
        (true, false) => Ok(Meant::Group(group)),
        _ => Err("name a route or a group, one of the two".to_owned()),
    }
}

/// What a request to foresee asks of: whom it means, and the change.
pub(super) fn foreseen(request: ForeseeRequest) -> Result<(Meant, Change), String> {
    match request.wish {
        Some(foresee_request::Wish::Drain(drain)) => {
            let change = Change::drain(&drain)?;
            Ok((meant(drain.route, drain.group)?, change))
        }
        Some(foresee_request::Wish::Set(set)) => {
            let change = Change::set(&set)?;
            Ok((meant(set.route, set.group)?, change))
        }
        None => Err("say a drain or a set".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wished_is_told_as_if_he_had_said_it_here() {
        let wish = |state, until, weight| Wish {
            state,
            until,
            weight,
            ..Wish::default()
        };
        for (wish, told) in [
            (wish(None, None, None), "is as the file says"),
            (
                wish(Some(AdminState::Draining), None, Some(5)),
                "is drained: its users leave with their next request, has weight 5",
            ),
            (
                wish(Some(AdminState::Finishing), Some(160), None),
                "finishes: its users may stay for 60 s",
            ),
            (
                wish(Some(AdminState::Standby), None, Some(2)),
                "has state standby, has weight 2",
            ),
        ] {
            assert_eq!(heard(&wish, 100), told);
        }
    }
}
