//! Promise 4: users of a Spring Boot application stay logged in when its process is killed, and what Spring Security asks of
//! sessions is answered for all processes.
//!
//! Shown with the sample of the starter as its executable jar, twice, behind a proxy that finds both by the store's registry:
//! a user who signed in by Spring Security's form is still signed in when her process was killed with SIGKILL, and when every
//! request goes to the other process. With `remora.session-limit=2` a third login ends the oldest one's session in both. The
//! actuator lists a user's sessions of both, and ends one. A provider's back-channel logout, signed and sent to one process,
//! ends the session for both. While a majority of the store is away the actuator says so, and the application serves on. All of
//! it on both lines of Boot. A program that embeds Tomcat by itself, `examples/embedded`, keeps its visitors' sessions over a
//! kill as well.
//! Broken once to see it fail: `REMORA_MODE=observe` in its environment, by which sessions die with their process (she was sent to
//! the login), and the starter's registry for OpenID, which then ended nothing (she was not out).

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use remora_tests::http::Browser;
use remora_tests::place::free_port;
use remora_tests::process::Process;
use remora_tests::provider::Provider;
use remora_tests::spring::{Boot, Home, SpringSample, built, home, sign_in};
use remora_tests::stores::loopback;
use remora_tests::wait::{SOON, START, wait_for};
use remora_tests::{Outcome, World};

/// Where the sample serves.
const PATH: &str = "/shop";

/// Two processes, and where a user reaches either.
struct Site {
    samples: [SpringSample; 2],
    front: SocketAddr,
}

impl Site {
    /// Where n1 and n2 serve.
    fn doors(&self) -> [SocketAddr; 2] {
        [self.samples[0].address, self.samples[1].address]
    }

    /// Who is signed in at both, if it is the same user.
    fn at_both(&self, browser: &mut Browser) -> Result<Option<String>> {
        let doors = self.doors();
        let first = home(browser, doors[0])?.map(|page| page.user);
        let second = home(browser, doors[1])?.map(|page| page.user);
        ensure!(first == second, "n1 sees {first:?}, n2 {second:?}");
        Ok(first)
    }
}

fn seen(page: Option<Home>) -> Result<Home> {
    page.context("she is sent to the login")
}

fn survives_a_kill(site: &mut Site) -> Outcome {
    let mut ada = sign_in(site.front, "ada", "lovelace")?;
    let before = seen(home(&mut ada, site.front)?)?;
    ensure!(before.user == "ada" && before.visits == before.node, "{before:?}");
    let hers = usize::from(before.node == "n2");
    site.samples[hers].kill();
    let after = seen(home(&mut ada, site.front)?)?;
    let visits = format!("{},{}", before.node, after.node);
    ensure!(
        after.user == "ada" && after.node != before.node && after.visits == visits,
        "{before:?}, then {after:?}"
    );
    site.samples[hers].launch()?;
    site.samples[hers].wait_ready()
}

fn alternates(site: &Site) -> Outcome {
    let mut ada = sign_in(site.doors()[0], "ada", "lovelace")?;
    let mut visits = Vec::new();
    for turn in 0..6 {
        let page = seen(home(&mut ada, site.doors()[turn % 2])?)?;
        visits.push(page.node.clone());
        ensure!(page.visits == visits.join(","), "{page:?}, expected {visits:?}");
    }
    Ok(())
}

fn is_limited_and_listed(site: &Site) -> Outcome {
    let doors = site.doors();
    let mut in_turn = Vec::new();
    for turn in 0..3 {
        in_turn.push(sign_in(doors[turn % 2], "grace", "hopper")?);
    }
    let signed_in: Vec<bool> = in_turn
        .iter_mut()
        .map(|browser| Ok(site.at_both(browser)?.is_some()))
        .collect::<Result<_>>()?;
    ensure!(signed_in == [false, true, true], "signed in: {signed_in:?}");

    let users = in_turn[1].at(doors[0]).get(&format!("{PATH}/users"))?.text();
    ensure!(
        users.contains("\"ada\"") && users.contains("\"grace\""),
        "{users}"
    );
    let listed = site.samples[0].actuator("GET", "sessions?username=grace")?.text();
    let ids: Vec<&str> = listed.split("\"id\":\"").skip(1).collect();
    ensure!(ids.len() == 2, "{listed}");
    let id = ids[0].split('"').next().unwrap_or_default();
    let ended = site.samples[1].actuator("DELETE", &format!("sessions/{id}"))?;
    ensure!(ended.status == 204, "{}", ended.status);
    let mut left = 0;
    for browser in &mut in_turn {
        left += usize::from(site.at_both(browser)?.is_some());
    }
    ensure!(left == 1, "{left} are signed in");
    Ok(())
}

