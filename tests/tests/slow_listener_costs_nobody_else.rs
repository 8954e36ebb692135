//! Promise 9: an application's code that takes its time costs nobody but whom it is about.
//!
//! Shown: two idle sessions expire, and the application's `sessionDestroyed` does not return. A third session, which is
//! read twice a second, must outlive its own idle limit many times meanwhile, although the store ends whoever is not
//! reported as used. Then a logout hangs in the same listener: others read, change, begin and end sessions, another
//! one expires and its listener is called, all before the logout has returned; and the Tomcat stops as soon as one with
//! StandardManager in which a page hangs, give or take a second. (A logout that hangs keeps StandardManager from stopping.)
//! Broken once to see it fail: touches and listeners on one thread (the third session is then logged out). Not yet seen
//! to fail: the logouts beside a slow one, and the stop.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use remora_tests::http::{Answer, Browser};
use remora_tests::place::free_port;
use remora_tests::probe::Signals;
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};
use remora_tests::visitor::told;
use remora_tests::wait::START;
use remora_tests::world::Plan;
use remora_tests::{Outcome, World, holds_for, wait_until};

/// The idle limit of the session that is used all the time, in seconds.
const LIMIT_SECONDS: u64 = 6;

/// How long it is watched: touches are collected for 5 s, so its last one would be older than its limit by then.
const WATCHED: Duration = Duration::from_secs(3 * LIMIT_SECONDS);

/// How often it is read.
const READ_EVERY: Duration = Duration::from_millis(500);

/// A busy machine may disturb one measurement of a stop, hardly three.
const TRIES: usize = 3;

/// What the end of a Tomcat may take longer than with StandardManager.
const STOP_SLACK: Duration = Duration::from_secs(1);

/// Longest end of a Tomcat that is waited for.
const STOP: Duration = Duration::from_secs(60);

fn plan() -> Plan {
    let plan = World::plan()
        .tomcats(&[Version::V10])
        .application(Application::Rough);
    // Idle sessions are looked at every ten seconds, not every minute.
    plan.manager("processExpiresFrequency", "1")
}

fn good(answer: Answer, expected: &str) -> Result<Answer> {
    ensure!(
        answer.status == 200 && answer.complete && answer.text().starts_with(expected),
        "expected {expected:?}: {}",
        told(&answer)
    );
    Ok(answer)
}

fn begin(browser: &mut Browser, key: &str, seconds: u64) -> Result<()> {
    let path = format!("/rough/begin.jsp?key={key}&seconds={seconds}");
    good(browser.get(&path)?, "begun").map(drop)
}

/// Reads a session as a page does that polls.
fn is_live(browser: &mut Browser) -> bool {
    let answer = browser.get("/rough/read.jsp");
    answer.is_ok_and(|answer| answer.status == 200 && answer.text().starts_with("live"))
}

#[test]
fn used_session_lives_on_beside_slow_ends() -> Outcome {
    plan().run(|world| {
        let address = world.tomcat("n1")?.address();
        let mut third = Browser::new(address);
        begin(&mut third, "third", LIMIT_SECONDS)?;
        for key in ["first", "second"] {
            begin(&mut Browser::new(address), key, 1)?;
        }
        let hangs = || {
            !world.signals.executions("first").is_empty() || !world.signals.executions("second").is_empty()
        };
        let mut read = Instant::now();
        let mut third_lives = || {
            if read.elapsed() < READ_EVERY {
                return true;
            }
            read = Instant::now();
            is_live(&mut third)
        };
        wait_until("the end of an idle session", START, || !third_lives() || hangs())?;
        holds_for("the session in use lives on", WATCHED, third_lives)?;
        ensure!(hangs(), "and the listener of an end hung all the while");
        world.signals.go("first")?;
        world.signals.go("second")?;
        world.signals.wait_begun("first", 1)?;
        world.signals.wait_begun("second", 1)
    })
}

