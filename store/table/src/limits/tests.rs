//! Every row of the limits: what is refused, in which words, and what is let through.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{Login, Outcome, RemoveReason, RequestId, SessionKey, SessionTable, Stamp, Tidings, Version};

const LIMITS: Limits = Limits {
    session_bytes_max: 100,
    attributes_max: 3,
    sessions_max: 2,
    table_bytes_max: 1_000,
};

fn key(number: u8) -> SessionKey {
    SessionKey {
        application: Arc::from("shop"),
        key: [number; 16],
    }
}

fn attribute(name: &str, bytes: usize) -> Attribute {
    Attribute {
        name: Arc::from(name),
        version: Version(0),
        type_tag: 1,
        value: Bytes::from(vec![b'x'; bytes]),
    }
}

fn save(session: SessionKey, changed: Vec<Attribute>) -> Save {
    Save {
        session,
        epoch: Epoch(0),
        base: Version(0),
        changed,
        removed: Vec::new(),
        local: Vec::new(),
        login: None,
        labels: None,
        max_idle_seconds: None,
        late: false,
        limit: None,
        created_ms: 0,
        last_access_ms: 0,
    }
}

/// A table and what its one adapter knows of it.
struct Shop {
    table: SessionTable,
    serial: u64,
}

impl Shop {
    fn new() -> Self {
        let mut table = SessionTable::new();
        table.begin_entry(Stamp(1));
        Self { table, serial: 0 }
    }

    fn ask(&mut self, command: Command) -> Outcome {
        self.serial += 1;
        let proposal = Proposal {
            request_id: Some(RequestId {
                instance: 1,
                serial: self.serial,
            }),
            node: Arc::from("n1"),
            command,
        };
        self.table.apply(&proposal, &mut Tidings::default())
    }

    fn create(&mut self, session: SessionKey, changed: Vec<Attribute>) -> Epoch {
        match self.ask(Command::Save(save(session, changed))) {
            Outcome::Saved(saved) => saved.epoch,
            other => panic!("not created: {other:?}"),
        }
    }

    fn check(&self, limits: Limits, save: Save) -> Result<(), LimitError> {
        self.check_with(limits, save, Room::Ample)
    }

    fn check_with(&self, limits: Limits, save: Save, room: Room) -> Result<(), LimitError> {
        let proposal = Proposal {
            request_id: None,
            node: Arc::from("n1"),
            command: Command::Save(save),
        };
        limits.check(&proposal, &self.table.reader(), room)
    }
}

#[test]
fn an_attribute_that_is_named_twice_is_malformed() {
    let twice = save(key(1), vec![attribute("cart", 1), attribute("cart", 2)]);
    let mut both = save(key(1), vec![attribute("cart", 1)]);
    both.removed.push(Arc::from("cart"));
    for save in [twice, both] {
        assert!(matches!(
            Shop::new().check(LIMITS, save),
            Err(LimitError::Malformed(_))
        ));
    }
}

#[test]
fn a_session_ends_at_its_bytes_and_the_sentence_names_the_largest() {
    let shop = Shop::new();
    shop.check(LIMITS, save(key(1), vec![attribute("cart", 96)]))
        .unwrap();
    let over = shop.check(LIMITS, save(key(1), vec![attribute("cart", 97)]));
    let Err(LimitError::TooLarge(sentence)) = over else {
        panic!("not refused: {over:?}");
    };
    assert!(sentence.contains("\"cart\" with 101 bytes"), "{sentence}");
}

#[test]
fn a_session_ends_at_its_number_of_attributes() {
    let attributes = |count: usize| (0..count).map(|at| attribute(&format!("a{at}"), 1)).collect();
    let shop = Shop::new();
    shop.check(LIMITS, save(key(1), attributes(3))).unwrap();
    assert!(matches!(
        shop.check(LIMITS, save(key(1), attributes(4))),
        Err(LimitError::TooLarge(_))
    ));
}

