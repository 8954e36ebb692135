//! Claim: who is taken out of the registry was named and said yes to, what would be lost with a Tomcat is listed, and what a proxy
//! keeps, remembers and opens is told as it says it.

mod support;

use remora_proto::v1::list_servers_reply::{Server, Twin};
use remora_proto::v1::status::Application;
use remora_proto::v1::{Owner, Status};
use support::{Store, proxy, remora, serve_store, today};

/// A Tomcat that serves the shop.
fn tomcat(node: &str, present: bool, silent_seconds: Option<u64>) -> Server {
    Server {
        server: Some(Owner {
            node: node.into(),
            instance: 7,
        }),
        url: format!("http://{node}:8080"),
        applications: vec!["localhost/shop".into()],
        mode: "serve".into(),
        present,
        silent_seconds,
        status: Some(Status {
            applications: vec![Application {
                application: "localhost/shop".into(),
                local: 3,
                classes: vec!["shop.Cart".into()],
                ..Application::default()
            }],
            ..Status::default()
        }),
        ..Server::default()
    }
}

/// A store that one node leads, and three Tomcats of which two are gone.
fn store() -> (String, Store) {
    let store = Store {
        says: Some(today::leads),
        today: true,
        ..Store::default()
    };
    let gone = [("n2", Some(90_000)), ("n3", None)].map(|(node, silent)| tomcat(node, false, silent));
    let mut announced = vec![tomcat("n1", true, Some(0))];
    announced.extend(gone);
    *store.announced.lock().expect("no test has failed") = announced;
    serve_store(store)
}

