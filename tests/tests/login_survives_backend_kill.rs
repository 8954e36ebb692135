//! Promise 4: a dead backend costs no user the session; the FORM login and the cart go on elsewhere.
//!
//! Shown in both sticky modes: ada signs in through the proxy and fills her cart; the Tomcat that serves her is
//! killed with SIGKILL; her very next click is answered by the other one, signed in, cart intact, within a second or
//! two, and she can go on buying. Also from Tomcat 9.0 to 11.0, whose login objects differ.
//! Broken once to see it fail: the login left out of the claimed record in the adapter (then the login page
//! follows); the proxy's repeat after a refused connect (then a 503).

use std::time::Duration;

use anyhow::ensure;
use remora_tests::proxy::Sticky;
use remora_tests::tomcat::Version;
use remora_tests::{Outcome, World};

/// A refused connect, a claim and a first JSP on a cold JVM: far below what a user would call a hang.
const CLICK: Duration = Duration::from_secs(5);

fn login_survives(versions: [Version; 2], sticky: Sticky) -> Outcome {
    World::plan().tomcats(&versions).sticky(sticky).run(|world| {
        let mut ada = world.visitor()?;
        let home = ada.sign_in("ada", "lovelace")?;
        ada.add("mask")?;
        let before = ada.add("lamp")?;
        ensure!(
            before.node == home.node,
            "sticky: {} and then {}",
            home.node,
            before.node
        );

        world.tomcat(&home.node)?.kill();
        let after = ada.look()?;
        ensure!(after.node != home.node, "a dead Tomcat answered: {after:?}");
        ensure!(
            after.user == "ada" && after.cart == "mask:1,lamp:1",
            "expected ada with mask and lamp: {after:?}"
        );
        ensure!(
            after.age >= before.age,
            "the session began anew: {before:?}, then {after:?}"
        );
        ensure!(
            after.took < CLICK,
            "the click after the kill took {:?}",
            after.took
        );

        let more = ada.add("fins")?;
        ensure!(
            more.cart == "mask:1,lamp:1,fins:1" && more.node == after.node,
            "she goes on: {more:?}"
        );
        ensure!(ada.sign_out()?, "and can sign out where she is");
        Ok(())
    })
}

#[test]
fn with_the_route_in_the_session_id() -> Outcome {
    login_survives([Version::V10, Version::V10], Sticky::SessionSuffix)
}

#[test]
fn with_the_route_in_the_proxys_cookie() -> Outcome {
    login_survives([Version::V10, Version::V10], Sticky::RouteCookie)
}

#[test]
fn between_9_0_and_11_0() -> Outcome {
    login_survives([Version::V9, Version::V11], Sticky::SessionSuffix)
}
