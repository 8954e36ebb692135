//! The tables of belief and silence as golden scripts, in `scripts/` beside the crate.
//!
//! A script is a story: commands, a line `---`, and what was answered. After a wanted change of a rule,
//! `UPDATE_GOLDENFILES=1 cargo test -p remora-policy scripts` writes the answers anew, to be read before they are
//! committed.
//!
//! `table` prints every state and every observation; with `checks=off` those of a pool whose members are not checked.
//! `see` follows one upstream through observations. `asked`, `answered` and `broke` are what a check did at a time,
//! `look` a look at that time, with requests that wait, signs of life that they brought, threads, and `apart=yes`
//! for checks at another connector. Times are milliseconds.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::upstream::testing::next;
use crate::upstream::{Belief, Health, HealthRule, Observation, Silence, Waiting};

/// Every observation, in the order of the table.
fn observations() -> Vec<Observation> {
    vec![
        Observation::Answered,
        Observation::Refused,
        Observation::Unverified,
        Observation::ConnectTimedOut,
        Observation::Broken,
        Observation::TimedOut,
        Observation::CheckPassed,
        Observation::CheckLeft,
        Observation::CheckRefused,
        Observation::CheckSlow,
        Observation::CheckBroken,
        Observation::CheckRejected {
            status: 503,
            accepted: "200-399".into(),
        },
        Observation::Frozen,
        Observation::Rested,
    ]
}

/// Its name in scripts.
fn word(seen: &Observation) -> String {
    let debug = format!("{seen:?}");
    debug.split(' ').next().unwrap_or_default().to_owned()
}

/// A state as it is written: `up -1` has one failure in a row, `down +1` one passed check.
fn shown(health: &Health) -> String {
    let debug = format!("{health:?}");
    let count = |name: &str| {
        let (_, rest) = debug.split_once(name).unwrap();
        rest.chars().next().filter(|count| *count != '0')
    };
    let word = if health.is_frozen() {
        "frozen"
    } else {
        health.belief().as_str()
    };
    let failures = count("failures: ").map(|count| format!(" -{count}"));
    let passes = count("passes: ").map(|count| format!(" +{count}"));
    [Some(word.to_owned()), failures, passes]
        .into_iter()
        .flatten()
        .collect()
}

fn rule(arguments: &mut goldenscript::ArgumentConsumer<'_>) -> Result<HealthRule, Box<dyn Error>> {
    let rise = arguments.take_key("rise").unwrap_or("2").parse()?;
    let fall = arguments.take_key("fall").unwrap_or("2").parse()?;
    let checked = arguments.take_key("checks") != Some("off");
    Ok(HealthRule { rise, fall, checked })
}

/// Every state that observations lead to, and what each of them makes of it. Where nobody checks, no check says anything,
/// and where checks are made nobody rests.
fn table(rule: &HealthRule) -> String {
    let of_checks = |seen: &Observation| *seen == Observation::Frozen || word(seen).starts_with("Check");
    let mut observations = observations();
    observations.retain(|seen| {
        if rule.checked {
            *seen != Observation::Rested
        } else {
            !of_checks(seen)
        }
    });
    let mut states = vec![Health::new(rule)];
    let mut at = 0;
    while at < states.len() {
        for seen in &observations {
            let next = next(&states[at], seen, rule);
            if !states.iter().any(|known| shown(known) == shown(&next)) {
                states.push(next);
            }
        }
        at += 1;
    }
    let rank = |health: &Health| {
        let beliefs = [Belief::Unknown, Belief::Up, Belief::Leaving, Belief::Down];
        let belief = beliefs.iter().position(|belief| *belief == health.belief());
        (belief, health.is_frozen(), shown(health))
    };
    states.sort_by_key(rank);
    let mut text = format!("{:16}", "");
    for state in &states {
        let _ = write!(text, "| {:11}", shown(state));
    }
    for seen in &observations {
        let _ = write!(text, "\n{:16}", word(seen));
        for state in &states {
            let next = state
                .observe(seen, rule)
                .map_or("-".to_owned(), |next| shown(&next));
            let _ = write!(text, "| {next:11}");
        }
    }
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn observation(word: &str) -> Result<Observation, Box<dyn Error>> {
    let known = observations().into_iter().find(|known| self::word(known) == word);
    known.ok_or_else(|| format!("no observation is called {word}").into())
}

/// One upstream's silence, and what its requests brought so far.
#[derive(Default)]
struct Stage {
    silence: Silence,
}

impl Stage {
    fn look(&mut self, now: Duration, arguments: &mut goldenscript::ArgumentConsumer<'_>) -> Told {
        let waiting = Waiting {
            requests: arguments.take_key("waiting").unwrap_or("0").parse()?,
            heard: arguments.take_key("heard").unwrap_or("0").parse()?,
            threads: arguments.take_key("threads").map(str::parse).transpose()?,
            apart: arguments.take_key("apart").is_some(),
        };
        let sight = self.silence.look(now, &waiting);
        Ok(format!("{sight:?}"))
    }
}

/// What a command answers.
type Told = Result<String, Box<dyn Error>>;

impl goldenscript::Runner for Stage {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Told {
        let mut arguments = command.consume_args();
        let name = command.name.as_str();
        if name == "table" {
            return Ok(table(&rule(&mut arguments)?));
        }
        if name == "see" {
            let rule = rule(&mut arguments)?;
            let mut health = Health::new(&rule);
            let mut story = shown(&health);
            while let Some(word) = arguments.next_pos() {
                health = next(&health, &observation(word)?, &rule);
                let _ = write!(story, ", {}", shown(&health));
            }
            return Ok(story);
        }
        let now = Duration::from_millis(arguments.next_pos().ok_or("when")?.parse()?);
        let told = match name {
            "asked" => {
                self.silence.asked(now);
                String::new()
            }
            "answered" => {
                self.silence.answered(now);
                String::new()
            }
            "broke" => {
                self.silence.broke();
                String::new()
            }
            "look" => self.look(now, &mut arguments)? + ", ",
            _ => return Err(format!("no command is called {name}").into()),
        };
        arguments.reject_next()?;
        let (lasts, patience) = (self.silence.lasts(now), self.silence.patience(now));
        Ok(format!("{told}silent for {lasts:?} of {patience:?}"))
    }
}

#[test]
fn scripts_tell_the_tables() {
    for name in ["belief", "silence"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/{name}.script"));
        let told = goldenscript::run(&mut Stage::default(), &script);
        told.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