#[test]
fn what_a_save_replaces_does_not_count() {
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("cart", 90), attribute("old", 1)]);
    let mut replacing = save(
        key(1),
        vec![attribute("cart", 80), attribute("new", 1), attribute("x", 1)],
    );
    replacing.epoch = epoch;
    replacing.removed.push(Arc::from("old"));
    shop.check(LIMITS, replacing).unwrap();
}

#[test]
fn a_login_counts_and_replaces_the_one_before() {
    let mut shop = Shop::new();
    let login = |bytes: usize| Login {
        principal: "p".repeat(bytes).into(),
        ..Login::default()
    };
    let mut first = save(key(1), vec![]);
    first.login = Some(login(60));
    let Outcome::Saved(saved) = shop.ask(Command::Save(first)) else {
        panic!("not created");
    };
    let mut next = save(key(1), vec![]);
    (next.epoch, next.login) = (saved.epoch, Some(login(100)));
    shop.check(LIMITS, next.clone()).unwrap();
    next.login = Some(login(101));
    assert!(matches!(shop.check(LIMITS, next), Err(LimitError::TooLarge(_))));
}

#[test]
fn a_session_above_a_lowered_limit_may_shrink_and_not_stay() {
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("cart", 200)]);
    let with = |bytes| Save {
        epoch,
        ..save(key(1), vec![attribute("cart", bytes)])
    };
    shop.check(LIMITS, with(199)).unwrap();
    assert!(matches!(
        shop.check(LIMITS, with(200)),
        Err(LimitError::TooLarge(_))
    ));
}

#[test]
fn new_sessions_wait_when_the_node_is_full_of_them_and_others_go_on() {
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("cart", 1)]);
    shop.create(key(2), vec![]);
    assert!(matches!(
        shop.check(LIMITS, save(key(3), vec![])),
        Err(LimitError::Full(_))
    ));
    let mut existing = save(key(1), vec![attribute("cart", 50)]);
    existing.epoch = epoch;
    shop.check(LIMITS, existing).unwrap();
}

#[test]
fn a_save_through_the_old_key_is_about_the_renamed_session() {
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("cart", 60)]);
    shop.create(key(2), vec![]);
    let mut new_key = [9; 16];
    new_key[0] = 1;
    let renamed = shop.ask(Command::Rename {
        session: key(1),
        new_key,
        epoch,
    });
    assert!(matches!(renamed, Outcome::Rekeyed { .. }), "{renamed:?}");
    let mut through = save(key(1), vec![attribute("more", 30)]);
    through.epoch = epoch;
    // The table is full of sessions, and this is none that is new.
    shop.check(LIMITS, through.clone()).unwrap();
    through.changed = vec![attribute("more", 40)];
    assert!(matches!(
        shop.check(LIMITS, through),
        Err(LimitError::TooLarge(_))
    ));
}

#[test]
fn a_save_of_a_session_that_is_gone_reaches_the_table_however_full_it_is() {
    let mut shop = Shop::new();
    shop.create(key(1), vec![]);
    shop.create(key(2), vec![]);
    let mut late = save(key(3), vec![attribute("cart", 1)]);
    late.epoch = Epoch(77);
    shop.check(LIMITS, late.clone()).unwrap();
    assert!(matches!(shop.ask(Command::Save(late)), Outcome::Gone { .. }));
}

#[test]
fn who_is_logged_in_may_grow_a_tenth_beyond_the_bytes_of_a_node() {
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("cart", 50)]);
    let mut limits = LIMITS;
    limits.table_bytes_max = shop.table.reader().weight();
    assert!(matches!(
        shop.check(limits, save(key(2), vec![attribute("cart", 1)])),
        Err(LimitError::Full(_))
    ));
    let slack = usize::try_from(limits.table_bytes_max / 10).unwrap();
    let grown = |by| Save {
        epoch,
        ..save(key(1), vec![attribute("cart", 50 + by)])
    };
    shop.check(limits, grown(slack)).unwrap();
    assert!(matches!(
        shop.check(limits, grown(slack + 1)),
        Err(LimitError::Full(_))
    ));
    shop.check(limits, grown(0)).unwrap();
}

