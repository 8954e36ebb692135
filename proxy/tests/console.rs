//! Claim: whoever has a token or a certificate sees the site in a browser, and changes it if that gives the right; another site, another
//! name of this address and whoever is not logged in get nothing and change nothing. A page that does not read costs nothing.
//!
//! Broken once to see it fail, each time in the one test that is about it: the login's word not asked for; the origin not compared;
//! the form not looked at; another site not refused; the host not compared; the right not asked for; the end of a token not looked
//! at; the cookie of a certificate good without it; what a page does not read kept for it (it was told all of the pictures); gRPC not
//! asked for its type and origin; a token good twice; pages of one caller not counted.

mod support;

use remora_process::tls::Role;
use support::client::Client;
use support::console::{Browser, json};
use support::process::{Config, Proxy, free_address, run};
use support::tls::Certificates;
use support::upstream::Upstream;
use support::wait_until;

fn logged_in(proxy: &Proxy, read_only: bool) -> Browser {
    let token = proxy.console_token(read_only, 0).expect("a token");
    let mut browser = Browser::new(proxy);
    assert_eq!(browser.login(&token).status, 200);
    browser
}

/// Whether a route is drained, as the command line sees it.
fn is_drained(browser: &Browser, route: &str) -> bool {
    let mut client = browser.client();
    browser.send(&mut client, "GET", "/console/api/live", "", "");
    let site = until(&mut client, "event: site");
    let site: serde_json::Value = serde_json::from_str(&site).expect("a picture");
    let upstreams = site["upstreams"].as_array().expect("upstreams").clone();
    let own = upstreams.iter().find(|upstream| upstream["route"] == route);
    own.expect("the route")["state"] == "draining"
}

/// Reads on to the end of what it is told.
fn to_the_end(client: &mut Client) {
    let (began, mut seen) = (std::time::Instant::now(), Vec::new());
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        assert!(began.elapsed() < support::PATIENCE, "it is told on");
        seen.extend(client.bytes(1));
    }
}

/// The data of the next event whose lines begin so.
fn until(client: &mut Client, wanted: &str) -> String {
    let mut seen = String::new();
    loop {
        seen.push_str(&String::from_utf8_lossy(&client.bytes(1)));
        let Some((_, event)) = seen.split_once(wanted) else {
            continue;
        };
        let Some((event, _)) = event.split_once("\n\n") else {
            continue;
        };
        let (_, data) = event.split_once("data: ").expect("data");
        // Where a chunk begins in the middle of an event.
        return data.to_owned();
    }
}

/// A page that looks, whose events come one in each chunk.
fn looking(browser: &Browser, mut client: Client) -> Client {
    browser.send(&mut client, "GET", "/console/api/live", "", "");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.bytes(1));
    }
    client
}

/// When the next picture was drawn, in milliseconds since 1970.
fn drawn(page: &mut Client) -> u64 {
    loop {
        let event = String::from_utf8(page.chunk()).expect("text");
        if let Some(site) = event.strip_prefix("event: site\ndata: ") {
            let site: serde_json::Value = serde_json::from_str(site).expect("a picture");
            return site["at"].as_u64().expect("a moment");
        }
    }
}

fn started() -> (Upstream, Upstream, Proxy) {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let proxy = Proxy::start(&Config::new(&[&one, &other]));
    (one, other, proxy)
}

