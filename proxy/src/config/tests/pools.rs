//! What pools and routes say of stickiness, balance, limits and rules of their own.

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
