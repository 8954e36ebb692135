//! Promise 4: a Tomcat that pauses or dies costs no user the session, and a pause shorter than patience moves nobody.
//!
//! Shown with three Tomcats and signed-in users on n1. It stops for less than a second with their clicks in hand: n1 answers
//! them all. It stops for longer: each click is answered elsewhere in time, by a claim, with the cart; when it wakes, checks
//! let it back, the moved users stay, and new ones come to it. Then the two others are killed within one second, and n1
//! answers everybody.
//! Broken once to see it fail: patience of a hundredth of a second (the short pause moved every user).

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use remora_tests::tomcat::Version;
use remora_tests::visitor::{ShopPage, Visitor};
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

const USERS: usize = 4;

/// A pause that is borne: less than the least patience.
const SHORT: Duration = Duration::from_millis(700);

/// Within which a click at a frozen Tomcat is answered elsewhere: the most patience, which a busy machine may have taught,
/// and what a claim takes. Where checks are quick it is 1.5 s, which the proxy's own tests hold.
const ELSEWHERE: Duration = Duration::from_secs(8);

/// All click at once, and `meanwhile` happens; who answered each.
fn click(
    users: Vec<Visitor>,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<(Vec<Visitor>, Vec<ShopPage>)> {
    let clicks: Vec<_> = users
        .into_iter()
        .map(|mut user| std::thread::spawn(move || user.look().map(|page| (user, page))))
        .collect();
    meanwhile()?;
    let answered = clicks.into_iter().map(|click| {
        let answered = click.join().map_err(|_| anyhow!("a user panicked"))?;
        let (user, page) = answered?;
        ensure!(
            page.user == "ada" && page.cart == "mug:1",
            "nobody loses anything: {page:?}"
        );
        Ok((user, page))
    });
    let answered: Result<Vec<_>> = answered.collect();
    Ok(answered?.into_iter().unzip())
}

#[test]
fn with_users_who_click_all_the_while() -> Outcome {
    World::plan().tomcats(&[Version::V10; 3]).run(|world| {
        let users = world.shoppers_at("n1", USERS)?;

        world.tomcat("n1")?.process()?.pause()?;
        let began = Instant::now();
        let (users, pages) = click(users, || {
            wait_until("the pause is over", SOON, || began.elapsed() > SHORT)?;
            world.tomcat("n1")?.process()?.resume()
        })?;
        ensure!(
            pages.iter().all(|page| page.node == "n1"),
            "moved by a short pause: {pages:?}"
        );

        world.tomcat("n1")?.process()?.pause()?;
        let began = Instant::now();
        let (users, pages) = click(users, || Ok(()))?;
        let took = began.elapsed();
        ensure!(took < ELSEWHERE, "answered elsewhere only after {took:?}");
        ensure!(pages.iter().all(|page| page.node != "n1"), "{pages:?}");
        let refuges: Vec<String> = pages.into_iter().map(|page| page.node).collect();

        world.tomcat("n1")?.process()?.resume()?;
        world.proxy()?.wait_health("n1", "up")?;
        let (users, pages) = click(users, || Ok(()))?;
        let nodes: Vec<String> = pages.into_iter().map(|page| page.node).collect();
        ensure!(
            nodes == refuges,
            "whoever was moved stays: {nodes:?}, {refuges:?}"
        );
        let newcomers = world.shoppers_at("n1", USERS)?;

        world.tomcat("n2")?.kill();
        world.tomcat("n3")?.kill();
        let (_, pages) = click(users.into_iter().chain(newcomers).collect(), || Ok(()))?;
        ensure!(pages.iter().all(|page| page.node == "n1"), "two died: {pages:?}");
        Ok(())
    })
}
