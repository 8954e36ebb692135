//! What pools and routes say of stickiness, balance, limits and rules of their own.

use remora_policy::BalanceBy;

use super::*;

#[test]
fn users_of_a_pool_need_not_stick() {
    let text = GOOD.replace("sticky = { session = \"JSESSIONID\" }", "sticky = \"off\"");
    let config = read(&text).unwrap();
    assert_eq!(config.pools[1].sticky, Sticky::off());
    let summary = config.summary();
    assert!(
        summary.contains("pool     tomcat: users do not stick; "),
        "{summary}"
    );
    // Whatever cookie the application has, nobody reads it here.
    read(&text.replace("ROUTEID", "JSESSIONID\", session = \"SID")).unwrap();
    let report = fault("sticky = { session = \"JSESSIONID\" }", "sticky = \"on\"");
    assert!(report.contains("a table, or \"off\""), "{report}");
}

#[test]
fn a_pool_is_balanced_by_what_it_says() {
    let sticky = "sticky = { session = \"JSESSIONID\" }";
    for by in BalanceBy::ALL {
        let text = GOOD.replace(sticky, &format!("balance = \"{}\"", by.as_str()));
        let config = read(&text).unwrap();
        assert_eq!(config.pools[1].balance, by);
        let shown = config
            .summary()
            .contains(&format!("; balanced by {}\n", by.as_str()));
        assert_eq!(shown, by != BalanceBy::Requests, "the usual goes without saying");
    }
    let report = fault(sticky, "balance = \"busy\"");
    assert!(
        report.contains("choose of requests, busyness, traffic, sessions"),
        "{report}"
    );
}

#[test]
fn a_route_may_have_limits_and_rules_of_its_own() {
    let text = GOOD.replace(
        "to = \"tomcat/cart\"",
        "to = \"tomcat/cart\"\nresponse = \"5m\"\nconnect = \"2s\"",
    );
    let config = read(&text).unwrap();
    let summary = config.summary();
    assert!(
        summary.contains("route    /shop -> tomcat/cart, connect 2s, response 300s\n"),
        "{summary}"
    );
    assert!(summary.contains("limit    response 5s\n"), "{summary}");
    let own =
        "to = \"old\"\nheaders = { request = { set = { X-A = \"1\" } }, response = { unset = [\"X-B\"] } }";
    let summary = read(&GOOD.replacen("to = \"old\"", own, 1)).unwrap().summary();
    assert!(
        summary.contains("route    / -> old/\n  field request: set X-A: 1\n  field response: unset X-B\n"),
        "{summary}"
    );
    let report = fault("to = \"tomcat/cart\"", "to = \"tomcat/cart\"\nidle = \"48h\"");
    assert!(report.contains("idle is 2days: choose 1ms to 86400s"), "{report}");
}

/// Whether `--check` finds that the route cookies of two pools collide, on these hosts and with these cookies.
fn collide(hosts: [&str; 2], cookies: [&str; 2]) -> bool {
    let mut text = "[[listen]]\nbind = \"127.0.0.1:0\"\n".to_owned();
    for ((name, host), cookie) in ["a", "b"].into_iter().zip(hosts).zip(cookies) {
        text +=
            &format!("[pool.{name}]\nsticky = {{ route_cookie = \"R\", session = \"S{name}\"{cookie} }}\n");
        text += &format!("[[pool.{name}.member]]\nurl = \"http://h\"\nroute = \"r\"\n");
        text += &format!("[[route]]\npath = \"/{name}\"\nto = \"{name}\"\nhost = [{host}]\n");
    }
    match read(&text) {
        Ok(_) => false,
        Err(report) => {
            assert!(
                report.contains("pools `b` and `a` have a cookie `R` on hosts"),
                "{report}"
            );
            true
        }
    }
}

#[test]
fn route_cookies_of_one_name_collide_only_where_a_browser_brings_both() {
    for (hosts, collides) in [
        (["", ""], true),
        (["", "'a.test'"], true),
        (["'a.test'", "'b.test'"], false),
        (["'a.test'", "'b.test', 'A.test'"], true),
        (["'*.a.test'", "'x.a.test'"], true),
        (["'*.a.test'", "'a.test'"], false),
        (["'*.a.test'", "'*.x.a.test'"], true),
        (["'*.a.test'", "'*.xa.test'"], false),
    ] {
        assert_eq!(collide(hosts, ["", ""]), collides, "{hosts:?}");
        assert_eq!(collide([hosts[1], hosts[0]], ["", ""]), collides, "{hosts:?}");
    }
    let apart = ["'a.test'", "'b.test'"];
    assert!(collide(apart, ["", ", domain = 'test'"]));
    assert!(!collide(apart, ["", ", domain = 'b.test'"]));
    assert!(collide(["'*.test'", "'b.x'"], ["", ", domain = '.a.test'"]));
    for (paths, collides) in [
        (["/a", "/b"], false),
        (["/a", "/a/b"], true),
        (["/", "/b"], true),
        (["/a", "/ab"], false),
    ] {
        let cookies = paths.map(|path| format!(", path = '{path}'"));
        let cookies = cookies.each_ref().map(String::as_str);
        assert_eq!(collide(["", ""], cookies), collides, "{paths:?}");
    }
}

