//! Any bytes may come from a client: they are refused with a sentence, or become a command that the log holds as it is.

use bytes::Bytes;
use prost::Message;
use remora_fuzz::Target;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::request::Ask;
use remora_table::{Command, Format, Formats, Proposal, decode_proposal, encode_proposal};

use super::*;

/// What a request came to, and that the log gives it back.
fn told(request: Conversion<Request>) -> String {
    match request {
        Ok(Request::Propose(proposal)) => proposed(&proposal),
        Ok(Request::Check { .. }) => "a check".to_owned(),
        Err(refusal) => {
            assert_eq!(refusal.reason(), Reason::Malformed);
            sentence(&refusal)
        }
    }
}

/// A refusal's words; the numbers in them differ from input to input.
fn sentence(refusal: &v1::Refusal) -> String {
    let letters = refusal.message.chars().filter(|letter| !letter.is_ascii_digit());
    letters.collect()
}

fn proposed(proposal: &Proposal) -> String {
    let bytes = encode_proposal(Format::FIRST, proposal);
    assert_eq!(decode_proposal(&bytes, Formats::OURS).as_ref(), Ok(proposal));
    if let Some(id) = proposal.request_id {
        assert!(id.instance != 0 && id.serial != 0);
    } else {
        assert!(matches!(
            proposal.command,
            Command::RetireNode { .. } | Command::Wish { .. }
        ));
    }
    if let Command::Rename { session, new_key, .. } = &proposal.command {
        assert_ne!(session.key, *new_key);
    }
    format!("{:?}", std::mem::discriminant(&proposal.command))
}

fn read_any(bytes: &[u8]) -> String {
    let Some((kind, bytes)) = bytes.split_first() else {
        return "nothing".to_owned();
    };
    match kind {
        0 => v1::AnnounceRequest::decode(bytes).map(|ask| match announce(ask) {
            Ok(proposal) => proposed(&proposal),
            Err(refusal) => sentence(&refusal),
        }),
        1 => v1::SessionFilter::decode(bytes).map(|ask| match filter(Some(ask)) {
            Ok(filter) => format!("a filter by {} digits", filter.key_prefix.len().min(1)),
            Err(refusal) => sentence(&refusal),
        }),
        2 => v1::RetireNodeRequest::decode(bytes).map(|ask| match retire_node(&ask) {
            Ok(proposal) => proposed(&proposal),
            Err(refusal) => sentence(&refusal),
        }),
        3 => v1::WishRequest::decode(bytes).map(|ask| match wish(ask) {
            Ok(proposal) => proposed(&proposal),
            Err(refusal) => sentence(&refusal),
        }),
        _ => v1::Request::decode(bytes).map(|request| {
            let asker = Asker::new(9, "n1").expect("this one is well");
            let alone = request.ask.clone().map(|ask| told(lone(ask).request));
            format!("{alone:?} {}", told(asked(&asker, request).request))
        }),
    }
    .unwrap_or_else(|_| "no message".to_owned())
}

fn labels() -> Vec<v1::Label> {
    vec![v1::Label {
        name: "principal".to_owned(),
        value: "ada".to_owned(),
    }]
}

/// A request of each kind, as a stream and as a unary call bring it.
fn asks() -> Vec<Ask> {
    let session = Some(v1::SessionKey {
        application: "localhost/shop".to_owned(),
        key: vec![1; 16].into(),
    });
    let caller = Some(v1::Caller {
        instance: 9,
        serial: 4,
        node: "n1".to_owned(),
    });
    let touched = v1::TouchedSession {
        session: session.clone(),
        ..Default::default()
    };
    let save = v1::SaveRequest {
        caller: caller.clone(),
        session: session.clone(),
        changed: vec![v1::Attribute {
            name: "cart".to_owned(),
            value: vec![7; 20].into(),
            ..Default::default()
        }],
        removed: vec!["coupon".to_owned()],
        local: vec![v1::LocalAttribute::default()],
        login: Some(v1::Login {
            principal: "ada".to_owned(),
            roles: vec!["customer".to_owned()],
            auth_type: "FORM".to_owned(),
        }),
        labels: Some(v1::Labels { labels: labels() }),
        max_idle_seconds: Some(1_800),
        limit: Some(v1::Limit {
            label: "principal".to_owned(),
            sessions: 3,
            then: v1::limit::Then::End.into(),
        }),
        ..Default::default()
    };
    vec![
        Ask::Claim(v1::ClaimRequest {
            caller: caller.clone(),
            session: session.clone(),
        }),
        Ask::Save(save),
        Ask::Touch(v1::TouchRequest {
            caller: caller.clone(),
            sessions: vec![touched],
        }),
        Ask::Rename(v1::RenameRequest {
            caller: caller.clone(),
            session: session.clone(),
            new_key: vec![1; 16].into(),
            ..Default::default()
        }),
        Ask::Remove(v1::RemoveRequest {
            caller: caller.clone(),
            session: session.clone(),
            reason: v1::remove_request::Reason::Logout.into(),
            ..Default::default()
        }),
        Ask::Release(v1::ReleaseRequest {
            caller,
            session: session.clone(),
            epoch: 3,
        }),
        Ask::Check(v1::CheckRequest {
            session,
            ..Default::default()
        }),
        Ask::Bury(v1::BuryRequest::default()),
    ]
}

#[test]
fn any_bytes_are_a_request_or_refused() {
    let announcement = v1::AnnounceRequest {
        caller: Some(v1::Caller {
            instance: 9,
            serial: 4,
            node: "n1".to_owned(),
        }),
        url: "http://10.0.0.11:8080".to_owned(),
        applications: vec!["localhost/shop".to_owned()],
        ..Default::default()
    };
    let filter = v1::SessionFilter {
        key_prefix: "3fa4".to_owned(),
        labels: labels(),
        ..Default::default()
    };
    let retired = v1::RetireNodeRequest {
        node: "n1".to_owned(),
        instance: 9,
    };
    let wished = v1::WishRequest {
        wish: Some(v1::Wish {
            of: "route n1".to_owned(),
            said: Bytes::from_static(b"drained move"),
            who: "ada".to_owned(),
            at_ms: 7,
            ..Default::default()
        }),
        base: Some(3),
    };
    let requests = asks().into_iter().map(|ask| {
        let ask = Some(ask);
        [vec![4], v1::Request { serial: 4, ask }.encode_to_vec()].concat()
    });
    Target::new("a client's request")
        .example([vec![0], announcement.encode_to_vec()].concat())
        .example([vec![1], filter.encode_to_vec()].concat())
        .example([vec![2], retired.encode_to_vec()].concat())
        .example([vec![3], wished.encode_to_vec()].concat())
        .examples(requests)
        .run(read_any);
}
