//! Promises 3 and 6: what a page changes after its answer was flushed survives the session's move to another Tomcat.
//!
//! Shown with a page that sends its whole answer and counts the click a moment later, clicked by a user who goes on as soon
//! as the answer is there. The next click goes to another Tomcat while the last one's page still runs: because an
//! operator drains the first, because the first is gone in the eyes of the proxy (it lives: a killed Tomcat changes
//! nothing any more), and because nobody makes requests stick. Every answer is a 200, and in the end as many clicks are
//! counted as were made.
//! Broken once to see it fail: the wait for requests that were given the copy, before the adapter acknowledges an eviction
//! (the next click counts on from the old number: 42 of 80 that alternate are left).

use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};
use remora_tests::http::Request;
use remora_tests::place;
use remora_tests::probe::Caller;
use remora_tests::proxy::{Proxy, Sticky};
use remora_tests::relay::{Passage, Relay};
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::wait::{SOON, wait_until};
use remora_tests::{Outcome, World};

/// How long after its answer the page counts: what an application takes to write its books.
const LATE: u32 = 30;

/// The same where an operator's command has to run meanwhile; well below the second that a move waits.
const LATE_UNDER_DRAIN: u32 = 150;

/// Users who are moved, one after the other: where the late change falls in the move is chance.
const USERS: usize = 6;

/// Rounds of four clicks, alternating.
const ROUNDS: u32 = 20;

/// A user, and connections on which pages may still run: a browser keeps them.
struct Clicker {
    caller: Caller,
    kept: Vec<TcpStream>,
}

impl Clicker {
    /// Somebody with a session at that Tomcat.
    fn at(tomcat: SocketAddr) -> Result<Self> {
        let mut caller = Caller::new(tomcat);
        caller.set("color", "blue")?;
        Ok(Self {
            caller,
            kept: Vec::new(),
        })
    }

    /// Clicks, and is back when the answer is there, which is before the page has ended.
    fn click(&mut self, to: SocketAddr, millis: u32, expected: &str) -> Outcome {
        let mut caller = self.caller.at(to);
        let mut kept = None;
        let request = Request::get(&format!("/probe/late.jsp?millis={millis}"));
        let answer = caller.browser.send_kept(&request, &mut kept)?;
        ensure!(
            answer.status == 200 && answer.complete,
            "a click fails: {}",
            told(&answer)
        );
        ensure!(
            answer.text() == expected,
            "the click goes to {expected}: {}",
            told(&answer)
        );
        self.caller = caller;
        self.kept.extend(kept);
        Ok(())
    }

    /// Waits for the last click's change, and sees that none is missing.
    fn counted(&self, at: SocketAddr, expected: u32) -> Outcome {
        let (mut caller, expected) = (self.caller.at(at), expected.to_string());
        let mut last = String::new();
        let counted = wait_until(&format!("{expected} clicks counted"), SOON, || {
            let held = caller.held();
            last = format!("{held:?}");
            held.is_ok_and(|held| held.attributes.get("n") == Some(&expected))
        });
        counted.with_context(|| format!("the last answer was {last}"))?;
        Ok(())
    }
}

/// Both Tomcats' addresses; their pages are compiled, which would take longer than a move waits.
fn tomcats(world: &mut World) -> Result<(SocketAddr, SocketAddr)> {
    let tomcats = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
    for (tomcat, node) in [(tomcats.0, "n1"), (tomcats.1, "n2")] {
        let mut stranger = Clicker::at(tomcat)?;
        stranger.click(tomcat, 0, node)?;
        stranger.counted(tomcat, 1)?;
    }
    Ok(tomcats)
}

#[test]
fn when_a_drain_moves_the_user() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        let (first, _) = tomcats(world)?;
        let front = world.front_door()?;
        for _ in 0..USERS {
            let mut user = Clicker::at(first)?;
            user.click(front, LATE_UNDER_DRAIN, "n1")?;
            user.click(front, LATE_UNDER_DRAIN, "n1")?;
            world.operator(&["upstreams", "drain", "n1"])?;
            user.click(front, LATE_UNDER_DRAIN, "n2")?;
            world.operator(&["upstreams", "undrain", "n1"])?;
            user.counted(first, 3)?;
        }
        Ok(())
    })
}

#[test]
fn when_the_proxy_loses_the_tomcat() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        let (first, second) = tomcats(world)?;
        let relay = Relay::start(place::free_port()?, first)?;
        let directory = world.directory().join("before-the-relay");
        std::fs::create_dir_all(&directory)?;
        let members = [("n1".to_owned(), relay.address()), ("n2".to_owned(), second)];
        let ports = (place::free_port()?, place::free_port()?);
        let proxy = Proxy::start(&directory, ports, Sticky::SessionSuffix, &members, None)?;
        proxy.wait_ready()?;
        for _ in 0..USERS {
            proxy.wait_health("n1", "up")?;
            let mut user = Clicker::at(first)?;
            user.click(proxy.address, LATE, "n1")?;
            user.click(proxy.address, LATE, "n1")?;
            relay.set(Passage::Cut);
            user.click(proxy.address, LATE, "n2")?;
            user.counted(first, 3)?;
            relay.set(Passage::Open);
        }
        Ok(())
    })
}

#[test]
fn when_clicks_alternate() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        let (first, second) = tomcats(world)?;
        let mut user = Clicker::at(first)?;
        for _ in 0..ROUNDS {
            for _ in 0..2 {
                user.click(first, LATE, "n1")?;
                user.click(second, LATE, "n2")?;
            }
        }
        user.counted(first, ROUNDS * 4)?;
        user.counted(second, ROUNDS * 4)
    })
}
