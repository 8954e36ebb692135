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
