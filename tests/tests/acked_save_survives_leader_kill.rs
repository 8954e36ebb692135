//! Promises 1 and 5: an acknowledged save is never lost while a majority of store disks lives, and a node that dies costs
//! no save its answer.
//!
//! Shown: writers save without a pause while the leader is killed with SIGKILL, twice, each time the one that leads
//! then. Commands whose outcome is unknown are repeated with the same request id. Afterwards every session must hold
//! exactly the last value that its writer saw acknowledged: nothing lost, nothing applied that came later, no
//! session of which a save was done twice (its version would say so).
//! Broken once to see it fail: appends in the log seam (`store/src/log`) acknowledged before the disk has them (a
//! writer then meets Gone after all nodes died); the repeat rule in the harness, a new serial for each try (then
//! Conflict).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_tests::calls::{Calls, session_key};
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// Enough to keep several commands in flight at every moment, on two cores.
const WRITERS: u64 = 8;

/// Acknowledged saves that must pass between two blows, so that each blow falls into a full stream.
const SAVES_BETWEEN: u64 = 300;

/// What a writer knows when it stops.
struct Written {
    key: v1::SessionKey,
    last: u64,
    version: u64,
}

struct Writers {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<Written>>>,
}

impl Writers {
    fn start(world: &World) -> Result<Self> {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        for writer in 1..=WRITERS {
            let calls = world.stores.calls(writer)?;
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            threads.push(std::thread::spawn(move || {
                write(writer, calls, &stop, &acknowledged)
            }));
        }
        Ok(Self {
            stop,
            acknowledged,
            threads,
        })
    }

    fn wait_for_more(&self) -> Result<()> {
        let goal = self.acknowledged.load(Ordering::Acquire) + SAVES_BETWEEN;
        let reached = || self.acknowledged.load(Ordering::Acquire) >= goal;
        // A writer that has ended before it was told to met something wrong, which `finish` tells.
        let ended = || self.threads.iter().any(JoinHandle::is_finished);
        wait_until(&format!("{SAVES_BETWEEN} more saves"), SOON, || {
            reached() || ended()
        })
        .map(|_| ())
    }

    fn finish(self) -> Result<Vec<Written>> {
        self.stop.store(true, Ordering::Release);
        let join = |thread: JoinHandle<Result<Written>>| {
            thread.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?
        };
        self.threads.into_iter().map(join).collect()
    }
}

fn write(writer: u64, mut calls: Calls, stop: &AtomicBool, acknowledged: &AtomicU64) -> Result<Written> {
    let key = session_key("claims", &format!("writer-{writer}"));
    let (mut epoch, mut version, mut last) = (0, 0, 0);
    while !stop.load(Ordering::Acquire) {
        let attribute = v1::Attribute {
            name: "n".into(),
            value: (last + 1).to_string().into_bytes().into(),
            ..Default::default()
        };
        let request = v1::SaveRequest {
            session: Some(key.clone()),
            epoch,
            base: version,
            changed: vec![attribute],
            max_idle_seconds: (epoch == 0).then_some(1800),
            ..Default::default()
        };
        match calls.save(&request)?.outcome {
            Some(v1::save_reply::Outcome::Saved(saved)) => {
                ensure!(
                    saved.version > version,
                    "writer {writer}: version went from {version} to {}",
                    saved.version
                );
                (epoch, version) = (saved.epoch, saved.version);
            }
            other => bail!(
                "writer {writer}, save {}: expected Saved, got {other:?}",
                last + 1
            ),
        }
        last += 1;
        acknowledged.fetch_add(1, Ordering::AcqRel);
    }
    Ok(Written { key, last, version })
}

fn check(world: &World, written: &[Written]) -> Outcome {
    let mut reader = world.stores.calls(1000)?;
    for session in written {
        let reply = reader.claim(&session.key)?;
        let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
            bail!("an acknowledged session is lost: {reply:?}");
        };
        let value = record
            .attributes
            .first()
            .context("the session has its attribute")?;
        assert_eq!(
            String::from_utf8_lossy(&value.value),
            session.last.to_string(),
            "the last acknowledged value"
        );
        assert_eq!(
            value.version, session.version,
            "stamped by the very save that was acknowledged"
        );
    }
    Ok(())
}

#[test]
fn two_leaders_die_under_load() -> Outcome {
    World::plan().run(|world| {
        let writers = Writers::start(world)?;
        for _ in 0..2 {
            writers.wait_for_more()?;
            let leader = world.stores.wait_ready()?;
            world.stores.kill(leader)?;
            writers.wait_for_more()?;
            world.stores.launch(leader)?;
            world.stores.wait_caught_up(leader)?;
        }
        let written = writers.finish()?;
        check(world, &written)
    })
}

#[test]
fn all_nodes_die_at_once_under_load() -> Outcome {
    World::plan().run(|world| {
        let writers = Writers::start(world)?;
        writers.wait_for_more()?;
        for id in world.stores.ids() {
            world.stores.kill(id)?;
        }
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        writers.wait_for_more()?;
        let written = writers.finish()?;
        check(world, &written)
    })
}
