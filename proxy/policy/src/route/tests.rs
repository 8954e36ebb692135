//! Keys and picks as tables, and the promise that no bytes break them.

use remora_fuzz::Target;

use super::*;
use crate::upstream::testing::pool;
use crate::upstream::{Pool, Sticky, UpstreamId};

fn key(route_cookie: Option<&str>, target: &str, cookies: &[&str]) -> String {
    let sticky = Sticky::new("JSESSIONID", route_cookie);
    let cookies = cookies.iter().map(|cookie| cookie.as_bytes());
    let key = RouteKey::read(&sticky, target.as_bytes(), cookies);
    let text =
        |part: Option<&[u8]>| part.map_or("-".to_owned(), |part| String::from_utf8(part.to_vec()).unwrap());
    format!("{} {}", text(key.session), text(key.route))
}

#[test]
fn mode_2_reads_session_and_route_from_cookie_path_and_query() {
    let cases: [(&str, &[&str], &str); 27] = [
        ("/", &["JSESSIONID=A.n1"], "A n1"),
        ("/", &["JSESSIONID=A"], "A -"),
        ("/", &["a=b; JSESSIONID=A.n1; c=d"], "A n1"),
        ("/", &["a=b", "JSESSIONID=A.n1"], "A n1"),
        ("/", &["JSESSIONID = A.n1"], "A n1"),
        // The first dot ends the bare id; the rest is the route, dots and all.
        ("/", &["JSESSIONID=AA.BB.2"], "AA BB.2"),
        // The first usable cookie wins, as in Tomcat.
        ("/", &["JSESSIONID=A.1; JSESSIONID=B.2"], "A 1"),
        ("/", &["JSESSIONID=A b; JSESSIONID=B.2"], "B 2"),
        // Quotes around it are no part of it.
        ("/", &["JSESSIONID=\"A.2\"; JSESSIONID=B.2"], "A 2"),
        ("/", &["JSESSIONID=\"A.2; JSESSIONID=B.2\""], "- -"),
        ("/", &["JSESSIONID=\"\""], "- -"),
        // Names match whole and with their case.
        ("/", &["XJSESSIONID=A.1; JSESSIONID=B.2"], "B 2"),
        ("/", &["jsessionid=A.1"], "- -"),
        // The cookie comes before the URL, the path before the query.
        ("/x;jsessionid=P.2?jsessionid=Q.3", &["JSESSIONID=C.1"], "C 1"),
        ("/x;jsessionid=P.2?jsessionid=Q.3", &[], "P 2"),
        ("/x?jsessionid=Q.3", &[], "Q 3"),
        ("/x?a=b&jsessionid=Q.3&c=d", &[], "Q 3"),
        // Only real parameters steer: no substring, no escape, no part of another name.
        ("/m1/jsessionid=A.2", &[], "- -"),
        ("/m1;foojsessionid=A.2", &[], "- -"),
        ("/m1%3Bjsessionid=A.2", &[], "- -"),
        ("/m1?foojsessionid=A.2", &[], "- -"),
        ("/a;x=y;jsessionid=A.2/b;jsessionid=B.3;z", &[], "B 3"),
        // Values that make no sense are no values.
        ("/", &["JSESSIONID="], "- -"),
        ("/", &["JSESSIONID=.n1"], "- -"),
        ("/", &["JSESSIONID=A."], "A -"),
        ("/", &["JSESSIONID=A b"], "- -"),
        ("/", &["JSESSIONID=A,B"], "- -"),
    ];
    for (target, cookies, expected) in cases {
        assert_eq!(key(None, target, cookies), expected, "{target} {cookies:?}");
    }
}

