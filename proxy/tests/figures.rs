//! Claim: what `/metrics` tells of a proxy is right, and every figure that is told is described, and every described one told.

mod support;

use std::collections::BTreeSet;

use remora_process::catalogue::{Differences, compare};
use remora_proxy::FIGURES;
use support::process::{Config, Proxy, run};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// Figures that this proxy has no reason to show: it has no TLS, for clients, upstreams or operators, so nobody speaks HTTP/2, and it
/// discovers nobody.
const SELDOM: [&str; 11] = [
    "remora_proxy_certificate_expires_seconds",
    "remora_proxy_discovered_upstreams",
    "remora_proxy_http2_floods_total",
    "remora_proxy_pool_certificate_expires_seconds",
    "remora_proxy_refused_announcements",
    "remora_proxy_store_followed",
    "remora_proxy_store_silent_seconds",
    "remora_proxy_view_version",
    "remora_proxy_wishes_untold",
    "remora_tls_certificate_expires_seconds",
    "remora_tls_refused_total",
];

/// Labels of the first member.
const ONE: &str = r#"pool="tomcat",route="n1""#;
/// Those of the second.
const OTHER: &str = r#"pool="tomcat",route="n2""#;

fn upstream() -> Upstream {
    let chat = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi";
    Upstream::start(move |seen| match &*seen.target {
        "/chat" => Act::Echo(chat.into()),
        "/cut" => Act::SayAndClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".into()),
        "/strange" => Act::SayAndClose("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n".into()),
        "/dies" => Act::SayAndClose(Vec::new()),
        "/held" => Act::AwaitClose,
        "/declined" | "/declined-by-all" => decline(),
        _ => Act::text("fine"),
    })
}

fn other_upstream() -> Upstream {
    Upstream::start(|seen| match &*seen.target {
        "/declined-by-all" => decline(),
        _ => Act::text("other"),
    })
}

/// An upstream says that it did not begin.
fn decline() -> Act {
    Act::answer("503 Service Unavailable", "Remora-Effect: none\r\n", "not now")
}

fn page(proxy: &Proxy) -> String {
    proxy.control_page("/metrics").expect("a page").1
}

/// A line without the address of an upstream, which is another in each run.
fn without_url(line: &str) -> String {
    let Some((before, (_, after))) = line
        .split_once(",url=\"")
        .and_then(|(before, rest)| Some((before, rest.split_once('"')?)))
    else {
        return line.to_owned();
    };
    format!("{before}{after}")
}

/// Waits until these are lines of the page: what a client sees may come before it is counted.
#[track_caller]
fn tells(proxy: &Proxy, lines: &[String]) {
    for line in lines {
        wait_until(line, || {
            page(proxy).lines().any(|told| without_url(told) == *line)
        });
    }
}

/// A series of the first member.
fn one(name: &str, more: &str, value: u32) -> String {
    format!("remora_proxy_{name}{{{ONE}{more}}} {value}")
}

/// A series of the second.
fn other(name: &str, more: &str, value: u32) -> String {
    format!("remora_proxy_{name}{{{OTHER}{more}}} {value}")
}

/// A series of the pool.
fn pool(name: &str, more: &str, value: u32) -> String {
    format!("remora_proxy_{name}{{pool=\"tomcat\"{more}}} {value}")
}

#[test]
fn every_figure_is_right_and_described() {
    let members = [upstream(), other_upstream()];
    let config = Config::new(&[&members[0], &members[1]])
        .health("health = { every = \"60s\" }")
        .table("[limits]\nconnections_per_address = 3")
        .one_thread();
    let proxy = Proxy::start(&config);
    answers(&proxy);
    failures(&proxy);
    declined(&proxy);
    clients(&proxy);
    configuration(&proxy, &config);
    nobody_is_left(&proxy, &members);

    let page = page(&proxy);
    let Differences { strangers, absent } = compare(&page, FIGURES);
    assert_eq!(strangers, BTreeSet::new(), "without a row, in\n{page}");
    assert_eq!(absent, BTreeSet::from(SELDOM), "with a row, not in\n{page}");
    for described in [
        "# HELP remora_proxy_exchanges_total Exchanges by the class ",
        "# TYPE remora_proxy_pool_tier gauge\n",
    ] {
        assert!(page.contains(described), "{described} is not in\n{page}");
    }
}

