//! What one proposal does at most: lists that are too long for a story.

use bytes::Bytes;

use crate::{
    Command, ENDED_MAX, Epoch, KILLED_MAX, Killed, Label, Limit, Outcome, OverLimit, Proposal, RequestId,
    SWEPT_MAX, Save, SessionKey, SessionTable, Stamp, TOUCHED_MAX, Tidings, Touched, Version, Wish,
};

use super::{saves, sweep};
use crate::labels::LOOKED_MAX;

/// A table in which the store asks, and a session for each number, created by the change of that number.
struct Crowd {
    table: SessionTable,
    sessions: usize,
}

impl Crowd {
    /// So many sessions of one user that expire after 60 s.
    fn new(sessions: usize) -> Self {
        let mut crowd = Self {
            table: SessionTable::new(),
            sessions,
        };
        for number in 1..=sessions {
            crowd.ask(Command::Save(Save {
                labels: Some(vec![label()]),
                ..saves(key(number), 60)
            }));
        }
        crowd
    }

    fn ask(&mut self, command: Command) -> Outcome {
        let proposal = Proposal {
            request_id: Some(RequestId {
                instance: 1,
                serial: 1 + self.table.reader().version().0,
            }),
            node: "n1".into(),
            command,
        };
        self.table.apply(&proposal, &mut Tidings::default())
    }

    fn versions(&self) -> impl Iterator<Item = (SessionKey, u64)> + use<> {
        (1..=self.sessions).map(|number| (key(number), number as u64))
    }

    fn pass_ms(&mut self, milliseconds: u64) {
        let until = self.table.reader().table_time().plus_ms(milliseconds);
        while self.table.reader().table_time() < until {
            let now = self.table.reader().table_time().0;
            self.table.begin_entry(Stamp(until.0.min(now + super::ENTRY_MS)));
        }
    }
}

fn label() -> Label {
    Label {
        name: "principal".into(),
        value: "ada".into(),
    }
}

fn key(number: usize) -> SessionKey {
    let mut key = [0; 16];
    key[8..].copy_from_slice(&(number as u64).to_be_bytes());
    SessionKey {
        application: "shop".into(),
        key,
    }
}

#[test]
fn of_servers_that_were_retired_the_last_marks_stay() {
    let mut crowd = Crowd::new(0);
    for instance in 1..=258 {
        crowd.ask(Command::RetireNode {
            node: "n1".into(),
            instance: Some(instance),
        });
    }
    let view = crowd.table.reader().registry();
    let marks: Vec<u64> = view.retired.iter().map(|mark| mark.server.instance).collect();
    assert_eq!(marks, (3..=258).collect::<Vec<_>>());
}

#[test]
fn of_wishes_that_were_taken_back_the_last_are_known() {
    let mut crowd = Crowd::new(0);
    let wish = |number: u64, said: &'static str| {
        let wish = Wish {
            of: format!("route n{number:03}").into(),
            said: Bytes::from_static(said.as_bytes()),
            who: "ada".into(),
            at_ms: 0,
            version: Version(0),
        };
        Command::Wish { wish, base: None }
    };
    crowd.ask(wish(0, "drain"));
    // Taken back in the order of their names, but for the second, which comes last.
    for number in (2..=258).chain([1]) {
        crowd.ask(wish(number, ""));
    }
    let known = crowd.table.reader().registry().wishes;
    let known: Vec<&str> = known.iter().map(|wish| &*wish.of).collect();
    assert_eq!(
        (known.len(), &known[..3]),
        (257, &["route n000", "route n001", "route n004"][..])
    );
}

#[test]
fn a_kill_ends_what_it_names_first_and_leaves_the_rest() {
    let mut crowd = Crowd::new(KILLED_MAX + 1);
    let sessions = crowd.versions().map(|(session, version)| Killed {
        session,
        created_version: Version(version),
    });
    let killed = crowd.ask(Command::Kill {
        sessions: sessions.collect(),
    });
    assert_eq!(killed, Outcome::Killed { killed: 256 });
    let reader = crowd.table.reader();
    assert_eq!((reader.sessions(), reader.remains()), (1, 256));
    assert!(reader.get(&key(KILLED_MAX + 1)).is_some());
}

/// What a login of this number is answered that lets so many sessions of its user live and ends the others.
fn login(crowd: &mut Crowd, number: usize, sessions: u32) -> Outcome {
    let save = Save {
        labels: Some(vec![label()]),
        limit: Some(Limit {
            label: label().name,
            sessions,
            then: OverLimit::End,
        }),
        ..saves(key(number), 60)
    };
    crowd.ask(Command::Save(save))
}

#[test]
fn a_limit_ends_no_more_than_its_bound_and_refuses_instead() {
    let mut crowd = Crowd::new(ENDED_MAX + 2);
    let newcomer = ENDED_MAX + 3;
    let refused = login(&mut crowd, newcomer, 2);
    assert_eq!(refused, Outcome::OverLimit { sessions: 2 });
    assert_eq!(crowd.table.reader().remains(), 0);
    let Outcome::Saved(saved) = login(&mut crowd, newcomer, 3) else {
        panic!("64 make room")
    };
    assert_eq!(saved.ended.unwrap(), (1..=64).map(key).collect::<Vec<_>>());
}

/// Where more are past their deadline than are looked at, nobody knows how many live.
#[test]
fn a_limit_looks_at_no_more_than_its_bound_and_refuses_until_a_sweep_came() {
    let mut crowd = Crowd::new(LOOKED_MAX + 1);
    crowd.pass_ms(60_001);
    let newcomer = LOOKED_MAX + 2;
    let refused = login(&mut crowd, newcomer, 1);
    assert_eq!(refused, Outcome::OverLimit { sessions: 1 });
    crowd.ask(sweep(1));
    let saved = login(&mut crowd, newcomer, 1);
    assert!(matches!(saved, Outcome::Saved(_)), "{saved:?}");
}

#[test]
fn a_touch_moves_what_it_names_first_and_says_nothing_of_the_rest() {
    let mut crowd = Crowd::new(TOUCHED_MAX + 1);
    let mut sessions: Vec<Touched> = crowd
        .versions()
        .map(|(session, version)| Touched {
            session,
            epoch: Epoch(version),
            last_access_ms: 0,
        })
        .collect();
    sessions[TOUCHED_MAX - 1].epoch = Epoch(7);
    sessions[TOUCHED_MAX].epoch = Epoch(7);
    crowd.pass_ms(30_000);
    let touched = crowd.ask(Command::Touch { sessions });
    let last = 999;
    assert_eq!(
        touched,
        Outcome::Touched {
            fenced: vec![last],
            gone: Vec::new(),
        }
    );
    crowd.pass_ms(30_001);
    let swept = crowd.ask(sweep(SWEPT_MAX));
    assert_eq!(swept, Outcome::Swept { removed: 2 });
}

#[test]
fn a_sweep_takes_no_more_than_its_bound_whatever_it_is_asked() {
    let bound = usize::try_from(SWEPT_MAX).unwrap();
    let mut crowd = Crowd::new(bound + 1);
    crowd.pass_ms(60_001);
    let swept = crowd.ask(sweep(u32::MAX));
    assert_eq!(swept, Outcome::Swept { removed: 1_000 });
    assert_eq!(crowd.table.reader().sessions(), 1);
}
