//! To whom leavers are offered: the rule, without a stream or a clock.

use remora_table::{
    Announcement, Attribute, Command, Epoch, HEARS_ITS_END, Outcome, Proposal, RequestId, Save, SessionKey,
    SessionTable, Stamp, Tidings, Version,
};

use super::*;

/// The owner of what expires here, and two others that serve the application.
const OWNER: u64 = 7;
const OTHER: u64 = 8;
const THIRD: u64 = 9;

/// A table in which sessions expire.
struct Stage {
    table: SessionTable,
    offers: Offers,
    began: Instant,
    serial: u64,
    stamp: u64,
}

impl Stage {
    /// So many sessions of the owner have expired.
    fn new(sessions: u8) -> Stage {
        let mut stage = Stage {
            table: SessionTable::new(),
            offers: Offers::default(),
            began: runtime::now(),
            serial: 0,
            stamp: 1,
        };
        stage.table.begin_entry(Stamp(1));
        for instance in [OWNER, OTHER, THIRD] {
            stage.announce(instance);
        }
        stage.expire(1..=sessions);
        stage
    }

    fn ask(&mut self, instance: u64, command: Command) -> Outcome {
        self.serial += 1;
        let proposal = Proposal {
            request_id: Some(RequestId {
                instance,
                serial: self.serial,
            }),
            node: Arc::from(format!("n{instance}")),
            command,
        };
        self.table.apply(&proposal, &mut Tidings::default())
    }

    fn announce(&mut self, instance: u64) {
        let said = Announcement {
            url: Arc::from("http://h"),
            applications: vec![Arc::from("shop")],
            mode: Arc::from(""),
            software: Arc::from(""),
            threads: 0,
            unprotected: Vec::new(),
            listened: Vec::new(),
        };
        self.ask(instance, Command::Announce(said));
    }

    fn expire(&mut self, sessions: impl Iterator<Item = u8>) {
        for number in sessions {
            self.ask(OWNER, Command::Save(short(number)));
        }
        self.stamp += 1_001;
        self.table.begin_entry(Stamp(self.stamp));
        let sweep = Command::Sweep {
            limit: 1_000,
            leavers_bytes_max: u64::MAX,
        };
        self.ask(0, sweep);
    }

    /// What is offered to whom so many seconds after the beginning, while these have streams.
    fn offered(&mut self, seconds: u64, streams: &[u64]) -> Vec<(u64, u8)> {
        let outboxes = streams.iter().map(|instance| (*instance, Arc::default()));
        let reader = self.table.reader();
        let there = There::of(&reader, &outboxes.collect());
        let now = self.began + Duration::from_secs(seconds);
        let due = self.offers.due(&reader, &there, now);
        due.iter()
            .map(|offered| (offered.instance, offered.leaver.session.key[0]))
            .collect()
    }

    /// Somebody buries the first of those that wait.
    fn bury(&mut self, instance: u64) {
        let (leaver, _) = self.table.reader().leavers_behind(None, 1).remove(0);
        let buried = self.ask(instance, Command::Bury(leaver));
        assert_eq!(buried, Outcome::Buried { first: true });
    }
}

/// A session of a second, a value of which wants to hear of its end.
fn short(number: u8) -> Save {
    Save {
        session: SessionKey {
            application: Arc::from("shop"),
            key: [number; 16],
        },
        epoch: Epoch(0),
        base: Version(0),
        changed: vec![Attribute {
            name: Arc::from("cart"),
            version: Version(0),
            type_tag: HEARS_ITS_END,
            value: bytes::Bytes::from_static(b"a book"),
        }],
        removed: Vec::new(),
        local: Vec::new(),
        login: None,
        labels: None,
        limit: None,
        max_idle_seconds: Some(1),
        late: false,
        created_ms: 0,
        last_access_ms: 0,
    }
}

#[test]
fn an_owner_that_lives_is_offered_its_own_and_once() {
    let mut stage = Stage::new(2);
    let all = [OWNER, OTHER, THIRD];
    assert_eq!(stage.offered(0, &all), [(OWNER, 1), (OWNER, 2)]);
    assert_eq!(stage.offered(1, &all), []);
    stage.bury(OWNER);
    stage.bury(OWNER);
    assert_eq!(stage.offered(60, &all), []);
    assert!(stage.offers.held.is_empty(), "what is buried is not under way");
}

#[test]
fn others_share_what_nobody_owns_any_more() {
    let mut stage = Stage::new(4);
    let offered = stage.offered(0, &[OTHER, THIRD]);
    assert_eq!(offered, [(OTHER, 1), (THIRD, 2), (OTHER, 3), (THIRD, 4)]);
}

#[test]
fn what_is_not_taken_up_is_offered_to_another_and_at_once_where_a_stream_ended() {
    let mut stage = Stage::new(1);
    let all = [OWNER, OTHER, THIRD];
    assert_eq!(stage.offered(0, &all), [(OWNER, 1)]);
    assert_eq!(stage.offered(4, &all), []);
    assert_eq!(stage.offered(5, &all), [(OTHER, 1)]);
    assert_eq!(stage.offered(6, &[OWNER, THIRD]), [(OWNER, 1)]);
    assert_eq!(stage.offered(11, &[OWNER]), [(OWNER, 1)], "there is nobody else");
    assert_eq!(stage.offered(12, &[]), []);
    assert_eq!(stage.offered(13, &[THIRD]), [(THIRD, 1)]);
}

#[test]
fn a_tomcat_of_another_application_is_offered_nothing() {
    let mut stage = Stage::new(1);
    assert_eq!(stage.offered(0, &[OTHER + 100]), []);
}

#[test]
fn a_tomcat_has_no_more_offers_than_its_bound() {
    let mut stage = Stage::new(u8::MAX);
    stage.expire(1..=2);
    assert_eq!(stage.offered(0, &[OWNER]).len(), OFFERS_MAX);
    assert_eq!(stage.offered(1, &[OWNER]), []);
    stage.bury(OWNER);
    assert_eq!(stage.offered(2, &[OWNER]).len(), 1);
    assert_eq!(
        stage.offered(5, &[OWNER]).len(),
        OFFERS_MAX - 1,
        "nobody else is there"
    );
}
