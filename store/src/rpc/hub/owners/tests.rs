//! The rule by which answers wait, as golden scripts. After a wanted change, `UPDATE_GOLDENFILES=1` writes the answers anew.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::runtime;

/// The figures of the scripts: trust 525 ms, handover 1,200 ms.
const PATIENCE: Patience = Patience {
    trust: Duration::from_millis(525),
    handover: Duration::from_millis(1_200),
};

/// What there is to know, the time, and the present stream of each instance.
struct Stage {
    owners: Owners<()>,
    start: Instant,
    now: Instant,
    streams: HashMap<u64, u64>,
}

impl Stage {
    fn new() -> Stage {
        let start = runtime::now();
        Stage {
            owners: Owners::new(PATIENCE),
            start,
            now: start,
            streams: HashMap::new(),
        }
    }

    fn stream(&self, instance: u64) -> (u64, u64) {
        (instance, self.streams.get(&instance).copied().unwrap_or_default())
    }

    fn told(&mut self, session: &SessionKey, instance: u64, what: Told) -> String {
        match self.owners.told(session, instance, what, self.now) {
            Some(push) => format!("push {push}"),
            None => "no push".to_owned(),
        }
    }

    fn due(&self, session: &SessionKey, asks: u64, version: u64) -> String {
        match self.owners.due(session, asks, Version(version), self.now) {
            None => "at once".to_owned(),
            Some(due) => {
                let until = due.until.duration_since(self.start).as_millis();
                let word = due.wake.map_or("", |()| " or word");
                format!("until {until}{word}")
            }
        }
    }
}

impl goldenscript::Runner for Stage {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        _: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let mut arguments = command.consume_args();
        let mut number = |key| arguments.take_key(key).map(str::parse::<u64>).transpose();
        let (asks, version) = (
            number("asks")?.unwrap_or(0),
            number("version")?.unwrap_or(u64::MAX),
        );
        let (read_through, connection) = (number("read")?.unwrap_or(0), number("direct")?);
        let acknowledged: Vec<u64> = number("acknowledged")?.into_iter().collect();
        let words: Vec<&str> = std::iter::from_fn(|| arguments.next_pos()).collect();
        arguments.reject_next()?;
        let probe = words.contains(&"probe");
        let first = || words.first().ok_or("who, when, or which");
        let who = || Ok::<u64, Box<dyn Error>>(first()?.trim_start_matches('n').parse()?);
        let session = || key(first().copied().unwrap_or_default());
        let whose =
            || Ok::<u64, Box<dyn Error>>(words.get(1).ok_or("whose")?.trim_start_matches('n').parse()?);
        let now = self.now;
        let settled = |settled: Vec<()>| format!("{} settled", settled.len());
        let told = match command.name.as_str() {
            "at" => {
                self.now = self.start + Duration::from_millis(first()?.parse()?);
                String::new()
            }
            "elected" => {
                self.owners.elected(Version(version), now);
                String::new()
            }
            "opens" => {
                let stream = self.owners.opened(who()?, connection, probe, now);
                self.streams.insert(who()?, stream);
                String::new()
            }
            "says" => {
                let message = OwnerSaid {
                    probe,
                    read_through,
                    acknowledged: &acknowledged,
                };
                settled(self.owners.heard(self.stream(who()?), message, now))
            }
            "goodbye" => settled(self.owners.goodbye(who()?, self.stream(who()?).1)),
            "closes" => {
                self.owners.closed(who()?, self.stream(who()?).1, now);
                String::new()
            }
            "disconnects" => settled(self.owners.disconnected(who()?)),
            "lost" => self.told(&session(), whose()?, Told::Lost),
            "changed" => self.told(&session(), whose()?, Told::Changed),
            "expired" => self.told(&session(), whose()?, Told::Expired),
            "answer" => self.due(&session(), asks, version),
            other => return Err(format!("what is {other}?").into()),
        };
        Ok(told)
    }
}

fn key(name: &str) -> SessionKey {
    let mut key = [0; 16];
    key[..name.len()].copy_from_slice(name.as_bytes());
    SessionKey {
        application: Arc::from("localhost/shop"),
        key,
    }
}

#[test]
fn scripts_tell_the_rule() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rpc/hub/scripts");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    scripts.sort();
    assert!(scripts.len() > 5, "the scripts are gone");
    for script in scripts {
        let told = goldenscript::run(&mut Stage::new(), &script);
        told.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    }
}

#[test]
fn a_stream_that_was_replaced_settles_nothing() {
    let mut owners: Owners<()> = Owners::new(PATIENCE);
    let now = runtime::now();
    let first = owners.opened(1, None, true, now);
    owners.opened(1, None, true, now);
    let push = owners.told(&key("s"), 1, Told::Lost, now).unwrap();
    let acknowledged = OwnerSaid {
        acknowledged: &[push],
        ..OwnerSaid::default()
    };
    assert!(owners.heard((1, first), acknowledged, now).is_empty());
    assert!(owners.goodbye(1, first).is_empty());
    owners.closed(1, first, now);
    assert!(
        owners.told(&key("s"), 1, Told::Lost, now).is_some(),
        "the second goes on"
    );
}

#[test]
fn a_stream_may_leave_so_many_pushes_unacknowledged_and_no_more() {
    let mut owners: Owners<()> = Owners::new(PATIENCE);
    let now = runtime::now();
    let stream = owners.opened(1, None, true, now);
    for _ in 0..UNACKNOWLEDGED_MAX {
        owners.told(&key("s"), 1, Told::Lost, now);
    }
    assert!(!owners.overdue(1));
    let last = owners.told(&key("s"), 1, Told::Expired, now).unwrap();
    assert!(owners.overdue(1));
    let acknowledged = OwnerSaid {
        acknowledged: &[last],
        ..OwnerSaid::default()
    };
    owners.heard((1, stream), acknowledged, now);
    assert!(!owners.overdue(1));
}

#[test]
fn nothing_is_kept_of_what_nobody_waits_for() {
    let mut owners: Owners<()> = Owners::new(PATIENCE);
    let start = runtime::now();
    owners.elected(Version(1), start);
    let stream = owners.opened(1, Some(1), true, start);
    owners.told(&key("s"), 1, Told::Lost, start);
    owners.told(&key("t"), 2, Told::Changed, start);
    owners.closed(1, stream, start);
    let later = start + PATIENCE.handover;
    owners.told(&key("u"), 3, Told::Lost, later);
    let kept = (
        owners.owners.len(),
        owners.owed.len(),
        owners.by_age.len(),
        owners.left.len(),
    );
    assert_eq!(kept, (0, 0, 0, 0));
}
