//! Promise 6: draining a Tomcat moves its users at once, nobody logged out.
//!
//! Shown in both sticky modes: several users are signed in on n1, one of them has a slow request under way; the operator
//! drains n1 with the command line. The slow request ends well; every user's next click is answered by n2, signed in, cart
//! intact; new users all go to n2. After the undrain new users reach n1 again, and the moved ones stay.
//! Broken once to see it fail: draining ignored for sticky requests in the policy's `route` (the next click then stays
//! on n1).

use anyhow::ensure;
use remora_tests::http::Request;
use remora_tests::proxy::Sticky;
use remora_tests::tomcat::Version;
use remora_tests::visitor::Visitor;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

const USERS: usize = 4;

fn drains(sticky: Sticky) -> Outcome {
    World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .sticky(sticky)
        .run(|world| {
            let mut users = world.shoppers_at("n1", USERS)?;
            let front = world.front_door()?;
            let mut window = world.caller()?;
            wait_until("a caller on n1", SOON, || {
                window.browser.drop_cookie("JSESSIONID");
                window.browser.drop_cookie(remora_tests::proxy::ROUTE_COOKIE);
                window.set("color", "blue").is_ok() && window.held().is_ok_and(|held| held.node == "n1")
            })?;
            let slow =
                std::thread::spawn(move || window.browser.send(&Request::get("/probe/slow.jsp?key=slow")));
            world.signals.wait_begun("slow", 1)?;

            world.operator(&["upstreams", "drain", "n1"])?;
            for user in &mut users {
                let page = user.look()?;
                ensure!(
                    page.node == "n2",
                    "the next click after the drain goes to n2: {page:?}"
                );
                ensure!(
                    page.user == "ada" && page.cart == "mug:1",
                    "nobody loses anything: {page:?}"
                );
            }
            for _ in 0..USERS {
                let page = Visitor::new(front).sign_in("grace", "hopper")?;
                ensure!(page.node == "n2", "n1 takes nobody new: {page:?}");
            }
            world.signals.go("slow")?;
            let answer = slow
                .join()
                .map_err(|_| anyhow::anyhow!("the slow client panicked"))??;
            ensure!(
                answer.status == 200 && answer.text() == "slow page of n1",
                "what ran on n1 ends there: {answer:?}"
            );

            world.operator(&["upstreams", "undrain", "n1"])?;
            wait_until("new users on n1 again", SOON, || {
                Visitor::new(front)
                    .sign_in("grace", "hopper")
                    .is_ok_and(|page| page.node == "n1")
            })?;
            for user in &mut users {
                let page = user.look()?;
                ensure!(
                    page.node == "n2" && page.user == "ada" && page.cart == "mug:1",
                    "the moved ones stay: {page:?}"
                );
            }
            Ok(())
        })
}

#[test]
fn with_the_route_in_the_session_id() -> Outcome {
    drains(Sticky::SessionSuffix)
}

#[test]
fn with_the_route_in_the_proxys_cookie() -> Outcome {
    drains(Sticky::RouteCookie)
}