#[test]
fn mode_1_reads_the_route_from_its_own_cookie_only() {
    let cases: [(&str, &[&str], &str); 11] = [
        ("/", &["ROUTEID=.n1; JSESSIONID=A"], "A n1"),
        ("/", &["ROUTEID=n1"], "- n1"),
        ("/", &["ROUTEID=."], "- -"),
        ("/", &["ROUTEID="], "- -"),
        ("/", &["ROUTEID=\"n1\""], "- -"),
        ("/", &["JSESSIONID=A.n1"], "A -"),
        ("/", &["JSESSIONID=A.n2; ROUTEID=.n1"], "A n1"),
        ("/?ROUTEID=.n2", &["ROUTEID=.n1"], "- n1"),
        // The last usable one: ours is for the whole site, and what httpd left for a longer path comes first.
        ("/", &["ROUTEID=.old; ROUTEID=.n1"], "- n1"),
        ("/", &["ROUTEID=.old", "ROUTEID=.n1; a=b"], "- n1"),
        ("/", &["ROUTEID=.n1; ROUTEID=\"x\"; ROUTEID="], "- n1"),
    ];
    for (target, cookies, expected) in cases {
        assert_eq!(
            key(Some("ROUTEID"), target, cookies),
            expected,
            "{target} {cookies:?}"
        );
    }
}

#[test]
fn a_session_may_have_one_name_in_cookies_and_another_in_urls() {
    let sticky = Sticky::new("SID|sid", None);
    let session = |target: &str, cookies: &str| {
        let key = RouteKey::read(&sticky, target.as_bytes(), std::iter::once(cookies.as_bytes()));
        key.session.map_or("-".to_owned(), |session| {
            String::from_utf8_lossy(session).into_owned()
        })
    };
    assert_eq!(session("/x;sid=P.n1", "SID=C.n1"), "C");
    assert_eq!(session("/x;sid=P.n1", "sid=C.n1"), "P");
    assert_eq!(session("/x;SID=P.n1?SID=Q", ""), "-");
}

#[test]
fn absurd_values_are_no_values() {
    let long = format!("JSESSIONID={}.n1", "A".repeat(300));
    assert_eq!(key(None, "/", &[&long]), "- -");
    let long_route = format!("JSESSIONID=A.{}", "n".repeat(65));
    assert_eq!(key(None, "/", &[&long_route]), "A -");
    assert_eq!(key(None, "/", &["JSESSIONID=\u{e4}.n1"]), "- -");
    assert_eq!(key(None, "/", &["JSESSIONID=A\\.n1"]), "- -");
}

/// Any bytes, and such that look like the real thing in parts.
pub(crate) fn fuzzed(name: &'static str) -> Target {
    let words = [
        "JSESSIONID=",
        "jsessionid=",
        "ROUTEID=",
        "/",
        ";",
        "?",
        "&",
        ".",
        "..",
        "%2e",
        "%2F",
        "%",
        "=",
        "shop",
        "n1",
        "\"",
        "\0",
        " ",
        "A",
        "%00",
        "\\",
        "\u{e4}",
    ];
    let examples = [
        "/shop/../x;jsessionid=A.n1?b=%2e",
        "JSESSIONID=A.n1; ROUTEID=.n1",
        "http://h:80/shop/n1",
    ];
    let examples = examples.map(|text| text.as_bytes().to_vec());
    Target::new(name)
        .words(&words)
        .examples(examples)
        .input_bytes_max(512)
}

#[test]
fn no_bytes_break_the_key() {
    let sticky = Sticky::new("JSESSIONID", Some("ROUTEID"));
    let plain = Sticky::new("JSESSIONID", None);
    fuzzed("a request's key").run(|bytes| {
        let (target, cookie) = bytes.split_at(bytes.len() / 2);
        let mut said = String::new();
        for sticky in [&sticky, &plain] {
            let key = RouteKey::read(sticky, target, std::iter::once(cookie));
            for part in [key.session, key.route].into_iter().flatten() {
                assert!(!part.is_empty() && part.len() <= key::VALUE_MAX);
                assert!(part.iter().all(u8::is_ascii_graphic));
            }
            assert!(!key.session.is_some_and(|session| session.contains(&b'.')));
            said += &format!("{} {} ", key.session.is_some(), key.route.is_some());
        }
        said
    });
}

fn picked<'a>(pool: &Pool, session: &'a str, route: &'a str, tried: &[u32]) -> String {
    let part = |text: &'a str| (!text.is_empty()).then_some(text.as_bytes());
    let tried: Vec<UpstreamId> = tried.iter().map(|id| UpstreamId(*id)).collect();
    let pick = pick(
        pool,
        &RouteKey {
            session: part(session),
            route: part(route),
        },
        &tried,
    );
    match pick {
        Pick::Sticky(upstream) | Pick::Moved(upstream) => format!("{} {}", pick.as_str(), upstream.route),
        Pick::Fresh | Pick::None => pick.as_str().to_owned(),
    }
}

