//! Promise 3: a logged-out session never comes back.
//!
//! Shown: while a slow request of the same user is under way (it has changed the session and will save when it ends),
//! the user signs out in another window. The slow request then ends; the old cookie must open nothing on either
//! Tomcat, and the store must hold no session of the user: not at once, and not after all stores were restarted
//! from their disks. The same with the slow request on one Tomcat and the sign-out on the other.
//! Broken once to see it fail: a save that meets the tombstone made a create, by the table or by the adapter (the
//! late save then brings the session back).

use anyhow::{Result, ensure};
use remora_proto::v1::SessionFilter;
use remora_tests::http::Request;
use remora_tests::probe::Caller;
use remora_tests::tomcat::Version;
use remora_tests::visitor::Visitor;
use remora_tests::{Outcome, World};

fn probe_session_stays_out(world: &mut World, key: &str, logout_at: &str) -> Result<()> {
    let first = world.tomcat("n1")?.address();
    let logout = world.tomcat(logout_at)?.address();
    let mut user = Caller::new(first);
    user.set("color", "blue")?;

    let mut window = user.clone();
    let slow = Request::get(&format!("/probe/slow.jsp?key={key}&name=color&value=red"));
    let slow = std::thread::spawn(move || window.browser.send(&slow));
    world.signals.wait_begun(key, 1)?;
    let out = user.at(logout).browser.get("/probe/invalidate.jsp")?;
    ensure!(out.status == 200, "invalidate answered {}", out.status);
    world.signals.go(key)?;
    let late = slow
        .join()
        .map_err(|_| anyhow::anyhow!("the slow client panicked"))??;
    ensure!(
        late.field("set-cookie").is_none(),
        "the late request must not begin a session: {late:?}"
    );

    for node in ["n1", "n2"] {
        let address = world.tomcat(node)?.address();
        let held = user.at(address).held()?;
        ensure!(!held.live, "the session came back on {node}: {held:?}");
    }
    ensure!(sessions(world)? == 0, "the store still holds a session");
    Ok(())
}

fn sessions(world: &World) -> Result<usize> {
    let leader = world.stores.wait_ready()?;
    let address = world
        .stores
        .node(leader)
        .map(|node| node.ports.client)
        .unwrap_or_default();
    let calls = remora_tests::calls::Calls::new(&[remora_tests::stores::loopback(address)], 9)?;
    Ok(calls.sessions(SessionFilter::default())?.len())
}

#[test]
fn late_save_on_the_same_tomcat() -> Outcome {
    World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .run(|world| probe_session_stays_out(world, "same", "n1"))
}

#[test]
fn late_save_on_another_tomcat() -> Outcome {
    World::plan()
        .tomcats(&[Version::V9, Version::V11])
        .run(|world| probe_session_stays_out(world, "other", "n2"))
}

#[test]
fn signed_out_login_stays_out_after_restarts() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        let mut ada = world.visitor()?;
        ada.sign_in("ada", "lovelace")?;
        ada.add("mask")?;
        let mut stolen = ada.clone();
        ensure!(ada.sign_out()?, "the login page follows a sign-out");
        opens_nothing(world, &mut stolen, "after the sign-out")?;
        for id in world.stores.ids() {
            world.stores.kill(id)?;
        }
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        world.stores.wait_ready()?;
        opens_nothing(world, &mut stolen, "after a restart of all stores")
    })
}

fn opens_nothing(world: &mut World, stolen: &mut Visitor, when: &str) -> Result<()> {
    for node in ["n1", "n2"] {
        let address = world.tomcat(node)?.address();
        let mut visitor = stolen.clone();
        visitor.browser = stolen.browser.at(address);
        ensure!(
            visitor.is_signed_out()?,
            "{when}, the old cookie still opens the shop at {node}"
        );
    }
    Ok(())
}
