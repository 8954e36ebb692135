//! Promise 9: a session that nobody comes back for ends as under Tomcat's own manager, with its listeners, although the
//! Tomcat that had it is gone.
//!
//! Shown: users begin sessions at n1, whose values hear when they are let go, and never return; n1 is killed. When their time
//! is over, the application's `sessionDestroyed` and the value's `valueUnbound` are called at n2, once for each session, also
//! those that n2 had not come to when the store's leader was killed. A session of n2's own ends there, once.
//! Broken once to see it fail: a sweep that lets nothing leave (nobody is told); a bury that is not remembered (n2 is offered
//! the session again and ends it twice); an owner that calls listeners as soon as it finds its session gone (n2 ends its own
//! twice, in one run of four).

use std::time::Duration;

use anyhow::{Result, ensure};
use remora_tests::http::Browser;
use remora_tests::tomcat::{Application, Version};
use remora_tests::visitor::told;
use remora_tests::wait::START;
use remora_tests::{Outcome, World, holds_for, wait_until};

/// The idle limit of the sessions, in seconds: long enough to begin them all and to kill their Tomcat.
const IDLE_SECONDS: u64 = 3;

/// Longer than the store waits before it offers again what nobody has buried.
const WATCHED: Duration = Duration::from_secs(7);

/// Sessions whose owner is killed.
const STRANDED: [&str; 3] = ["ada", "eve", "bob"];

fn begin(world: &mut World, node: &str, key: &str) -> Result<()> {
    let mut browser = Browser::new(world.tomcat(node)?.address());
    let answer = browser.get(&format!(
        "/rough/begin.jsp?key={key}&bound=true&seconds={IDLE_SECONDS}"
    ))?;
    ensure!(answer.text().starts_with("begun"), "{}", told(&answer));
    Ok(())
}

#[test]
fn listeners_of_a_dead_tomcats_sessions_are_called_once_elsewhere() -> Outcome {
    let plan = World::plan().tomcats(&[Version::V10, Version::V10]);
    plan.application(Application::Rough).run(|world| {
        world.signals.go("own")?;
        begin(world, "n2", "own")?;
        for key in STRANDED {
            begin(world, "n1", key)?;
        }
        world.tomcat("n1")?.kill();

        // The listener of one hangs, so that the others still wait when the leader goes.
        let signals = world.signals.clone();
        let begun = || STRANDED.iter().filter(|key| !signals.executions(key).is_empty());
        wait_until("the first of them to end", START, || begun().count() == 1)?;
        let leader = world.stores.wait_ready()?;
        world.stores.kill(leader)?;
        world.stores.wait_for_leader(START)?;
        for key in STRANDED {
            signals.go(key)?;
        }

        let heard_once = |key: &str| {
            let both = [key.to_owned(), format!("{key}-unbound")];
            both.iter().all(|signal| signals.executions(signal) == ["n2"])
        };
        let ended_once = || heard_once("own") && STRANDED.iter().all(|key| heard_once(key));
        wait_until("the end of all at n2", START, ended_once)?;
        holds_for("each has ended once", WATCHED, ended_once)
    })
}
