//! What the wire may say and what it may not.

use bytes::Bytes;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::request::Ask;

use crate::metrics::{Declined, Ending, Kind};
use remora_table::{Command, Outcome, Owner, Version};

use super::requests::{claim, remove, rename, save, touch};
use super::*;

fn asker() -> Asker {
    Asker::new(9, "n1").unwrap()
}

fn wire_key() -> Option<v1::SessionKey> {
    Some(v1::SessionKey {
        application: "localhost/shop".to_owned(),
        key: Bytes::from_static(&[1; 16]),
    })
}

fn creating() -> v1::SaveRequest {
    v1::SaveRequest {
        session: wire_key(),
        max_idle_seconds: Some(1_800),
        ..v1::SaveRequest::default()
    }
}

fn why(result: Conversion<Request>) -> String {
    let refusal = result.unwrap_err();
    assert_eq!(refusal.reason(), Reason::Malformed);
    refusal.message
}

#[test]
fn a_save_becomes_a_proposal_with_its_request_id() {
    let ask = Ask::Save(v1::SaveRequest {
        late: true,
        ..creating()
    });
    let request = v1::Request {
        serial: 4,
        ask: Some(ask),
    };
    let asked = asked(&asker(), request);
    assert_eq!((asked.serial, asked.kind), (4, Kind::Save));
    let Ok(Request::Propose(proposal)) = asked.request else {
        panic!("{:?}", asked.request)
    };
    assert_eq!(
        proposal.request_id,
        Some(RequestId {
            instance: 9,
            serial: 4
        })
    );
    let Command::Save(save) = proposal.command else {
        panic!("{proposal:?}")
    };
    assert!(save.late);
    assert_eq!(save.max_idle_seconds, Some(1_800));
}

#[test]
fn a_limit_says_how_many_may_carry_a_label_that_the_save_sets() {
    let labelled = |label: &str, sessions, then: v1::limit::Then| v1::SaveRequest {
        labels: Some(v1::Labels {
            labels: vec![v1::Label {
                name: "principal".to_owned(),
                value: "ada".to_owned(),
            }],
        }),
        limit: Some(v1::Limit {
            label: label.to_owned(),
            sessions,
            then: then.into(),
        }),
        ..creating()
    };
    let (refuse, end) = (v1::limit::Then::Refuse, v1::limit::Then::End);
    assert!(saving(labelled("principal", 1, refuse)).is_ok());
    assert!(saving(labelled("principal", 1_000, end)).is_ok());
    for (label, sessions, then, wrong) in [
        ("principal", 0, refuse, "limit.sessions is 0"),
        ("principal", 1_001, refuse, "limit.sessions is 1001"),
        (
            "principal",
            1,
            v1::limit::Then::Unspecified,
            "limit.then is missing",
        ),
        ("oidc.sid", 1, end, "the limit is for label \"oidc.sid\""),
    ] {
        let refusal = why(saving(labelled(label, sessions, then)));
        assert!(refusal.starts_with(wrong), "{refusal}");
    }
}

#[test]
fn who_asks_must_say_so() {
    assert!(caller(None).unwrap_err().message.starts_with("caller is missing"));
    assert!(
        Asker::new(0, "n1")
            .unwrap_err()
            .message
            .starts_with("instance is 0")
    );
    assert!(
        Asker::new(1, &"n".repeat(65))
            .unwrap_err()
            .message
            .contains("65 bytes: 64 are allowed")
    );
    assert!(why(save(&asker(), 0, creating())).starts_with("serial is 0"));
}

#[test]
fn a_lone_request_says_itself_who_asks_but_for_a_check() {
    let caller = v1::Caller {
        instance: 9,
        serial: 4,
        node: "n1".to_owned(),
    };
    let asked = lone(Ask::Save(v1::SaveRequest {
        caller: Some(caller),
        ..creating()
    }));
    assert_eq!((asked.serial, asked.kind), (4, Kind::Save));
    assert!(asked.request.is_ok());
    assert!(why(lone(Ask::Save(creating())).request).starts_with("caller is missing"));
    let check = v1::CheckRequest {
        session: wire_key(),
        ..v1::CheckRequest::default()
    };
    assert!(lone(Ask::Check(check)).request.is_ok());
}

#[test]
fn keys_of_any_other_length_are_refused() {
    for length in [0, 15, 17] {
        let session = v1::SessionKey {
            application: "a".to_owned(),
            key: Bytes::from(vec![1; length]),
        };
        let ask = v1::ClaimRequest {
            caller: None,
            session: Some(session),
        };
        assert!(why(claim(&asker(), 1, ask)).contains(&format!("{length} bytes: it must have exactly 16")));
    }
    assert!(why(claim(&asker(), 1, v1::ClaimRequest::default())).starts_with("session is missing"));
    for name in [String::new(), "a".repeat(257)] {
        let session = v1::SessionKey {
            application: name,
            key: Bytes::from_static(&[1; 16]),
        };
        let ask = v1::ClaimRequest {
            caller: None,
            session: Some(session),
        };
        assert!(why(claim(&asker(), 1, ask)).starts_with("the application name"));
    }
}

fn saving(request: v1::SaveRequest) -> Conversion<Request> {
    save(&asker(), 1, request)
}

fn logging_in(login: v1::Login) -> v1::SaveRequest {
    v1::SaveRequest {
        login: Some(login),
        ..creating()
    }
}

