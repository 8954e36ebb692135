//! The opening of a stream: who speaks, what both understand, and the durations that both must keep in order.
//!
//! Invariant: what a client may rely on in time, and what the store does in time, is said here together, asserted where
//! it is compiled, and sent to the client, which derives its own durations from it.

use std::time::Duration;

use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_table::{Format, Formats};

use crate::raft::PROBE_EVERY;

use super::convert::{self, Asker};
use super::desk::Desk;
use super::hub::EVICTED_WITHIN;
use super::status::{malformed, not_leader, refusal};

/// How long a near copy may be used unasked after the sending of a probe that was confirmed. An owner who is silent for
/// longer than an answer waits for it ([`EVICTED_WITHIN`]) may still show its copy for the rest of this.
const TRUST: Duration = Duration::from_secs(1);

/// How often near copies are confirmed: several times within [`TRUST`].
pub(super) const CONFIRM_EVERY: Duration = Duration::from_millis(200);

// A copy is used unasked for as long as rounds confirm probes, although one of them may be late or lost.
const _: () = assert!((CONFIRM_EVERY.as_millis() + PROBE_EVERY.as_millis()) * 2 < TRUST.as_millis());

/// Checks the first message. Gives who asks, and the format of what goes out to them.
pub(super) fn hear(desk: &Desk, first: v1::ExchangeRequest) -> Result<(Asker, Format), v1::Refusal> {
    let hello = first
        .hello
        .ok_or_else(|| malformed("the first message of a stream must carry a Hello"))?;
    if !first.requests.is_empty() || !first.acknowledged.is_empty() {
        return Err(malformed(
            "the first message of a stream must carry a Hello and nothing else",
        ));
    }
    let understood = convert::formats(hello.understands)?;
    let asker = Asker::new(hello.instance, &hello.node)?;
    desk.open()?;
    let cluster = desk.raft.cluster();
    if !hello.cluster.is_empty() && !cluster.is_empty() && hello.cluster != cluster {
        let sentence = format!(
            "the client means cluster {} and this store is {cluster}: check the store addresses, or restart the client \
             if the store was set up anew",
            hello.cluster
        );
        return Err(refusal(Reason::WrongCluster, sentence));
    }
    if !desk.raft.leadership().borrow().elected_here() {
        return Err(not_leader(desk.leader_hint()));
    }
    let format = desk.raft.format_for(understood);
    Ok((asker, format.ok_or_else(|| wrong_version(desk, understood))?))
}

/// Why nothing can be said to a client.
fn wrong_version(desk: &Desk, client: Formats) -> v1::Refusal {
    let (ours, writes) = (desk.raft.understands(), desk.raft.table().format());
    let sentence = if client.oldest > writes {
        format!(
            "the session manager understands {client}, and the store writes format {writes}: upgrade the store first"
        )
    } else {
        format!(
            "the session manager understands {client}, and the store {ours}: upgrade the session manager's jar"
        )
    };
    refusal(Reason::WrongVersion, sentence)
}

/// What the client is told.
pub(super) fn welcome(desk: &Desk, format: Format) -> v1::Welcome {
    v1::Welcome {
        cluster: desk.raft.cluster(),
        nodes: desk.raft.client_addresses(),
        session_bytes_max: desk.limits.session_bytes_max,
        attributes_max: desk.limits.attributes_max,
        durations: Some(durations()),
        format: u32::from(format.0),
    }
}

/// What both sides must keep in order, as the client is told.
fn durations() -> v1::Durations {
    let ms = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    v1::Durations {
        trust_ms: ms(TRUST),
        handover_ms: 0,
        evicted_within_ms: ms(EVICTED_WITHIN),
        confirm_every_ms: ms(CONFIRM_EVERY),
    }
}