#[test]
fn slow_logout_delays_nobody() -> Outcome {
    plan().run(|world| {
        let address = world.tomcat("n1")?.address();
        let mut idle = Browser::new(address);
        begin(&mut idle, "idle", 1)?;
        world.signals.go("idle")?;
        let mut other = Browser::new(address);
        good(other.get("/rough/set.jsp?name=color&value=blue")?, "set")?;

        let mut leaving = Browser::new(address);
        begin(&mut leaving, "leaving", 600)?;
        let mut window = leaving.clone();
        let logout = std::thread::spawn(move || window.get("/rough/end.jsp"));
        world.signals.wait_begun("leaving", 1)?;

        let mut ended = Browser::new(address);
        begin(&mut ended, "ended", 600)?;
        world.signals.go("ended")?;
        good(ended.get("/rough/end.jsp")?, "ended")?;
        ensure!(!is_live(&mut ended), "another logout is over");
        good(other.get("/rough/set.jsp?name=color&value=green")?, "set")?;
        let seen = good(other.get("/rough/read.jsp")?, "live")?;
        ensure!(
            seen.text().contains("color=green"),
            "others go on: {}",
            told(&seen)
        );
        wait_until("another session expires", START, || {
            !world.signals.executions("idle").is_empty()
        })?;
        ensure!(
            !logout.is_finished(),
            "all that while the logout hung in its listener"
        );
        world.signals.go("leaving")?;
        let answer = logout
            .join()
            .map_err(|_| anyhow::anyhow!("the client panicked"))??;
        good(answer, "ended")?;
        ensure!(!is_live(&mut leaving), "and is over now");
        Ok(())
    })
}

/// A Tomcat alone, with our manager or with Tomcat's own.
fn alone(world: &World, node: &str, ours: bool) -> Result<Tomcat> {
    let plan = TomcatPlan {
        version: Version::V10,
        node: node.to_owned(),
        jvm_route: true,
        port: free_port()?,
        store: ours.then(|| world.stores.client_list()),
        manager: Vec::new(),
        replication: None,
        behind_front: false,
        applications: vec![Application::Rough, Application::Probe],
        java_options: QUICK_START.to_owned(),
        signals: world.signals.directory().to_path_buf(),
    };
    Tomcat::start(world.directory(), plan)
}

/// How long a Tomcat takes to end while a logout hangs in a listener, or a page by itself.
fn stop(mut tomcat: Tomcat, signals: &Signals, key: &str, logout: bool) -> Result<Duration> {
    tomcat.wait_ready()?;
    let mut leaving = Browser::new(tomcat.address());
    good(
        Browser::new(tomcat.address()).get("/rough/set.jsp?name=color&value=blue")?,
        "set",
    )?;
    let path = if logout {
        begin(&mut leaving, key, 600)?;
        "/rough/end.jsp".to_owned()
    } else {
        format!("/probe/slow.jsp?key={key}")
    };
    std::thread::spawn(move || leaving.get(&path));
    signals.wait_begun(key, 1)?;
    let asked = Instant::now();
    tomcat.process()?.stop(STOP)?;
    Ok(asked.elapsed())
}

#[test]
fn slow_logout_does_not_hold_up_the_end_of_tomcat() -> Outcome {
    World::plan().run(|world| {
        let mut told = Vec::new();
        for time in 0..TRIES {
            let [standard, ours] = [false, true].map(|ours| -> Result<Duration> {
                let key = format!("stops-{ours}-{time}");
                let tomcat = alone(world, &key, ours)?;
                stop(tomcat, &world.signals, &key, ours).with_context(|| format!("stop {key}"))
            });
            let (standard, ours) = (standard?, ours?);
            if ours <= standard + STOP_SLACK {
                return Ok(());
            }
            told.push(format!("{ours:.1?} where StandardManager took {standard:.1?}"));
        }
        bail!(
            "a listener that hangs holds up the end of Tomcat: {}",
            told.join(", ")
        )
    })
}
