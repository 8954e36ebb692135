//! Promise 2: when a save fails, the answer shows nothing of the change: 503, no cookie, nothing of the body.
//!
//! Shown with `onStoreLoss="refuse"` and two of three stores dead: for each way in which an answer leaves (plain,
//! redirect, flush, big body, exception with the application's own error page, sendError, async), for a session that
//! exists and for one that the request would begin. Straight at the Tomcat, so that nothing hides behind the proxy; the
//! answer says `Remora-Effect`. Then the stores return: the old value stands, the failed one is nowhere.
//! Broken once to see it fail: the head's replacement in the commit hook (Tomcat then sends a 500 with the cookie).

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use remora_tests::http::Answer;
use remora_tests::probe::{Caller, change};
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::{Outcome, World};

/// A cold JVM's first connection fits, and the claim ends soon.
const STORE_TIMEOUT: &str = "1500ms";

const WAYS: [(&str, &str); 7] = [
    ("plain", "set.jsp"),
    ("redirect", "redirect.jsp"),
    ("flush", "flush.jsp"),
    ("big body", "big.jsp"),
    ("exception", "error.jsp"),
    ("sendError", "error.jsp"),
    ("async", "async"),
];

fn send(caller: &mut Caller, way: &str, page: &str, value: &str) -> Result<Answer> {
    let mut request = change(page, "way", value);
    if way == "sendError" {
        request.path.push_str("&status=418");
    }
    caller.browser.send(&request)
}

fn shows_nothing(answer: &Answer, case: &str) -> Result<()> {
    ensure!(answer.status == 503, "{case}: expected 503: {}", told(answer));
    ensure!(
        answer.field("set-cookie").is_none(),
        "{case}: no cookie may be set: {}",
        told(answer)
    );
    ensure!(
        answer.body.is_empty() && answer.complete,
        "{case}: nothing of the body may show: {}",
        told(answer)
    );
    ensure!(
        answer.field("retry-after").is_some(),
        "{case}: it says when to try again: {}",
        told(answer)
    );
    ensure!(
        answer.field("location").is_none(),
        "{case}: nothing of the head may show: {}",
        told(answer)
    );
    ensure!(
        answer.field("remora-effect").is_some(),
        "{case}: it says what may have happened: {}",
        told(answer)
    );
    Ok(())
}

/// Sends every way at once, each for a session that exists and for one that it would begin.
fn all_ways_show_nothing(callers: &[Caller], tomcat: SocketAddr) -> Outcome {
    std::thread::scope(|scope| {
        let mut cases = Vec::new();
        for ((way, page), caller) in WAYS.iter().zip(callers) {
            for (kind, mut caller) in [("existing", caller.clone()), ("new", Caller::new(tomcat))] {
                let case = format!("{way}, {kind} session");
                cases
                    .push(scope.spawn(move || shows_nothing(&send(&mut caller, way, page, "after")?, &case)));
            }
        }
        // All are told, not only the first that fails.
        let failed: Vec<String> = (cases.into_iter())
            .filter_map(|case| match case.join() {
                Ok(outcome) => outcome.err().map(|error| format!("{error:#}")),
                Err(_) => Some("a client panicked".to_owned()),
            })
            .collect();
        ensure!(
            failed.is_empty(),
            "{} cases show something:\n{}",
            failed.len(),
            failed.join("\n")
        );
        Ok(())
    })
}

fn failed_save(version: Version) -> Outcome {
    let plan = World::plan()
        .tomcats(&[version])
        .manager("onStoreLoss", "refuse")
        .manager("storeTimeout", STORE_TIMEOUT);
    plan.run(|world| {
        let tomcat = world.tomcat("n1")?.address();
        let mut callers = Vec::new();
        for (way, page) in WAYS {
            // Compiles the page, and gives the way a session of its own.
            let mut caller = Caller::new(tomcat);
            send(&mut caller, way, page, "before")?;
            caller.set("way", "before")?;
            callers.push(caller);
        }
        for id in [1, 2] {
            world.stores.kill(id)?;
        }
        all_ways_show_nothing(&callers, tomcat)?;
        for id in [1, 2] {
            world.stores.launch(id)?;
        }
        world.stores.wait_ready()?;
        for ((way, _), caller) in WAYS.iter().zip(&mut callers) {
            let held = caller.held()?;
            let value = held.attributes.get("way").map(String::as_str);
            // A save whose outcome stayed unknown may have reached the store; what may never happen is a lost session.
            ensure!(held.live, "{way}: the session is lost: {held:?}");
            ensure!(
                value == Some("before") || value == Some("after"),
                "{way}: a torn session: {held:?}"
            );
        }
        Ok(())
    })
}

#[test]
fn on_9_0() -> Outcome {
    failed_save(Version::V9)
}

#[test]
fn on_10_1() -> Outcome {
    failed_save(Version::V10)
}

#[test]
fn on_11_0() -> Outcome {
    failed_save(Version::V11)
}
