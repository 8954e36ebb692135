//! Claim: where no upstream answers, clients get the owner's page for it, with the request's name in it and never a cookie; and
//! a pool that is closed for maintenance, by the file or by an operator, says so to everybody but those who may look, over a
//! reload and a restart, until an operator ends it.
//!
//! Broken once to see it fail: the pool's page passed over for the site's, HEAD given content, the exception not asked for, the
//! wish not followed after a reload, the wish not written, tunnels not told.

mod support;

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, mkfifoat};
use support::client::{Client, Response};
use support::operator::Told;
use support::process::{Config, Proxy, run};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// A directory of pages, each of which says which it is.
struct Pages(tempfile::TempDir);

impl Pages {
    fn make() -> Self {
        let pages = Self(tempfile::tempdir().expect("a temporary directory"));
        for name in [
            "400.txt",
            "404.html",
            "502.html",
            "503.html",
            "504.json",
            "pool.html",
            "closed.html",
        ] {
            pages.write(name, &format!("page {name} <{{request-id}}>"));
        }
        pages
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// A line that names one.
    fn line(&self, key: &str, name: &str) -> String {
        format!("{key} = {:?}\n", self.path(name))
    }

    /// All of them for the site, and one of the pool's own.
    fn tables(&self) -> String {
        let keys = [
            ("bad_request", "400.txt"),
            ("not_found", "404.html"),
            ("bad_gateway", "502.html"),
            ("unavailable", "503.html"),
            ("timeout", "504.json"),
            ("maintenance", "closed.html"),
        ];
        let site = keys.map(|(key, name)| self.line(key, name)).concat();
        let own = self.line("bad_gateway", "pool.html");
        format!("[pages]\n{site}[pool.tomcat.pages]\n{own}retry_after = \"7s\"\n")
    }
}

/// The one page that a response may be.
fn assert_page(response: &Response, status: u16, text: &str, content_type: &str, again: Option<&str>) {
    assert_eq!(response.status, status, "{}", response.head);
    let name = response.field("x-request-id").expect("a name").to_owned();
    assert_eq!(response.text(), text.replace("ID", &name));
    assert_eq!(response.field("content-type"), Some(content_type));
    assert_eq!(response.field("retry-after"), again);
    assert_eq!(response.field("cache-control"), Some("no-store"));
    assert_eq!(response.field("set-cookie"), None);
    assert!(response.complete);
}

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

#[test]
fn every_answer_of_ours_has_its_page_and_a_name() {
    let pages = Pages::make();
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/shop/broken" => Act::answer("200 OK", "Content-Length: no number\r\n", ""),
        "/shop/silent" => Act::AwaitClose,
        _ => Act::text("page of the Tomcat"),
    });
    let config = Config::mapped(&[&upstream], "/shop", "tomcat/shop")
        .health("health = \"off\"")
        .table("[limits]\nresponse = \"300ms\"\nrequest_head_bytes = 1024\ntarget_bytes = 1024")
        .table(&pages.tables());
    let proxy = Proxy::start(&config);
    let cookie = "Cookie: JSESSIONID=ABC.n1\r\n";
    let ask = |target: &str| proxy.client().get(target, cookie);
    assert_eq!(ask("/shop").text(), "page of the Tomcat");
    assert_page(&ask("/else"), 404, "page 404.html <ID>", HTML, None);
    assert_page(&ask("/shop/%2e%00"), 400, "page 400.txt <ID>", TEXT, None);
    assert_page(&ask("/shop/broken"), 502, "page pool.html <ID>", HTML, None);
    assert_page(&ask("/shop/silent"), 504, "page 504.json <ID>", JSON, None);
    for (bytes, status) in [
        ("GET /shop HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /shop HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".to_owned(), 405),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(1100)), 414),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n", "x".repeat(1100)),
            431,
        ),
    ] {
        let mut client = proxy.client();
        client.send(&bytes);
        let response = client.response();
        assert_page(&response, status, "page 400.txt <ID>", TEXT, None);
    }
    upstream.stop_listening();
    assert_page(&ask("/shop"), 503, "page 503.html <ID>", HTML, Some("7"));
    let mut client = proxy.client();
    let bare = client.request("HEAD", "/shop", cookie, "");
    assert_eq!((bare.status, bare.text().as_str()), (503, ""));
    assert_eq!(bare.field("retry-after"), Some("7"));
    assert_eq!(
        client.get("/shop", cookie).status,
        503,
        "no content came before it"
    );
}

