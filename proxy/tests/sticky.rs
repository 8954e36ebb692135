//! Claim: a user stays with one upstream, moves when it cannot serve, and all requests of one user move to the same.

mod support;

use std::collections::BTreeSet;

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

const NAMES: [&str; 3] = ["one", "two", "three"];

fn three() -> Vec<Upstream> {
    NAMES.iter().map(|name| Upstream::named(name)).collect()
}

fn refs(upstreams: &[Upstream]) -> Vec<&Upstream> {
    upstreams.iter().collect()
}

#[test]
fn the_session_cookie_names_the_upstream() {
    let upstreams = three();
    let proxy = Proxy::start(&Config::new(&refs(&upstreams)));
    for (route, name) in ["n1", "n2", "n3"].iter().zip(NAMES) {
        for _ in 0..3 {
            let cookie = format!("Cookie: other=1; JSESSIONID=ABC.{route}\r\n");
            let response = proxy.client().get("/", &cookie);
            assert_eq!(response.text(), name);
            assert!(
                response.fields("set-cookie").is_empty(),
                "mode 2: Tomcat writes the cookie"
            );
            assert_eq!(
                proxy
                    .client()
                    .get(&format!("/a;jsessionid=ABC.{route}?x"), "")
                    .text(),
                name
            );
        }
    }
}

#[test]
fn the_route_cookie_is_set_when_the_route_changes() {
    let upstreams = three();
    let proxy = Proxy::start(&Config::with_route_cookie(&refs(&upstreams)));
    let first = proxy.client().get("/", "");
    let set = first
        .field("set-cookie")
        .expect("a new user is marked")
        .to_owned();
    let route = set
        .strip_prefix("ROUTEID=.")
        .and_then(|rest| rest.split(';').next())
        .expect("httpd's form");
    assert_eq!(set, format!("ROUTEID=.{route}; Path=/; HttpOnly; SameSite=Lax"));
    for form in [format!(".{route}"), route.to_owned()] {
        let again = proxy.client().get("/", &format!("Cookie: ROUTEID={form}\r\n"));
        assert_eq!(again.text(), first.text());
        assert!(again.fields("set-cookie").is_empty(), "nothing changed");
    }
    let unknown = proxy
        .client()
        .get("/", "Cookie: ROUTEID=.nowhere; JSESSIONID=ABC\r\n");
    assert!(
        unknown.field("set-cookie").is_some(),
        "an unknown route is replaced"
    );
}

#[test]
fn where_users_do_not_stick_each_request_is_a_new_users() {
    let upstreams = three();
    let config = Config::new(&refs(&upstreams)).sticky("sticky = \"off\"");
    let proxy = Proxy::start(&config.one_thread());
    let mut answers = Vec::new();
    for _ in 0..6 {
        let fields = "Cookie: JSESSIONID=ABC.n1; ROUTEID=.n1\r\n";
        let response = proxy.client().get("/a;jsessionid=ABC.n1", fields);
        assert!(response.fields("set-cookie").is_empty());
        answers.push(response.text());
    }
    answers.sort();
    assert_eq!(answers, ["one", "one", "three", "three", "two", "two"]);
}

#[test]
fn an_upstream_that_declined_the_request_does_not_get_its_user() {
    let declining = [(); 2].map(|()| {
        Upstream::start(|seen| match seen.target.as_str() {
            "/ok" => Act::text("ok"),
            _ => Act::answer("503 Service Unavailable", "Remora-Effect: none\r\n", "no"),
        })
    });
    let proxy = Proxy::start(&Config::with_route_cookie(&[&declining[0], &declining[1]]));
    for cookie in ["", "Cookie: ROUTEID=.n1; JSESSIONID=A\r\n"] {
        let response = proxy.client().get("/", cookie);
        assert_eq!((response.status, response.text().as_str()), (503, "no"));
        assert!(response.fields("set-cookie").is_empty(), "{cookie}");
    }
    assert_eq!(proxy.client().get("/ok", "").fields("set-cookie").len(), 1);
}

