//! What a stream is told of the sessions that it watches, over a table without a node.

use std::sync::Arc;
use std::time::Duration;

use remora_table::{
    Command, Epoch, Outcome, Proposal, RemoveReason, RequestId, Save, SessionTable, Stamp, Tidings,
};

use super::*;
use crate::runtime;

/// A table, and the serials of the instance that changes it.
struct Stage {
    table: SessionTable,
    serial: u64,
    watches: Watches,
    came: Instant,
}

fn key(name: u8) -> SessionKey {
    SessionKey {
        application: Arc::from("localhost/shop"),
        key: [name; 16],
    }
}

/// In the same slot as another.
fn renamed(name: u8) -> SessionKey {
    let mut renamed = key(name);
    renamed.key[15] = 0;
    renamed
}

impl Stage {
    fn new() -> Stage {
        Stage {
            table: SessionTable::new(),
            serial: 0,
            watches: Watches::default(),
            came: runtime::now(),
        }
    }

    fn apply(&mut self, command: Command) -> Outcome {
        self.serial += 1;
        let request_id = Some(RequestId {
            instance: 1,
            serial: self.serial,
        });
        let proposal = Proposal {
            request_id,
            node: "n1".into(),
            command,
        };
        self.table.apply(&proposal, &mut Tidings::default())
    }

    /// A session that is idle for at most a second.
    fn create(&mut self, session: SessionKey) -> Version {
        let save = Save {
            session,
            epoch: Epoch(0),
            base: Version(0),
            changed: Vec::new(),
            removed: Vec::new(),
            local: Vec::new(),
            login: None,
            labels: None,
            max_idle_seconds: Some(1),
            late: false,
            limit: None,
            created_ms: 0,
            last_access_ms: 0,
        };
        match self.apply(Command::Save(save)) {
            Outcome::Saved(saved) => saved.version,
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, session: SessionKey, created_version: Version) {
        self.apply(Command::Remove {
            session,
            created_version,
            epoch: Epoch(0),
            reason: RemoveReason::Logout,
        });
    }

    fn rename(&mut self, session: SessionKey, to: &SessionKey, epoch: Version) {
        let outcome = self.apply(Command::Rename {
            session,
            new_key: to.key,
            epoch: Epoch(epoch.0),
        });
        assert!(matches!(outcome, Outcome::Rekeyed { .. }), "{outcome:?}");
    }

    fn watch(&mut self, session: &SessionKey, created: Version) {
        let watched = v1::Watched {
            session: Some(convert::session_key(session)),
            created_version: created.0,
        };
        self.watches.heard(vec![watched], Vec::new(), self.came).unwrap();
    }

    /// What is told, as keys and what they became: nothing, or another key.
    fn told(&mut self) -> Vec<(SessionKey, Option<SessionKey>)> {
        let news = self.watches.look(&self.table.reader(), self.came);
        let shown = |news: v1::News| {
            let before = convert::key(news.session).unwrap();
            let new_key = <[u8; 16]>::try_from(&news.new_key[..]).ok();
            let now = new_key.map(|key| SessionKey {
                key,
                ..before.clone()
            });
            (before, now)
        };
        news.into_iter().map(shown).collect()
    }
}

#[test]
fn an_end_is_told_once_whatever_ended_it() {
    let mut stage = Stage::new();
    let (ended, expired, before) = (key(1), key(2), key(3));
    let created = [&ended, &expired, &before].map(|session| stage.create(session.clone()));
    stage.end(before.clone(), created[2]);
    for (session, created) in [&ended, &expired, &before].iter().zip(created) {
        stage.watch(session, created);
    }
    assert_eq!(stage.told(), [(before, None)], "it ended before anybody watched");
    stage.end(ended.clone(), created[0]);
    assert_eq!(stage.told(), [(ended, None)]);
    stage.table.begin_entry(Stamp(1_001));
    assert_eq!(stage.told(), [(expired, None)], "no sweep came yet");
    assert_eq!(stage.told(), []);
}

#[test]
fn a_session_is_followed_to_its_new_key_and_watched_there() {
    let mut stage = Stage::new();
    let created = stage.create(key(1));
    stage.watch(&key(1), created);
    stage.rename(key(1), &renamed(1), created);
    assert_eq!(stage.told(), [(key(1), Some(renamed(1)))]);
    assert_eq!(stage.told(), []);
    stage.end(renamed(1), created);
    assert_eq!(stage.told(), [(renamed(1), None)]);
}

#[test]
fn nobody_is_told_of_what_he_does_not_watch_any_more() {
    let mut stage = Stage::new();
    let created = stage.create(key(1));
    stage.watch(&key(1), created);
    let unwatched = vec![convert::session_key(&key(1))];
    stage.watches.heard(Vec::new(), unwatched, stage.came).unwrap();
    stage.end(key(1), created);
    assert_eq!(stage.told(), []);
}

#[test]
fn a_table_that_may_lag_behind_the_watch_ends_nothing() {
    let mut stage = Stage::new();
    stage.watch(&key(1), Version(1));
    let before = stage.came.checked_sub(Duration::from_millis(1)).unwrap();
    let early = stage.watches.look(&stage.table.reader(), before);
    assert!(early.is_empty(), "its record may be on the way: {early:?}");
    stage.create(key(1));
    assert_eq!(stage.told(), []);
}

#[test]
fn all_are_looked_up_in_turn_and_no_more_are_watched_than_may_be() {
    let mut stage = Stage::new();
    let session = |number: u32| {
        let mut session = key(1);
        session.key[..4].copy_from_slice(&number.to_be_bytes());
        session
    };
    let watched = |number| v1::Watched {
        session: Some(convert::session_key(&session(number))),
        created_version: 1,
    };
    let many = u32::try_from(WATCHED_MAX).unwrap() + 10;
    let all = (0..many).map(watched).collect();
    stage.watches.heard(all, Vec::new(), stage.came).unwrap();
    let mut told = 0;
    loop {
        let now = stage.told().len();
        assert!(now <= LOOKED_UP_MAX);
        told += now;
        if now == 0 {
            break;
        }
    }
    assert_eq!(told, WATCHED_MAX, "none of them lives");
}

#[test]
fn what_is_no_key_is_refused() {
    let session = Some(v1::SessionKey {
        application: "localhost/shop".into(),
        key: Bytes::from_static(b"short"),
    });
    let watched = vec![v1::Watched {
        session,
        created_version: 1,
    }];
    let mut watches = Watches::default();
    assert!(watches.heard(watched, Vec::new(), runtime::now()).is_err());
}
