//! Promise 4: a page that breaks every connection is no verdict on its Tomcats: none is called down, and nobody is moved.
//!
//! Shown with two Tomcats and users on each, while others ask for that page, several at a time, round after round. A GET is
//! refused once it broke at both, a POST that may have run is refused and has run once; the users are
//! answered by their own Tomcats all the while, and no Tomcat was called down.
//! Broken once to see it fail: a doubt that counts as a verdict (both were called down).

use anyhow::{anyhow, ensure};
use remora_tests::http::Request;
use remora_tests::probe::Caller;
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::{Outcome, World};

/// Requests of the bad page at the same time; two took a pool of three down once.
const TOGETHER: usize = 4;

/// How often they come.
const ROUNDS: usize = 5;

/// Attempts that a GET may take by default: a kept connection that breaks says little, and is tried once more.
const ATTEMPTS: usize = 4;

/// Users of the good pages: enough for both Tomcats.
const USERS: usize = 6;

/// All ask at once, and all are refused.
fn refused(world: &World, request: &Request) -> Outcome {
    let asked: Vec<_> = (0..TOGETHER)
        .map(|_| {
            let (caller, request) = (world.caller(), request.clone());
            std::thread::spawn(move || caller?.browser.send(&request))
        })
        .collect();
    for asked in asked {
        let answer = asked.join().map_err(|_| anyhow!("a client panicked"))??;
        ensure!(answer.status == 502, "the page breaks: {}", told(&answer));
    }
    Ok(())
}

fn nobody_moved(users: &mut [(Caller, String)]) -> Outcome {
    for (user, home) in users {
        let held = user.held()?;
        ensure!(held.live && held.node == *home, "moved from {home}: {held:?}");
    }
    Ok(())
}

#[test]
fn however_often_it_is_asked_for() -> Outcome {
    let plan = World::plan().stores(0).tomcats(&[Version::V10; 2]);
    plan.run(|world| {
        // Before its Tomcats listened it rightly called them down.
        let verdicts = |world: &mut World| -> anyhow::Result<usize> {
            let proxy = world.proxy()?;
            Ok(proxy.verdicts_against("n1")? + proxy.verdicts_against("n2")?)
        };
        let before = verdicts(world)?;
        let mut users = Vec::new();
        for _ in 0..USERS {
            let mut user = world.caller()?;
            user.set("color", "blue")?;
            let home = user.held()?.node;
            users.push((user, home));
        }
        let get = Request::get("/probe/break.jsp?key=get");
        let post = Request::form("/probe/break.jsp", &[("key", "post")]);
        for _ in 0..ROUNDS {
            refused(world, &get)?;
            nobody_moved(&mut users)?;
            refused(world, &post)?;
            nobody_moved(&mut users)?;
        }
        let runs = world.signals.executions("get").len();
        let most = TOGETHER * ROUNDS * ATTEMPTS;
        ensure!(runs <= most, "each GET runs {ATTEMPTS} times at most: {runs}");
        let runs = world.signals.executions("post").len();
        ensure!(runs == TOGETHER * ROUNDS, "each POST runs once: {runs}");
        let against = verdicts(world)? - before;
        ensure!(against == 0, "{against} times one was called down");
        Ok(())
    })
}
