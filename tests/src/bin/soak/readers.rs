//! Readers that never stop, and whether anything that they read was older than what was acknowledged before they asked.
//!
//! Each reader begins at another node and asks it for as long as it answers, so every node is asked, and a node that believes
//! that it leads and does not would be caught.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Result, bail};
use remora_proto::v1;
use remora_tests::calls::Calls;
use remora_tests::savers::{Acknowledged, Savers, SaversView, session_of};
use remora_tests::stores::Stores;

/// Ids of readers' clients begin here, far from the writers'.
const INSTANCES: u64 = 1_000_000;

/// What readers saw.
#[derive(Debug, Default)]
pub(crate) struct ReadAnswers {
    /// Answers.
    pub(crate) reads: u64,
    /// A sentence for each that was older than it may be.
    pub(crate) stale: Vec<String>,
}

/// Readers that run.
pub(crate) struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<ReadAnswers>>>,
}

impl Readers {
    /// Starts one for each node.
    pub(crate) fn start(stores: &Stores, savers: &Savers) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for first in 0..stores.ids().len() {
            let mut addresses = stores.client_addresses();
            addresses.rotate_left(first);
            let calls = Calls::new(&addresses, INSTANCES + first as u64)?;
            let (view, writers, stop) = (savers.view(), savers.writers(), Arc::clone(&stop));
            threads.push(std::thread::spawn(move || read(calls, &view, writers, &stop)));
        }
        Ok(Self { stop, threads })
    }

    /// Stops them.
    ///
    /// # Errors
    /// When one got no answer for longer than a client waits.
    pub(crate) fn finish(self) -> Result<ReadAnswers> {
        self.stop.store(true, Ordering::Release);
        let mut all = ReadAnswers::default();
        for thread in self.threads {
            let seen = thread.join().unwrap_or_else(|_| bail!("a reader panicked"))?;
            all.reads += seen.reads;
            all.stale.extend(seen.stale);
        }
        Ok(all)
    }
}

fn read(mut calls: Calls, view: &SaversView, writers: usize, stop: &AtomicBool) -> Result<ReadAnswers> {
    let mut seen = ReadAnswers::default();
    for writer in (0..writers).cycle() {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let before = view.last(writer);
        if before.saves == 0 {
            continue;
        }
        let reply = calls.check(&session_of(writer), before.epoch)?;
        seen.reads += 1;
        seen.stale
            .extend(older(&reply, before).map(|what| format!("writer {writer}: {what}")));
    }
    Ok(seen)
}

/// How an answer is older than what was acknowledged before it was asked.
fn older(reply: &v1::CheckReply, before: Acknowledged) -> Option<String> {
    let Some(v1::check_reply::Outcome::Newer(record)) = &reply.outcome else {
        return Some(format!(
            "{} saves were acknowledged, and the answer is {reply:?}",
            before.saves
        ));
    };
    let value = record.attributes.first().map(|attribute| &attribute.value);
    let held = value.and_then(|value| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
    let fresh = held.is_some_and(|held| held >= before.saves) && record.version >= before.version;
    (!fresh).then(|| {
        format!(
            "save {} of version {} was acknowledged, and a read asked later shows {held:?} of version {}",
            before.saves, before.version, record.version
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newer(value: &str, version: u64) -> v1::CheckReply {
        let attribute = v1::Attribute {
            value: value.as_bytes().to_vec().into(),
            ..v1::Attribute::default()
        };
        let record = v1::Session {
            version,
            attributes: vec![attribute],
            ..v1::Session::default()
        };
        v1::CheckReply {
            outcome: Some(v1::check_reply::Outcome::Newer(record)),
        }
    }

    #[test]
    fn an_answer_is_stale_when_it_shows_less_than_was_acknowledged() {
        let before = Acknowledged {
            saves: 7,
            epoch: 1,
            version: 30,
        };
        assert_eq!(older(&newer("7", 30), before), None);
        assert_eq!(older(&newer("8", 33), before), None);
        assert!(older(&newer("6", 30), before).is_some());
        assert!(older(&newer("7", 29), before).is_some());
        assert!(older(&newer("", 30), before).is_some());
        assert!(older(&v1::CheckReply::default(), before).is_some());
    }
}