#[test]
fn pages_change_with_a_reload_and_a_fault_changes_nothing() {
    let pages = Pages::make();
    let upstream = Upstream::named("one");
    let config = Config::mapped(&[&upstream], "/shop", "tomcat/shop").table(&pages.tables());
    let proxy = Proxy::start(&config);
    let text = || proxy.client().get("/", "").text();
    pages.write("404.html", "another");
    assert!(
        text().starts_with("page 404.html"),
        "it is read at a reload alone"
    );
    proxy.reload(&config);
    wait_until("the page is the new one", || text() == "another");

    for (name, content, told) in [
        ("404.html", Some("x".repeat(65_537)), "is larger than 65536 bytes"),
        ("404.html", None, "No such file"),
    ] {
        match content {
            Some(content) => pages.write(name, &content),
            None => std::fs::remove_file(pages.path(name)).expect("it was there"),
        }
        proxy.reload(&config);
        proxy.tells(told);
        assert_eq!(text(), "another", "what was read before holds");
    }
    mkfifoat(CWD, pages.path("404.html"), Mode::RWXU).expect("a pipe");
    proxy.reload(&config);
    proxy.tells("it is no regular file");
    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(2), "{said}");
    let line = said.lines().find(|line| line.contains("404.html"));
    let line = line.expect("the page is named");
    assert!(line.contains("proxy.toml:"), "with the line of its key: {line}");
    let wrong = config.table("[pool.tomcat.maintenance]\nretry_after = \"1500ms\"");
    proxy.reload(&wrong);
    proxy.tells("choose whole seconds");
}

/// A pool that the file closes, but for whoever comes from 127.0.0.2.
fn closed(pages: &Pages, on: bool, upstream: &Upstream) -> Config {
    let maintenance =
        format!("[pool.tomcat.maintenance]\non = {on}\nretry_after = \"20m\"\nexcept = [\"127.0.0.2\"]");
    Config::new(&[upstream])
        .table(&pages.tables())
        .table(&maintenance)
        .table("[limits]\ntunnel_grace = \"1ms\"")
}

fn get(proxy: &Proxy) -> Response {
    proxy.client().get("/", "Cookie: JSESSIONID=ABC.n1\r\n")
}

#[test]
fn the_file_closes_a_pool_and_an_operator_has_the_last_word() {
    let pages = Pages::make();
    let upstream = Upstream::named("one");
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let log = state.path().join("access.log");
    let config = |on| closed(&pages, on, &upstream).control(&line).access_log(&log);
    let mut proxy = Proxy::start(&config(true));
    let is_closed = |proxy: &Proxy| {
        let answer = get(proxy);
        assert_page(&answer, 503, "page closed.html <ID>", HTML, Some("1200"));
    };
    is_closed(&proxy);
    assert_eq!(
        upstream.seen().iter().filter(|seen| seen.target == "/").count(),
        0
    );
    let mut office = Client::connect_from("127.0.0.2", proxy.address);
    assert_eq!(office.get("/", "").text(), "one", "whoever may look");
    assert_eq!(
        proxy.figure("remora_proxy_pool_maintenance{pool=\"tomcat\"}"),
        Some(1.0)
    );
    wait_until("the reason is in the log", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("reason=maintenance"))
    });

    let pool = proxy.maintain("tomcat", Told::Off).expect("it is known");
    assert!(!pool.maintenance && pool.wished, "{pool:?}");
    assert_eq!(get(&proxy).text(), "one");
    proxy.reload(&config(true));
    wait_until("it is read anew", || {
        proxy.figure("remora_proxy_snapshot_generation") >= Some(4.0)
    });
    assert_eq!(get(&proxy).text(), "one", "the wish beats the file");
    proxy.signal("KILL");
    proxy.exit_code();
    proxy = Proxy::start(&config(true));
    assert_eq!(get(&proxy).text(), "one", "and outlives the process");
    let pool = proxy.maintain("tomcat", Told::Reset).expect("it is known");
    assert!(pool.maintenance && !pool.wished, "{pool:?}");
    is_closed(&proxy);
    proxy.reload(&config(false));
    wait_until("the file opens it", || get(&proxy).text() == "one");
}

