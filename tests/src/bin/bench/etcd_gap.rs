//! The same gap for etcd, with its default timers: as many writers, who turn to the next member when one does not answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use remora_tests::table::Table;
use remora_tests::{holds_for, wait_until};

use crate::etcd::{Etcd, EtcdClient};
use crate::gap::{self, CALM, FOLLOWED_WITHIN, WRITERS};
use crate::load::{Ask, Client, Rival};

/// How long a writer waits for one member. A member that knows no leader holds what it is asked for seconds; asked again, it
/// answers as soon as there is one.
const ANSWERED_WITHIN: Duration = Duration::from_millis(250);

/// Between two tries of a writer: as ours.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What the writers have seen.
struct Seen {
    acknowledged: u64,
    last: Instant,
    longest: Duration,
}

/// Measures the gaps and adds their row.
///
/// # Errors
/// When etcd does not start, or saves do not go on.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut etcd = Etcd::start(directory.path())?;
    let seen = Arc::new(Mutex::new(Seen {
        acknowledged: 0,
        last: Instant::now(),
        longest: Duration::ZERO,
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start a runtime")?;
    for writer in 0..WRITERS {
        runtime.spawn(write(writer, etcd.clients(), Arc::clone(&seen)));
    }
    let mut gaps = Vec::new();
    for _ in 0..gap::deaths()? {
        gaps.push(one(&mut etcd, &seen)?);
    }
    gap::add_row(table, "etcd, its default timers", gaps);
    Ok(())
}

/// One death, from a calm cluster to a calm cluster.
fn one(etcd: &mut Etcd, seen: &Mutex<Seen>) -> Result<Duration> {
    goes_on(seen)?;
    holds_for("calm", CALM, || true)?;
    lock(seen).longest = Duration::ZERO;
    let killed = etcd.kill_leader()?;
    goes_on(seen)?;
    let gap = lock(seen).longest;
    etcd.revive(killed)?;
    Ok(gap)
}

fn goes_on(seen: &Mutex<Seen>) -> Result<()> {
    let before = lock(seen).acknowledged;
    wait_until("saves through a leader of etcd", FOLLOWED_WITHIN, || {
        lock(seen).acknowledged > before + WRITERS
    })?;
    Ok(())
}

/// Saves without a pause.
async fn write(writer: u64, members: Vec<SocketAddr>, seen: Arc<Mutex<Seen>>) -> Result<()> {
    let mut again = tokio::time::interval(AGAIN_AFTER);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for member in members.iter().cycle() {
        let channel = EtcdClient::endpoint(*member)?.connect_lazy();
        let mut client = EtcdClient::over(channel, format!("bench/gap/{writer}"));
        while let Ok(Ok(())) = tokio::time::timeout(ANSWERED_WITHIN, client.ask(Ask::Save)).await {
            let mut seen = lock(&seen);
            let now = Instant::now();
            seen.acknowledged += 1;
            seen.longest = seen.longest.max(now - seen.last);
            seen.last = now;
        }
        again.tick().await;
    }
    Ok(())
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
