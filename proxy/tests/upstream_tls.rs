//! Claim: whoever is to be reached by TLS has to prove its name before a byte is sent to it, requests and checks alike; who cannot
//! is told of and costs nobody anything while another can serve; an answer that is cut does not look whole; and after a
//! reload nothing goes by a connection that the new files would not have made.
//!
//! Broken once to see it fail: the name of the host not asked for, our certificate not shown, a connection in clear for checks, an
//! end without a word of TLS taken for an end, the usual port of https not known, resumption turned off, checks and requests
//! given a connection of before, what files say not compared with what they said.

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use support::process::{Config, Proxy, run};
use support::secured::Secured;
use support::tls::{Certificates, now};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// A table of TLS that believes this authority.
fn table(certificates: &Certificates, more: &str) -> String {
    format!(
        "[pool.tomcat.tls]\nauthority = {:?}\n{more}\n",
        certificates.file("authority.pem")
    )
}

fn issued(name: &str, host: &str, when: SystemTime) -> Certificates {
    let certificates = Certificates::draw();
    certificates.issue_at(name, &[host], when);
    certificates
}

const COOKIE: &str = "Cookie: JSESSIONID=ABC.n1\r\n";

#[test]
fn large_messages_go_both_ways_and_connections_are_kept_and_resumed() {
    let large = "0123456789abcdef".repeat(1 << 16);
    let text = large.clone();
    let upstream = Upstream::start(move |seen| match seen.target.as_str() {
        "/large" => Act::text(&text),
        "/away" => {
            let host = seen.field("x-own").unwrap_or_default();
            Act::answer("302 Found", &format!("Location: https://{host}/next\r\n"), "")
        }
        _ => Act::text(&seen.body.len().to_string()),
    });
    let certificates = issued("tomcat", "127.0.0.1", now());
    let secured = Secured::start(&upstream, (&certificates, "tomcat"), None);
    let config = Config::new(&[&upstream])
        .secured(&upstream, secured.address)
        .table(&table(&certificates, ""));
    let proxy = Proxy::start(&config.one_thread());
    let mut client = proxy.client();
    assert_eq!(client.get("/large", COOKIE).text(), large);
    let sent = client.request("POST", "/", COOKIE, &large);
    assert_eq!(sent.text(), large.len().to_string());
    let seen = upstream.seen();
    assert_eq!(seen[0].connection, seen[1].connection, "it is kept");
    assert_eq!(
        seen[0].field("x-forwarded-proto"),
        Some("http"),
        "that of the user"
    );
    let away = client.get("/away", &format!("{COOKIE}X-Own: {}\r\n", secured.address));
    let location = away.field("location").expect("a location");
    assert_eq!(location, "http://shop/next", "mapped back");
    let label = format!("url=\"https://{}\"", secured.address);
    let (_, figures) = proxy.control_page("/metrics").expect("figures");
    assert!(figures.contains(&label), "no {label}");

    upstream.close_all();
    assert_eq!(client.get("/large", COOKIE).text(), large);
    let shaken = secured.seen();
    assert!(shaken.last().is_some_and(|last| last.resumed), "{shaken:?}");
    for one in &shaken {
        assert_eq!(one.protocol.as_deref(), Some(&b"http/1.1"[..]));
        assert!(
            one.name.is_none() && !one.certified,
            "an address is no name to ask for"
        );
    }
    upstream.die();
    let health = || proxy.figure("remora_proxy_upstream_health{pool=\"tomcat\"");
    wait_until("checks see it", || health() == Some(0.0));
    upstream.revive();
    wait_until("and see it again", || health() == Some(1.0));
}

