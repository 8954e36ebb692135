//! Promise 9: a dead store keeps no Tomcat from starting, from stopping, or from what needs no session.
//!
//! Shown: a Tomcat with ten applications and sessions in each of them starts and stops within a second of one with
//! StandardManager, where the store's address refuses and where it accepts and never says a word. And while as many
//! requests as the connector has threads, and more, ask a silent store for their session, static files and unknown
//! pages are served, with a cookie and without.
//! Broken once to see it fail: the bound of those who wait for the store (nobody is refused then). Not yet seen to fail: the
//! start and the stop; without the one deadline of a stop nothing here is slower, as new sessions have nothing to release.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use remora_tests::http::Browser;
use remora_tests::place::free_port;
use remora_tests::stores::loopback;
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};
use remora_tests::visitor::told;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// All are the probe.
const APPLICATIONS: [&str; 10] = [
    "probe", "probe-2", "probe-3", "probe-4", "probe-5", "probe-6", "probe-7", "probe-8", "probe-9",
    "probe-10",
];

/// How Tomcats are called with Tomcat's own manager, with a store that refuses, and with one that is silent.
const NAMES: [&str; 3] = ["standard", "refused", "silent"];

/// What a start or a stop may take longer than with StandardManager.
const SLACK: Duration = Duration::from_secs(1);

/// Such a part of it more, since no two programs are given the same time on a busy machine.
const BUSY_PART: u32 = 4;

/// A busy machine may disturb one measurement, hardly three.
const TRIES: usize = 3;

/// Longest stop that is waited for.
const STOP: Duration = Duration::from_secs(60);

/// More requests than the connector has threads, which is 64.
const WAITING: usize = 150;

/// A wait for the store that does not end within the claim.
const ENDLESS: &str = "120s";

fn tomcat(world: &World, node: &str, store: Option<SocketAddr>, manager: &[(&str, &str)]) -> Result<Tomcat> {
    let pairs = manager.iter();
    let plan = TomcatPlan {
        version: Version::V10,
        node: node.to_owned(),
        jvm_route: true,
        port: free_port()?,
        store: store.map(|address| address.to_string()),
        manager: pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        replication: None,
        behind_front: false,
        applications: APPLICATIONS.map(Application::Another).to_vec(),
        java_options: QUICK_START.to_owned(),
        signals: world.signals.directory().to_path_buf(),
    };
    Tomcat::start(world.directory(), plan)
}

/// The shortest start and stop so far.
#[derive(Clone, Copy, Debug)]
struct Shortest {
    start: Duration,
    stop: Duration,
}

impl Shortest {
    const NONE: Self = Self {
        start: Duration::MAX,
        stop: Duration::MAX,
    };

    fn measure(
        &mut self,
        world: &World,
        node: &str,
        store: Option<SocketAddr>,
        together: &Barrier,
    ) -> Outcome {
        together.wait();
        let asked = Instant::now();
        let started = tomcat(world, node, store, &[]).and_then(|tomcat| {
            tomcat.wait_ready()?;
            Ok((tomcat, asked.elapsed()))
        });
        let filled = started.and_then(|(tomcat, start)| {
            fill(tomcat.address()).with_context(|| tomcat.tail())?;
            Ok((tomcat, start))
        });
        // Whoever failed lets the others go on.
        together.wait();
        let (mut tomcat, start) = filled.with_context(|| node.to_owned())?;
        let asked = Instant::now();
        tomcat.process()?.stop(STOP)?;
        self.start = self.start.min(start);
        self.stop = self.stop.min(asked.elapsed());
        Ok(())
    }

    fn is_near(self, other: Self) -> bool {
        self.start <= allowed(other.start) && self.stop <= allowed(other.stop)
    }
}

fn allowed(standard: Duration) -> Duration {
    standard + SLACK + standard / BUSY_PART
}

/// Begins a session with content in each application, all at once: with our manager each waits until the store is known
/// to be away.
fn fill(address: SocketAddr) -> Outcome {
    let one = |name| {
        let answer = Browser::new(address).get(&format!("/{name}/set.jsp?name=color&value=blue"))?;
        ensure!(answer.status == 200, "{name}: {}", told(&answer));
        Ok(())
    };
    let filled: Vec<Outcome> = scope(|scope| {
        let threads = APPLICATIONS.map(|name| scope.spawn(move || one(name)));
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked")));
        joined.collect()
    });
    filled.into_iter().collect()
}

#[test]
fn with_ten_applications_and_a_dead_store() -> Outcome {
    World::plan().stores(0).run(|world| {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let stores = [None, Some(loopback(free_port()?)), Some(silent.local_addr()?)];
        let mut shortest = [Shortest::NONE; 3];
        for time in 0..TRIES {
            // At the same time, so that a busy machine is as busy for each.
            let together = Barrier::new(stores.len());
            let measured: Vec<Outcome> = scope(|scope| {
                let threads: Vec<_> = (shortest.iter_mut().zip(stores).zip(NAMES))
                    .map(|((shortest, store), name)| {
                        let (world, together) = (&*world, &together);
                        scope.spawn(move || {
                            shortest.measure(world, &format!("{name}-{time}"), store, together)
                        })
                    })
                    .collect();
                let joined = threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")));
                joined.collect()
            });
            measured.into_iter().collect::<Outcome>()?;
            if shortest[1..].iter().all(|ours| ours.is_near(shortest[0])) {
                return Ok(());
            }
        }
        bail!("{NAMES:?}: {shortest:.1?}")
    })
}

fn is_served(browser: &mut Browser, path: &str, status: u16) -> Outcome {
    let answer = browser.get(path)?;
    ensure!(
        answer.status == status && answer.complete,
        "{path}: {}",
        told(&answer)
    );
    Ok(())
}

#[test]
fn what_needs_no_session_does_not_wait() -> Outcome {
    World::plan().stores(0).run(|world| {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut tomcat = tomcat(
            world,
            "n1",
            Some(silent.local_addr()?),
            &[("storeTimeout", ENDLESS)],
        )?;
        tomcat.wait_ready()?;
        let anybody = Browser::new(tomcat.address());
        let mut user = anybody.clone();
        user.set_cookie("JSESSIONID", "0123456789ABCDEF0123456789ABCDEF.n1", "/probe");
        let answered = AtomicUsize::new(0);
        scope(|scope| {
            for number in 0..WAITING {
                let mut window = anybody.clone();
                window.set_cookie("JSESSIONID", &format!("{number:032}.n1"), "/probe");
                let answered = &answered;
                scope.spawn(move || {
                    // Refused at once, or cut when the Tomcat is killed: neither is the subject.
                    drop(window.get("/probe/get.jsp"));
                    answered.fetch_add(1, Ordering::Relaxed);
                });
            }
            let served = || -> Outcome {
                wait_until("the refusal of those whom no thread can wait for", SOON, || {
                    answered.load(Ordering::Relaxed) >= WAITING / 2
                })?;
                for mut browser in [user.clone(), anybody.clone()] {
                    is_served(&mut browser, "/probe/static.txt", 200)?;
                    is_served(&mut browser, "/probe/nothing-here", 404)?;
                }
                let waiting = WAITING - answered.load(Ordering::Relaxed);
                ensure!(waiting > 0, "and all that while some waited for the store");
                Ok(())
            };
            let outcome = served();
            tomcat.kill();
            outcome
        })
    })
}