#[test]
fn whoever_has_not_logged_in_gets_pages_and_sentences() {
    let (_one, _other, proxy) = started();
    let mut browser = Browser::new(&proxy);
    assert_eq!(
        browser.asked("GET", "/console/", "", "").status,
        200,
        "there is no secret in a page"
    );
    assert_eq!(browser.asked("GET", "/console/main.js", "", "").status, 200);
    for (method, path, status) in [
        ("GET", "/console/../proxy.toml", 404),
        ("GET", "/console/nothing.js", 404),
        ("GET", "/console/api/nothing", 404),
        ("GET", "/console/api/login", 405),
    ] {
        let refused = browser.asked(method, path, "", "");
        assert_eq!(refused.status, status, "{path}");
        assert!(json(&refused)["error"].is_string(), "{path}");
    }
    let long = "x".repeat(16 * 1024);
    let refused = browser.login(&long);
    assert_eq!(refused.status, 413);
    assert!(json(&refused)["error"].is_string());
    for path in ["me", "lately", "live", "sessions", "session?application=a&key=00"] {
        assert_eq!(browser.get(path).status, 401, "{path}");
    }
    assert_eq!(browser.post("upstreams/drain", r#"{"route":"n1"}"#).status, 401);
    assert_eq!(browser.login("wrong").status, 401);
}

#[test]
fn a_token_opens_the_console_until_its_end_and_is_written_down() {
    let (_one, _other, proxy) = started();
    let mut browser = Browser::new(&proxy);
    let short = proxy.console_token(false, 1).expect("a token");
    let mut early = Browser::new(&proxy);
    early.login(&short);
    wait_until("its end", || early.get("me").status == 401);
    assert!(proxy.console_token(false, 86_401).is_err());
    let token = proxy.console_token(false, 0).expect("a token");
    assert_eq!(browser.login(&token).status, 200);
    assert_eq!(Browser::new(&proxy).login(&token).status, 401, "it was good once");
    let me = json(&browser.get("me"));
    assert_eq!(
        (&me["name"], &me["rights"]),
        (&"console token of anybody".into(), &"operate".into())
    );
    assert_eq!(me["csrf"], browser.csrf, "all pages of a browser have the same");
    assert_eq!(browser.post("upstreams/drain", r#"{"route":"n1"}"#).status, 200);
    assert!(is_drained(&browser, "n1"));
    assert_eq!(browser.post("upstreams/undrain", r#"{"route":"n1"}"#).status, 200);
    assert_eq!(browser.post("upstreams/undrain", r#"{"route":"n1"}"#).status, 409);
    assert_eq!(browser.post("upstreams/drain", r#"{"route":"n9"}"#).status, 404);
    assert_eq!(browser.post("upstreams/drain", r#"{"rout":"n1"}"#).status, 400);
    assert_eq!(browser.get("sessions").status, 404, "no store is named");
    for kill in [
        r#"{"application":"a","key":"00","created_ms":1}"#,
        r#"{"user":"ada"}"#,
        r#"{"at_most":1}"#,
    ] {
        assert_eq!(browser.post("sessions/kill", kill).status, 400, "{kill}");
    }
    let cookie = std::mem::take(&mut browser.cookie);
    let (name, _) = cookie.split_once('=').expect("a cookie");
    browser.cookie = format!("{name}=of-another-program; {cookie}");
    assert_eq!(browser.get("me").status, 200, "ours is found behind another's");
    browser.cookie = cookie;
    let lately = json(&browser.get("lately"));
    let wishes = lately["changes"].as_array().expect("changes").clone();
    let wish = wishes
        .iter()
        .find(|change| change["kind"] == "wish")
        .expect("a wish");
    assert_eq!(
        (&wish["of"], &wish["who"]),
        (&"n1".into(), &"console token of anybody".into())
    );
    assert_eq!(browser.post("logout", "{}").status, 200);
    assert_eq!(browser.get("me").status, 401);
    for line in [
        "Console/Login",
        "Console/Logout",
        "ProxyAdmin/ConsoleToken",
        "console token of anybody (remora://admin)",
    ] {
        proxy.tells(line);
    }
    assert!(!proxy.log().contains(&token), "the secret is nowhere");
}

#[test]
fn whoever_may_look_changes_nothing() {
    let (_one, _other, proxy) = started();
    let browser = logged_in(&proxy, true);
    assert_eq!(json(&browser.get("me"))["rights"], "look");
    let foreseen = json(&browser.post("upstreams/foresee", r#"{"route":"n1"}"#));
    assert_eq!(foreseen["emptied"], serde_json::json!([]));
    for (path, body) in [
        ("upstreams/drain", r#"{"route":"n1"}"#),
        ("upstreams/undrain", r#"{"route":"n1"}"#),
        ("upstreams/set", r#"{"route":"n1","state":"standby"}"#),
        ("sessions/kill", r#"{"user":"ada","at_most":1}"#),
    ] {
        assert_eq!(browser.post(path, body).status, 403, "{path}");
    }
    assert!(!is_drained(&browser, "n1"));
    proxy.tells("may look, and change nothing");
}

#[test]
fn what_does_not_come_from_the_own_page_is_refused() {
    let (_one, _other, proxy) = started();
    let mut browser = logged_in(&proxy, false);
    let (origin, csrf) = (browser.origin(), browser.csrf.clone());
    let body = r#"{"route":"n1"}"#;
    let json_type = "Content-Type: application/json\r\n";
    let with = |fields: &str| {
        browser
            .asked("POST", "/console/api/upstreams/drain", fields, body)
            .status
    };
    let word = format!("X-Remora-Csrf: {csrf}\r\n");
    for (what, fields, status) in [
        ("no word", format!("Origin: {origin}\r\n{json_type}"), 403),
        (
            "another word",
            format!("Origin: {origin}\r\n{json_type}X-Remora-Csrf: x\r\n"),
            403,
        ),
        ("no origin", format!("{json_type}{word}"), 403),
        (
            "another origin",
            format!("Origin: http://evil.example\r\n{json_type}{word}"),
            403,
        ),
        (
            "a form",
            format!("Origin: {origin}\r\nContent-Type: text/plain\r\n{word}"),
            400,
        ),
    ] {
        assert_eq!(with(&fields), status, "{what}");
    }
    let other_site = browser.asked("GET", "/console/api/lately", "Sec-Fetch-Site: cross-site\r\n", "");
    assert_eq!(other_site.status, 403);
    assert!(!is_drained(&browser, "n1"), "nothing was done");
    // A name that somebody else made to mean this address.
    browser.host = format!("evil.example:{}", proxy.control.port());
    assert_eq!(browser.get("me").status, 403);
    assert_eq!(browser.asked("GET", "/console/", "", "").status, 403);
    assert_eq!(browser.post("upstreams/drain", body).status, 403);
    browser.host = format!("localhost:{}", proxy.control.port());
    assert_eq!(browser.get("me").status, 200);
}

/// Bytes of a gRPC message that drains a route: nothing compressed, its length, and the route as its first field.
fn drain_message(route: &str) -> String {
    let length = |bytes: usize| char::from(u8::try_from(bytes).expect("a short route"));
    let message = format!("\n{}{route}", length(route.len()));
    format!("\0\0\0\0{}{message}", length(message.len()))
}

#[test]
fn no_web_page_makes_a_browser_speak_grpc() {
    let (_one, _other, proxy) = started();
    let browser = logged_in(&proxy, true);
    let drain = |fields: &str| {
        let mut client = browser.client();
        let path = "/remora.v1.ProxyAdmin/Drain";
        browser.send(&mut client, "POST", path, fields, &drain_message("n1"));
        client.response_to("POST").status
    };
    // As `fetch` of a page does it in the mode that needs no leave, and as a page does it whose name was made to mean this address.
    for (fields, status) in [
        ("", 415),
        ("Content-Type: text/plain\r\n", 415),
        ("Origin: http://evil.example\r\nContent-Type: text/plain\r\n", 403),
        (
            "Origin: http://evil.example\r\nContent-Type: application/grpc\r\n",
            403,
        ),
        (
            "Sec-Fetch-Site: same-origin\r\nContent-Type: application/grpc\r\n",
            403,
        ),
    ] {
        assert_eq!(drain(fields), status, "{fields:?}");
        assert!(!is_drained(&browser, "n1"), "{fields:?}");
    }
    // The bytes are good: a program's drain.
    assert_eq!(drain("Content-Type: application/grpc\r\nTE: trailers\r\n"), 200);
    assert!(is_drained(&browser, "n1"));
}

#[test]
fn a_page_goes_on_behind_the_last_change_that_it_saw() {
    let (_one, _other, proxy) = started();
    let browser = logged_in(&proxy, false);
    let last = json(&browser.get("lately"))["changes"]
        .as_array()
        .expect("changes")
        .len();
    let mut client = browser.client();
    browser.send(&mut client, "GET", "/console/api/live", "", "");
    let site: serde_json::Value =
        serde_json::from_str(&until(&mut client, "event: site")).expect("a picture");
    for key in ["at", "verdict", "store", "proxy", "upstreams", "pools"] {
        assert!(site.get(key).is_some(), "{key}: {site}");
    }
    until(&mut client, "event: site");
    proxy.drain("n1");
    let change: serde_json::Value =
        serde_json::from_str(&until(&mut client, "event: change")).expect("a change");
    assert_eq!((&change["kind"], &change["of"]), (&"wish".into(), &"n1".into()));
    drop(client);
    proxy.drain("n2");
    let mut client = browser.client();
    let seen = format!("Last-Event-ID: {}\r\n", last + 1);
    browser.send(&mut client, "GET", "/console/api/live", &seen, "");
    let change: serde_json::Value =
        serde_json::from_str(&until(&mut client, "event: change")).expect("a change");
    assert_eq!(change["of"], "n2");
    // With the login ends what its pages are told.
    assert_eq!(browser.post("logout", "{}").status, 200);
    to_the_end(&mut client);
}

#[test]
fn so_many_pages_of_one_look_and_no_more() {
    let (_one, _other, proxy) = started();
    let browser = logged_in(&proxy, true);
    let open = || {
        let mut client = browser.client();
        browser.send(&mut client, "GET", "/console/api/live", "", "");
        client
    };
    let mut pages: Vec<Client> = (0..16).map(|_| open()).collect();
    for page in &mut pages {
        until(page, "event: site");
    }
    assert_eq!(open().bytes(12), *b"HTTP/1.1 503");
    drop(pages.pop());
    wait_until("there is room again", || {
        let mut page = open();
        page.bytes(12) == *b"HTTP/1.1 200"
    });
    // A proxy that stops waits for nobody who only looks.
    proxy.signal("TERM");
    for page in &mut pages {
        while page.try_bytes(1).is_some() {}
    }
}

#[test]
fn a_page_that_does_not_read_is_told_the_newest_picture_next() {
    let one = Upstream::named("one");
    // A picture of so many is more than is kept on its way to a page.
    let member = |number| {
        let (high, low) = (number / 250, number % 250);
        format!("[[pool.tomcat.member]]\nurl = \"http://127.1.{high}.{low}:1\"\nroute = \"m{number}\"\n")
    };
    let members: String = (0..1_500).map(member).collect();
    let config = Config::new(&[&one]).health("health = \"off\"").table(&members);
    let proxy = Proxy::start(&config);
    let browser = logged_in(&proxy, true);
    let mut reads_not = looking(&browser, Client::connect_narrow(proxy.control));
    let mut reads = looking(&browser, browser.client());
    let told: Vec<u64> = (0..6).map(|_| drawn(&mut reads)).collect();
    let mut late = vec![drawn(&mut reads_not)];
    while late.last() < told.last() {
        late.push(drawn(&mut reads_not));
    }
    let all = format!("of {told:?} it was told {late:?}");
    // Which, depends on how much the kernel took in before it was full.
    assert!(told.iter().any(|picture| !late.contains(picture)), "{all}");
}

#[test]
fn a_certificate_logs_in_by_itself_and_its_cookie_is_worth_nothing_without_it() {
    let certificates = Certificates::draw();
    certificates.issue("proxy", &["127.0.0.1"]);
    certificates.issue_for("ada", &[Role::Admin]);
    certificates.issue_for("eve", &[Role::Proxy]);
    let files = format!(
        "authority = {:?}, {}",
        certificates.file("authority.pem"),
        certificates.pair("proxy")
    );
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let config = Config::new(&[&one, &other]).control(&format!("tls = {{ {files} }}"));
    let proxy = Proxy::start(&config);
    let of = |name: Option<&str>| Browser {
        tls: Some(name.map_or_else(|| certificates.client(), |name| certificates.showing(name).into())),
        ..Browser::new(&proxy)
    };
    for name in [None, Some("eve")] {
        assert_eq!(of(name).get("me").status, 401, "{name:?}");
    }
    let mut ada = of(Some("ada"));
    let me = ada.get("me");
    ada.take(&me);
    let me = json(&me);
    assert_eq!(
        (&me["name"], &me["rights"], &me["until"]),
        (&"ada".into(), &"operate".into(), &serde_json::Value::Null)
    );
    assert_eq!(ada.post("upstreams/drain", r#"{"route":"n1"}"#).status, 200);
    let thief = Browser {
        cookie: ada.cookie.clone(),
        csrf: ada.csrf.clone(),
        ..of(None)
    };
    assert_eq!(thief.get("lately").status, 401);
    assert_eq!(thief.post("upstreams/undrain", r#"{"route":"n1"}"#).status, 401);
}

#[test]
fn a_console_whose_files_are_not_there_is_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("proxy.toml");
    let line = r#"console = { store = ["127.0.0.1:1"], tls = { authority = "/no/a", cert = "/no/c", key = "/no/k" } }"#;
    let config = Config::new(&[&Upstream::named("one")]).control(line);
    std::fs::write(&file, config.at(free_address(), free_address())).expect("a writable directory");
    let (code, _, said) = run(&file, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("control.console.tls: ") && said.contains("/no/"),
        "{said}"
    );
}

#[test]
fn a_console_that_is_off_is_not_there() {
    let one = Upstream::named("one");
    let proxy = Proxy::start(&Config::new(&[&one]).control(r#"console = "off""#));
    let (_, page) = proxy.control_page("/console/").expect("an answer");
    assert!(!page.contains("<html"), "{page}");
    let refused = proxy.console_token(false, 0).expect_err("no token");
    assert!(refused.contains("no console"), "{refused}");
}
