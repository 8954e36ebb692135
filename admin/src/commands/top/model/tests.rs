//! What messages make of the model.

use remora_proto::v1::{SessionFigures, SessionGroup, StoreMember, UpstreamStatus};

use super::*;

/// A node of three, as it says at a second.
pub(in super::super) fn node(model: &mut Model, second: u64, id: u64, applied: u64) {
    let address = |id: u64| format!("10.0.0.{id}:7401");
    let members = (1..=3).map(|id| StoreMember {
        node_id: id,
        client_address: address(id),
        matched_index: Some(1_000),
        ..StoreMember::default()
    });
    let status = StoreStatus {
        node_id: id,
        role: if id == 2 { "leader" } else { "follower" }.into(),
        ready: true,
        last_log_index: 1_002,
        committed_index: applied,
        applied_index: applied,
        sessions: 100 + applied / 100,
        session_bytes: 1 << 20,
        uptime_seconds: 3_600 + second,
        members: members.collect(),
        ..StoreStatus::default()
    };
    hear(
        model,
        Message::Node(at(second), address(id), Ok(Box::new(status))),
    );
}

/// A proxy with two upstreams, as it says at a second.
pub(in super::super) fn proxy(model: &mut Model, second: u64, answered: [u64; 2], health: [&str; 2]) {
    let upstreams = [0, 1].map(|index| UpstreamStatus {
        pool: "tomcat".into(),
        route: format!("n{}", index + 1),
        url: format!("http://10.0.1.{}:8080", index + 1),
        health: health[index].into(),
        reason: "connection refused".into(),
        state: "active".into(),
        in_flight: 3,
        answered: answered[index],
        failed: if health[index] == "up" { 0 } else { second },
        ..UpstreamStatus::default()
    });
    let status = ProxyStatus {
        upstreams: upstreams.to_vec(),
        ..ProxyStatus::default()
    };
    hear(
        model,
        Message::Proxy(at(second), "10.0.2.1:7410".into(), Ok(Box::new(status))),
    );
}

/// Sessions in groups, as they are counted at a second.
pub(in super::super) fn count(model: &mut Model, second: u64, groups: &[(&str, u64)]) {
    let groups = groups.iter().map(|(name, sessions)| SessionGroup {
        name: (*name).to_owned(),
        figures: Some(SessionFigures {
            sessions: *sessions,
            bytes: sessions * 1_024,
            ..SessionFigures::default()
        }),
    });
    let reply = SessionStatsReply {
        groups: groups.collect(),
        ..SessionStatsReply::default()
    };
    let by = model.by;
    hear(model, Message::Sessions(at(second), by, Ok(Box::new(reply))));
}

/// Something that ada did at a second.
pub(in super::super) fn change(model: &mut Model, second: u64, what: &str) {
    let change = Change {
        number: second,
        at_ms: second * 1_000,
        of: "n2".into(),
        what: what.into(),
        who: "ada".into(),
        ..Change::default()
    };
    hear(model, Message::Changes("10.0.2.1:7410".into(), vec![change]));
}

pub(in super::super) fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

pub(in super::super) fn hear(model: &mut Model, message: Message) {
    assert!(!model.update(message));
}

pub(in super::super) fn press(model: &mut Model, letter: char) {
    hear(model, Message::Key(Key::Letter(letter)));
}

#[test]
fn a_pause_holds_everything_and_makes_no_rate_of_itself() {
    let mut model = Model::default();
    for second in [1, 2] {
        node(&mut model, second, 2, 50 * second);
    }
    assert_eq!(model.rates.commits.rate, Some(50.0));
    press(&mut model, 'p');
    node(&mut model, 9, 2, 9_999);
    hear(&mut model, Message::Now(at(9)));
    assert_eq!(model.now, Duration::ZERO);
    press(&mut model, 'p');
    node(&mut model, 10, 2, 10_000);
    assert_eq!(model.rates.commits.rate, None);
}

#[test]
fn keys_turn_pages_and_orders() {
    let mut model = Model::default();
    hear(&mut model, Message::Key(Key::Next));
    assert_eq!(model.page, Page::Sessions);
    press(&mut model, 's');
    assert_eq!(model.order(), 1);
    count(&mut model, 1, &[("localhost/shop", 7)]);
    let late = Message::Sessions(at(1), By::Application, Ok(Box::default()));
    press(&mut model, 'o');
    assert!(model.groups.is_empty() && model.by == By::Owner);
    // What was asked before is not what is wanted now.
    hear(&mut model, late);
    assert_eq!(model.counted, None);
    press(&mut model, '3');
    assert_eq!((model.page, model.order()), (Page::Upstreams, 0));
    press(&mut model, 'x');
    press(&mut model, '?');
    assert!(model.is_helping);
    hear(&mut model, Message::Key(Key::Back));
    assert!(!model.is_helping);
    assert!(model.update(Message::Key(Key::Letter('q'))));
}

#[test]
fn no_more_changes_are_kept_than_anybody_reads() {
    let mut model = Model::default();
    let all = 2 * CHANGES_MAX as u64;
    for second in (0..all).rev() {
        change(&mut model, second, "n2 is up");
    }
    assert_eq!(model.changes.len(), CHANGES_MAX);
    let kept = model.changes.back().map(|(_, change)| change.number);
    assert_eq!(kept, Some(all - 1), "the latest, whoever told them first");
}
