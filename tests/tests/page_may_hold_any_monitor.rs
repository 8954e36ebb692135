//! Promise 9: a page may hold any monitor while it writes, as it may under Tomcat's own manager.
//!
//! Shown: a page takes a monitor, waits inside it, and writes more than a buffer holds before it lets go, so that the
//! head leaves, and its changes are stored, with the monitor held. Meanwhile the same session is asked for three things:
//! the same page, which wants the same monitor; another change; and all that it holds. All must be answered whole, and
//! so must later ones. The monitors: values that are written out under a lock of their own, the session and what is
//! behind it, names, literals and classes. What was changed in place under the monitor is there on another Tomcat. At
//! the end the Tomcat must end as soon as anybody asks it to.
//! Broken once to see it fail: the encoding of values inside the session's lock (the first such page then never ends).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::http::{Answer, Browser};
use remora_tests::probe::Signals;
use remora_tests::tomcat::{Application, Version};
use remora_tests::visitor::told;
use remora_tests::{Outcome, World};

/// What can be held, and whether it is an attribute that the page changes in place, by what it shows then.
const MONITORS: [(&str, Option<&str>); 14] = [
    ("vector", Some("vector=[first, vector-one, vector-two]")),
    ("hashtable", Some("hashtable-two=hashtable-two")),
    ("buffer", Some("buffer=firstbuffer-onebuffer-two")),
    ("list", Some("list=[first, list-one, list-two]")),
    ("guarded", Some("guarded=guarded, 2")),
    ("facade", None),
    ("session", None),
    ("manager", None),
    ("attributes", None),
    ("context", None),
    ("literal", None),
    ("name", None),
    ("interface", None),
    ("class", None),
];

/// Longest end of a Tomcat: none of its threads may hold it up for long.
const STOP: Duration = Duration::from_secs(15);

type Asked = std::thread::JoinHandle<Result<Answer>>;

fn ask(browser: &Browser, path: String) -> Asked {
    let mut window = browser.clone();
    std::thread::spawn(move || window.get(&path))
}

fn answered(asked: Asked, expected: &str) -> Result<Answer> {
    let answer = asked.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    ensure!(
        answer.status == 200 && answer.complete && answer.text().contains(expected),
        "expected {expected:?}: {}",
        told(&answer)
    );
    Ok(answer)
}

/// Two pages that hold one monitor one after the other, and what else is asked meanwhile.
fn held_by_a_page(user: &Browser, signals: &Signals, kind: &str) -> Outcome {
    let hold = |time: &str| {
        let path = format!("/rough/hold.jsp?kind={kind}&key={kind}-{time}&go={kind}-go");
        ask(user, path)
    };
    let first = hold("one");
    signals.wait_begun(&format!("{kind}-one"), 1)?;
    let second = hold("two");
    let path = format!("/rough/set.jsp?key={kind}-set&name=other&value={kind}");
    let change = ask(user, path);
    let reading = ask(user, format!("/rough/read.jsp?key={kind}-read"));
    for begun in ["two-asked", "set", "read"] {
        signals.wait_begun(&format!("{kind}-{begun}"), 1)?;
    }
    signals.go(&format!("{kind}-go"))?;
    answered(first, "let go").context("the page that holds it")?;
    answered(second, "let go").context("the page that wants it")?;
    answered(change, "set").context("another change")?;
    answered(reading, "live").context("a page that reads everything")?;
    Ok(())
}

fn any_monitor(version: Version) -> Outcome {
    let plan = World::plan().tomcats(&[version, version]);
    plan.application(Application::Rough).run(|world| {
        let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
        let mut user = Browser::new(first);
        user.get("/rough/fill.jsp")?;
        for (kind, _) in MONITORS {
            let what = || format!("a page that holds the {kind}");
            held_by_a_page(&user, &world.signals, kind).with_context(what)?;
        }
        answered(
            ask(&user, "/rough/set.jsp?name=other&value=last".to_owned()),
            "set",
        )?;
        let path = "/rough/read.jsp".to_owned();
        let seen = answered(ask(&user.at(second), path), "other=last")?;
        for (kind, shown) in MONITORS {
            let shown = shown.unwrap_or("live");
            let what = || format!("the change of the {kind} must be there on n2: {}", told(&seen));
            ensure!(seen.text().contains(shown), what());
        }
        world.tomcat("n1")?.process()?.stop(STOP)?;
        Ok(())
    })
}

#[test]
fn on_10_1() -> Outcome {
    any_monitor(Version::V10)
}

#[test]
#[ignore = "part of `make soak`"]
fn on_9_0() -> Outcome {
    any_monitor(Version::V9)
}

#[test]
#[ignore = "part of `make soak`"]
fn on_11_0() -> Outcome {
    any_monitor(Version::V11)
}
