//! Beside the promises: what an operator wishes at one proxy holds at all of them, and survives that the store is away.
//!
//! Shown with two proxies that know no Tomcat but what the store tells, and two Tomcats. A drain at one proxy holds at the other, and
//! one that ends at the other ends at the first. Then all store nodes stand still: nobody knows what becomes of a drain that is told to
//! them, and it is taken back meanwhile; when they go on it stands nowhere. Then all store nodes are killed: a drain at the first proxy holds there at once, its
//! answer says that the other proxies do not know, and the first proxy, started anew meanwhile, serves a user by its last view, says
//! so, and still drains; and so does its successor from its first moment. With the store back that one tells it: the other proxy drains,
//! too, and nothing is left to be told.
//! Broken once to see it fail: the store is never told (the first drain is not shared); the view is not kept (the proxy that is started
//! anew asks no Tomcat, and answers 503).

use anyhow::{Context, Result, ensure};
use remora_proto::v1::DiscoveryStatus;
use remora_tests::proxy::Proxy;
use remora_tests::tomcat::Version;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

fn wait_state(proxy: &Proxy, state: &str) -> Outcome {
    let what = format!("n1 {state} at the proxy on {}", proxy.address);
    wait_until(&what, SOON, || proxy.state_of("n1").as_deref() == Some(state))?;
    Ok(())
}

fn discovery(proxy: &Proxy) -> Result<DiscoveryStatus> {
    proxy.status()?.discovery.context("it follows the store")
}

/// What was said at one proxy holds at both.
fn agree(world: &mut World, other: &Proxy) -> Outcome {
    let reply = world.proxy()?.calls()?.drain("n1", true)?;
    ensure!(
        reply.shared && !reply.ends_with_process,
        "the store keeps it: {reply:?}"
    );
    wait_state(other, "draining")?;
    let reply = other.calls()?.drain("n1", false)?;
    ensure!(reply.shared, "so it does of its end: {reply:?}");
    wait_state(world.proxy()?, "active")
}

/// What was taken back while nobody knew whether the store had it does not come back.
fn taken_back_in_between(world: &mut World, other: &Proxy) -> Outcome {
    let ids = world.stores.ids();
    for id in &ids {
        world.stores.process(*id)?.pause()?;
    }
    for drained in [true, false] {
        let reply = world.proxy()?.calls()?.drain("n1", drained)?;
        ensure!(!reply.shared, "nobody knows what the store has: {reply:?}");
    }
    for id in &ids {
        world.stores.process(*id)?.resume()?;
    }
    let proxy: &Proxy = world.proxy()?;
    wait_until("the store has the last word, and both know", SOON, || {
        let (Ok(here), Ok(there)) = (discovery(proxy), discovery(other)) else {
            return false;
        };
        here.present && here.untold == 0 && there.present && here.version == there.version
    })?;
    for proxy in [proxy, other] {
        let state = proxy.state_of("n1");
        ensure!(
            state.as_deref() == Some("active"),
            "the drain came back: {state:?}"
        );
    }
    Ok(())
}

/// What was said while the store was away holds where it was said, whatever becomes of that process.
fn alone(world: &mut World, other: &Proxy) -> Outcome {
    for id in world.stores.ids() {
        world.stores.kill(id)?;
    }
    let reply = world.proxy()?.calls()?.drain("n1", true)?;
    ensure!(!reply.shared, "nobody keeps it for the other proxy: {reply:?}");
    ensure!(!reply.ends_with_process, "a directory keeps it: {reply:?}");
    wait_state(world.proxy()?, "draining")?;
    ensure!(
        other.state_of("n1").as_deref() == Some("active"),
        "the other proxy cannot know"
    );
    world.proxy()?.start_anew(|file| file)?;
    serves_by_its_last_view(world)?;
    world.proxy()?.replace()?;
    serves_by_its_last_view(world)
}

/// At once: its first answers are by that view.
fn serves_by_its_last_view(world: &mut World) -> Outcome {
    let page = world.caller()?.browser.get("/probe/nothing-here")?;
    ensure!(page.status == 404, "the Tomcats of that view are asked: {page:?}");
    let proxy = world.proxy()?;
    let state = proxy.state_of("n1");
    ensure!(state.as_deref() == Some("draining"), "n1 is {state:?}");
    wait_until("it says that it serves by its last view", SOON, || {
        discovery(proxy).is_ok_and(|told| {
            !told.present && told.silent_seconds.is_none() && told.untold == 1 && !told.reason.is_empty()
        })
    })?;
    Ok(())
}

#[test]
fn with_and_without_the_store() -> Outcome {
    let plan = World::plan().discovering().tomcats(&[Version::V10; 2]);
    plan.run(|world| {
        let other = world.another_proxy()?;
        agree(world, &other)?;
        taken_back_in_between(world, &other)?;
        alone(world, &other)?;
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        wait_state(&other, "draining")?;
        let proxy = world.proxy()?;
        wait_until("nothing is left to be told", SOON, || {
            discovery(proxy).is_ok_and(|told| told.present && told.untold == 0)
        })?;
        Ok(())
    })
}
