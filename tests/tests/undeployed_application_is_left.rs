//! Promise 6: an application that is undeployed while its Tomcat lives is left by its users, and nobody is logged out.
//!
//! Shown with checks that ask for a file of the shop, and users with full carts on n1. The shop's file is removed there: n1 is
//! leaving, not down, the users go on at n2, signed in and with their carts, and what n1 still has is still served.
//! Broken once to see it fail: 404 read as a pass (n1 was never leaving).

use anyhow::ensure;
use remora_tests::http::Browser;
use remora_tests::tomcat::{Application, Version};
use remora_tests::{Outcome, World};

const USERS: usize = 3;

#[test]
fn by_users_with_full_carts() -> Outcome {
    World::plan().stores(1).tomcats(&[Version::V10; 2]).run(|world| {
        let usual = "health = { every = \"1s\" }";
        let asks = "health = { every = \"200ms\", path = \"/shop/shop.css\" }";
        world.proxy()?.start_anew(|file| file.replace(usual, asks))?;
        for node in ["n1", "n2"] {
            world.proxy()?.wait_health(node, "up")?;
        }
        let mut users = world.shoppers_at("n1", USERS)?;

        // Before its Tomcats listened it rightly called them down.
        let before = world.proxy()?.verdicts_against("n1")?;
        world.tomcat("n1")?.undeploy(Application::Shop)?;
        world.proxy()?.wait_health("n1", "leaving")?;
        for user in &mut users {
            let page = user.look()?;
            let goes_on = page.node == "n2" && page.user == "ada" && page.cart == "mug:1";
            ensure!(goes_on, "left with all that they had: {page:?}");
        }
        let alive = Browser::new(world.tomcat("n1")?.address()).get("/probe/static.txt")?;
        ensure!(alive.status == 200, "n1 itself lives");
        ensure!(
            world.proxy()?.verdicts_against("n1")? == before,
            "n1 was called down"
        );
        Ok(())
    })
}
