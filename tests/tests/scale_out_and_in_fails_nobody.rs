//! Beside the promises: Tomcats come and go by themselves, and no user notices.
//!
//! Shown with a proxy that knows no Tomcat but what the store tells, and 40 users who are signed in, each with a mug in his cart,
//! and click ten times a second: 400 requests a second where the machine can (11,185 in 27 s, on two cores that others kept busy
//! as well). Under them a third Tomcat starts and takes new users; the second stops in order, its connectors closing after the
//! proxy has left it; and the first is replaced by another of the same name at another port. No click fails, and nobody is asked
//! to sign in again or finds another cart.
//! Nothing is expected of times: a slow machine plays the same with fewer clicks.
//! Broken once to see it fail: a view takes out nobody whom it does not name (the one that stopped stays in the pool).

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use remora_tests::http::Request;
use remora_tests::tomcat::Version;
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::{SOON, START, holds_for};
use remora_tests::{Outcome, World, wait_until};

/// Users; with [`PACE`] between two clicks of each they are 400 requests a second. A JVM that starts takes what it takes of two
/// cores: they wait for their answers, and are fewer then.
const USERS: usize = 40;

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
        let mut kept = None;
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            match look(&mut visitor, &mut kept) {
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

/// Over a connection that the user keeps, as browsers do.
fn look(visitor: &mut Visitor, kept: &mut Option<TcpStream>) -> Outcome {
    let answer = visitor.browser.send_kept(&Request::get("/shop/"), kept)?;
    ensure!(answer.status == 200 && answer.complete, "{}", told(&answer));
    let page = remora_tests::visitor::page(&answer)?;
    ensure!(page.user == "ada" && page.cart == "mug:1", "{page:?}");
    Ok(())
}

/// Users of both Tomcats, signed in and each with a mug in his cart. However slow the machine is: nobody comes twice.
fn shoppers(world: &World) -> Result<Vec<Visitor>> {
    let (mut users, mut nodes) = (Vec::new(), BTreeSet::new());
    for _ in 0..USERS {
        let mut user = world.visitor()?;
        user.sign_in("ada", "lovelace")?;
        nodes.insert(user.add("mug")?.node);
        users.push(user);
    }
    ensure!(nodes.len() == 2, "all are at {nodes:?}");
    Ok(users)
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
    wait_until("n3 takes new users", START, || {
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

#[allow(clippy::print_stdout, reason = "what it was shown with is for people")]
fn say(text: &str) {
    println!("{text}");
}

#[test]
fn under_signed_in_users() -> Outcome {
    let plan = World::plan().discovering().tomcats(&[Version::V10; 2]);
    plan.run(|world| {
        let users = shoppers(world)?;
        let (tally, began) = (Tally::default(), Instant::now());
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
        let took = began.elapsed().as_secs_f64();
        say(&format!(
            "{answered} clicks answered in {took:.0} s; failed: {}",
            failed.len()
        ));
        ensure!(
            failed.is_empty(),
            "{} of {} clicks failed: {failed:#?}",
            failed.len(),
            answered + failed.len()
        );
        Ok(())
    })
}
