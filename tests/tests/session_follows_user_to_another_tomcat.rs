//! Promises 3 and 9: when a user's requests reach another Tomcat, the session is there, whole, with every type of value,
//! on every served line of Tomcat and from 9.0 to 11.0.
//!
//! Shown: a session is filled on n1 (strings, a list changed in place, an attribute removed again), then the same
//! browser goes straight to n2, back to n1, and again; each answer must show what the other one wrote last, and the
//! bare session id must stay the same. Nobody dies here: both copies are alive, so a stale one would show.
//! Broken once to see it fail: the eviction push in the store (the old owner then serves its stale copy), the note
//! of attributes read and changed in place (the list then stays short), and the removal in the delta (the attribute
//! is back).

use anyhow::{Result, ensure};
use remora_tests::probe::{Caller, Held};
use remora_tests::proxy::Sticky;
use remora_tests::tomcat::Version;
use remora_tests::{Outcome, World};

fn bare(caller: &Caller) -> String {
    let id = caller.browser.cookie("JSESSIONID").unwrap_or("none");
    id.split('.').next().unwrap_or(id).to_owned()
}

fn expect(held: &Held, node: &str, expected: &[(&str, &str)]) -> Result<()> {
    ensure!(
        held.node == node && held.live,
        "expected a live session on {node}: {held:?}"
    );
    let found: Vec<(&str, &str)> = held
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    ensure!(
        found == expected,
        "on {node} expected {expected:?}, found {found:?}"
    );
    Ok(())
}

fn follows(versions: [Version; 2], sticky: Sticky) -> Outcome {
    World::plan().tomcats(&versions).sticky(sticky).run(|world| {
        let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
        let mut caller = Caller::new(first);
        caller.set("color", "blue")?;
        caller.set("scrap", "x")?;
        caller.browser.get("/probe/mutate.jsp?value=one")?;
        caller.browser.get("/probe/mutate.jsp?value=two")?;
        caller.browser.get("/probe/remove.jsp?name=scrap")?;
        let id = bare(&caller);

        let mut caller = caller.at(second);
        expect(
            &caller.held()?,
            "n2",
            &[("color", "blue"), ("list", "[one, two]")],
        )?;
        caller.set("color", "green")?;
        caller.browser.get("/probe/mutate.jsp?value=three")?;

        let mut caller = caller.at(first);
        expect(
            &caller.held()?,
            "n1",
            &[("color", "green"), ("list", "[one, two, three]")],
        )?;
        caller.browser.get("/probe/remove.jsp?name=list")?;

        let mut caller = caller.at(second);
        expect(&caller.held()?, "n2", &[("color", "green")])?;
        ensure!(
            bare(&caller) == id,
            "the session id changed from {id} to {}",
            bare(&caller)
        );
        Ok(())
    })
}

#[test]
fn on_9_0() -> Outcome {
    follows([Version::V9, Version::V9], Sticky::SessionSuffix)
}

#[test]
fn on_10_1() -> Outcome {
    follows([Version::V10, Version::V10], Sticky::SessionSuffix)
}

#[test]
fn on_10_1_without_jvm_route() -> Outcome {
    follows([Version::V10, Version::V10], Sticky::RouteCookie)
}

#[test]
fn on_11_0() -> Outcome {
    follows([Version::V11, Version::V11], Sticky::SessionSuffix)
}

#[test]
fn from_9_0_to_11_0() -> Outcome {
    follows([Version::V9, Version::V11], Sticky::SessionSuffix)
}
