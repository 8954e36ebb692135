//! What did not become an answer: one shape for refusals and unknown outcomes, and the one mapping to a gRPC status.
//!
//! A [`Turned::Refused`] says that nothing happened; its status carries the encoded `Refusal` as binary metadata
//! `remora-refusal-bin`. A [`Turned::Unknown`] says that the command may have been applied; its status carries none,
//! so a client may treat every status without that metadata as "may have happened" and repeat with the same request id.

use prost::Message;
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use tonic::metadata::{Ascii, Binary, MetadataKey, MetadataValue};
use tonic::{Code, Status};

use remora_table::LimitError;

/// Binary metadata under which a status carries its refusal.
pub(super) const REFUSAL_METADATA: &str = "remora-refusal-bin";

/// Metadata under which the status of an unknown outcome names the leader's client address.
const LEADER_METADATA: &str = "remora-leader";

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turned {
    /// Nothing happened.
    Refused(v1::Refusal),
    /// It may have happened.
    Unknown(v1::Unknown),
}

impl From<v1::Refusal> for Turned {
    fn from(refusal: v1::Refusal) -> Self {
        Turned::Refused(refusal)
    }
}

impl From<v1::Unknown> for Turned {
    fn from(unknown: v1::Unknown) -> Self {
        Turned::Unknown(unknown)
    }
}

/// A refusal with its sentence and no hint to a leader.
pub(super) fn refusal(reason: Reason, message: impl Into<String>) -> v1::Refusal {
    v1::Refusal {
        reason: reason.into(),
        message: message.into(),
        ..v1::Refusal::default()
    }
}

/// A field is missing, malformed or out of range.
pub(super) fn malformed(message: impl Into<String>) -> v1::Refusal {
    refusal(Reason::Malformed, message)
}

/// A limit that a proposal breaks.
pub(super) fn limit(error: LimitError) -> v1::Refusal {
    match error {
        LimitError::Malformed(sentence) => refusal(Reason::Malformed, sentence),
        LimitError::TooLarge(sentence) => refusal(Reason::TooLarge, sentence),
        LimitError::Full(sentence) => refusal(Reason::Overloaded, sentence),
    }
}

/// The table refused a save that would have made its record larger than a message: nothing happened.
pub(super) fn record_too_large(bytes: u64) -> v1::Refusal {
    refusal(
        Reason::TooLarge,
        format!(
            "the session would take {bytes} bytes in a message, with what was saved at the same time, and messages end \
             at 4 MiB: keep less in it"
        ),
    )
}

/// Consensus refused to propose. `leader` is the leader's client address, empty when unknown.
pub(super) fn consensus(why: crate::raft::Refusal, leader: String) -> v1::Refusal {
    use crate::raft::Refusal;
    match why {
        Refusal::NotLeader { .. } => not_leader(leader),
        Refusal::NoQuorum => refusal(
            Reason::NoQuorum,
            "the leader has not heard from a majority of the store lately: try again shortly",
        ),
        Refusal::Stopping => refusal(Reason::Stopping, "this store node stops: go to another one"),
        Refusal::Overloaded => refusal(
            Reason::Overloaded,
            "too much waits on this store node: try again a little later",
        ),
    }
}

/// This node does not lead. `leader` is the leader's client address, empty when unknown.
pub(super) fn not_leader(leader: String) -> v1::Refusal {
    let message = if leader.is_empty() {
        "this store node does not lead, and knows no leader at the moment: try another node".to_owned()
    } else {
        format!("this store node does not lead: go to {leader}")
    };
    v1::Refusal {
        leader,
        ..refusal(Reason::NotLeader, message)
    }
}

/// The gRPC status of what was turned away: a refusal as binary metadata, an unknown outcome with the leader's address.
pub(super) fn status(turned: impl Into<Turned>) -> Status {
    match turned.into() {
        Turned::Refused(refusal) => refused(&refusal),
        Turned::Unknown(unknown) => {
            let mut status = Status::new(
                Code::Unknown,
                "the outcome was not learned: repeat the call with the same request id, to whoever leads now",
            );
            if let Ok(leader) = unknown.leader.parse::<MetadataValue<Ascii>>() {
                status.metadata_mut().insert(LEADER_METADATA, leader);
            }
            status
        }
    }
}

fn refused(refusal: &v1::Refusal) -> Status {
    let code = match refusal.reason() {
        Reason::NotLeader | Reason::NoQuorum | Reason::Stopping => Code::Unavailable,
        Reason::Overloaded => Code::ResourceExhausted,
        Reason::Malformed | Reason::TooLarge => Code::InvalidArgument,
        Reason::WrongCluster | Reason::WrongVersion => Code::FailedPrecondition,
        Reason::Forbidden => Code::PermissionDenied,
        Reason::Unspecified => Code::Internal,
    };
    let mut status = Status::new(code, refusal.message.clone());
    let key: MetadataKey<Binary> = MetadataKey::from_static(REFUSAL_METADATA);
    status
        .metadata_mut()
        .insert_bin(key, MetadataValue::from_bytes(&refusal.encode_to_vec()));
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_status_and_travels_whole() {
        for (reason, code) in [
            (Reason::NotLeader, Code::Unavailable),
            (Reason::NoQuorum, Code::Unavailable),
            (Reason::Stopping, Code::Unavailable),
            (Reason::Overloaded, Code::ResourceExhausted),
            (Reason::Malformed, Code::InvalidArgument),
            (Reason::TooLarge, Code::InvalidArgument),
            (Reason::WrongCluster, Code::FailedPrecondition),
            (Reason::WrongVersion, Code::FailedPrecondition),
            (Reason::Forbidden, Code::PermissionDenied),
        ] {
            let refusal = refusal(reason, "because");
            let status = status(Turned::Refused(refusal.clone()));
            assert_eq!((status.code(), status.message()), (code, "because"));
            let bytes = status
                .metadata()
                .get_bin(REFUSAL_METADATA)
                .unwrap()
                .to_bytes()
                .unwrap();
            assert_eq!(v1::Refusal::decode(bytes).unwrap(), refusal);
        }
    }

    #[test]
    fn an_unknown_outcome_carries_no_refusal() {
        let status = status(Turned::Unknown(v1::Unknown {
            leader: "127.0.0.1:1".to_owned(),
        }));
        assert_eq!(status.code(), Code::Unknown);
        assert!(status.metadata().get_bin(REFUSAL_METADATA).is_none());
        assert_eq!(status.metadata().get(LEADER_METADATA).unwrap(), "127.0.0.1:1");
    }
}
