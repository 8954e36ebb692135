//! Claim: a proxy whose pool discovers its members begins with those that it knew last, whether or not the store or a name service
//! answers; a reload and a replacement keep them; nobody is sent to an address that is not allowed; and a pool of nobody answers 503 and says so once.
//!
//! Broken once to see it fail: the view not read at the start (nobody is there); `allow` not asked (the stranger is a member); what names mean
//! not kept with the view (n1 is no member by its name).
//!
//! Left out: how views come (tests/tests, where there are stores).

mod support;

use std::net::TcpListener;

use support::process::{Config, Proxy};
use support::upstream::Upstream;

const DISCOVERY: &str = "[pool.tomcat.discovery]\nstore = [\"127.0.0.1:1\"]\nallow = [\"127.0.0.1\"]";

/// A proxy that discovers members, and where it keeps what it was told: this.
fn knowing(view: &str) -> (Config, tempfile::TempDir) {
    let state = tempfile::tempdir().expect("a temporary directory");
    let text = format!("remora-proxy view 1\ncluster 0a 7\n{view}");
    std::fs::write(state.path().join("view"), text).expect("a writable directory");
    let config = Config::new(&[])
        .control(&format!("state = {:?}", state.path()))
        .table(DISCOVERY);
    (config, state)
}

fn answer(proxy: &Proxy, route: &str) -> String {
    let cookie = format!("Cookie: JSESSIONID=ABC.{route}\r\n");
    proxy.client().get("/", &cookie).text()
}

#[test]
fn members_that_were_known_serve_while_the_store_is_away_and_a_stranger_never() {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let stranger = TcpListener::bind("127.0.0.2:0").expect("the loopback has many addresses");
    stranger.set_nonblocking(true).expect("a socket");
    let away = stranger.local_addr().expect("a bound socket");
    let view = format!(
        "server n1 01 5 0 http://{}\nserver n2 02 6 200 http://{}\nserver n3 03 7 0 http://{away}\n",
        one.address, other.address
    );
    let (config, _state) = knowing(&view);
    let mut proxy = Proxy::start(&config);
    let serve = |proxy: &Proxy, when: &str| {
        assert_eq!(answer(proxy, "n1"), "one", "{when}");
        assert_eq!(answer(proxy, "n2"), "other", "{when}");
        assert!(["one", "other"].contains(&&*answer(proxy, "n3")), "{when}");
    };
    serve(&proxy, "at the start");
    proxy.tells("is outside discovery.allow");
    proxy.reload(&config.clone().table("[limits]\nconnect = \"2s\""));
    serve(&proxy, "after a reload");
    proxy.replace();
    serve(&proxy, "after a replacement");
    let discovered = r#"remora_proxy_discovered_upstreams{pool="tomcat"}"#;
    let refused = r#"remora_proxy_refused_announcements{pool="tomcat"}"#;
    assert_eq!(
        (proxy.figure(discovered), proxy.figure(refused)),
        (Some(2.0), Some(1.0))
    );
    let met = stranger.accept().map_err(|error| error.kind());
    assert_eq!(
        met.unwrap_err(),
        std::io::ErrorKind::WouldBlock,
        "nobody ever connected"
    );
}

/// Names below `invalid` are never found.
#[test]
fn members_by_name_serve_while_neither_the_store_nor_a_name_service_answers() {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let view = format!(
        "server n1 01 5 0 http://one.invalid:{}\nserver n2 02 6 0 http://other.invalid:{}\nserver n3 03 7 0 http://third.invalid:80\n\
         host one.invalid 127.0.0.1\nhost other.invalid 127.0.0.1\nhost third.invalid 127.0.0.2\n",
        one.address.port(),
        other.address.port()
    );
    let (config, _state) = knowing(&view);
    let mut proxy = Proxy::start(&config);
    let serve = |proxy: &Proxy, when: &str| {
        assert_eq!(answer(proxy, "n1"), "one", "{when}");
        assert_eq!(answer(proxy, "n2"), "other", "{when}");
    };
    serve(&proxy, "at the start");
    proxy.tells("127.0.0.2 is outside discovery.allow");
    proxy.replace();
    serve(&proxy, "after a replacement");
}

#[test]
fn a_pool_of_nobody_answers_503_and_says_so_once() {
    let (config, _state) = knowing("");
    let proxy = Proxy::start(&config);
    for _ in 0..2 {
        let response = proxy.client().get("/", "");
        assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
    }
    proxy.reload(&config.clone().table("[limits]\nconnect = \"2s\""));
    proxy.tells("a pool has no member");
    let said = proxy.log().matches("a pool has no member").count();
    assert_eq!(said, 1, "{}", proxy.log());
}
