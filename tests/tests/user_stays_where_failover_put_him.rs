//! Promise 4: no automatic fail-back. When the dead Tomcat returns, users who were moved stay.
//!
//! Shown in both sticky modes: ada's Tomcat dies, she moves; it returns and the proxy sends it new users again; ada's
//! clicks, old windows with the old route in their cookies included, stay where she is.
//! Broken once to see it fail: the rewriting of the cookie's route after a claim (mode 2), the proxy's own cookie on
//! a moved route (mode 1): the next click then moved back.

use anyhow::ensure;
use remora_tests::proxy::Sticky;
use remora_tests::tomcat::Version;
use remora_tests::visitor::Visitor;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// Enough clicks that a balancer without memory would go elsewhere.
const CLICKS: usize = 12;

fn stays(sticky: Sticky) -> Outcome {
    World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .sticky(sticky)
        .run(|world| {
            let mut ada = world.visitor()?;
            let home = ada.sign_in("ada", "lovelace")?.node;
            ada.add("mask")?;
            world.tomcat(&home)?.kill();
            let refuge = ada.look()?.node;
            ensure!(refuge != home, "the dead Tomcat {home} cannot have answered");

            world.tomcat(&home)?.launch()?;
            world.tomcat(&home)?.wait_ready()?;
            world.proxy()?.wait_health(&home, "up")?;
            let front = world.front_door()?;
            wait_until("new users at the Tomcat that returned", SOON, || {
                Visitor::new(front)
                    .sign_in("grace", "hopper")
                    .is_ok_and(|page| page.node == home)
            })?;

            for click in 0..CLICKS {
                let page = if click % 3 == 0 {
                    ada.add("lamp")?
                } else {
                    ada.look()?
                };
                ensure!(
                    page.node == refuge,
                    "click {click}: moved back to {} for no reason",
                    page.node
                );
                ensure!(
                    page.user == "ada" && page.cart.starts_with("mask:1"),
                    "click {click}: {page:?}"
                );
            }
            Ok(())
        })
}

#[test]
fn with_the_route_in_the_session_id() -> Outcome {
    stays(Sticky::SessionSuffix)
}

#[test]
fn with_the_route_in_the_proxys_cookie() -> Outcome {
    stays(Sticky::RouteCookie)
}