#[test]
fn a_usable_route_is_followed() {
    let three = pool(&["n1 up", "n2 up", "n3 up"]);
    assert_eq!(picked(&three, "A", "n2", &[]), "sticky n2");
    assert_eq!(picked(&three, "", "n2", &[]), "sticky n2");
    assert_eq!(picked(&three, "", "", &[]), "fresh");
    assert_eq!(picked(&three, "", "n9", &[]), "fresh");
    assert_eq!(
        picked(&three, "A", "N2", &[]),
        "moved n3",
        "routes are compared byte for byte"
    );
}

#[test]
fn an_unusable_route_gives_the_stand_in_of_its_session() {
    let whole = pool(&["n1 up", "n2 up", "n3 up"]);
    assert_eq!(picked(&whole, "A", "n9", &[]), "moved n3", "unknown");
    assert_eq!(picked(&whole, "A", "", &[]), "moved n3", "missing");
    let second = picked(&whole, "A", "n3", &[2]);
    assert_ne!(second, "moved n3", "tried");
    for state in [
        "n3 down",
        "n3 unknown",
        "n3 leaving",
        "n3 frozen",
        "n3 up drained",
    ] {
        let pool = pool(&["n1 up", "n2 up", state]);
        assert_eq!(picked(&pool, "A", "n3", &[]), second, "{state}");
    }
    assert_eq!(picked(&whole, "A", "n2", &[0, 1, 2]), "none");
    assert_eq!(picked(&whole, "", "n2", &[1]), "fresh");
}

#[test]
fn drained_upstreams_are_the_last_that_are_up_and_then_panic_rules() {
    let drained = pool(&["n1 down", "n2 up drained"]);
    assert_eq!(picked(&drained, "A", "n2", &[]), "sticky n2");
    assert_eq!(picked(&drained, "A", "n1", &[]), "moved n2");
    let nobody = pool(&["n1 down", "n2 down"]);
    assert_eq!(picked(&nobody, "A", "n1", &[]), "sticky n1");
    assert_eq!(picked(&nobody, "", "", &[]), "fresh");
}

#[test]
fn a_standby_keeps_its_own_users_and_takes_others_when_nobody_active_can() {
    let spare = pool(&["n1 up", "n2 up standby"]);
    assert_eq!(picked(&spare, "A", "n2", &[]), "sticky n2");
    assert_eq!(picked(&spare, "A", "n9", &[]), "moved n1");
    assert_eq!(picked(&spare, "A", "n1", &[0]), "moved n2");
    let away = pool(&["n1 leaving", "n2 up standby"]);
    assert_eq!(picked(&away, "A", "n9", &[]), "moved n2");
    assert_eq!(
        picked(&pool(&["n1 up", "n2 down standby"]), "A", "n2", &[]),
        "moved n1"
    );
}

#[test]
fn who_is_finishing_keeps_users_with_a_session_and_nobody_else() {
    let finish = pool(&["n1 up", "n2 up finishing"]);
    assert_eq!(picked(&finish, "A", "n2", &[]), "sticky n2");
    assert_eq!(picked(&finish, "", "n2", &[]), "fresh");
    assert_eq!(picked(&finish, "A", "n9", &[]), "moved n1");
    assert_eq!(
        picked(&pool(&["n1 up", "n2 down finishing"]), "A", "n2", &[]),
        "moved n1"
    );
    assert_eq!(
        picked(&pool(&["n1 down", "n2 up finishing"]), "A", "n1", &[]),
        "moved n2"
    );
}

#[test]
fn nobody_is_sent_to_who_is_disabled_whatever_becomes_of_the_others() {
    for state in ["disabled", "stopped"] {
        let own = format!("n2 up {state}");
        let down = pool(&["n1 down", &own]);
        assert_eq!(picked(&down, "A", "n2", &[]), "moved n1");
        assert_eq!(picked(&down, "A", "n2", &[0]), "none");
        assert_eq!(picked(&pool(&[&own]), "A", "n2", &[]), "none");
    }
}