#[test]
fn who_cannot_prove_its_name_is_sent_nothing_and_another_serves() {
    let good = Certificates::draw();
    good.issue("other", &["localhost"]);
    let past = now() - Duration::from_secs(100 * 24 * 60 * 60);
    good.issue_at("late", &["127.0.0.1"], past);
    good.issue("tomcat", &["127.0.0.1"]);
    let unknown = issued("tomcat", "127.0.0.1", now());
    for (certificates, name, why) in [
        (&good, "other", "NotValidForName"),
        (&good, "late", "Expired"),
        // Whose authority has the same name, and another key.
        (&unknown, "tomcat", "BadSignature"),
    ] {
        for health in ["health = \"off\"", "health = { every = \"200ms\" }"] {
            let (one, other) = (Upstream::named("one"), Upstream::named("other"));
            let secured = Secured::start(&one, (certificates, name), None);
            let config = Config::new(&[&one, &other])
                .secured(&one, secured.address)
                .health(health)
                .table(&table(&good, ""));
            let proxy = Proxy::start(&config);
            for _ in 0..3 {
                let answer = proxy.client().request("POST", "/", COOKIE, "once");
                assert_eq!((answer.status, answer.text().as_str()), (200, "other"), "{why}");
            }
            assert!(one.seen().is_empty() && one.connections() == 0, "nothing is sent");
            proxy.tells("is not accepted");
            let log = proxy.log();
            let told: Vec<&str> = log
                .lines()
                .filter(|line| line.contains("is not accepted"))
                .collect();
            assert_eq!(told.len(), 1, "{log}");
            assert!(told[0].contains(why), "{why}: {}", told[0]);
            wait_until("it is believed down", || {
                proxy.figure("remora_proxy_upstream_health{pool=\"tomcat\",route=\"n1\"") == Some(0.0)
            });
        }
    }
}

#[test]
fn the_files_are_read_anew_and_a_name_may_be_said() {
    let (before, after) = (
        issued("tomcat", "tomcat.test", now()),
        issued("tomcat", "tomcat.test", now()),
    );
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let secured = Secured::start(&one, (&after, "tomcat"), None);
    let config = |certificates| {
        let table = table(certificates, "name = \"tomcat.test\"");
        Config::new(&[&one, &other])
            .secured(&one, secured.address)
            .table(&table)
    };
    let proxy = Proxy::start(&config(&before));
    let text = || proxy.client().get("/", COOKIE).text();
    assert_eq!(text(), "other");
    let broken = config(&after).table("[pool.tomcat.pages]\ntimeout = \"nothing.html\"");
    proxy.reload(&broken);
    proxy.tells("nothing.html");
    assert_eq!(text(), "other", "a faulty file changes nothing");
    proxy.reload(&config(&after));
    wait_until("it is believed now", || text() == "one");
    let shaken = secured.seen();
    assert!(
        shaken
            .iter()
            .all(|one| one.name.as_deref() == Some("tomcat.test"))
    );

    let authority = after.file("authority.pem");
    std::fs::write(&authority, "no certificate").expect("a file");
    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("proxy.toml:") && said.contains("holds no certificate"),
        "{said}"
    );
}

#[test]
fn who_is_no_longer_believed_is_served_by_no_connection_from_before() {
    let (good, bad) = (
        issued("tomcat", "127.0.0.1", now()),
        issued("tomcat", "127.0.0.1", now()),
    );
    for health in ["health = \"off\"", "health = { every = \"100ms\" }"] {
        let (one, other) = (Upstream::named("one"), Upstream::named("other"));
        let secured = Secured::start(&one, (&good, "tomcat"), None);
        let config = |certificates| {
            let config = Config::new(&[&one, &other]).secured(&one, secured.address);
            config.health(health).table(&table(certificates, "")).one_thread()
        };
        let proxy = Proxy::start(&config(&good));
        let mut client = proxy.client();
        let mut text = || client.get("/", COOKIE).text();
        assert_eq!(text(), "one");
        proxy.reload(&config(&bad));
        wait_until("requests find it", || text() == "other");
        let stands = || proxy.figure("remora_proxy_upstream_health{pool=\"tomcat\",route=\"n1\"");
        wait_until("and checks as well", || stands() == Some(0.0));
        if health.contains("every") {
            let reached = secured.reached();
            wait_until("it is checked on", || secured.reached() > reached + 3);
        }
        assert_eq!((text().as_str(), stands()), ("other", Some(0.0)), "it stays so");
        assert!(!proxy.log().contains("upstream is tried"), "{}", proxy.log());
        if health.contains("every") {
            proxy.reload(&config(&good));
            wait_until("it is believed again", || text() == "one");
        }
    }
}

