//! Beside the promises: one shop WAR and one probe WAR, JSP only, serve on Tomcat 9.0, 10.1 and 11.0.
//!
//! Shown with Tomcat's own session manager, so that whoever sees a claim fail knows that the applications are not to
//! blame: sign in, fill the cart, sign out; and every probe page answers.
//! Broken once to see it fail: the probe's `<async-supported>` (async then answers 500); the shop's form-login-page
//! (then no login page comes).

use anyhow::ensure;
use remora_tests::Outcome;
use remora_tests::place::free_port;
use remora_tests::probe::{Caller, Signals, change};
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};
use remora_tests::visitor::{Visitor, told};

fn shop_and_probe_serve(version: Version) -> Outcome {
    let directory = tempfile::tempdir()?;
    let signals = Signals::new(&directory.path().join("signals"))?;
    let plan = TomcatPlan {
        version,
        node: "n1".to_owned(),
        jvm_route: true,
        port: free_port()?,
        store: None,
        manager: Vec::new(),
        replication: None,
        behind_front: false,
        applications: Application::USUAL.to_vec(),
        java_options: QUICK_START.to_owned(),
        signals: signals.directory().to_path_buf(),
    };
    let tomcat = Tomcat::start(directory.path(), plan)?;
    tomcat.wait_ready()?;
    shop(&tomcat)
        .and_then(|()| probe(&tomcat, &signals))
        .map_err(|error| error.context(tomcat.tail()))
}

fn shop(tomcat: &Tomcat) -> Outcome {
    let mut ada = Visitor::new(tomcat.address());
    let page = ada.sign_in("ada", "lovelace")?;
    assert_eq!(
        (page.user.as_str(), page.cart.as_str(), page.node.as_str()),
        ("ada", "", "n1")
    );
    ada.add("mask")?;
    ada.add("fins")?;
    assert_eq!(ada.add("mask")?.cart, "mask:2,fins:1");
    ensure!(ada.sign_out()?, "signing out leads to the login page");
    ensure!(
        Visitor::new(tomcat.address()).sign_in("ada", "wrong").is_err(),
        "a wrong password must not sign in"
    );
    Ok(())
}

fn probe(tomcat: &Tomcat, signals: &Signals) -> Outcome {
    let mut caller = Caller::new(tomcat.address());
    let expected = [
        ("set.jsp", 200, "set"),
        ("remove.jsp", 200, "removed"),
        ("redirect.jsp", 302, ""),
        ("flush.jsp", 200, "late words"),
        ("big.jsp", 200, "does not fit"),
        ("error.jsp", 500, "the error page of the application"),
        ("async", 200, "set asynchronously"),
        ("unserializable.jsp", 200, "set"),
        ("mutate.jsp", 200, "[one"),
        ("get.jsp", 200, "attribute.color=a thing of this moment"),
        ("invalidate.jsp", 200, "invalidated"),
        ("count.jsp?key=k", 200, "counted by n1"),
    ];
    signals.go("k")?;
    for (path, status, words) in expected {
        let value = if path == "mutate.jsp" { "one" } else { "blue" };
        let mut request = change(path, "color", value);
        if let Some((page, query)) = path.split_once('?') {
            request.path = format!("/probe/{page}?{query}");
        }
        let answer = caller.browser.send(&request)?;
        ensure!(
            answer.status == status && answer.text().contains(words) && answer.complete,
            "{path}: {}",
            told(&answer)
        );
    }
    let slow = caller.browser.get("/probe/slow.jsp?key=k&name=color&value=red")?;
    ensure!(slow.text() == "slow page of n1", "{}", told(&slow));
    ensure!(
        caller.held()?.attributes.get("color").map(String::as_str) == Some("red"),
        "slow.jsp sets what it is given"
    );
    ensure!(
        signals.executions("k") == ["n1", "n1"],
        "both pages recorded that they ran"
    );
    let huge = caller.browser.get("/probe/huge.jsp?name=huge&size=2000000")?;
    ensure!(huge.status == 200, "{}", told(&huge));
    Ok(())
}

#[test]
fn on_9_0() -> Outcome {
    shop_and_probe_serve(Version::V9)
}

#[test]
fn on_10_1() -> Outcome {
    shop_and_probe_serve(Version::V10)
}

#[test]
fn on_11_0() -> Outcome {
    shop_and_probe_serve(Version::V11)
}