#[test]
fn saves_in_flight_together_never_make_a_record_larger_than_a_message() {
    const MIB: usize = 1 << 20;
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("a0", MIB)]);
    let limits = Limits {
        session_bytes_max: 3 << 20,
        table_bytes_max: 1 << 30,
        ..LIMITS
    };
    let more: Vec<Save> = (1..6)
        .map(|at| Save {
            epoch,
            base: Version(1),
            ..save(key(1), vec![attribute(&format!("a{at}"), MIB)])
        })
        .collect();
    // All are checked against the table before any is applied.
    for save in &more {
        shop.check(limits, save.clone()).unwrap();
    }
    let outcomes: Vec<Outcome> = more
        .into_iter()
        .map(|save| shop.ask(Command::Save(save)))
        .collect();
    assert!(matches!(outcomes[..2], [Outcome::Saved(_), Outcome::Saved(_)]));
    assert!(
        outcomes[2..]
            .iter()
            .all(|outcome| matches!(outcome, Outcome::TooLarge { bytes } if *bytes > 4_000_000))
    );
    let record = shop.table.reader().get(&key(1)).unwrap();
    assert_eq!((record.attributes.len(), record.version), (3, Version(3)));
}

#[test]
fn a_record_is_never_created_larger_than_a_message() {
    let mut shop = Shop::new();
    let huge = save(key(1), vec![attribute("cart", 4 << 20)]);
    assert!(matches!(shop.ask(Command::Save(huge)), Outcome::TooLarge { .. }));
    assert_eq!(shop.table.reader().sessions(), 0);
}

#[test]
fn what_remains_of_removed_sessions_counts_towards_the_bytes_of_a_node() {
    let mut shop = Shop::new();
    for number in 1..=3 {
        shop.create(key(number), vec![attribute("cart", 40)]);
        shop.ask(Command::Remove {
            session: key(number),
            created_version: shop.table.reader().version(),
            epoch: Epoch(0),
            reason: RemoveReason::Logout,
        });
    }
    let reader = shop.table.reader();
    assert_eq!((reader.sessions(), reader.remains(), reader.bytes()), (0, 3, 0));
    assert_eq!(reader.weight(), 3 * SLOT_BYTES);
    assert!(matches!(
        shop.check(LIMITS, save(key(4), vec![])),
        Err(LimitError::Full(_))
    ));
}

#[test]
fn what_ends_sessions_or_makes_them_smaller_goes_on_while_a_disk_is_full() {
    let mut shop = Shop::new();
    let epoch = shop.create(key(1), vec![attribute("cart", 50)]);
    let changing = |bytes| Save {
        epoch,
        ..save(key(1), vec![attribute("cart", bytes)])
    };
    let taken = |room, save| shop.check_with(LIMITS, save, room).is_ok();
    let new = || save(key(2), Vec::new());
    let rooms = [Room::Ample, Room::Short, Room::Reserve];
    assert_eq!(rooms.map(|room| taken(room, new())), [true, false, false]);
    assert_eq!(rooms.map(|room| taken(room, changing(51))), [true, false, false]);
    assert_eq!(rooms.map(|room| taken(room, changing(50))), [true, true, false]);
    assert_eq!(rooms.map(|room| taken(room, changing(49))), [true, true, true]);
    let full = |command| {
        let proposal = Proposal {
            request_id: None,
            node: Arc::from("n1"),
            command,
        };
        LIMITS.check(&proposal, &shop.table.reader(), Room::Reserve)
    };
    let session = key(1);
    assert_eq!(
        full(Command::Claim {
            session: session.clone()
        }),
        Ok(())
    );
    let logout = Command::Remove {
        session,
        created_version: Version(1),
        epoch,
        reason: RemoveReason::Logout,
    };
    assert_eq!(full(logout), Ok(()));
    assert_eq!(full(Command::Touch { sessions: Vec::new() }), Ok(()));
    let rename = Command::Rename {
        session: key(1),
        new_key: [7; 16],
        epoch,
    };
    assert!(matches!(full(rename), Err(LimitError::Full(_))));
}
