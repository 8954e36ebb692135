//! Any bytes may come from a peer: they are refused, or become a message that is written as it was read.
//!
//! The first byte of an input says which message the others are. Protocol Buffers are not canonical, so what is compared is
//! what was understood: written and read again it is the same.

use std::fmt::Debug;

use prost::Message;
use remora_fuzz::Target;
use remora_proto::v1;

use crate::raft::wire::{self, Malformed};

/// Decodes a message, reads it, writes it and reads it again.
fn twice<M, T>(bytes: &[u8], read: impl Fn(M) -> Result<T, Malformed>, write: impl Fn(&T) -> M) -> String
where
    M: Message + Default + Clone,
    T: Debug,
{
    let Ok(message) = M::decode(bytes) else {
        return "no message".to_owned();
    };
    let read_once = match read(message) {
        Ok(read_once) => read_once,
        Err(malformed) => return malformed.to_string(),
    };
    let again = read(write(&read_once)).expect("what was read can be written and read");
    assert_eq!(format!("{again:?}"), format!("{read_once:?}"));
    "a message".to_owned()
}

fn read_any(bytes: &[u8]) -> String {
    let Some((kind, bytes)) = bytes.split_first() else {
        return "nothing".to_owned();
    };
    let envelope = v1::Envelope::default;
    let said = match kind {
        0 => twice(bytes, wire::from_append, |request| {
            wire::append(envelope(), request.clone())
        }),
        1 => twice(bytes, wire::from_append_reply, wire::append_reply),
        2 => twice(
            bytes,
            |message| wire::from_vote_request(&message),
            |request| wire::vote_request(envelope(), request, false),
        ),
        3 => twice(bytes, wire::from_vote_reply, wire::vote_reply),
        4 => twice(bytes, wire::from_transfer, |request| {
            wire::transfer(envelope(), request)
        }),
        5 => twice(bytes, wire::from_transfer_reply, wire::transfer_reply),
        6 => twice(
            bytes,
            |message| wire::from_stored_membership(Some(message)),
            wire::stored_membership,
        ),
        _ => match v1::Introduction::decode(bytes) {
            Ok(introduction) => format!("{:?}", wire::from_formats(introduction.understands).is_some()),
            Err(_) => "no message".to_owned(),
        },
    };
    format!("{} {said}", char::from(b'a' + kind % 8))
}

fn position() -> Option<v1::LogPosition> {
    Some(v1::LogPosition { term: 3, index: 7 })
}

fn vote() -> Option<v1::Vote> {
    Some(v1::Vote {
        term: 3,
        node: 1,
        committed: true,
    })
}

fn membership() -> v1::Membership {
    let member = |node| v1::Member {
        node,
        peer_address: format!("10.0.0.{node}:7500"),
        disk: node,
        ..v1::Member::default()
    };
    v1::Membership {
        configurations: vec![v1::membership::Voters { nodes: vec![1, 2] }],
        members: vec![member(1), member(2)],
    }
}

fn append() -> v1::AppendRequest {
    let entry = |index, payload| v1::LogEntry {
        position: Some(v1::LogPosition { term: 3, index }),
        payload: Some(payload),
    };
    v1::AppendRequest {
        envelope: None,
        vote: vote(),
        previous: position(),
        entries: vec![
            entry(8, v1::log_entry::Payload::Commands(vec![1, 2, 3].into())),
            entry(9, v1::log_entry::Payload::Membership(membership())),
        ],
        committed: position(),
    }
}

/// A message of each kind behind its number.
fn examples() -> Vec<Vec<u8>> {
    let (position, vote) = (position(), vote());
    let append_reply = v1::AppendReply {
        outcome: position.map(v1::append_reply::Outcome::Conflict),
    };
    let vote_request = v1::VoteRequest {
        vote,
        last_log: position,
        leadership_transfer: true,
        ..v1::VoteRequest::default()
    };
    let vote_reply = v1::VoteReply {
        vote,
        granted: true,
        last_log: position,
    };
    let transfer = v1::TransferLeaderRequest {
        vote,
        to: 2,
        last_log: position,
        ..v1::TransferLeaderRequest::default()
    };
    let changed = v1::transfer_leader_reply::VoteChanged {
        expected: vote,
        actual: vote,
    };
    let transfer_reply = v1::TransferLeaderReply {
        outcome: Some(v1::transfer_leader_reply::Outcome::VoteChanged(changed)),
    };
    let stored = v1::StoredMembership {
        position,
        membership: Some(membership()),
    };
    let introduction = v1::Introduction {
        understands: Some(v1::Formats { oldest: 1, newest: 2 }),
        ..v1::Introduction::default()
    };
    let bytes = [
        append().encode_to_vec(),
        append_reply.encode_to_vec(),
        vote_request.encode_to_vec(),
        vote_reply.encode_to_vec(),
        transfer.encode_to_vec(),
        transfer_reply.encode_to_vec(),
        stored.encode_to_vec(),
        introduction.encode_to_vec(),
    ];
    (0..)
        .zip(bytes)
        .map(|(kind, bytes)| [vec![kind], bytes].concat())
        .collect()
}

#[test]
fn any_bytes_are_a_message_of_a_peer_or_refused() {
    Target::new("a peer's message").examples(examples()).run(read_any);
}
