//! Every row of the registry's limits.

use super::*;
use crate::{SessionTable, Tidings, Version};

const LIMITS: Limits = Limits {
    session_bytes_max: 0,
    attributes_max: 0,
    sessions_max: 0,
    table_bytes_max: 0,
};

fn asked(node: usize, command: Command) -> Proposal {
    Proposal {
        request_id: None,
        node: format!("n{node}").into(),
        command,
    }
}

/// A server with one application whose name is so long.
fn announces(node: usize, bytes: usize) -> Proposal {
    let said = Announcement {
        url: "http://h".into(),
        applications: vec!["a".repeat(bytes).into()],
        mode: "".into(),
        software: "".into(),
        threads: 0,
        unprotected: Vec::new(),
        listened: Vec::new(),
    };
    asked(node, Command::Announce(said))
}

/// A wish of upstream `number` that says so much.
fn wishes(number: usize, bytes: usize) -> Proposal {
    let wish = Wish {
        of: format!("route n{number}").into(),
        said: vec![b'x'; bytes].into(),
        who: "ada".into(),
        at_ms: 1,
        version: Version(0),
    };
    asked(0, Command::Wish { wish, base: None })
}

/// What a table with these in it answers to one more, with so much room.
fn check(table: &SessionTable, proposal: &Proposal, room: Room) -> Result<(), LimitError> {
    LIMITS.check(proposal, &table.reader(), room)
}

/// A table that took all of these, each within the limits.
fn filled(proposals: impl IntoIterator<Item = Proposal>) -> SessionTable {
    let mut table = SessionTable::new();
    for proposal in proposals {
        check(&table, &proposal, Room::Ample).unwrap();
        table.apply(&proposal, &mut Tidings::default());
    }
    table
}

fn refused(told: Result<(), LimitError>, why: &str) {
    let Err(LimitError::Full(sentence)) = told else {
        panic!("{told:?}")
    };
    assert!(sentence.contains(why), "{sentence}");
}

#[test]
fn the_registry_takes_a_thousand_names_and_says_how_to_make_room() {
    let table = filled((0..SERVERS_MAX).map(|node| announces(node, 9)));
    for room in [Room::Ample, Room::Short, Room::Reserve] {
        check(&table, &announces(7, 10), room).unwrap();
    }
    let beyond = check(&table, &announces(SERVERS_MAX, 9), Room::Ample);
    refused(beyond, "remora applications retire NODE");
}

#[test]
fn servers_together_fit_half_a_message() {
    let table = filled((0..8).map(|node| announces(node, 250 << 10)));
    refused(
        check(&table, &announces(8, 50 << 10), Room::Ample),
        "of application servers, at its limit",
    );
    refused(
        check(&table, &announces(7, 300 << 10), Room::Ample),
        "of application servers, at its limit",
    );
    check(&table, &announces(7, 250 << 10), Room::Ample).unwrap();
    check(&table, &announces(7, 10), Room::Ample).unwrap();
}

#[test]
fn a_new_server_waits_for_room_and_who_is_known_comes_back() {
    let table = filled([announces(1, 9)]);
    for (room, newcomer) in [(Room::Ample, true), (Room::Short, true), (Room::Reserve, false)] {
        assert_eq!(
            check(&table, &announces(2, 9), room).is_ok(),
            newcomer,
            "{room:?}"
        );
        check(&table, &announces(1, 10), room).unwrap();
        check(&table, &asked(1, Command::Retire), room).unwrap();
        let operator = Command::RetireNode {
            node: "n9".into(),
            instance: Some(9),
        };
        check(&table, &asked(0, operator), room).unwrap();
    }
}

#[test]
fn wishes_are_bounded_in_number_and_bytes_and_can_always_be_taken_back() {
    let many = filled((0..WISHES_MAX).map(|number| wishes(number, 9)));
    refused(check(&many, &wishes(WISHES_MAX, 9), Room::Ample), "1024 wishes");
    check(&many, &wishes(7, 10), Room::Ample).unwrap();
    check(&many, &wishes(7, 0), Room::Reserve).unwrap();
    let taken_back = filled(
        (0..WISHES_MAX)
            .map(|number| wishes(number, 9))
            .chain([wishes(7, 0)]),
    );
    check(&taken_back, &wishes(WISHES_MAX, 9), Room::Ample).unwrap();
    let large = filled((0..29).map(|number| wishes(number, 70 << 10)));
    refused(
        check(&large, &wishes(29, 70 << 10), Room::Ample),
        "bytes of operators' wishes",
    );
    check(&large, &wishes(7, 70 << 10), Room::Ample).unwrap();
    check(&large, &wishes(7, 9), Room::Ample).unwrap();
}

#[test]
fn an_operator_can_drain_on_a_full_disk_and_only_pages_wait() {
    let table = SessionTable::new();
    for (room, page) in [(Room::Ample, true), (Room::Short, false), (Room::Reserve, false)] {
        check(&table, &wishes(1, 1_024), room).unwrap();
        assert_eq!(check(&table, &wishes(1, 1_025), room).is_ok(), page, "{room:?}");
    }
}
