//! Claim: the exit code tells scripts whether it was done (0), refused or not found (1), or asked wrongly (2), and a
//! kill is asked for once.

mod support;

use std::sync::atomic::Ordering;

use support::{Store, nobody, proxy, remora, serve_store, store, today};

/// Ends the sessions of an application.
fn kill(store: &str, application: &str) -> (Option<i32>, String, String) {
    let verb = ["sessions", "kill", "--application", application, "--yes"];
    remora(&[["--store", store].as_slice(), &verb].concat())
}

#[test]
fn a_drain_of_a_known_route_is_done_and_of_an_unknown_one_refused() {
    let proxy = proxy("n1");
    assert_eq!(
        remora(&["--proxy", &proxy, "upstreams", "drain", "n1"]).0,
        Some(0)
    );
    let finish = [
        "--proxy",
        &proxy,
        "upstreams",
        "drain",
        "n1",
        "--finish",
        "--within",
        "30m",
    ];
    let (code, said, _) = remora(&finish);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("this ends with the proxy's process"), "{said}");
    for wrong in [
        &["drain"][..],
        &["drain", "n1", "--group", "blue"],
        &["drain", "n1", "--within", "1h"],
        &["set"],
    ] {
        let arguments = [&["--proxy", proxy.as_str(), "upstreams"][..], wrong].concat();
        assert_eq!(remora(&arguments).0, Some(2), "{wrong:?}");
    }
    let (code, said, _) = remora(&["--proxy", &proxy, "upstreams", "drain", "n9"]);
    assert_eq!(code, Some(1), "{said}");
    let refused = format!("! {proxy}: no pool has an upstream with that route\n");
    assert_eq!(said, refused, "one sentence, and no list of none");
    let (code, _, said) = remora(&["--proxy", &proxy, "upstreams", "set", "n1"]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn what_takes_the_last_of_a_pool_needs_a_yes() {
    let (proxy, other) = (proxy("n8"), proxy("n1"));
    let both = format!("{other},{proxy}");
    for verb in [&["drain", "n8"][..], &["set", "n8", "--state", "stopped"]] {
        let ask = [&["--proxy", proxy.as_str(), "upstreams"][..], verb].concat();
        let (code, _, said) = remora(&ask);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("this takes the last. Nothing was done: repeat with --yes"),
            "{said}"
        );
        assert_eq!(remora(&[&ask[..], &["--yes"]].concat()).0, Some(0));
    }
    // Of several proxies none is told before all have been asked.
    let (code, _, said) = remora(&["--proxy", &both, "upstreams", "drain", "n8"]);
    assert!(
        code == Some(1) && said.contains(&format!("{proxy}: this takes the last")),
        "{said}"
    );
}