#[test]
fn parallel_requests_of_one_user_choose_the_same_stand_in() {
    let upstreams = three();
    let config = Config::new(&refs(&upstreams));
    upstreams[0].stop_listening();
    let (here, there) = (Proxy::start(&config), Proxy::start(&config));
    let mut stand_ins = BTreeSet::new();
    for user in 0..12 {
        let cookie = format!("Cookie: JSESSIONID=USER{user}.n1\r\n");
        let mut clients: Vec<_> = (0..10)
            .map(|n| if n % 2 == 0 { here.client() } else { there.client() })
            .collect();
        for client in &mut clients {
            client.send(format!("GET / HTTP/1.1\r\nHost: shop\r\n{cookie}\r\n"));
        }
        let answers: BTreeSet<String> = clients
            .iter_mut()
            .map(|client| client.response().text())
            .collect();
        assert_eq!(
            answers.len(),
            1,
            "user {user} is answered by one stand-in, by both proxies"
        );
        stand_ins.extend(answers);
    }
    assert_eq!(
        stand_ins.len(),
        2,
        "users of a dead upstream spread over the others"
    );
}

#[test]
fn new_users_spread_evenly() {
    let upstreams = three();
    let proxy = Proxy::start(&Config::new(&refs(&upstreams)).one_thread());
    for _ in 0..30 {
        assert_eq!(proxy.client().get("/", "").status, 200);
    }
    assert!(upstreams.iter().all(|upstream| upstream.seen().len() == 10));
}

#[test]
fn a_user_is_not_moved_back_when_the_dead_upstream_returns() {
    let upstreams = three();
    let proxy = Proxy::start(&Config::with_route_cookie(&refs(&upstreams)));
    let cookie = "JSESSIONID=ABC; ROUTEID=";
    let believed = r#"remora_proxy_upstream_health{pool="tomcat",route="n1"}"#;
    upstreams[0].die();
    wait_until("it is believed down", || proxy.figure(believed) == Some(0.0));
    let moved = proxy.client().get("/", &format!("Cookie: {cookie}.n1\r\n"));
    let set = moved.field("set-cookie").expect("the new route").to_owned();
    let route = set.split(['=', ';']).nth(1).expect("a value").to_owned();
    upstreams[0].revive();
    wait_until("new users reach it again", || {
        proxy.client().get("/", "").text() == "one"
    });
    for _ in 0..5 {
        let response = proxy.client().get("/", &format!("Cookie: {cookie}{route}\r\n"));
        assert_eq!(response.text(), moved.text());
    }
}

#[test]
fn drained_upstream_takes_nothing_new_and_loses_nobody() {
    let slow = Upstream::start(|seen| match seen.target.as_str() {
        "/slow" => Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow".to_vec()),
        _ => Act::text("drained"),
    });
    let other = Upstream::named("other");
    let proxy = Proxy::start(&Config::new(&[&slow, &other]));
    let cookie = "Cookie: JSESSIONID=ABC.n1\r\n";
    let mut in_flight = proxy.client();
    in_flight.send(format!("GET /slow HTTP/1.1\r\nHost: shop\r\n{cookie}\r\n"));
    wait_until("a request is in flight", || slow.seen().len() == 1);
    proxy.drain("n1");
    for _ in 0..10 {
        assert_eq!(
            proxy.client().get("/", "").text(),
            "other",
            "new users go elsewhere"
        );
        assert_eq!(
            proxy.client().get("/", cookie).text(),
            "other",
            "so do its own, at once"
        );
    }
    slow.release();
    assert_eq!(
        in_flight.response().text(),
        "slow",
        "what was in flight ends there"
    );
    other.stop_listening();
    wait_until("a drained one is better than none", || {
        proxy.client().get("/", cookie).text() == "drained"
    });
}

#[test]
fn a_route_cookie_that_httpd_left_for_a_longer_path_moves_nobody() {
    let upstreams = three();
    let proxy = Proxy::start(&Config::with_route_cookie(&refs(&upstreams)));
    let response = proxy
        .client()
        .get("/shop/x", "Cookie: ROUTEID=.n1; ROUTEID=.n2; JSESSIONID=ABC\r\n");
    assert_eq!(
        response.text(),
        "two",
        "the browser sends the longer path's first"
    );
    assert!(response.fields("set-cookie").is_empty());
}
