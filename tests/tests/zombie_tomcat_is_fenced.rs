//! Promise 3: one owner per session. A Tomcat that wakes from a pause cannot overwrite what its successor wrote.
//!
//! Shown: n1 is stopped with SIGSTOP in the middle of a request that has already changed the session; the user goes on
//! at n2 and changes it there; n1 continues. The woken request must end in a 503 that sets no cookie, whether it
//! changed the same attribute or another one, and the session must be as n2 left it, at both Tomcats. A second claim
//! wakes a Tomcat that held only a near copy: it must show its successor's state, not its own.
//! Broken once to see it fail: the epoch comparison in the table's Save (the woken request then ends in a 200).

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use remora_tests::http::Request;
use remora_tests::probe::Caller;
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::{Outcome, World, wait_until};

/// A pause that the adapter must notice: its ticker looks for more than a second.
const PAUSE: Duration = Duration::from_millis(2_500);

fn slow_change(key: &str, name: &str, value: &str) -> Request {
    Request::get(&format!("/probe/slow.jsp?key={key}&name={name}&value={value}"))
}

fn woken_request_is_fenced(world: &mut World, key: &str, name: &str) -> Result<()> {
    let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
    let mut user = Caller::new(first);
    user.set("color", "blue")?;

    let mut window = user.clone();
    let request = slow_change(key, name, "zombie");
    let zombie = std::thread::spawn(move || window.browser.send(&request));
    world.signals.wait_begun(key, 1)?;
    world.tomcat("n1")?.process()?.pause()?;
    let paused = Instant::now();

    let mut elsewhere = user.at(second);
    elsewhere.set("color", "green")?;
    world.signals.go(key)?;
    wait_until("the pause to be long enough to be noticed", PAUSE * 2, || {
        paused.elapsed() > PAUSE
    })?;
    world.tomcat("n1")?.process()?.resume()?;

    let answer = zombie
        .join()
        .map_err(|_| anyhow::anyhow!("the zombie's client panicked"))??;
    ensure!(
        answer.status == 503,
        "the woken request must fail: {}",
        told(&answer)
    );
    ensure!(
        answer.field("set-cookie").is_none(),
        "and leave the cookie alone: {}",
        told(&answer)
    );
    ensure!(answer.body.is_empty(), "and show nothing: {}", told(&answer));
    for address in [second, first] {
        let held = user.at(address).held()?;
        let color = held.attributes.get("color").map(String::as_str);
        ensure!(
            color == Some("green"),
            "the successor's value must stand at {}: {held:?}",
            held.node
        );
        ensure!(
            !held.attributes.values().any(|value| value == "zombie"),
            "the zombie's change is nowhere: {held:?}"
        );
    }
    Ok(())
}

#[test]
fn woken_request_changes_nothing() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        woken_request_is_fenced(world, "same-attribute", "color")?;
        woken_request_is_fenced(world, "other-attribute", "shape")
    })
}

#[test]
fn woken_near_copy_is_not_shown() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        let mut ada = world.visitor()?;
        let home = ada.sign_in("ada", "lovelace")?.node;
        ada.add("mask")?;
        world.tomcat(&home)?.process()?.pause()?;
        // A click that may be repeated elsewhere; a POST that a frozen Tomcat has in hand is never sent twice.
        let seen = ada.look()?;
        ensure!(seen.node != home, "the proxy fails over from {home}: {seen:?}");
        let moved = ada.add("fins")?;
        ensure!(
            moved.node == seen.node && moved.cart == "mask:1,fins:1",
            "she goes on at {}: {moved:?}",
            seen.node
        );

        world.tomcat(&home)?.process()?.resume()?;
        let zombie = world.tomcat(&home)?.address();
        let mut direct = ada.clone();
        direct.browser = ada.browser.at(zombie);
        let page = direct.look()?;
        ensure!(
            page.node == home && page.user == "ada",
            "asked the woken Tomcat itself: {page:?}"
        );
        ensure!(
            page.cart == "mask:1,fins:1",
            "it must not show its own old copy: {page:?}"
        );
        Ok(())
    })
}
