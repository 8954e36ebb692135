//! Promise 4: a POST that may have run is never run twice; an idempotent request goes on elsewhere; nothing sent,
//! anything may go on.
//!
//! Shown by counting executions: a page writes a line per run. Its Tomcat is killed in the middle of it: the POST's
//! client gets an error and there is one line; the GET's client gets its answer from the other Tomcat and there are two
//! lines. Then a POST to a Tomcat that is already dead (nothing could be sent) is answered by the other one, once.
//! Broken once to see it fail: the effect rule in the policy's `failover`, possible treated as none (the POST then ran
//! on both).

use anyhow::{Context, Result, ensure};
use remora_tests::http::{Answer, Request};
use remora_tests::probe::Caller;
use remora_tests::proxy::Sticky;
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::{Outcome, World};

/// A caller with a session, so that the proxy sticks, and the node that serves it.
fn settled(world: &World) -> Result<(Caller, String)> {
    let mut caller = world.caller()?;
    caller.set("color", "blue")?;
    let node = caller.held()?.node;
    Ok((caller, node))
}

/// Sends `request`, kills the Tomcat that runs it, and gives what the client saw and the nodes that ran it.
fn killed_in_the_middle(
    world: &mut World,
    key: &str,
    request: Request,
) -> Result<(Result<Answer>, Vec<String>)> {
    let (mut caller, node) = settled(world)?;
    let client = std::thread::spawn(move || caller.browser.send(&request));
    world.signals.wait_begun(key, 1)?;
    ensure!(
        world.signals.executions(key) == [node.clone()],
        "it runs where the session lives"
    );
    world.tomcat(&node)?.kill();
    world.signals.go(key)?;
    let seen = client
        .join()
        .map_err(|_| anyhow::anyhow!("the client panicked"))?;
    let executions = world.signals.executions(key);
    world.tomcat(&node)?.launch()?;
    world.tomcat(&node)?.wait_ready()?;
    world.proxy()?.wait_health(&node, "up")?;
    Ok((seen, executions))
}

fn not_twice(sticky: Sticky) -> Outcome {
    World::plan()
        .stores(0)
        .tomcats(&[Version::V10, Version::V10])
        .sticky(sticky)
        .run(|world| {
            let post = Request::form("/probe/slow.jsp", &[("key", "post")]);
            let (seen, executions) = killed_in_the_middle(world, "post", post)?;
            assert_eq!(
                executions.len(),
                1,
                "the POST ran once and may never run again: {executions:?}"
            );
            if let Ok(answer) = &seen {
                ensure!(
                    matches!(answer.status, 502..=504),
                    "its client must learn of the failure: {}",
                    told(answer)
                );
            }

            let get = Request::get("/probe/slow.jsp?key=get");
            let (seen, executions) = killed_in_the_middle(world, "get", get)?;
            let answer = seen.context("the GET must be answered by the other Tomcat")?;
            ensure!(
                answer.status == 200,
                "the GET must be answered by the other Tomcat: {}",
                told(&answer)
            );
            assert_eq!(executions.len(), 2, "the GET ran on both: {executions:?}");

            let (mut caller, node) = settled(world)?;
            world.tomcat(&node)?.kill();
            let answer = caller.browser.post("/probe/count.jsp", &[("key", "late")])?;
            ensure!(
                answer.status == 200,
                "nothing was sent to the dead one, so the POST goes on: {}",
                told(&answer)
            );
            assert_eq!(world.signals.executions("late").len(), 1, "and runs once");
            Ok(())
        })
}

#[test]
fn with_the_route_in_the_session_id() -> Outcome {
    not_twice(Sticky::SessionSuffix)
}

#[test]
fn with_the_route_in_the_proxys_cookie() -> Outcome {
    not_twice(Sticky::RouteCookie)
}