fn answers(proxy: &Proxy) {
    let mut client = proxy.client();
    let cookie = "Cookie: JSESSIONID=A.n1\r\n";
    for _ in 0..2 {
        assert_eq!(client.get("/", cookie).text(), "fine");
    }
    assert_eq!(client.request("PUT", "/", cookie, "content").text(), "fine");
    tells(
        proxy,
        &[
            pool("exchanges_total", ",class=\"2xx\"", 3),
            pool("exchange_ends_total", ",end=\"complete\"", 3),
            pool("picks_total", ",pick=\"sticky\"", 3),
            pool("tier_attempts_total", ",tier=\"open\"", 3),
            pool("pool_tier", ",tier=\"open\"", 1),
            pool("pool_tier", ",tier=\"panic\"", 0),
            one("upstream_answers_total", ",class=\"2xx\"", 3),
            one("upstream_response_head_seconds_count", "", 3),
            one("upstream_response_head_seconds_bucket", ",le=\"300\"", 3),
            one("upstream_connect_seconds_count", "", 1),
            one("upstream_connections_total", ",from=\"new\"", 1),
            one("upstream_connections_total", ",from=\"kept\"", 2),
            one("upstream_connections_idle", "", 1),
            one("upstream_sent_bytes_total", "", 7),
            one("upstream_received_bytes_total", "", 12),
            one("upstream_belief", ",belief=\"up\"", 1),
            one("upstream_weight", "", 1),
            other("upstream_connect_seconds_count", "", 0),
        ],
    );
    let upgrade = format!("{cookie}Connection: Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(client.get("/chat", &upgrade).status, 101);
    tells(
        proxy,
        &[
            one("upstream_tunnels", "", 1),
            one("upstream_attempts_in_flight", "", 0),
        ],
    );
    client.send(b"\x81\x03abc");
    assert_eq!(client.bytes(7), b"hi\x81\x03abc");
    drop(client);
    tells(
        proxy,
        &[
            one("upstream_tunnels", "", 0),
            one("upstream_answers_total", ",class=\"1xx\"", 1),
            one("upstream_sent_bytes_total", "", 12),
            one("upstream_received_bytes_total", "", 19),
            pool("exchange_ends_total", ",end=\"tunnel\"", 1),
        ],
    );
}

fn failures(proxy: &Proxy) {
    let (mut client, cookie) = (proxy.client(), "Cookie: JSESSIONID=A.n1\r\n");
    // It fails on a connection that was kept, on a new one, and is answered elsewhere.
    assert_eq!(client.get("/", cookie).status, 200);
    assert_eq!(client.get("/dies", cookie).text(), "other");
    tells(
        proxy,
        &[
            one("attempt_failures_total", ",cause=\"broken\",sent=\"yes\"", 2),
            one("attempt_failures_total", ",cause=\"broken\",sent=\"no\"", 0),
            one("upstream_repeats_total", "", 1),
            other("upstream_repeats_total", "", 1),
            pool("repeats_total", "", 2),
        ],
    );
    assert_eq!(client.get("/strange", cookie).status, 502);
    assert!(!client.get("/cut", cookie).complete);
    tells(
        proxy,
        &[
            one("attempt_failures_total", ",cause=\"malformed\",sent=\"yes\"", 1),
            one("attempt_failures_total", ",cause=\"broken\",sent=\"yes\"", 3),
            pool("own_answers_total", ",status=\"502\",reason=\"bad-gateway\"", 1),
            pool("exchange_ends_total", ",end=\"upstream-cut\"", 1),
            pool("exchanges_total", ",class=\"5xx\"", 1),
        ],
    );
}

fn declined(proxy: &Proxy) {
    let (mut client, cookie) = (proxy.client(), "Cookie: JSESSIONID=A.n1\r\n");
    assert_eq!(client.get("/declined", cookie).text(), "other");
    let told = client.get("/declined-by-all", cookie);
    assert_eq!((told.status, told.text().as_str()), (503, "not now"));
    tells(
        proxy,
        &[
            one("attempt_failures_total", ",cause=\"declined\",sent=\"yes\"", 2),
            other("attempt_failures_total", ",cause=\"declined\",sent=\"yes\"", 1),
            one("upstream_answers_total", ",class=\"5xx\"", 0),
            other("upstream_answers_total", ",class=\"5xx\"", 0),
            pool("exchanges_total", ",class=\"5xx\"", 2),
        ],
    );
}

fn clients(proxy: &Proxy) {
    let mut client = proxy.client();
    client.send("GET /held HTTP/1.1\r\nHost: shop\r\nCookie: JSESSIONID=A.n1\r\n\r\n");
    tells(proxy, &[one("upstream_attempts_in_flight", "", 1)]);
    drop(client);
    assert_eq!(proxy.client().request("TRACE", "/", "", "").status, 405);
    tells(
        proxy,
        &[
            one("upstream_attempts_in_flight", "", 0),
            pool("exchange_ends_total", ",end=\"client-gone\"", 1),
            "remora_proxy_own_answers_total{pool=\"\",status=\"405\",reason=\"method\"} 1".to_owned(),
            "remora_proxy_connections_accepted_total 5".to_owned(),
            "remora_proxy_client_connections 0".to_owned(),
            "remora_proxy_clients_waiting 0".to_owned(),
            "remora_proxy_slow_clients_total{at=\"answer\"} 0".to_owned(),
        ],
    );
    let _more_than_may_be: Vec<_> = (0..4).map(|_| proxy.client()).collect();
    tells(
        proxy,
        &["remora_proxy_refused_connections_total{reason=\"too many from one address\"} 1".to_owned()],
    );
}

fn configuration(proxy: &Proxy, config: &Config) {
    let digits = || {
        let (_, said, _) = run(&proxy.file(), &["--check"]);
        let line = said.lines().next().expect("a line").to_owned();
        line.strip_prefix("file ")
            .expect("the file comes first")
            .trim()
            .to_owned()
    };
    let holds = |digits: &str| format!("remora_proxy_configuration_info{{hash=\"{digits}\"}} 1");
    let first = digits();
    tells(proxy, &[holds(&first)]);
    proxy.reload(&config.clone().table("request = \"1s\""));
    tells(
        proxy,
        &[
            "remora_reloads_total{result=\"taken\"} 1".to_owned(),
            holds(&digits()),
        ],
    );
    assert_ne!(digits(), first);
    assert!(!page(proxy).contains(&first), "it is one file that holds");
    proxy.reload_text("nonsense");
    tells(proxy, &["remora_reloads_total{result=\"faulty\"} 1".to_owned()]);
}

fn nobody_is_left(proxy: &Proxy, members: &[Upstream]) {
    for member in members {
        member.stop_listening();
    }
    let mut client = proxy.client();
    let now = pool("pool_tier", ",tier=\"panic\"", 1);
    wait_until("beliefs are ignored", || {
        client.get("/", "");
        page(proxy).lines().any(|line| line == now)
    });
    let counts = || {
        let panic = proxy.figure(r#"remora_proxy_tier_attempts_total{pool="tomcat",tier="panic"}"#);
        let refused = format!("remora_proxy_attempt_failures_total{{{ONE},cause=\"refused\",sent=\"no\"}}");
        (panic.expect("a tier"), proxy.figure(&refused).expect("a cause"))
    };
    let (panic, refused) = counts();
    assert_eq!(client.get("/", "").status, 503);
    assert_eq!(counts(), (panic + 2.0, refused + 1.0), "both were asked");
    tells(
        proxy,
        &[
            pool("pool_tier", ",tier=\"open\"", 0),
            one("upstream_belief", ",belief=\"down\"", 1),
            one("upstream_belief", ",belief=\"up\"", 0),
        ],
    );
}