#[test]
fn a_proxy_that_does_not_foresee_is_told_nothing_and_the_others_are() {
    let (one, silent) = (proxy("n1"), proxy("n7"));
    let both = format!("{silent},{one}");
    let (code, said, _) = remora(&["--proxy", &both, "upstreams", "drain", "n1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("! {silent} is told nothing")) && said.contains("it stumbled"),
        "{said}"
    );
    assert!(said.lines().any(|line| line.starts_with(&one)), "{said}");
    let (code, said, _) = remora(&["--proxy", &silent, "upstreams", "drain", "n1"]);
    assert!(code == Some(1) && said.contains("is told nothing"), "{said}");
}

#[test]
fn proxies_that_explain_a_request_otherwise_are_named_and_no_session_is_shown() {
    let (one, other) = (proxy("n1"), proxy("n2"));
    let ask = ["--proxy", &one, "explain", "/cart", "--cookie", "SECRET.n1"];
    let (code, said, warned) = remora(&ask);
    assert_eq!(code, Some(0), "{warned}");
    assert!(said.contains("/cart") && said.contains("9 and 0"), "{said}");
    assert!(
        warned.contains("--cookie - reads it from standard input"),
        "{warned}"
    );
    assert!(
        !said.contains("SECRET") && !warned.contains("SECRET"),
        "{said}{warned}"
    );
    let both = format!("{one},{other}");
    let (code, said, _) = remora(&["--proxy", &both, "explain", "JSESSIONID=SECRET.n1; x=y"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the proxies do not agree") && said.contains("0 and 1"),
        "{said}"
    );
    assert!(!said.contains("SECRET"), "{said}");
    let (code, _, warned) = remora(&["--proxy", &one, "explain", "/x;jsessionid=SECRET.n1"]);
    assert_eq!(code, Some(0), "{warned}");
    assert!(
        warned.contains("--cookie - reads it from standard input") && !warned.contains("SECRET"),
        "{warned}"
    );
    for wrong in [
        &["explain"][..],
        &["explain", "A.n1", "--cookie", "B"],
        &["explain", "ftp://x/"],
    ] {
        let ask = [&["--proxy", one.as_str()][..], wrong].concat();
        assert_eq!(remora(&ask).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_pool_is_closed_with_a_page_and_opened() {
    let proxy = proxy("n1");
    let directory = tempfile::tempdir().expect("a directory");
    let page = directory.path().join("soon.html");
    std::fs::write(&page, "<p>Soon</p>").expect("a file");
    let ask = |words: &[&str]| {
        let begin = ["--proxy", proxy.as_str(), "upstreams", "maintenance"];
        remora(&[&begin[..], words].concat())
    };
    let page = page.display().to_string();
    let (code, said, _) = ask(&["tomcat", "on", "--page", &page, "--retry-after", "10m"]);
    assert_eq!(code, Some(0), "{said}");
    for word in ["on", "html", "2026-11-27T08:00:00Z", "10m", "11"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
    assert!(said.contains("this ends with the proxy's process"), "{said}");
    for word in ["off", "reset"] {
        let (code, said, _) = ask(&["tomcat", word]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("was so before, and nothing was done"), "{said}");
    }
    assert_eq!(ask(&["shop", "off"]).0, Some(1));
    for wrong in [
        &["tomcat"][..],
        &["tomcat", "perhaps"],
        &["tomcat", "off", "--page", &page],
        &["tomcat", "on", "--page", "no such file.html"],
    ] {
        assert_eq!(ask(wrong).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn one_proxy_of_two_that_refuses_is_a_refusal_and_the_other_holds() {
    let (one, other) = (proxy("n1"), proxy("n2"));
    let both = format!("{one},{other}");
    let (code, said, _) = remora(&["--proxy", &both, "upstreams", "drain", "n1"]);
    assert_eq!(code, Some(1), "{said}");
    let row = said.lines().find(|line| line.starts_with(&one));
    assert!(row.is_some_and(|row| row.contains("n1")), "{said}");
    assert!(said.contains(&format!("! {other}: ")), "{said}");
}

#[test]
fn an_unknown_key_is_not_found() {
    let (store, fake) = store();
    for verb in ["show", "kill"] {
        let (code, _, said) = remora(&["--store", &store, "sessions", verb, "3fa4"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("no session has"), "{said}");
    }
    assert_eq!(fake.kills.load(Ordering::SeqCst), 0);
}

#[test]
fn a_store_that_does_not_know_a_condition_is_not_believed() {
    let (store, _) = store();
    for narrowed in [["--idle", "2d"], ["--sort", "size"], ["--attribute", "cart"]] {
        let list = ["--store", &store, "sessions", "list"];
        let (code, said, errors) = remora(&[list, [narrowed[0], narrowed[1], "--limit", "9"]].concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(errors.contains("of an earlier release"), "{errors}");
    }
    assert_eq!(remora(&["--store", &store, "sessions", "list"]).0, Some(0));
    for wrong in [["--size", "1GB"], ["--idle", "long"], ["--page", "xyz"]] {
        let list = ["--store", &store, "sessions", "list", wrong[0], wrong[1]];
        assert_eq!(remora(&list).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_slow_kill_is_asked_for_once_and_counted_right() {
    let (store, fake) = store();
    let (code, said, errors) = kill(&store, "slow");
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains('7'), "{said}");
    assert_eq!(fake.kills.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kill_whose_outcome_is_not_known_is_not_repeated() {
    let (store, fake) = store();
    let (code, _, said) = kill(&store, "x");
    assert_eq!(code, Some(1));
    assert!(
        said.contains("unknown whether") && said.contains("look again"),
        "{said}"
    );
    assert_eq!(fake.kills.load(Ordering::SeqCst), 1);
}

#[test]
fn a_change_is_said_again_until_it_is_done_and_each_step_is_told() {
    let (store, fake) = store();
    let (code, said, told) = remora(&["--store", &store, "nodes", "add", "4", "127.0.0.1:7504"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(said.contains("000000000000d15c"), "{said}");
    for step in ["is a member without a vote", "70 entries behind, about 2.0 KiB"] {
        assert!(told.contains(step), "{step} is not in {told}");
    }
    assert_eq!(fake.steps.load(Ordering::SeqCst), 3);
    let (code, _, said) = remora(&["--store", &store, "nodes", "remove", "3"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no majority answers"), "{said}");
    let (code, _, said) = remora(&["--store", &store, "nodes", "remove", "9"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("node 9 is no member") && said.contains("nothing was changed"),
        "{said}"
    );
    assert_eq!(
        fake.steps.load(Ordering::SeqCst),
        3,
        "nobody was asked for anything"
    );
}

#[test]
fn an_address_that_is_none_is_a_usage_error() {
    for address in [
        "localhost",
        "localhost:",
        "localhost:x",
        "local host:1",
        ":7401x",
        "h:0",
    ] {
        for (flag, verb) in [("--store", "nodes"), ("--proxy", "upstreams")] {
            let (code, _, said) = remora(&[flag, address, verb, "list"]);
            assert_eq!(code, Some(2), "{flag} {address}: {said}");
        }
        let both = format!("{},{address}", nobody());
        assert_eq!(remora(&["--store", &both, "status"]).0, Some(2), "{both}");
    }
}

#[test]
fn certificates_are_made_before_there_are_any() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let own = [
        "--tls-authority",
        &path("authority.pem"),
        "--tls-cert",
        &path("admin.pem"),
        "--tls-key",
        &path("admin.key"),
    ];
    let (code, _, said) = remora(&[&own[..], &["nodes", "list"]].concat());
    assert_eq!(code, Some(2), "{said}");
    let (code, _, said) = remora(&[&own[..], &["certs", "init", &path("")]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = remora(&[&own[..], &["certs", "issue", "admin", "--dir", &path("")]].concat());
    assert_eq!(code, Some(0), "{said}");
    // Two of the three are none.
    let (code, _, said) = remora(&[&own[..4], &["nodes", "list"]].concat());
    assert!(code == Some(2) && said.contains("all three"), "{said}");
}

#[test]
fn status_shows_the_proxies_when_the_store_is_away() {
    let (store, proxy) = (nobody(), proxy("n1"));
    let (code, said, errors) = remora(&["--store", &store, "--proxy", &proxy, "status"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        said.contains("n1") && said.contains("the store does not answer"),
        "{said}"
    );
}

#[test]
fn status_takes_no_more_than_a_reader_and_hides_no_failure() {
    let says: Option<fn(_) -> _> = Some(today::leads);
    let (store, fake) = serve_store(Store {
        says,
        today: true,
        ..Store::default()
    });
    let (code, said, _) = remora(&["--store", &store, "status"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("node 1 leads") && said.contains("format 5"),
        "{said}"
    );
    let operated = fake.operated.lock().expect("no test has failed");
    assert!(operated.is_empty(), "a reader is refused {operated:?}");
    let (store, _) = serve_store(Store {
        says,
        forgets: true,
        ..Store::default()
    });
    let (code, said, _) = remora(&["--store", &store, "status"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("does not say which Tomcats are there") && said.contains("the books are shut"),
        "{said}"
    );
}

#[test]
fn a_cluster_that_is_not_formed_has_no_nodes_to_list() {
    let (store, _) = serve_store(Store {
        says: Some(today::forms),
        ..Store::default()
    });
    let (code, said, errors) = remora(&["--store", &store, "nodes", "list"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(errors.contains("no cluster is formed yet"), "{errors}");
    assert_eq!(remora(&["--store", &store, "status"]).0, Some(1));
}

#[test]
fn a_backup_that_is_cut_on_its_way_leaves_the_one_before() {
    let (store, _) = store();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sessions");
    std::fs::write(&file, "the one before").expect("a file");
    let (code, _, said) = remora(&["--store", &store, "backup", &file.to_string_lossy()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was cut off on its way"), "{said}");
    let kept = std::fs::read_to_string(&file).expect("it stands");
    assert_eq!(kept, "the one before");
    let left = std::fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(left, 1, "nothing stands aside");
}

#[test]
fn a_restore_needs_a_node_that_waits_for_it() {
    let (store, _) = store();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let (code, _, said) = remora(&["--store", &store, "restore", &file.path().to_string_lossy()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("start one with --await-restore"), "{said}");
}

#[test]
fn a_recovery_tells_what_is_given_up_and_is_done_by_one_node_alone() {
    let (store, _) = store();
    let recover = ["recover", "--force-new-cluster"];
    let (code, said, _) = remora(&[["--store", store.as_str()].as_slice(), &recover].concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("nodes 1, 2") && said.contains("repeat with --yes"),
        "{said}"
    );
    let both = format!("{store},{}", nobody());
    let (code, _, said) = remora(&[["--store", both.as_str()].as_slice(), &recover].concat());
    assert_eq!(code, Some(2), "{said}");
    let (code, _, said) = remora(&["--store", &store, "recover", "--yes"]);
    assert_eq!(code, Some(2), "{said}");
}
