//! Promise 9: the jar runs on the oldest Tomcat that it promises as on the newest, whatever way an answer leaves.
//!
//! Shown with two releases of one line behind the proxy. On each: every way in which an answer leaves (plain, redirect,
//! flush, a body over any buffer, the application's error page, async) sets an attribute, and the other one shows it at
//! the next click. Then a user signs in and fills her cart, the Tomcat that serves her is killed, she goes on at the
//! other; it comes back, and the other one is killed. `make test` pairs the oldest with the newest of each line, `make
//! soak` every promised release with itself.
//! Broken once to see it fail: the head sent by `Response.commit()`, which 9.0.30 does not have (every body over a
//! buffer is then a 500).

use anyhow::{Context, bail, ensure};
use remora_tests::place::repository;
use remora_tests::probe::{Caller, change};
use remora_tests::tomcat::{PROMISED, Version};
use remora_tests::visitor::told;
use remora_tests::{Outcome, World};

/// The way, its page, its status.
const WAYS: [(&str, &str, u16); 6] = [
    ("plain", "set.jsp", 200),
    ("redirect", "redirect.jsp", 302),
    ("flush", "flush.jsp", 200),
    ("big body", "big.jsp", 200),
    ("error page", "error.jsp", 500),
    ("async", "async", 200),
];

fn answers_leave_alike(world: &mut World, here: &str, there: &str) -> Outcome {
    let (here, there) = (world.tomcat(here)?.address(), world.tomcat(there)?.address());
    let mut caller = Caller::new(here);
    for (way, page, status) in WAYS {
        let mut at_home = caller.at(here);
        let answer = at_home.browser.send(&change(page, way, "set"))?;
        ensure!(
            answer.status == status && answer.complete,
            "{way}: {}",
            told(&answer)
        );
        caller = at_home.at(there);
        let held = caller.held().with_context(|| format!("after {way}"))?;
        ensure!(
            held.attributes.get(way).map(String::as_str) == Some("set"),
            "{way}: the other Tomcat shows {held:?}"
        );
    }
    Ok(())
}

fn login_survives_both_ways(world: &mut World) -> Outcome {
    let mut ada = world.visitor()?;
    ada.sign_in("ada", "lovelace")?;
    ada.add("mask")?;
    for _ in 0..2 {
        let before = ada.add("fins")?;
        world.tomcat(&before.node)?.kill();
        let after = ada.look()?;
        ensure!(
            after.node != before.node && after.user == "ada" && after.cart == before.cart,
            "{before:?} was followed by {after:?}"
        );
        let killed = world.tomcat(&before.node)?;
        killed.launch()?;
        killed.wait_ready()?;
        world.proxy()?.wait_health(&before.node, "up")?;
    }
    ensure!(ada.sign_out()?, "she can sign out where she is");
    Ok(())
}

fn alike(releases: [&'static str; 2]) -> Outcome {
    let plan = World::plan().tomcats(&releases.map(Version::of));
    plan.run(|world| {
        answers_leave_alike(world, "n1", "n2")?;
        answers_leave_alike(world, "n2", "n1")?;
        login_survives_both_ways(world)
    })
    .with_context(|| format!("with {releases:?}"))
}

fn oldest_and_newest(line: usize) -> Outcome {
    match PROMISED.get(line) {
        Some([oldest, .., newest]) => alike([oldest, newest]),
        other => bail!("a line has an oldest and a newest release, not {other:?}"),
    }
}

#[test]
fn on_9_0() -> Outcome {
    oldest_and_newest(0)
}

#[test]
fn on_10_1() -> Outcome {
    oldest_and_newest(1)
}

#[test]
fn on_11_0() -> Outcome {
    oldest_and_newest(2)
}

/// Maven puts our classes beside the same releases, and users read which they may run.
/// What the adapter names members of, in each release.
const PARTS: [&str; 2] = ["tomcat-embed-core", "tomcat-embed-websocket"];

#[test]
fn what_is_promised_is_what_is_checked_and_what_is_read() -> Outcome {
    let pom = std::fs::read_to_string(repository().join("tomcat-adapter/pom.xml"))?;
    let (_, listed) = pom
        .split_once("<artifactItems>")
        .context("pom.xml lists releases")?;
    let (listed, _) = listed.split_once("</artifactItems>").context("the list ends")?;
    let of = |item: &str, element: &str| {
        let (_, rest) = item.split_once(&format!("<{element}>"))?;
        Some(rest.split('<').next()?.to_owned())
    };
    for artifact in PARTS {
        let items = listed.split("<artifactItem>").skip(1);
        let items = items.filter(|item| of(item, "artifactId").as_deref() == Some(artifact));
        let versions: Vec<String> = items.filter_map(|item| of(item, "version")).collect();
        assert_eq!(PROMISED.concat(), versions, "{artifact}");
    }
    let readme = std::fs::read_to_string(repository().join("README.md"))?;
    for line in PROMISED {
        let oldest = line.first().context("a line has releases")?;
        ensure!(readme.contains(oldest), "README.md does not name {oldest}");
    }
    Ok(())
}

#[test]
#[ignore = "a quarter of a minute each: make soak"]
fn every_promised_release_with_itself() -> Outcome {
    for release in PROMISED.concat() {
        alike([release, release])?;
    }
    Ok(())
}
