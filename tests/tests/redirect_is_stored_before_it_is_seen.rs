//! Promise 2: a response that reveals a session change leaves Tomcat only after that change is on a majority.
//!
//! Shown for each way in which an answer leaves early (redirect, flush, big body, error page, sendError, async) and for
//! the plain one: two of three stores are stopped with SIGSTOP, so no majority answers; the request must not get a
//! single byte of an answer meanwhile. Then they continue: the answer comes, and the other Tomcat shows the change.
//! Broken once to see it fail: the commit hook of the adapter left out (every early way but the redirect then
//! answers at once), and with it the question at the end of the pipeline (then all seven do).

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use remora_tests::http::Request;
use remora_tests::probe::{Caller, change};
use remora_tests::tomcat::Version;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, holds_for};

/// How long the answer must be held back: far longer than any save takes, far shorter than `storeTimeout`.
const HELD_BACK: Duration = Duration::from_millis(800);

/// A page that only reads a session answers within this unless it asks the stores.
const READ: Duration = Duration::from_millis(200);

/// How long a look for a byte of the answer may block; many looks fit into the time that it is held back.
const LOOK: Duration = Duration::from_millis(1);

const WAYS: [(&str, &str); 7] = [
    ("plain", "set.jsp"),
    ("redirect", "redirect.jsp"),
    ("flush", "flush.jsp"),
    ("big body", "big.jsp"),
    ("exception", "error.jsp"),
    ("sendError", "error.jsp"),
    ("async", "async"),
];

fn has_bytes(connection: &TcpStream) -> bool {
    // A closed connection counts as an answer too: it must neither speak nor end.
    connection.peek(&mut [0]).is_ok()
}

/// Stops two of three stores at a moment at which n1 serves the session without asking them: a request that waited for
/// them when it began would say nothing about its answer. Gives who was stopped.
fn stop_majority(world: &mut World, caller: &Caller) -> Result<Vec<u64>> {
    let began = Instant::now();
    loop {
        let leader = world.stores.wait_ready()?;
        caller.clone().set("way", "before")?;
        let followers: Vec<u64> = world
            .stores
            .ids()
            .into_iter()
            .filter(|id| *id != leader)
            .collect();
        for id in &followers {
            world.stores.process(*id)?.pause()?;
        }
        let connection = caller.browser.open(&Request::get("/probe/get.jsp"))?;
        connection.set_read_timeout(Some(READ))?;
        if has_bytes(&connection) {
            return Ok(followers);
        }
        for id in &followers {
            world.stores.process(*id)?.resume()?;
        }
        ensure!(
            began.elapsed() < SOON,
            "n1 asks the stores before it shows a session that nobody else has"
        );
    }
}

fn held_back(world: &mut World, caller: &Caller, way: &str, page: &str) -> Result<()> {
    let mut request = change(page, "way", way);
    if way == "sendError" {
        request.path.push_str("&status=418");
    }
    let followers = stop_majority(world, caller)?;
    let mut connection = caller.browser.open(&request)?;
    connection.set_read_timeout(Some(LOOK))?;
    let silent = holds_for(
        &format!("{way}: no byte before the change is stored"),
        HELD_BACK,
        || !has_bytes(&connection),
    );
    for id in &followers {
        world.stores.process(*id)?.resume()?;
    }
    silent?;
    connection.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    let head = String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let expected = match way {
        "redirect" => "302",
        "exception" => "500",
        "sendError" => "418",
        _ => "200",
    };
    if !head.contains(expected) {
        bail!("{way}: expected {expected} once the stores go on, got {head:?}");
    }
    Ok(())
}

fn stored_before_seen(version: Version) -> Outcome {
    World::plan()
        .tomcats(&[version, version])
        .manager("storeTimeout", "20s")
        .run(|world| {
            let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
            for (way, page) in WAYS {
                // Each way has a session of its own, which n1 owns and has fresh; pages are compiled beforehand.
                let mut caller = Caller::new(first);
                caller.browser.send(&change(page, "way", "before"))?;
                held_back(world, &caller, way, page)?;
                let held = caller.at(second).held()?;
                let seen = held.attributes.get("way").map(String::as_str);
                ensure!(
                    seen == Some(way),
                    "{way}: the answer left, but the other Tomcat sees {seen:?}"
                );
            }
            Ok(())
        })
}

#[test]
fn on_9_0() -> Outcome {
    stored_before_seen(Version::V9)
}

#[test]
fn on_11_0() -> Outcome {
    stored_before_seen(Version::V11)
}