#[test]
fn names_and_counts_beyond_the_protocol_are_refused() {
    let long = "x".repeat(257);
    let attribute = v1::Attribute {
        name: long.clone(),
        ..v1::Attribute::default()
    };
    let changing = v1::SaveRequest {
        changed: vec![attribute],
        ..creating()
    };
    assert!(why(saving(changing)).contains("257 bytes"));
    let removing = v1::SaveRequest {
        removed: vec![long.clone()],
        ..creating()
    };
    assert!(why(saving(removing)).contains("257"));
    let login = v1::Login {
        principal: long,
        ..v1::Login::default()
    };
    assert!(why(saving(logging_in(login))).contains("principal"));
    let login = v1::Login {
        roles: vec![String::new(); 257],
        ..v1::Login::default()
    };
    assert!(why(saving(logging_in(login))).contains("257 roles"));
    let one = v1::TouchedSession {
        session: wire_key(),
        ..v1::TouchedSession::default()
    };
    let touching = v1::TouchRequest {
        caller: None,
        sessions: vec![one; 1_001],
    };
    assert!(why(touch(&asker(), 1, touching)).contains("1001 sessions"));
}

#[test]
fn a_creating_save_says_how_long_the_session_may_idle() {
    let ask = v1::SaveRequest {
        max_idle_seconds: None,
        ..creating()
    };
    assert!(why(save(&asker(), 1, ask)).starts_with("max_idle_seconds is missing"));
    let ask = v1::SaveRequest {
        max_idle_seconds: None,
        epoch: 3,
        ..creating()
    };
    assert!(save(&asker(), 1, ask).is_ok());
}

#[test]
fn a_rename_needs_another_key() {
    let ask = |new_key: &'static [u8]| v1::RenameRequest {
        session: wire_key(),
        new_key: Bytes::from_static(new_key),
        ..v1::RenameRequest::default()
    };
    assert!(why(rename(&asker(), 1, ask(&[1; 16]))).contains("is the present key"));
    assert!(rename(&asker(), 1, ask(&[2; 16])).is_ok());
}

#[test]
fn a_request_that_asks_nothing_is_refused() {
    let nothing = asked(&asker(), v1::Request::default());
    assert!(why(nothing.request).starts_with("the request asks nothing"));
    let ask = v1::RemoveRequest {
        session: wire_key(),
        ..v1::RemoveRequest::default()
    };
    assert!(why(remove(&asker(), 1, ask)).starts_with("reason is missing"));
}

#[test]
fn a_key_prefix_is_hexadecimal() {
    let with = |digits: &str| {
        filter(Some(v1::SessionFilter {
            key_prefix: digits.to_owned(),
            ..Default::default()
        }))
    };
    assert_eq!(with("0AfF").unwrap().key_prefix, "0aff");
    assert!(with("xyz").is_err());
    assert!(with(&"0".repeat(33)).is_err());
}

#[test]
fn every_outcome_of_a_command_has_its_reply_and_no_other() {
    use remora_table::Version;
    let gone = Outcome::Gone {
        tombstone: Version(3),
    };
    for kind in [Kind::Claim, Kind::Save, Kind::Rename, Kind::Remove, Kind::Release] {
        assert!(answer(kind, gone.clone()).is_some(), "{kind:?}");
        assert!(answer(kind, Outcome::Renamed).is_some(), "{kind:?}");
        assert!(answer(kind, Outcome::Stale).is_some(), "{kind:?}");
        assert!(answer(kind, Outcome::Ticked).is_none(), "{kind:?}");
    }
    assert!(answer(Kind::Save, Outcome::OverLimit { sessions: 3 }).is_some());
    assert!(answer(Kind::Claim, Outcome::OverLimit { sessions: 3 }).is_none());
    assert!(answer(Kind::Touch, gone).is_none());
    assert!(answer(Kind::Claim, Outcome::Released).is_none());
}

#[test]
fn a_save_that_the_table_found_too_large_is_refused_as_such() {
    let outcome = Outcome::TooLarge { bytes: 5_000_000 };
    let Some(Answer::Refusal(refusal)) = answer(Kind::Save, outcome.clone()) else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason(), Reason::TooLarge);
    assert!(refusal.message.contains("5000000 bytes"), "{}", refusal.message);
    assert!(answer(Kind::Claim, outcome).is_none());
}

#[test]
fn a_declined_save_counts_under_its_reason_and_nothing_else_does() {
    let owner = Owner {
        node: "n2".into(),
        instance: 8,
    };
    let told = |kind, outcome| {
        let answer = answer(kind, outcome).unwrap();
        (ending(&answer), declined(&answer))
    };
    let fenced = Outcome::Fenced { owner };
    assert_eq!(
        told(Kind::Save, fenced.clone()),
        (Ending::Declined, Some(Declined::Fenced))
    );
    assert_eq!(told(Kind::Release, fenced), (Ending::Declined, None));
    let tombstone = Version(0);
    let gone = Outcome::Gone { tombstone };
    assert_eq!(told(Kind::Save, gone), (Ending::Declined, Some(Declined::Gone)));
    let too_large = Outcome::TooLarge { bytes: 4 << 20 };
    assert_eq!(told(Kind::Save, too_large), (Ending::Refused, None));
}