#[test]
fn a_route_is_looked_up_as_httpd_does_where_a_pool_says_so() {
    let own = |word: &str| format!("sticky = {{ session = \"JSESSIONID\", lookup = \"{word}\" }}");
    let sticky = "sticky = { session = \"JSESSIONID\" }";
    let summary = read(&GOOD.replace(sticky, &own("httpd"))).unwrap().summary();
    let line = "pool     tomcat: session and route in JSESSIONID, looked up as httpd does; ";
    assert!(summary.contains(line), "{summary}");
    assert_eq!(
        read(&GOOD.replace(sticky, &own("tomcat"))).unwrap().summary(),
        read(GOOD).unwrap().summary()
    );
    let report = fault(sticky, &own("apache"));
    assert!(report.contains("lookup is \"tomcat\" or \"httpd\""), "{report}");
}

/// A pool that discovers members, with this written in its table.
fn discovering(store: &str, more: &str) -> String {
    let table = format!("[pool.tomcat.discovery]\nstore = [{store}]\n{more}\n");
    GOOD.replacen(
        "[[pool.tomcat.member]]",
        &format!("{table}[[pool.tomcat.member]]"),
        1,
    )
}

#[test]
fn members_may_be_discovered_beside_those_of_the_file_or_alone() {
    let allow = "allow = [\"10.0.0.0/8\"]\napplications = \"*/shop\"";
    let text = discovering("\"127.0.0.1:7401\", \"localhost:7402\"", allow);
    let summary = read(&text).unwrap().summary();
    assert!(
        summary.contains("store    127.0.0.1:7401, localhost:7402\n"),
        "{summary}"
    );
    assert!(
        summary.contains("  discovers members in 10.0.0.0/8 with */shop\n"),
        "{summary}"
    );
    let alone = "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"a\"\n\
         [pool.a]\ndiscovery = { store = [\"127.0.0.1:7401\"], allow = [\"10.0.0.0/8\"] }\n";
    assert!(read(alone).unwrap().pools[0].members.is_empty());
}

#[test]
fn what_is_wrong_with_discovery_is_said() {
    let said = |store: &str, more: &str| read(&discovering(store, more)).unwrap_err();
    let allow = "allow = [\"10.0.0.0/8\"]";
    for (report, sentence) in [
        (said("", allow), "discovery.store names nobody"),
        (
            said("\"127.0.0.1\"", allow),
            "`127.0.0.1` is no address: write HOST:PORT",
        ),
        (said("\"http://h:1\"", allow), "is no address"),
        (
            said("\"192.0.2.1:7400\"", allow),
            "is asked in clear off the loopback",
        ),
        (
            said("\"store-1:7400\"", allow),
            "is asked in clear off the loopback",
        ),
        (
            said("\"127.0.0.1:1\"", "allow = []"),
            "discovery.allow names no network",
        ),
        (
            said("\"127.0.0.1:1\"", "allow = [\"ten\"]"),
            "`ten` is not a network",
        ),
        (said("\"127.0.0.1:1\"", ""), "missing field `allow`"),
        (
            said("\"127.0.0.1:1\"", &format!("{allow}\nalow = []")),
            "did you mean `allow`?",
        ),
        (
            said("\"127.0.0.1:1\"", &format!("{allow}\napplications = \"\"")),
            "applications is empty",
        ),
    ] {
        assert!(report.contains(sentence), "{sentence}: {report}");
    }
    let aloud = format!("{allow}\nallow_plaintext = true");
    read(&discovering("\"192.0.2.1:7400\"", &aloud)).unwrap();
    let second =
        "[pool.old.discovery]\nstore = [\"127.0.0.1:2\"]\nallow = [\"10.0.0.0/8\"]\n[[pool.old.member]]";
    let two = discovering("\"127.0.0.1:1\"", allow).replacen("[[pool.old.member]]", second, 1);
    let report = read(&two).unwrap_err();
    assert!(
        report.contains("pools `old` and `tomcat` discover by different stores"),
        "{report}"
    );
}