#[test]
fn the_first_of_a_route_that_can_serve_its_users() {
    let twice = pool(&["n1 down", "n1 up", "n1 up", "n2 up"]);
    assert_eq!(picked(&twice, "A", "n1", &[]), "sticky n1");
    assert_eq!(picked(&twice, "A", "n1", &[1]), "sticky n1");
    assert_eq!(picked(&twice, "A", "n1", &[1, 2]), "moved n2");
}

#[test]
fn a_redirect_names_who_takes_the_users_of_one_that_cannot_serve() {
    let chain = pool(&[
        "n1 down redirect=n2",
        "n2 disabled redirect=n4",
        "n3 up",
        "n4 up standby",
    ]);
    for session in ["A", "B", "C", "D", ""] {
        assert_eq!(picked(&chain, session, "n1", &[]), "moved n4");
    }
    assert_eq!(picked(&chain, "A", "n1", &[3]), "moved n3");
    let round = pool(&["n1 down redirect=n2", "n2 down redirect=n1", "n3 up"]);
    assert_eq!(picked(&round, "A", "n1", &[]), "moved n3");
    let whole = pool(&["n1 up redirect=n2", "n2 up"]);
    assert_eq!(picked(&whole, "A", "n1", &[]), "sticky n1");
}

#[test]
fn stand_ins_are_sought_in_the_group_first_and_then_in_the_lowest_set() {
    let groups = pool(&[
        "n1 down group=blue",
        "n2 up",
        "n3 up group=green",
        "n4 up group=blue set=1",
        "n5 up group=blue set=2",
    ]);
    for session in ["A", "B", "C", "D"] {
        assert_eq!(picked(&groups, session, "n1", &[]), "moved n4");
        assert_eq!(picked(&groups, session, "n1", &[3]), "moved n5");
        let outside = picked(&groups, session, "n1", &[3, 4]);
        assert!(["moved n2", "moved n3"].contains(&outside.as_str()), "{outside}");
        let stranger = picked(&groups, session, "n9", &[]);
        assert!(
            ["moved n2", "moved n3"].contains(&stranger.as_str()),
            "{stranger}"
        );
    }
    assert_eq!(
        picked(&groups, "A", "n5", &[]),
        "sticky n5",
        "sets are for new users"
    );
    let cold = pool(&["n1 down group=blue", "n2 up", "n3 leaving group=blue"]);
    assert_eq!(
        picked(&cold, "A", "n1", &[]),
        "moved n2",
        "a group is no reason for worse"
    );
}

#[test]
fn the_stand_in_does_not_depend_on_order_or_on_others_that_fall() {
    let one = pool(&["n1 up", "n2 up", "n3 up", "n4 up"]);
    let other = pool(&["n4 up", "n3 up", "n2 up", "n1 up"]);
    let fewer = pool(&["n1 up", "n2 up", "n3 up", "n4 down"]);
    let mut moved = 0;
    let mut counts = [0u32; 5];
    for session in 0..1_000 {
        let session = format!("{session:032X}");
        let stand_in = picked(&one, &session, "", &[]);
        assert_eq!(stand_in, picked(&other, &session, "", &[]));
        let without = picked(&fewer, &session, "", &[]);
        if stand_in == "moved n4" {
            moved += 1;
        } else {
            assert_eq!(stand_in, without, "only the sessions of the fallen upstream move");
        }
        counts[usize::from(stand_in.as_bytes()[7] - b'0')] += 1;
    }
    assert!(moved > 0);
    assert!(
        counts[1..].iter().all(|count| (200..300).contains(count)),
        "spread evenly: {counts:?}"
    );
}

/// The figures were computed by another implementation.
#[test]
fn the_hash_is_fixed_for_ever() {
    assert_eq!(rendezvous::rank(b"", b""), 0x25fc_6dd3_6ce0_4b20);
    assert_eq!(
        rendezvous::rank(b"3F2504E04F8911D39A0C0305E82C3301", b"n1"),
        0x9ef6_95d8_88fe_2749
    );
}
