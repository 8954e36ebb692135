//! Beside the promises: a new proxy takes the place of the old one under load, and nobody notices.
//!
//! Shown with two real Tomcats and 40 users who ask for ten small pages a second each, half of them over connections that they
//! keep, the others over a new one each time, every tenth of those a POST; and with WebSockets. Twice in a row a new process
//! replaces the one that serves, first of a proxy that was started by hand, then of one whose sockets a service manager holds.
//! No connection is refused or reset, every request over a new connection is answered, a GET over a kept one at the latest
//! when it is sent again, as browsers do where a connection was closed under it; what operators wished holds at each process;
//! a WebSocket goes on at the process that has it, and is told to leave before the bound of that passes.
//! Broken once to see it fail: what is open cut at the handover (a WebSocket was reset); the wishes not read (n2 served again).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use remora_tests::http::{Answer, Browser, Request};
use remora_tests::socket::WebSocket;
use remora_tests::tomcat::{Application, Version};
use remora_tests::visitor::told;
use remora_tests::wait::{SOON, holds_for};
use remora_tests::{Outcome, World, wait_until};

/// Users; with [`PACE`] between two clicks of each they are 400 requests a second.
const USERS: usize = 40;

/// Between two clicks of a user: a tenth of a second, less the step in which it is waited for.
const PACE: Duration = Duration::from_millis(90);

/// How long a page runs, in ms: some are in the middle of it at every moment.
const PAGE_MILLIS: &str = "20";

/// Every so manieth click over a new connection is a POST.
const POST_EVERY: usize = 10;

/// RFC 6455's registry: the server restarts, and another one serves.
const SERVICE_RESTART: u16 = 1012;

/// What happened to users.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    answered: AtomicUsize,
    /// GETs that were sent again because the connection had been closed under them.
    again: AtomicUsize,
    /// What was no answer.
    failed: Mutex<Vec<String>>,
}

impl Tally {
    fn click(&self, front: SocketAddr, user: usize) {
        let mut browser = Browser::new(front);
        let mut kept = None;
        let mut clicks = 0;
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            clicks += 1;
            let get = Request::get(&format!("/probe/work.jsp?key=get&millis={PAGE_MILLIS}"));
            let answer = if user.is_multiple_of(2) {
                let reused = kept.is_some();
                let first = browser.send_kept(&get, &mut kept);
                if first.is_err() && reused {
                    self.again.fetch_add(1, Ordering::SeqCst);
                    browser.send_kept(&get, &mut kept)
                } else {
                    first
                }
            } else if clicks % POST_EVERY == 0 {
                let key = format!("post-{user}-{clicks}");
                browser.send(&Request::form(
                    "/probe/work.jsp",
                    &[("key", &key), ("millis", PAGE_MILLIS)],
                ))
            } else {
                browser.send(&get)
            };
            self.note(user, clicks, answer);
            let _ = holds_for("the pace", PACE.saturating_sub(began.elapsed()), || true);
        }
    }

    fn note(&self, user: usize, clicks: usize, answer: Result<Answer>) {
        if answer
            .as_ref()
            .is_ok_and(|answer| answer.status == 200 && answer.complete)
        {
            self.answered.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let what = answer.map_or_else(|error| format!("{error:#}"), |answer| told(&answer));
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push(format!("user {user}, click {clicks}: {what}"));
    }
}

/// What operators wish of n2.
fn state(world: &mut World) -> Result<String> {
    let upstreams = world.proxy()?.upstreams()?;
    let n2 = upstreams.iter().find(|upstream| upstream.route == "n2");
    Ok(n2.map(|n2| n2.state.clone()).unwrap_or_default())
}

fn socket(world: &World) -> Result<WebSocket> {
    let mut user = Browser::new(world.front_door()?);
    ensure!(user.get("/sockets/list.jsp")?.status == 200);
    WebSocket::open(&user, "/sockets/socket")
}

/// Two replacements in a row, each seen by a WebSocket and by an operator.
fn replaced_twice(world: &mut World) -> Outcome {
    world.operator(&["upstreams", "drain", "n2"])?;
    let mut first = socket(world)?;
    world.proxy()?.replace()?;
    ensure!(first.ask("pearl")? == "heard pearl", "it goes on at the first");
    ensure!(state(world)? == "draining", "n2 was drained");
    world.operator(&["upstreams", "undrain", "n2"])?;
    let mut second = socket(world)?;
    world.proxy()?.replace()?;
    ensure!(second.ask("opal")? == "heard opal", "it goes on at the second");
    ensure!(state(world)? == "active", "n2 is drained no longer");
    let mut last = socket(world)?;
    for socket in [&mut first, &mut second] {
        let code = socket.closed()?;
        ensure!(code == SERVICE_RESTART, "closed with {code}");
    }
    ensure!(last.ask("jade")? == "heard jade", "whoever comes back stays");
    Ok(())
}

fn under_load(world: &mut World, how: &str) -> Outcome {
    let (front, tally) = (world.front_door()?, Tally::default());
    std::thread::scope(|scope| {
        for user in 0..USERS {
            let tally = &tally;
            scope.spawn(move || tally.click(front, user));
        }
        let replaced = wait_until("all click", SOON, || {
            tally.answered.load(Ordering::SeqCst) > USERS
        })
        .and_then(|_| replaced_twice(world));
        tally.over.store(true, Ordering::SeqCst);
        replaced
    })?;
    let failed = tally.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&format!(
        "{how}: {} answers, {} of them to GETs that were sent again; failed: {}",
        tally.answered.into_inner(),
        tally.again.into_inner(),
        failed.len()
    ));
    ensure!(failed.is_empty(), "users noticed: {failed:#?}");
    Ok(())
}

#[allow(clippy::print_stdout, reason = "what it was shown with is for people")]
fn say(text: &str) {
    println!("{text}");
}

#[test]
fn twice_in_a_row_by_hand_and_by_a_service_manager() -> Outcome {
    let plan = World::plan().stores(0).tomcats(&[Version::V10; 2]);
    plan.application(Application::Sockets).run(|world| {
        let state = world.directory().join("wishes");
        let control = format!("[control]\nstate = {state:?}\n");
        let more =
            "\n[limits]\ntunnel_stop = \"8s\"\n\n[[route]]\npath = \"/sockets\"\nto = \"tomcat/sockets\"\n";
        world
            .proxy()?
            .start_anew(|file| file.replace("[control]\n", &control) + more)?;
        for node in ["n1", "n2"] {
            world.proxy()?.wait_health(node, "up")?;
        }
        under_load(world, "started by hand")?;
        world.proxy()?.start_activated()?;
        under_load(world, "started by a service manager")
    })
}
