//! Promise 4: users of a Spring Boot application stay logged in when its process is killed, and what Spring Security asks of
//! sessions is answered for all processes.
//!
//! Shown with the sample of the starter as its executable jar, twice, behind a proxy that finds both by the store's registry:
//! a user who signed in by Spring Security's form is still signed in when her process was killed with SIGKILL, and when every
//! request goes to the other process. With `remora.session-limit=2` a third login ends the oldest one's session in both. The
//! actuator lists a user's sessions of both, and ends one. A provider's back-channel logout, signed and sent to one process,
//! ends the session for both; meant for another client it is refused, and at that client's own address it ends nothing here. A
//! process that gets SIGTERM under a user's clicks leaves the store's registry first: no click fails, she is moved with what the
//! one before stored, and the JVM ends as it does in order. While a majority of the store is away the actuator says so, and the
//! application serves on. All of it on both lines of Boot: on 4 with TLS to the store, by a certificate for this one application,
//! which lists no other's sessions; on 3 in clear on the loopback. A program that embeds Tomcat by itself, `examples/embedded`,
//! keeps its visitors' sessions over a kill as well.
//! Broken once to see it fail: `REMORA_MODE=observe` in its environment, by which sessions die with their process (she was sent to
//! the login), and the starter's registry for OpenID, which then ended nothing (she was not out).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use remora_tests::http::Browser;
use remora_tests::place::{free_port, program};
use remora_tests::process::{Process, ending};
use remora_tests::provider::{Logout, PARTNER, Provider};
use remora_tests::proxy::Proxy;
use remora_tests::spring::{Boot, Home, SpringSample, built, home, sign_in};
use remora_tests::stores::loopback;
use remora_tests::wait::{SOON, START, holds_for, wait_for, wait_until};
use remora_tests::world::Plan;
use remora_tests::{Outcome, World};

/// Where the sample serves.
const PATH: &str = "/shop";

/// Between two clicks of a user who clicks on, and how many of them show that she does.
const PACE: Duration = Duration::from_millis(20);
const CLICKS: usize = 10;

/// The exit code of a JVM that SIGTERM has ended in order, its hooks run: 128 and the signal's number.
const STOPPED: i32 = 143;

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
    let hers = Logout::of("mary", "at-the-provider");
    for (registration, status) in [(hers.registration, 400), (PARTNER, 200)] {
        let of_another = Logout {
            registration,
            client: PARTNER,
            ..hers
        };
        let answer = provider.log_out(second, PATH, of_another)?;
        ensure!(answer == status, "to {registration}: {answer}");
        let still = site.at_both(&mut mary)?;
        ensure!(still.as_deref() == Some("mary"), "another client's is not hers");
    }
    ensure!(provider.log_out(second, PATH, hers)? == 200, "it is taken");
    ensure!(site.at_both(&mut mary)?.is_none(), "she is out");
    let other = site.at_both(&mut elsewhere)?;
    ensure!(other.as_deref() == Some("mary"), "her other session is not");
    Ok(())
}

/// Clicks until it is over; what the first page said each time.
fn click(ada: &mut Browser, front: SocketAddr, over: &AtomicBool, clicks: &AtomicUsize) -> Result<Vec<Home>> {
    let mut pages = Vec::new();
    while !over.load(Ordering::SeqCst) {
        pages.push(seen(home(ada, front)?)?);
        clicks.store(pages.len(), Ordering::SeqCst);
        holds_for("the pace", PACE, || true)?;
    }
    Ok(pages)
}

/// Gives the process that is left.
fn leaves_in_order(site: &mut Site, proxy: &Proxy) -> Result<usize> {
    let front = site.front;
    let mut ada = sign_in(front, "ada", "lovelace")?;
    let before = seen(home(&mut ada, front)?)?;
    let hers = usize::from(before.node == "n2");
    let verdicts = proxy.verdicts_against(&before.node)?;
    let (over, clicks) = (AtomicBool::new(false), AtomicUsize::new(0));
    let goes_on = |what: &str| {
        let so_far = clicks.load(Ordering::SeqCst);
        wait_until(what, SOON, || clicks.load(Ordering::SeqCst) > so_far + CLICKS)
    };
    let pages = std::thread::scope(|scope| {
        let clicking = scope.spawn(|| click(&mut ada, front, &over, &clicks));
        let left = (|| -> Outcome {
            goes_on("she clicks")?;
            let ended = site.samples[hers].stop()?;
            ensure!(ended.code() == Some(STOPPED), "{}", ending(ended));
            wait_until("it is in no pool", SOON, || {
                proxy.upstreams().is_ok() && proxy.url_of(&before.node).is_none()
            })?;
            goes_on("she clicks on").map(drop)
        })();
        over.store(true, Ordering::SeqCst);
        let pages = clicking.join().map_err(|_| anyhow!("her clicks panicked"))?;
        left.and(pages)
    })?;
    let mut visits = before.visits;
    for page in &pages {
        visits = format!("{visits},{}", page.node);
        ensure!(
            page.user == "ada" && page.visits == visits,
            "{page:?}, expected {visits}"
        );
    }
    let last = pages.last().context("a page")?;
    ensure!(last.node != before.node, "she was not moved: {last:?}");
    ensure!(
        proxy.verdicts_against(&before.node)? == verdicts,
        "the proxy found it dead, and was not told before"
    );
    Ok(1 - hers)
}

fn says_that_the_store_is_away(world: &mut World, sample: &SpringSample) -> Outcome {
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

/// What the samples are told of TLS: the files of a certificate for this one application, with which nobody sees another's.
fn of_tls(world: &World) -> Result<Vec<String>> {
    let Ok(certificates) = world.certificates() else {
        return Ok(Vec::new());
    };
    certificates.issue(&["adapter", &format!("localhost{PATH}"), "--name", "sample"])?;
    let mut others = Command::new(program("remora")?);
    others.args(["--store", &world.stores.client_list()]);
    others.args(certificates.flags("sample"));
    others.args(["sessions", "list", "--application", "localhost/bank"]);
    let output = others.output().context("run remora")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        said.contains("does not speak for the application localhost/bank"),
        "{said}"
    );
    Ok(certificates.properties("sample"))
}

fn shown_on(boot: Boot, plan: &Plan) -> Outcome {
    plan.run(|world| {
        let provider = Provider::start(world.directory())?;
        let store = format!("--remora.store={}", world.stores.client_list());
        let limit = "--remora.session-limit=2".to_owned();
        let arguments = [vec![store, limit], of_tls(world)?, provider.properties()].concat();
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
            proxy.wait_health("n1", "up")?;
            proxy.wait_health("n2", "up")?;
            let left = leaves_in_order(&mut site, &proxy)?;
            says_that_the_store_is_away(world, &site.samples[left])
        })();
        shown.map_err(|error| {
            let tails = site.samples.each_ref().map(SpringSample::tail);
            error.context([tails.as_slice(), &[proxy.tail()]].concat().join("\n---\n"))
        })
    })
}

#[test]
fn on_boot_4_over_tls() -> Outcome {
    shown_on(Boot::Four, &World::plan().secured())
}

#[test]
fn on_boot_3() -> Outcome {
    shown_on(Boot::Three, &World::plan())
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
