//! What a node does by itself: notice who leads, keep table time moving, sweep what has expired.
//!
//! Invariants: expiry is a log entry like any other, proposed by the leader alone and small enough that saves pass
//! between two; an empty table needs no time, so a cluster without sessions proposes nothing by itself. Leadership is
//! published by one task, in the order in which it was seen; the same task says why consensus ended.
//!
//! Left out: elections and heartbeats, which are openraft's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;

use remora_table::{Command, ENTRY_ADDS_MAX_MS, Outcome, Proposal, SWEPT_MAX, TableReader};

use crate::metrics;
use crate::runtime;

use super::applier::Raft;
use super::identity::NodeIdentity;
use super::proposer::Proposer;
use super::reasons::Stands;
use super::settings::{Bound, EventSink};
use super::{Fate, Leadership, Round};

/// A leader whom no majority has answered for this long says so, instead of taking proposals that would only wait.
const LEADING_WITHIN: Duration = Duration::from_secs(1);
/// How often leadership is looked at when nothing changes: what makes [`LEADING_WITHIN`] exact to a tenth.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The leader's pulse: how late an expiry may be noticed.
const PULSE: Duration = Duration::from_millis(500);
/// Without an entry for this long, the leader proposes a tick, so that table time goes on and deadlines are reached.
const TICK_AFTER: Duration = Duration::from_secs(5);
// A tick that is late by as long as it was waited for loses no table time.
const _: () = assert!(TICK_AFTER.as_millis() * 2 <= ENTRY_ADDS_MAX_MS as u128);
/// Sweeps in one pulse: at most 20,000 records a second are swept, so that a wave of expiries leaves room for saves.
const SWEEPS_PER_PULSE: usize = 10;

/// The reason for a change of leadership that another node has, as a metric's label.
const ELSEWHERE: &str = "elsewhere";

/// Publishes who leads, until consensus ends.
pub(super) async fn watch_leadership(
    raft: Raft,
    identity: Arc<NodeIdentity>,
    rounds: watch::Receiver<Option<Round>>,
    leadership: watch::Sender<Leadership>,
    (events, table): (Arc<dyn EventSink>, TableReader),
    stopping: watch::Receiver<bool>,
) {
    metrics::begin_leader_changes(Stands::labels().chain([ELSEWHERE]));
    let mut server = raft.server_metrics();
    let mut elected: Option<(u64, Instant)> = None;
    let mut members_at = None;
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut ended = false;
    loop {
        let metrics = server.borrow_and_update().clone();
        if members_at != Some(*metrics.membership_config.log_id()) {
            members_at = Some(*metrics.membership_config.log_id());
            identity.set_members(metrics.membership_config.membership());
        }
        let term = metrics.vote.leader_id.term;
        if metrics.state != ServerState::Leader {
            elected = None;
        } else if elected.is_none_or(|(of, _)| of != term) {
            elected = Some((term, runtime::now()));
        }
        let answered = rounds.borrow().map(|round| round.began);
        let leading = elected
            .map(|(_, at)| answered.map_or(at, |answered| answered.max(at)))
            .is_some_and(|at| runtime::since(at) < LEADING_WITHIN);
        // While the disk hangs this node leads nobody, whatever consensus still believes.
        let takes_part = identity.takes_part();
        let now = Leadership {
            term,
            leader: (metrics.current_leader).filter(|leader| takes_part || *leader != identity.node),
            // What it took it could not keep; who reads is still answered.
            leading: leading && takes_part && !identity.lacks_room(),
            node: identity.node,
        };
        let before = *leadership.borrow();
        if now.elected_here() && (before.term, before.leader) != (now.term, now.leader) {
            events.elected(&table);
        }
        publish(&leadership, now, &identity);
        let failed = raft.metrics().borrow_watched().running_state.clone().err();
        if ended || failed.is_some() {
            if !*stopping.borrow() {
                let how = failed.map_or_else(|| "it panicked".to_owned(), |fatal| fatal.to_string());
                identity.fail(format!("consensus ended on this node: {how}"));
            }
            return;
        }
        ended = tokio::select! {
            biased;
            _ = look.tick() => false,
            changed = server.changed() => changed.is_err(),
        };
    }
}

/// Publishes a change of leadership, and says why it came where this node knows.
fn publish(leadership: &watch::Sender<Leadership>, now: Leadership, identity: &NodeIdentity) {
    let before = *leadership.borrow();
    if before == now {
        return;
    }
    leadership.send_replace(now);
    let (reasons, own) = (&identity.reasons, Some(now.node));
    if before.leader == own && now.leader != own {
        let why = reasons.lost(identity.takes_part());
        tracing::warn!(term = before.term, "this node leads no more: {why}");
    }
    if before.leader != now.leader || (before.term != now.term && now.leader.is_some()) {
        match now.leader {
            Some(leader) if leader == now.node => {
                let why = reasons.leads();
                metrics::count_leader_change(why.label());
                tracing::info!(term = now.term, "this node leads: {why}");
            }
            Some(leader) => {
                metrics::count_leader_change(ELSEWHERE);
                tracing::info!(term = now.term, leader, "another node leads");
            }
            None => tracing::info!(term = now.term, "no leader is known"),
        }
    } else if before.leads() && !now.leads() {
        tracing::warn!(
            term = now.term,
            "this node leads, but takes nothing: no majority answers it, or its disk does not"
        );
    }
}

/// Ticks and sweeps while this node leads.
pub(super) async fn pulse(
    raft: Raft,
    proposer: Proposer,
    table: TableReader,
    leadership: watch::Receiver<Leadership>,
    leavers_bytes_max: Bound,
) {
    let mut pulse = tokio::time::interval(PULSE);
    pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last_entry = (None, runtime::now());
    loop {
        pulse.tick().await;
        let index = raft.metrics().borrow_watched().last_log_index;
        if last_entry.0 != index {
            last_entry = (index, runtime::now());
        }
        // A table without sessions needs no time, unless a rise of the format waits for it.
        let timeless = table.is_empty() && table.cluster().ready.is_none();
        if !leadership.borrow().leads() || timeless {
            continue;
        }
        if runtime::since(last_entry.1) >= TICK_AFTER {
            // Whatever the answer is, the next pulse looks again.
            proposer.propose(own(Command::Tick)).await;
        }
        for _ in 0..SWEEPS_PER_PULSE {
            if !table.due() {
                break;
            }
            let sweep = Command::Sweep {
                limit: SWEPT_MAX,
                leavers_bytes_max: leavers_bytes_max(),
            };
            let answer = proposer.propose(own(sweep)).await;
            if !matches!(answer, Fate::Done(Outcome::Swept { removed: SWEPT_MAX })) {
                break;
            }
        }
    }
}

/// What the store asks of itself.
pub(super) fn own(command: Command) -> Proposal {
    Proposal {
        request_id: None,
        node: Arc::from(""),
        command,
    }
}