#[test]
fn an_operator_closes_a_pool_with_a_page_and_opens_it() {
    let pages = Pages::make();
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/ws" => {
            let head =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            Act::Echo(head.as_bytes().to_vec())
        }
        _ => Act::text("one"),
    });
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let config = closed(&pages, false, &upstream).control(&line);
    let mut proxy = Proxy::start(&config);
    assert_eq!(get(&proxy).text(), "one");
    let mut tunnel = proxy.client();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nCookie: JSESSIONID=ABC.n1\r\n";
    assert_eq!(tunnel.get("/ws", upgrade).status, 101);

    let page = "<p>Back at six. {request-id}\n".repeat(2_000);
    let pool = proxy.maintain("tomcat", Told::Page(&page)).expect("it is known");
    assert!(pool.maintenance && pool.wished && pool.by == "anybody" && pool.since > 0);
    assert_eq!(
        (pool.page_bytes, pool.retry_after_seconds),
        (page.len() as u64, 600)
    );
    assert_eq!(pool.except, "127.0.0.2/32");
    assert_eq!(tunnel.bytes(4), b"\x88\x02\x03\xf4", "1012");
    let is_closed = |proxy: &Proxy| {
        let expected = page.replace("{request-id}", "ID");
        assert_page(&get(proxy), 503, &expected, HTML, Some("600"));
    };
    is_closed(&proxy);
    let health = || proxy.figure("remora_proxy_upstream_health{pool=\"tomcat\"");
    upstream.die();
    wait_until("checks go on", || health() == Some(0.0));
    upstream.revive();
    wait_until("and find it again", || health() == Some(1.0));
    proxy.reload(&config);
    proxy.tells("configuration taken over");
    is_closed(&proxy);
    proxy.signal("KILL");
    proxy.exit_code();
    proxy = Proxy::start(&config);
    is_closed(&proxy);

    let large = "x".repeat(65_537);
    let refused = proxy.maintain("tomcat", Told::Page(&large));
    assert!(refused.expect_err("a page").contains("larger than 65536"));
    let refused = proxy.maintain("other", Told::Off);
    assert!(refused.expect_err("a name").contains("known here: tomcat"));
    is_closed(&proxy);

    let pool = proxy.maintain("tomcat", Told::Off).expect("it is known");
    assert!(!pool.maintenance && !pool.wished, "{pool:?}");
    assert_eq!(get(&proxy).text(), "one");
    let kept = kept(state.path());
    assert_eq!(kept, "remora-proxy maintenance 1\n");
    assert!(!Path::new(&state.path().join("proxy/maintenance.new")).exists());
}

#[test]
fn a_pool_that_was_closed_by_command_stays_closed_over_a_replacement_where_wishes_have_a_place() {
    let pages = Pages::make();
    let upstream = Upstream::named("one");
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let without = closed(&pages, false, &upstream);
    for (config, stays) in [(without.clone().control(&line), true), (without, false)] {
        let mut proxy = Proxy::start(&config);
        proxy
            .maintain("tomcat", Told::Page("<p>soon"))
            .expect("it is known");
        assert_eq!(get(&proxy).status, 503);
        proxy.replace();
        assert_eq!(proxy.exit_code(), Some(0), "the one before has ended");
        let answer = get(&proxy);
        match stays {
            true => assert_page(&answer, 503, "<p>soon", HTML, Some("600")),
            false => assert_eq!(answer.text(), "one", "docs/pages.md says so"),
        }
    }
}

fn kept(state: &Path) -> String {
    std::fs::read_to_string(state.join("proxy/maintenance")).expect("a file")
}
