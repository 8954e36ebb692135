//! The opening of a stream: who speaks, what both understand, and the durations that both must keep in order.
//!
//! Invariant: what a client may rely on in time, and what the store does in time, is said here together, asserted where
//! it is compiled, and sent to the client, which derives its own durations from it.

use std::time::Duration;

use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_table::{Format, Formats};

use super::convert::{self, Asker};
use super::desk::Desk;
use super::hub::Patience;
use super::status::{malformed, not_leader, refusal};

/// How long a near copy may be used unasked after the sending of a probe that was confirmed.
const TRUST: Duration = Duration::from_millis(500);

/// How long the acknowledgement of an eviction may wait for requests that were given the copy before.
const HANDOVER: Duration = Duration::from_secs(1);

/// What an acknowledgement that waited for all of [`HANDOVER`] may need on its way, both ways together.
const ON_ITS_WAY: Duration = Duration::from_millis(200);

/// How long a new stream waits for a majority's word at a leader that has had none: many round trips, and less than the 300 ms that a
/// session manager gives a leader of which it was told.
const KNOW_WITHIN: Duration = Duration::from_millis(200);

/// How often near copies are confirmed.
pub(super) const CONFIRM_EVERY: Duration = Duration::from_millis(100);

/// How long an answer waits for previous owners.
pub(super) const PATIENCE: Patience = Patience {
    trust: Duration::from_millis(525),
    handover: HANDOVER.saturating_add(ON_ITS_WAY),
};

// A copy is used unasked for as long as a majority answers, although one confirmation is late and one is lost.
const _: () = assert!(CONFIRM_EVERY.as_millis() * 3 < TRUST.as_millis());
// The store waits longer than the adapter trusts, whose clock may go slower: by a twentieth, far more than any that works.
const _: () = assert!(PATIENCE.trust.as_millis() * 20 >= TRUST.as_millis() * 21);
// Whoever has read that it lost a session gets more time, not less.
const _: () = assert!(PATIENCE.trust.as_millis() < PATIENCE.handover.as_millis());

/// Waits until the table has all that was committed before this node was elected, if it was: what is said then of the registry must
/// be so. Who was taken out and is told to stand stays away for good, and who leaves and is told to be out stays in. Where no majority
/// answers, the table's word is the best there is, and the stream opens by that.
pub(super) async fn know(desk: &Desk) {
    let round = *desk.raft.rounds().borrow();
    let elected = desk.hub.followers.elected_at();
    let knows = round
        .zip(elected)
        .is_some_and(|(round, elected)| round.began >= elected);
    if !knows && desk.raft.leadership().borrow().elected_here() {
        // However it ends, the table has what it can have.
        let _ = tokio::time::timeout(KNOW_WITHIN, desk.raft.barrier()).await;
    }
}

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
            "the client means cluster {}, and this store is {cluster}: unless the store was set up anew or restored, check \
             the store addresses",
            hello.cluster
        );
        return Err(v1::Refusal {
            cluster,
            ..refusal(Reason::WrongCluster, sentence)
        });
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
pub(super) fn welcome(desk: &Desk, instance: u64, format: Format) -> v1::Welcome {
    let limits = desk.limits();
    v1::Welcome {
        cluster: desk.raft.cluster(),
        nodes: desk.raft.client_addresses(),
        session_bytes_max: limits.session_bytes_max,
        attributes_max: limits.attributes_max,
        durations: Some(durations()),
        format: u32::from(format.0),
        announced: desk.raft.table().is_announced(instance),
    }
}

/// What both sides must keep in order, as the client is told.
fn durations() -> v1::Durations {
    let ms = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    v1::Durations {
        trust_ms: ms(TRUST),
        handover_ms: ms(HANDOVER),
        evicted_within_ms: ms(PATIENCE.handover),
        confirm_every_ms: ms(CONFIRM_EVERY),
    }
}