#[test]
fn a_tomcat_that_lives_under_the_name_of_another_is_told_of() {
    let (store, serving) = store();
    serving.announced.lock().expect("no test has failed")[0].twins = vec![Twin {
        instance: 8,
        url: "http://10.0.0.12:8080".into(),
        seconds: 60,
    }];
    let (code, said, errors) = applications(&store, &[]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        said.contains("* several Tomcats are called n1: http://n1:8080 is listed, and http://10.0.0.12:8080"),
        "{said}"
    );
    let (code, said, _) = remora(&["--store", &store, "status"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("! several Tomcats are called n1"), "{said}");
}

fn applications(store: &str, words: &[&str]) -> (Option<i32>, String, String) {
    remora(&[&["--store", store, "applications"], words].concat())
}

#[test]
fn what_would_be_lost_with_a_tomcat_and_whether_it_is_there_is_listed() {
    let (store, _) = store();
    let (code, said, errors) = applications(&store, &[]);
    assert_eq!(code, Some(0), "{errors}");
    let row: Vec<&str> = said.lines().nth(2).expect("n2").split_whitespace().collect();
    assert_eq!(
        row[..7],
        ["localhost/shop", "n2", "yes", "serve", "no", "1d01h", "3"]
    );
    assert!(!said.contains("shop.Cart"), "{said}");
    let (_, wide, _) = applications(&store, &["list", "-o", "wide"]);
    assert!(
        wide.contains("shop.Cart") && wide.contains("http://n1:8080"),
        "{wide}"
    );
    let (code, said, _) = remora(&["--store", &store, "status"]);
    assert_eq!(code, Some(0), "silence is no trouble: {said}");
    assert!(
        said.contains("* Tomcat n2 has been silent for 25 h")
            && said.contains("remora applications retire n2"),
        "{said}"
    );
}

#[test]
fn nobody_is_taken_out_without_a_yes_and_no_other_than_named() {
    let (store, fake) = store();
    let (code, said, _) = applications(&store, &["retire", "n9", "--yes"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, _, said) = applications(&store, &["retire", "n3"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("n3 at http://n3:8080") && said.contains("repeat with --yes"),
        "{said}"
    );
    let (code, said, _) = applications(&store, &["retire", "--silent-for", "1d", "--dry-run"]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("n2") && said.contains("is not known") && said.contains(": n3"),
        "{said}"
    );
    for wrong in [&["retire"][..], &["retire", "n2", "--silent-for", "1d"]] {
        assert_eq!(applications(&store, wrong).0, Some(2), "{wrong:?}");
    }
    assert!(fake.retired.lock().expect("no test has failed").is_empty());
    let (code, said, errors) = applications(&store, &["retire", "n3", "--yes"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains("n3"), "{said}");
    assert_eq!(*fake.retired.lock().expect("no test has failed"), ["n3"]);
    let (code, said, _) = applications(&store, &["retire", "--silent-for", "1d", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(*fake.retired.lock().expect("no test has failed"), ["n3", "n2"]);
    let operated = fake.operated.lock().expect("no test has failed");
    assert_eq!(*operated, ["RetireNode", "RetireNode"]);
}

#[test]
fn who_keeps_a_wish_is_said_to_people_and_programs() {
    let (kept, waits, own) = (proxy("n5"), proxy("n6"), proxy("n1"));
    let drain = |proxy: &str, route: &str, format: &str| {
        remora(&["--proxy", proxy, "upstreams", "drain", route, "-o", format])
    };
    let (code, said, _) = drain(&kept, "n5", "wide");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the store keeps it for all proxies"), "{said}");
    assert!(
        said.contains("ada") && said.contains("2026-11-27T08:00:00Z"),
        "{said}"
    );
    let (_, said, _) = drain(&waits, "n6", "table");
    assert!(
        said.contains(&format!(
            "it holds at {waits}, and is told to the store when that answers"
        )),
        "{said}"
    );
    let (_, said, _) = drain(&own, "n1", "table");
    assert!(
        said.contains("ends with the proxy's process") && !said.contains("the store"),
        "{said}"
    );
    let (_, said, _) = drain(&kept, "n5", "json");
    assert!(said.contains("\"shared\": true"), "{said}");
    let (code, said, _) = remora(&["--proxy", &waits, "status"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("has served by its last view of the registry for 90 s"),
        "{said}"
    );
}

#[test]
fn a_drain_of_a_name_that_nobody_announced_shows_no_false_zero() {
    let held = |store: &str, route: &'static str, format: &str| {
        let proxy = proxy(route);
        let drain = ["upstreams", "drain", route, "-o", format];
        remora(&[&["--store", store, "--proxy", &proxy][..], &drain].concat())
    };
    let (store, _) = store();
    // Of the store of today ada's session is on n1, and nobody is n9.
    let (code, said, errors) = held(&store, "n9", "table");
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(
        said.contains("n9     not known")
            && said.contains("* how many sessions n9 holds is not known: no Tomcat of this name")
            && said.contains("node=\"n9\""),
        "{said}"
    );
    let (_, said, _) = held(&store, "n9", "json");
    let told: serde_json::Value = serde_json::from_str(&said).expect("a document");
    assert_eq!(
        told["drained"][0]["sessions_held"],
        serde_json::Value::Null,
        "{said}"
    );
    for (route, sessions) in [("n1", 1), ("n2", 0)] {
        let (_, said, errors) = held(&store, route, "json");
        let told: serde_json::Value = serde_json::from_str(&said).expect("a document");
        assert_eq!(told["drained"][0]["sessions_held"], sessions, "{said}{errors}");
        assert!(!said.contains("not known"), "{said}");
    }
}

#[test]
fn a_drain_that_the_store_took_back_at_the_next_proxy_is_taken_back() {
    let (first, follows, other) = (proxy("n5"), proxy("n6"), proxy("n1"));
    let undrain = |proxies: &[&str]| remora(&["--proxy", &proxies.join(","), "upstreams", "undrain", "n5"]);
    let (code, said, errors) = undrain(&[&first, &follows]);
    assert_eq!(code, Some(0), "{said}{errors}");
    // One that follows no store has it from nobody, and neither has one that is asked first.
    for proxies in [[&*first, &*other], [&*follows, &*first]] {
        let (code, said, errors) = undrain(&proxies);
        assert_eq!(code, Some(1), "{said}{errors}");
        assert!(
            format!("{said}{errors}").contains("not drained"),
            "{said}{errors}"
        );
    }
}

#[test]
fn what_changed_is_told_with_who_and_why() {
    let both = format!("{},{}", proxy("n1"), proxy("n2"));
    let (code, said, errors) = remora(&["--proxy", &both, "changes"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        said.contains("connection refused") && said.contains("ada"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 5, "{said}");
    let (_, said, _) = remora(&[
        "--proxy", &both, "changes", "--of", "n2", "--kind", "wish", "-o", "json",
    ]);
    assert!(
        said.contains("\"who\": \"ada\"") && !said.contains("\"n1\""),
        "{said}"
    );
    assert_eq!(remora(&["changes"]).0, Some(2));
}

#[test]
fn each_proxy_opens_its_console_for_a_while() {
    let (one, none) = (proxy("n1"), proxy("n7"));
    let (code, said, errors) = remora(&["--proxy", &one, "console", "token"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        said.contains(&format!("http://{one}/console/#token=operates")),
        "{said}"
    );
    assert!(
        said.contains("8h00m") && said.contains("like a password"),
        "{said}"
    );
    let (_, said, _) = remora(&[
        "--proxy",
        &one,
        "console",
        "token",
        "--read-only",
        "--for",
        "30m",
        "-o",
        "json",
    ]);
    assert!(
        said.contains("#token=looks") && said.contains("\"good_for\": 1800"),
        "{said}"
    );
    let both = format!("{one},{none}");
    let (code, said, _) = remora(&["--proxy", &both, "console", "token"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("#token=") && said.contains("has no console"),
        "{said}"
    );
    assert_eq!(remora(&["console", "token"]).0, Some(2));
}
