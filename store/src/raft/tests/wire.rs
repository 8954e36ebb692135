//! What comes from a peer is checked before openraft sees it.

use remora_proto::v1;

use crate::raft::wire;

fn entry(index: u64) -> v1::LogEntry {
    v1::LogEntry {
        position: Some(v1::LogPosition { term: 1, index }),
        payload: None,
    }
}

fn append(previous: Option<u64>, entries: &[u64]) -> v1::AppendRequest {
    v1::AppendRequest {
        envelope: None,
        vote: Some(v1::Vote {
            term: 1,
            node: 1,
            committed: true,
        }),
        previous: previous.map(|index| v1::LogPosition { term: 1, index }),
        entries: entries.iter().map(|index| entry(*index)).collect(),
        committed: None,
    }
}

#[test]
fn an_append_with_a_gap_is_refused() {
    assert!(wire::from_append(append(None, &[0, 1])).is_ok());
    assert!(wire::from_append(append(Some(4), &[5, 6])).is_ok());
    assert!(wire::from_append(append(Some(4), &[6])).is_err());
    assert!(wire::from_append(append(Some(4), &[5, 7])).is_err());
    assert!(wire::from_append(append(None, &[1])).is_err());
}

#[test]
fn a_membership_with_an_unknown_voter_is_refused() {
    let membership = v1::Membership {
        configurations: vec![v1::membership::Voters { nodes: vec![1, 2] }],
        members: vec![v1::Member {
            node: 1,
            ..v1::Member::default()
        }],
    };
    assert!(wire::from_membership(membership).is_err());
}

#[test]
fn messages_without_a_vote_are_refused() {
    assert!(wire::from_append(v1::AppendRequest::default()).is_err());
    assert!(wire::from_vote_request(&v1::VoteRequest::default()).is_err());
    assert!(wire::from_append_reply(v1::AppendReply::default()).is_err());
    assert!(wire::from_transfer_reply(v1::TransferLeaderReply::default()).is_err());
}