fn is_logged_out_by_the_provider(site: &Site, provider: &Provider) -> Outcome {
    let [first, second] = site.doors();
    let mut mary = provider.sign_in(first, PATH, "mary", "at-the-provider")?;
    let mut elsewhere = provider.sign_in(second, PATH, "mary", "another")?;
    ensure!(site.at_both(&mut mary)?.as_deref() == Some("mary"), "she is in");
    provider.log_out(second, PATH, "mary", "at-the-provider")?;
    ensure!(site.at_both(&mut mary)?.is_none(), "she is out");
    let other = site.at_both(&mut elsewhere)?;
    ensure!(other.as_deref() == Some("mary"), "her other session is not");
    Ok(())
}

fn says_that_the_store_is_away(world: &mut World, site: &Site) -> Outcome {
    let sample = &site.samples[0];
    let mut ada = sign_in(sample.address, "ada", "lovelace")?;
    ensure!(seen(home(&mut ada, sample.address)?)?.user == "ada", "she is in");
    ensure!(sample.health()?.text().contains("\"LED\""), "the store is led");
    for node in [1, 2] {
        world.stores.kill(node)?;
    }
    let health = wait_for("the health that says so", SOON, || {
        let health = sample.health().ok()?;
        health.text().contains("STORE_AWAY").then_some(health)
    })?;
    ensure!(health.status == 200, "{}", health.text());
    ensure!(
        seen(home(&mut ada, sample.address)?)?.user == "ada",
        "and is served"
    );
    Ok(())
}

fn shown_on(boot: Boot) -> Outcome {
    World::plan().run(|world| {
        let provider = Provider::start(world.directory())?;
        let store = format!("--remora.store={}", world.stores.client_list());
        let limit = "--remora.session-limit=2".to_owned();
        let arguments = [vec![store, limit], provider.properties()].concat();
        let start = |route| SpringSample::start(boot, world.directory(), route, &arguments);
        let samples = [start("n1")?, start("n2")?];
        let proxy = world.stores.discovering_proxy(world.directory())?;
        let mut site = Site {
            front: proxy.address,
            samples,
        };
        let shown = (|| -> Outcome {
            for sample in &site.samples {
                sample.wait_ready()?;
            }
            // Found by what they say of themselves.
            for route in ["n1", "n2"] {
                proxy.wait_health(route, "up")?;
            }
            survives_a_kill(&mut site)?;
            alternates(&site)?;
            is_limited_and_listed(&site)?;
            is_logged_out_by_the_provider(&site, &provider)?;
            says_that_the_store_is_away(world, &site)
        })();
        shown.map_err(|error| {
            let tails = site.samples.each_ref().map(SpringSample::tail);
            error.context(tails.join("\n---\n"))
        })
    })
}

#[test]
fn on_boot_4() -> Outcome {
    shown_on(Boot::Four)
}

#[test]
fn on_boot_3() -> Outcome {
    shown_on(Boot::Three)
}

/// A process of the example without Spring, and where it serves.
fn embedded(world: &World, route: &str) -> Result<(Process, SocketAddr)> {
    let (jar, port) = (built("remora-embedded-example")?, free_port()?);
    let log = world.directory().join(format!("embedded-{route}.log"));
    let process = Process::start(route, Path::new("java"), &log, |command| {
        command.arg("-jar").arg(&jar);
        command.args([port.to_string().as_str(), route, &world.stores.client_list()]);
    })?;
    Ok((process, loopback(port)))
}

#[test]
fn in_an_embedded_tomcat_without_spring() -> Outcome {
    World::plan().run(|world| {
        let (mut first, one) = embedded(world, "n1")?;
        let (second, other) = embedded(world, "n2")?;
        let mut counted = Vec::new();
        let mut visitor = Browser::new(one);
        let mut count = |at| {
            let what = "the example answers";
            let said = wait_for(what, START, || {
                let mut there = visitor.at(at);
                let said = there.get("/").ok().filter(|answer| answer.status == 200)?;
                visitor = there;
                Some(said)
            });
            said.map(|said| counted.push(said.text().trim().to_owned()))
        };
        count(one)?;
        count(other)?;
        count(one)?;
        first.kill();
        count(other)?;
        ensure!(
            counted == ["count=1", "count=2", "count=3", "count=4"],
            "{counted:?}\n{}",
            second.tail()
        );
        Ok(())
    })
}
