//! Claim: a drain outlives the proxy that was asked for it, where it has a place for it, whatever ends the process.
//!
//! Broken once to see it fail: the wish not written (the next process serves on n1); the directory not locked (two
//! processes would write over each other).

mod support;

use support::process::{Config, Proxy, run};
use support::upstream::Upstream;

#[test]
fn a_drain_survives_the_end_of_the_process() {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let config = Config::new(&[&one, &other]).control(&line);
    let answer = |proxy: &Proxy| {
        let cookie = "Cookie: JSESSIONID=ABC.n1\r\n";
        proxy.client().get("/", cookie).text()
    };
    let mut proxy = Proxy::start(&config);
    assert_eq!(answer(&proxy), "one");
    proxy.drain("n1");
    assert_eq!(answer(&proxy), "other");

    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another proxy uses it"), "{said}");

    proxy.signal("KILL");
    proxy.exit_code();
    let mut proxy = Proxy::start(&config);
    assert_eq!(
        answer(&proxy),
        "other",
        "the wish was on disk before it was answered"
    );
    proxy.undrain("n1");
    assert_eq!(answer(&proxy), "one");

    proxy.signal("TERM");
    proxy.exit_code();
    let mut proxy = Proxy::start(&config);
    assert_eq!(answer(&proxy), "one");

    proxy.signal("TERM");
    proxy.exit_code();
    std::fs::write(state.path().join("proxy/wishes"), "drain n1\n").expect("a file");
    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not understood"), "{said}");
}
