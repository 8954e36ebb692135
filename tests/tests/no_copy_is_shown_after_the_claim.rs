//! Promise 3: once a Tomcat's claim of a session is answered, no other Tomcat shows its old copy to a new request.
//!
//! Shown: n2 takes a session from n1 and changes it, again and again, while readers hammer n1. Whatever a read at n1 shows
//! that began after the answer of a change had come, it is that change or a later one. The same with n1 cut off from the
//! store by a network that goes silent in either direction or both, and later delivers what it held back: n1 then
//! refuses, and shows nothing older. All with `onStoreLoss="refuse"`: a Tomcat that serves without the store has chosen to
//! be available.
//! Broken once to see it fail: the wait of a claim's answer for an old owner that has not said that it read its eviction, in
//! the store's hub (both show the value before); the end of trust in the adapter's link (n1, cut off, shows its copy).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use remora_tests::probe::Caller;
use remora_tests::relay::Passage;
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::wait::{SOON, START};
use remora_tests::{Outcome, World, wait_until};

/// Changes at n2, each of which takes the session from the readers' Tomcat.
const ROUNDS: u64 = 200;

/// Threads that read at n1: more than one, so that requests share claims.
const READERS: usize = 3;

/// Rounds with each kind of cut.
const CUTS: usize = 2;

/// How long a Tomcat that is cut off lets requests wait: long enough for a claim's answer elsewhere.
const STORE_TIMEOUT: &str = "3s";

/// What readers and writer know of each other.
#[derive(Default)]
struct Watch {
    /// The last change whose answer has come.
    answered: AtomicU64,
    over: AtomicBool,
    shown: AtomicU64,
    refused: AtomicU64,
    /// Reads that ended and had begun after the last change was answered.
    since_answered: AtomicU64,
}

impl Watch {
    fn answered(&self, change: u64) {
        self.since_answered.store(0, Ordering::SeqCst);
        self.answered.store(change, Ordering::SeqCst);
    }

    /// Reads once; false where that was refused.
    fn read(&self, caller: &mut Caller) -> Result<bool> {
        let least = self.answered.load(Ordering::SeqCst);
        let answer = caller.browser.get("/probe/get.jsp")?;
        if answer.status == 503 {
            ensure!(
                answer.field("set-cookie").is_none(),
                "a refusal leaves the cookie alone: {}",
                told(&answer)
            );
            self.refused.fetch_add(1, Ordering::SeqCst);
        } else {
            ensure!(answer.status == 200, "a read: {}", told(&answer));
            let text = answer.text();
            let value = text.lines().find_map(|line| line.strip_prefix("attribute.n="));
            let value: u64 = value
                .with_context(|| format!("the session is lost: {text}"))?
                .parse()?;
            ensure!(
                value >= least,
                "a read that began after change {least} was answered shows {value}: {text}"
            );
            self.shown.fetch_add(1, Ordering::SeqCst);
        }
        if self.answered.load(Ordering::SeqCst) == least {
            self.since_answered.fetch_add(1, Ordering::SeqCst);
        }
        Ok(answer.status == 200)
    }

    /// Lets readers hammer while `changes` runs; the first fault of either ends both.
    fn beside_readers(&self, caller: &Caller, changes: impl FnOnce() -> Outcome) -> Outcome {
        std::thread::scope(|scope| {
            let mut readers = Vec::new();
            for _ in 0..READERS {
                let mut caller = caller.clone();
                readers.push(scope.spawn(move || {
                    while !self.over.load(Ordering::SeqCst) {
                        if let Err(fault) = self.read(&mut caller) {
                            self.over.store(true, Ordering::SeqCst);
                            return Err(fault);
                        }
                    }
                    Ok(())
                }));
            }
            let changed = changes();
            self.over.store(true, Ordering::SeqCst);
            for reader in readers {
                // What a reader saw says more than that the changes stopped.
                reader.join().map_err(|_| anyhow!("a reader panicked"))??;
            }
            changed
        })
    }

    fn ensure_going(&self) -> Outcome {
        ensure!(!self.over.load(Ordering::SeqCst), "a reader has met a fault");
        Ok(())
    }
}

/// Changes until that is answered: on a machine that starves its stores a majority may be silent for seconds.
fn change_until_answered(caller: &mut Caller, change: u64) -> Outcome {
    wait_until(&format!("change {change} answered"), START, || {
        caller.set("n", &change.to_string()).is_ok()
    })?;
    Ok(())
}

fn user(first: SocketAddr) -> Result<Caller> {
    let mut user = Caller::new(first);
    user.set("n", "0")?;
    Ok(user)
}

#[test]
fn with_all_alive() -> Outcome {
    let plan = World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .manager("onStoreLoss", "refuse");
    plan.run(|world| {
        let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
        let mut here = user(first)?;
        let mut there = here.at(second);
        let watch = Watch::default();
        watch.beside_readers(&here.clone(), || {
            for change in 1..=ROUNDS {
                watch.ensure_going()?;
                change_until_answered(&mut there, change)?;
                watch.answered(change);
                watch.read(&mut here)?;
            }
            Ok(())
        })?;
        ensure!(watch.shown.load(Ordering::SeqCst) > ROUNDS, "readers hammer");
        Ok(())
    })
}

#[test]
fn with_the_old_owner_cut_off() -> Outcome {
    let plan = World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .relayed()
        .manager("onStoreLoss", "refuse")
        .manager("storeTimeout", STORE_TIMEOUT);
    plan.run(|world| {
        let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
        let here = user(first)?;
        let mut there = here.at(second);
        let watch = Watch::default();
        let silences = [
            Passage::Silent,
            Passage::SilentToServer,
            Passage::SilentFromServer,
        ];
        watch.beside_readers(&here, || {
            for (change, silence) in (1..).zip(silences.repeat(CUTS)) {
                watch.ensure_going()?;
                owns_again(&watch, &here)?;
                world.disturb_n1(silence);
                change_until_answered(&mut there, change)?;
                watch.answered(change);
                let enough = READERS as u64;
                wait_until("reads at the n1 that is cut off", SOON, || {
                    watch.since_answered.load(Ordering::SeqCst) >= enough || watch.over.load(Ordering::SeqCst)
                })?;
                world.disturb_n1(Passage::Open);
            }
            owns_again(&watch, &here)
        })?;
        ensure!(
            watch.refused.load(Ordering::SeqCst) > 0,
            "a Tomcat that is cut off refuses"
        );
        Ok(())
    })
}

/// Waits until n1 shows the session again, which it then holds and trusts.
fn owns_again(watch: &Watch, here: &Caller) -> Outcome {
    let mut here = here.clone();
    let mut fault = None;
    wait_until("n1 serves the session", SOON, || match watch.read(&mut here) {
        Ok(served) => served,
        Err(error) => {
            fault = Some(error);
            true
        }
    })?;
    fault.map_or(Ok(()), Err)
}
