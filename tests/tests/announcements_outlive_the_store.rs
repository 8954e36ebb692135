//! Promise 5, for the registry: what the store knows of Tomcats outlives the store and the Tomcats. Only who retires, or is
//! retired, leaves it.
//!
//! Shown with two Tomcats that announced themselves, of which one is then killed (SIGKILL): it stays, and is listed as not
//! present. So it does through ten seconds in which no node leads, and through a kill of all nodes at once; each time the entries
//! are the same, to their versions, when the living Tomcat has met the store again: it has said nothing new. An operator takes
//! the dead one out. The living one, taken out as well, announces itself again; an application that is undeployed leaves its
//! entry; and of a Tomcat that was stopped in order nothing is left.
//! Broken once to see it fail: `RegistryEntry.meets` in the session manager deaf to a store that does not know its instance (the
//! living one stays out).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_proto::v1::follow_reply::Server;
use remora_proto::v1::{FollowReply, Owner, list_servers_reply};
use remora_tests::calls::Calls;
use remora_tests::tomcat::{Application, Version};
use remora_tests::wait::{SOON, START, holds_for};
use remora_tests::{Outcome, World, wait_until};

/// How long nobody leads: long against every election and every patience of a Tomcat.
const OUTAGE: Duration = Duration::from_secs(10);

/// Longest stop of a Tomcat.
const STOP: Duration = Duration::from_secs(30);

/// The entry of a node, if it has one.
fn entry<'a>(view: &'a FollowReply, node: &str) -> Option<&'a Server> {
    let is_it = |entry: &&Server| entry.server.as_ref().is_some_and(|server| server.node == node);
    view.servers.iter().find(is_it)
}

fn instance(view: &FollowReply, node: &str) -> Result<u64> {
    let server = entry(view, node).and_then(|entry| entry.server.as_ref());
    Ok(server
        .with_context(|| format!("{node} is in {:?}", view.servers))?
        .instance)
}

/// Waits for a view in which something holds.
fn seen(calls: &mut Calls, what: &str, holds: impl Fn(&FollowReply) -> bool) -> Result<FollowReply> {
    let mut last = None;
    wait_until(what, START, || {
        last = calls.view().ok();
        last.as_ref().is_some_and(&holds)
    })
    .with_context(|| format!("{last:?}"))?;
    last.context("it was seen")
}

/// Waits until n1 has a stream to the leader and n2, which is dead, has none: n1 has said by then what it has to say.
fn only_n1_is_present(calls: &mut Calls) -> Outcome {
    let mut last = Vec::new();
    let waited = wait_until("n1 present and n2 not", SOON, || {
        last = calls.servers().unwrap_or_default();
        let present = |node: &str| {
            let is_it = |server: &&list_servers_reply::Server| {
                server.server.as_ref().is_some_and(|owner| owner.node == node)
            };
            last.iter().find(is_it).map(|server| server.present)
        };
        present("n1") == Some(true) && present("n2") == Some(false)
    });
    waited.map(drop).with_context(|| format!("{last:?}"))
}

fn is_unchanged(calls: &mut Calls, before: &FollowReply) -> Outcome {
    only_n1_is_present(calls)?;
    let after = calls.view()?;
    ensure!(
        after == *before,
        "the registry is another: {before:?}, then {after:?}"
    );
    Ok(())
}

/// Kills so many nodes and starts them again; in between something is to be seen.
fn kill(world: &mut World, count: usize, meanwhile: impl FnOnce(&mut World) -> Outcome) -> Outcome {
    let killed: Vec<u64> = world.stores.ids().into_iter().take(count).collect();
    for id in &killed {
        world.stores.kill(*id)?;
    }
    meanwhile(world)?;
    for id in killed {
        world.stores.launch(id)?;
    }
    world.stores.wait_ready().map(drop)
}

#[test]
fn and_their_tomcats() -> Outcome {
    World::plan().tomcats(&[Version::V10; 2]).run(|world| {
        let mut calls = world.stores.calls(7)?;
        seen(&mut calls, "both announced", |view| {
            entry(view, "n1").is_some() && entry(view, "n2").is_some()
        })?;
        world.tomcat("n2")?.kill();
        only_n1_is_present(&mut calls)?;
        let before = calls.view()?;

        kill(world, 2, |world| {
            let left = world.stores.running();
            let none_leads = || world.stores.agreed_leader(&left).is_none();
            holds_for("no node leads", OUTAGE, none_leads)
        })?;
        is_unchanged(&mut calls, &before)?;
        kill(world, 3, |_| Ok(()))?;
        is_unchanged(&mut calls, &before)?;

        operators_and_tomcats_take_out(world, &mut calls, &before)
    })
}

fn operators_and_tomcats_take_out(world: &mut World, calls: &mut Calls, before: &FollowReply) -> Outcome {
    let (first, second) = (instance(before, "n1")?, instance(before, "n2")?);
    let out = |view: &FollowReply, node: &str, instance: u64| {
        let is_it = |owner: &Owner| owner.node == node && owner.instance == instance;
        let marks = view.retired.iter();
        entry(view, node).is_none() && marks.filter_map(|mark| mark.server.as_ref()).any(is_it)
    };
    ensure!(
        calls.retire("n2")? && !calls.retire("n2")?,
        "n2 is taken out once"
    );
    let view = calls.view()?;
    ensure!(out(&view, "n2", second), "n2 is out: {view:?}");

    ensure!(calls.retire("n1")?, "n1 is taken out");
    let back = seen(calls, "n1 announces itself again", |view| {
        entry(view, "n1").is_some_and(|entry| entry.version > before.version)
    })?;
    ensure!(instance(&back, "n1")? == first, "it is the same Tomcat: {back:?}");

    world.tomcat("n1")?.undeploy(Application::Shop)?;
    seen(calls, "n1 without the shop", |view| {
        entry(view, "n1").is_some_and(|entry| entry.applications == ["localhost/probe"])
    })?;

    world.tomcat("n1")?.process()?.stop(STOP)?;
    let view = calls.view()?;
    ensure!(out(&view, "n1", first), "n1 is out: {view:?}");
    Ok(())
}
