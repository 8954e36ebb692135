//! Promise 5: with `onStoreLoss="refuse"` a dead store majority is answered at once, and costs nobody the session.
//!
//! Shown: two of three store nodes are killed. As soon as the Tomcat knows, whatever needs the store is a 503 that says when
//! to try again and sets no cookie, in a fraction of `storeTimeout`: a read, a change, a new session, a login, a logout, an
//! id that nobody knows. What needs no session is served: to everybody files as they lie and a 404, to who has no
//! cookie the style sheet of a login page. The nodes return, and all goes on with the values of before.
//! Broken once to see it fail: the state Away in the adapter's client (each request then waits for `storeTimeout`).

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::http::{Answer, Browser, Request};
use remora_tests::probe::{Caller, change};
use remora_tests::tomcat::Version;
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::{SOON, START};
use remora_tests::{Outcome, World, wait_for, wait_until};

/// Half of the `storeTimeout` that is configured unless said: a refusal that waits for the store takes all of it.
const AT_ONCE: Duration = Duration::from_millis(2_500);

/// How often everything is asked while the stores are away.
const ROUNDS: usize = 5;

/// What needs no session, with the status that it gets, whoever asks.
const FOR_EVERYBODY: [(&str, u16); 2] = [("/probe/plain.txt", 200), ("/probe/nothing-here", 404)];

/// What needs none where there is no cookie: web.xml speaks of these files, so Tomcat's own authenticator looks up who asks.
const WITHOUT_COOKIE: [&str; 2] = ["/shop/shop.css", "/shop/icon.svg"];

fn is_refused(answer: &Answer) -> bool {
    answer.status == 503 && answer.took < AT_ONCE
}

fn refused(browser: &mut Browser, request: &Request, what: &str) -> Outcome {
    let answer = browser.send(request)?;
    ensure!(answer.status == 503, "{what}: expected 503: {}", told(&answer));
    ensure!(
        answer.took < AT_ONCE,
        "{what}: refused after {:?} only",
        answer.took
    );
    for field in ["retry-after", "remora-effect"] {
        ensure!(
            answer.field(field).is_some(),
            "{what}: no {field}: {}",
            told(&answer)
        );
    }
    ensure!(
        answer.field("set-cookie").is_none() && answer.body.is_empty(),
        "{what}: shows something: {}",
        told(&answer)
    );
    Ok(())
}

fn served(browser: &mut Browser, path: &str, status: u16) -> Outcome {
    let answer = browser.get(path)?;
    ensure!(answer.status == status, "{path}: {}", told(&answer));
    ensure!(answer.took < AT_ONCE, "{path} waits {:?}", answer.took);
    Ok(())
}

/// Asks for everything once. The browsers are those of users with sessions.
fn all_is_refused(shopper: &Browser, caller: &Browser) -> Outcome {
    let mut stranger = caller.clone();
    stranger.set_cookie("JSESSIONID", "0123456789ABCDEF0123456789ABCDEF.n1", "/probe");
    let nobody = Browser::new(caller.origin());
    let read = Request::get("/probe/get.jsp");
    let cases = [
        ("a read", caller, read.clone()),
        ("a change", caller, change("set.jsp", "color", "red")),
        ("a logout", caller, Request::get("/probe/invalidate.jsp")),
        ("a new id", caller, Request::get("/probe/rotate.jsp")),
        ("the shop", shopper, Request::get("/shop/")),
        ("a sign-out", shopper, Request::form("/shop/logout.jsp", &[])),
        ("a new session", &nobody, change("set.jsp", "color", "red")),
        ("a first visit to the shop", &nobody, Request::get("/shop/")),
        ("an id that nobody knows", &stranger, read),
    ];
    for (what, browser, request) in cases {
        refused(&mut browser.clone(), &request, what)?;
    }
    for (path, status) in FOR_EVERYBODY {
        for browser in [shopper, caller, &nobody] {
            served(&mut browser.clone(), path, status)?;
        }
    }
    for path in WITHOUT_COOKIE {
        served(&mut nobody.clone(), path, 200)?;
    }
    Ok(())
}

/// Makes what is there before the outage: on a machine that starves its stores a majority may be silent for seconds.
fn made<T>(mut make: impl FnMut() -> Result<T>) -> Result<T> {
    wait_for("a session before the outage", START, || make().ok())
}

/// Nobody is signed out, no cart and no value is lost, and what is new is stored.
fn works(shopper: &mut Visitor, caller: &mut Caller) -> Outcome {
    let page = shopper.look()?;
    ensure!(
        page.user == "ada" && page.cart.starts_with("mask:1"),
        "she is signed in: {page:?}"
    );
    let page = shopper.add("fins")?;
    ensure!(page.cart.starts_with("mask:1,fins:"), "she shops on: {page:?}");
    let held = caller.held()?;
    let color = held.attributes.get("color").map(String::as_str);
    ensure!(color == Some("blue"), "the value of before: {held:?}");
    Ok(())
}

fn newcomer(tomcat: SocketAddr) -> Outcome {
    let page = Visitor::new(tomcat).sign_in("grace", "hopper")?;
    ensure!(page.user == "grace", "a login works: {page:?}");
    Ok(())
}

#[test]
fn at_once_and_goes_on_after() -> Outcome {
    let plan = World::plan()
        .tomcats(&[Version::V10])
        .manager("onStoreLoss", "refuse");
    plan.run(|world| {
        let tomcat = world.tomcat("n1")?.address();
        let mut shopper = made(|| {
            let mut shopper = Visitor::new(tomcat);
            shopper.sign_in("ada", "lovelace")?;
            shopper.add("mask").and(Ok(shopper))
        })?;
        let mut caller = made(|| {
            let mut caller = Caller::new(tomcat);
            caller.set("color", "blue").and(Ok(caller))
        })?;

        let leader = world.stores.wait_ready()?;
        let survivor = world.stores.ids().into_iter().find(|id| *id != leader);
        let killed = world.stores.ids().into_iter().filter(|id| Some(*id) != survivor);
        let killed: Vec<u64> = killed.collect();
        for id in &killed {
            world.stores.kill(*id)?;
        }
        wait_until("the outage known to the Tomcat", SOON, || {
            let answer = caller.browser.get("/probe/get.jsp");
            answer.is_ok_and(|answer| is_refused(&answer))
        })?;
        for _ in 0..ROUNDS {
            all_is_refused(&shopper.browser, &caller.browser)?;
        }

        for id in &killed {
            world.stores.launch(*id)?;
        }
        world.stores.wait_ready()?;
        let mut fault = None;
        let works = wait_until("everything working again", START, || {
            let works = works(&mut shopper, &mut caller).and_then(|()| newcomer(tomcat));
            fault = works.err();
            fault.is_none()
        });
        works.with_context(|| format!("the last fault was {fault:?}"))?;
        Ok(())
    })
}
