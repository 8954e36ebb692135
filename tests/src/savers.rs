//! Writers that save without a pause, each into a session of its own, and what became of all that they were told.
//!
//! Commands whose outcome is unknown are repeated with the same request id. At the end every session must hold exactly the
//! last value that its writer saw acknowledged: nothing lost, nothing applied that came later, no save applied twice
//! (its version would say so).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;

use crate::calls::{Calls, session_key};
use crate::stores::Stores;
use crate::wait::{SOON, wait_until};

/// What a writer knows when it stops.
#[derive(Debug)]
struct Written {
    key: v1::SessionKey,
    last: u64,
    version: u64,
}

/// What a writer was told of its session last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acknowledged {
    /// How many of its saves were acknowledged; the session then holds this number.
    pub saves: u64,
    /// The ownership.
    pub epoch: u64,
    /// The session's version.
    pub version: u64,
}

/// What all writers share.
#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    /// By each writer.
    acknowledged: Vec<Mutex<Acknowledged>>,
    vain: AtomicU64,
    /// When the last save was acknowledged, and the longest time between two since it was asked.
    pace: Mutex<(Instant, Duration)>,
}

impl Shared {
    fn last(&self, writer: usize) -> Acknowledged {
        let slot = self.acknowledged.get(writer);
        slot.map_or_else(Acknowledged::default, |last| {
            *last.lock().unwrap_or_else(PoisonError::into_inner)
        })
    }
}

/// Looks at what the writers were told.
#[derive(Clone, Debug)]
pub struct SaversView(Arc<Shared>);

impl SaversView {
    /// What a writer, counted from 0, was told last.
    pub fn last(&self, writer: usize) -> Acknowledged {
        self.0.last(writer)
    }
}

/// The key of a writer's session.
pub fn session_of(writer: usize) -> v1::SessionKey {
    session_key("claims", &format!("writer-{writer}"))
}

/// Writers that run.
#[derive(Debug)]
pub struct Savers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<Written>>>,
}

impl Savers {
    /// Starts so many writers.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn start(stores: &Stores, writers: u64) -> Result<Self> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            acknowledged: (0..writers).map(|_| Mutex::default()).collect(),
            vain: AtomicU64::new(0),
            pace: Mutex::new((Instant::now(), Duration::ZERO)),
        });
        let mut threads = Vec::new();
        for writer in 0..writers {
            let (calls, shared) = (stores.calls(writer + 1)?, Arc::clone(&shared));
            threads.push(std::thread::spawn(move || write(writer, calls, &shared)));
        }
        Ok(Self { shared, threads })
    }

    /// Waits until so many more saves are acknowledged, or a writer met something wrong, which `finish` tells.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn wait_for(&self, more: u64) -> Result<()> {
        let goal = self.acknowledged() + more;
        let ended = || self.threads.iter().any(JoinHandle::is_finished);
        wait_until(&format!("{more} more saves"), SOON, || {
            self.acknowledged() >= goal || ended()
        })
        .map(|_| ())
    }

    /// Waits until every writer has begun a save and got its answer since this was called: nobody still waits for what was
    /// asked before.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn wait_for_each(&self) -> Result<()> {
        let each = || (0..self.writers()).map(|writer| self.last(writer).saves);
        let before: Vec<u64> = each().collect();
        let done = || each().zip(&before).all(|(now, before)| now >= before + 2);
        let ended = || self.threads.iter().any(JoinHandle::is_finished);
        wait_until("two saves of every writer", SOON, || done() || ended()).map(|_| ())
    }

    /// Saves acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        (0..self.writers()).map(|writer| self.last(writer).saves).sum()
    }

    /// How many writers there are.
    pub fn writers(&self) -> usize {
        self.shared.acknowledged.len()
    }

    /// What a writer, counted from 0, was told last.
    pub fn last(&self, writer: usize) -> Acknowledged {
        self.shared.last(writer)
    }

    /// The same for a thread of its own, which may go on after the writers have ended.
    pub fn view(&self) -> SaversView {
        SaversView(Arc::clone(&self.shared))
    }

    /// Tries so far that were refused or not answered in time.
    pub fn vain_tries(&self) -> u64 {
        self.shared.vain.load(Ordering::Acquire)
    }

    /// The longest time in which nothing was acknowledged since this was asked last.
    pub fn longest_gap(&self) -> Duration {
        let mut pace = self.shared.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = pace.1.max(pace.0.elapsed());
        *pace = (Instant::now(), Duration::ZERO);
        gap
    }

    /// Stops the writers and compares what they know with what the store holds.
    ///
    /// # Errors
    /// When an acknowledged save is lost, or one was applied twice.
    pub fn finish(self, stores: &Stores) -> Result<()> {
        let wrong = self.verdict(stores)?;
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(())
    }

    /// The same; gives a sentence for each writer whose session is not as it was told.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn verdict(self, stores: &Stores) -> Result<Vec<String>> {
        self.shared.stop.store(true, Ordering::Release);
        let mut reader = stores.calls(u64::MAX)?;
        let mut wrong = Vec::new();
        for thread in self.threads {
            let written = thread.join().unwrap_or_else(|_| bail!("a writer panicked"));
            let kept = written.and_then(|written| written.is_kept(&mut reader));
            wrong.extend(kept.err().map(|error| format!("{error:#}")));
        }
        Ok(wrong)
    }
}

impl Written {
    fn is_kept(&self, reader: &mut Calls) -> Result<()> {
        let reply = reader.claim(&self.key)?;
        let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
            bail!("an acknowledged session is lost: {reply:?}");
        };
        let value = record.attributes.first();
        let value = value.context("the session has its attribute")?;
        let held = String::from_utf8_lossy(&value.value);
        ensure!(
            held == self.last.to_string(),
            "the last acknowledged value is {}, the store holds {held}",
            self.last
        );
        ensure!(
            value.version == self.version,
            "stamped by the very save that was acknowledged: {} against {}",
            value.version,
            self.version
        );
        Ok(())
    }
}

fn write(writer: u64, mut calls: Calls, shared: &Shared) -> Result<Written> {
    let index = usize::try_from(writer)?;
    let key = session_of(index);
    let (mut epoch, mut version, mut last) = (0, 0, 0);
    while !shared.stop.load(Ordering::Acquire) {
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
        let vain = calls.vain_tries();
        let reply = calls.save(&request);
        shared.vain.fetch_add(calls.vain_tries() - vain, Ordering::AcqRel);
        match reply?.outcome {
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
        *shared.acknowledged[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Acknowledged {
            saves: last,
            epoch,
            version,
        };
        let mut pace = shared.pace.lock().unwrap_or_else(PoisonError::into_inner);
        *pace = (Instant::now(), pace.1.max(pace.0.elapsed()));
    }
    Ok(Written { key, last, version })
}