#[test]
fn files_that_say_what_they_said_keep_connections_and_resumption() {
    let certificates = issued("tomcat", "127.0.0.1", now());
    let ours = issued("proxy", "proxy.test", now());
    let one = Upstream::named("one");
    let secured = Secured::start(&one, (&certificates, "tomcat"), Some(&ours));
    let own = ours.pair("proxy").replace(", ", "\n");
    let config = Config::new(&[&one])
        .secured(&one, secured.address)
        .health("health = \"off\"")
        .table(&table(&certificates, &own));
    let proxy = Proxy::start(&config.one_thread());
    let mut client = proxy.client();
    let mut text = || client.get("/", COOKIE).text();
    assert_eq!(text(), "one");
    let generation = || proxy.figure("remora_proxy_snapshot_generation");
    let before = generation();
    proxy.signal("HUP");
    wait_until("it is read anew", || generation() > before);
    assert_eq!(text(), "one");
    assert_eq!(secured.reached(), 1, "the connection is kept");
    one.close_all();
    wait_until("another is made", || text() == "one" && secured.reached() > 1);
    assert!(secured.seen()[1].resumed, "{:?}", secured.seen());
}

#[test]
fn a_member_that_asks_for_our_certificate_is_shown_it() {
    let certificates = issued("tomcat", "127.0.0.1", now());
    let ours = issued("proxy", "proxy.test", now());
    let upstream = Upstream::named("one");
    let secured = Secured::start(&upstream, (&certificates, "tomcat"), Some(&ours));
    let config = |more: &str| {
        Config::new(&[&upstream])
            .secured(&upstream, secured.address)
            .table(&table(&certificates, more))
    };
    let proxy = Proxy::start(&config(""));
    assert_eq!(
        proxy.client().get("/", COOKIE).status / 100,
        5,
        "without one nobody is served"
    );
    assert!(secured.seen().is_empty());
    let lines = ours.pair("proxy").replace(", ", "\n");
    proxy.reload(&config(&lines));
    wait_until("it is shown", || proxy.client().get("/", COOKIE).text() == "one");
    assert!(secured.seen().iter().all(|one| one.certified));
    let ends =
        || proxy.figure("remora_proxy_pool_certificate_expires_seconds{pool=\"tomcat\",name=\"proxy.test\"}");
    assert!(ends().is_some(), "its end is told");
    proxy.tells("proxy.pem expires in 1 days: renew it");
    let (code, said, _) = run(&proxy.file(), &["--check"]);
    assert!(
        code == Some(0) && said.contains("  warning the certificate in "),
        "{said}"
    );
    proxy.reload(&config(""));
    wait_until("it is shown no more", || ends().is_none());
}

#[test]
fn an_answer_that_ends_without_a_word_of_tls_is_cut() {
    let upstream = Upstream::start(|_| {
        Act::SayAndClose(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall there is".to_vec())
    });
    let certificates = issued("tomcat", "127.0.0.1", now());
    let secured = Secured::start(&upstream, (&certificates, "tomcat"), None);
    let config = Config::new(&[&upstream])
        .secured(&upstream, secured.address)
        .table(&table(&certificates, ""));
    let proxy = Proxy::start(&config);
    let whole = proxy.client().get("/", COOKIE);
    assert!(whole.complete && whole.text() == "all there is", "{}", whole.head);
    secured.cut();
    let half = proxy.client().get("/", COOKIE);
    assert_eq!(half.status, 200);
    assert!(!half.complete, "whoever cut it may have left something out");
}

#[test]
fn a_member_in_clear_is_not_spoken_to_by_tls_and_no_key_turns_it_off() {
    let certificates = issued("tomcat", "127.0.0.1", now());
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let clear = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = clear.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for mut stream in clear.incoming().flatten() {
            let _told = stream.write_all(b"HTTP/1.1 400 \r\nConnection: close\r\n\r\n");
        }
    });
    let config = Config::new(&[&one, &other]).secured(&one, address);
    let proxy = Proxy::start(&config.clone().table(&table(&certificates, "")));
    assert_eq!(proxy.client().get("/", COOKIE).text(), "other");
    proxy.tells("does it speak TLS there");
    proxy.reload(&config);
    proxy.tells("takes TLS: add [pool.tomcat.tls] with authority");
    proxy.reload(&config.table(&table(&certificates, "insecure = true")));
    proxy.tells("insecure");
    assert_eq!(proxy.client().get("/", COOKIE).text(), "other");
}
