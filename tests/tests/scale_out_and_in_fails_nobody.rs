//! Beside the promises: Tomcats come and go by themselves, and no user notices.
//!
//! Shown with a proxy that knows no Tomcat but what the store tells, and 20 users who are signed in, each with a mug in his cart, and
//! click ten times a second. Under them a third Tomcat starts and takes new users; the second stops in order, its connectors closing
//! after the proxy has left it; and the first is replaced by another of the same name at another port. No click fails, and nobody is
//! asked to sign in again or finds another cart.
//! Nothing is expected of times: a slow machine plays the same with fewer clicks.
//! Its negative control, which was not run yet: a view that takes out nobody (`Following::take`) leaves the one that stopped in the
//! pool.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use remora_tests::tomcat::Version;
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::{SOON, START, holds_for};
use remora_tests::{Outcome, World, wait_until};

/// Users; with [`PACE`] between two clicks of each they are 200 requests a second, which leaves room for a JVM that starts.
const USERS: usize = 20;

/// Between two clicks of a user: a tenth of a second, less the step in which it is waited for.
const PACE: Duration = Duration::from_millis(90);

/// How long a Tomcat may take to stop: its applications end, and it waits for requests at hand.
const STOP: Duration = Duration::from_secs(30);

/// What happened to users.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    answered: AtomicUsize,
    /// What clicks met that was not their page.
    failed: Mutex<Vec<String>>,
}

impl Tally {
    /// A user who clicks until it is over.
    fn click(&self, user: usize, mut visitor: Visitor) {
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            match look(&mut visitor) {
                Ok(()) => drop(self.answered.fetch_add(1, Ordering::SeqCst)),
                Err(error) => {
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push(format!("user {user}: {error:#}"));
                }
            }
            let _ = holds_for("the pace", PACE.saturating_sub(began.elapsed()), || true);
        }
    }

    /// Waits until everybody has clicked some more.
    fn goes_on(&self) -> Outcome {
        let before = self.answered.load(Ordering::SeqCst);
        wait_until("users click on", SOON, || {
            self.answered.load(Ordering::SeqCst) > before + USERS
        })?;
        Ok(())
    }
}

fn look(visitor: &mut Visitor) -> Outcome {
    let answer = visitor.browser.get("/shop/")?;
    ensure!(answer.status == 200 && answer.complete, "{}", told(&answer));
    let page = remora_tests::visitor::page(&answer)?;
    ensure!(page.user == "ada" && page.cart == "mug:1", "{page:?}");
    Ok(())
}

/// Where a new user is sent.
fn newcomer(front: SocketAddr) -> Result<String> {
    Ok(Visitor::new(front).sign_in("grace", "hopper")?.node)
}

fn scales(world: &mut World, tally: &Tally) -> Outcome {
    let front = world.front_door()?;
    tally.goes_on()?;

    world.start_another("n3", Version::V10)?;
    world.proxy()?.wait_health("n3", "up")?;
    wait_until("n3 takes new users", SOON, || {
        newcomer(front).is_ok_and(|node| node == "n3")
    })?;
    tally.goes_on()?;

    world.tomcat("n2")?.process()?.stop(STOP)?;
    let proxy = world.proxy()?;
    wait_until("n2 is in no pool", SOON, || {
        proxy.upstreams().is_ok() && proxy.url_of("n2").is_none()
    })?;
    tally.goes_on()?;

    let before = world
        .start_another("n1", Version::V10)?
        .context("there was one")?;
    let url = format!("http://{}", world.tomcat("n1")?.address());
    let proxy = world.proxy()?;
    wait_until("n1 is the new one", START, || {
        proxy.url_of("n1").is_some_and(|known| known == url)
    })?;
    proxy.wait_health("n1", "up")?;
    let mut before = before;
    before.process()?.stop(STOP)?;
    ensure!(
        world.proxy()?.url_of("n1") == Some(url),
        "the end of the old one is none of the new one's"
    );
    tally.goes_on()
}

#[test]
fn under_signed_in_users() -> Outcome {
    let plan = World::plan().discovering().tomcats(&[Version::V10; 2]);
    plan.run(|world| {
        let mut users = world.shoppers_at("n1", USERS / 2)?;
        users.extend(world.shoppers_at("n2", USERS / 2)?);
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for (number, visitor) in users.into_iter().enumerate() {
                let tally = &tally;
                scope.spawn(move || tally.click(number, visitor));
            }
            let scaled = scales(world, &tally);
            tally.over.store(true, Ordering::SeqCst);
            scaled
        })?;
        let failed = tally.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answered = tally.answered.into_inner();
        ensure!(
            failed.is_empty(),
            "{} of {} clicks failed: {failed:#?}",
            failed.len(),
            answered + failed.len()
        );
        Ok(())
    })
}
