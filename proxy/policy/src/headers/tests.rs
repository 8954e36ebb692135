//! What passes, what is told, what is mapped back.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::route::PathRoute;

type Field<'a> = (&'a str, &'a str);

pub(super) fn bytes<'a>(
    fields: &'a [Field<'a>],
) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> + Clone {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

fn client(trusted: bool) -> ClientView<'static> {
    ClientView {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        trusted,
        hops: Vec::new(),
        scheme: Scheme::Https,
        host: b"shop.example",
        sent_host: b"shop.example",
        port: 443,
    }
}

/// The fields that an upstream gets.
fn sent(fields: &[Field<'_>], client: &ClientView<'_>) -> Vec<String> {
    let listed = Listed::read(bytes(fields));
    let upgrade = Upgrade::asked("GET", true, bytes(fields));
    let kept = fields
        .iter()
        .filter(|(name, _)| edit_request(name.as_bytes(), &listed, client, upgrade) == FieldEdit::Keep)
        .map(|(name, value)| format!("{name}: {value}"));
    let added = added_to_request(client, upgrade);
    let added = added.iter().map(|(name, value)| {
        format!(
            "{}: {}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        )
    });
    kept.chain(added).collect()
}

const TOLD: [&str; 4] = [
    "x-forwarded-for: 192.0.2.7",
    "x-forwarded-proto: https",
    "x-forwarded-host: shop.example",
    "x-forwarded-port: 443",
];

#[test]
fn fields_of_one_connection_end_here() {
    let fields = [
        ("Host", "shop.example"),
        ("Connection", "keep-alive, X-Mine , close"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "x"),
        ("Proxy-Authorization", "x"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("x-mine", "1"),
        ("X-Yours", "2"),
    ];
    assert_eq!(
        sent(&fields, &client(false)),
        [&["Host: shop.example", "X-Yours: 2"][..], &TOLD].concat()
    );
}

#[test]
fn connection_cannot_remove_what_a_request_means() {
    let protected = [
        ("Host", "shop.example"),
        ("Content-Length", "3"),
        ("Cookie", "JSESSIONID=A"),
        ("Authorization", "Basic x"),
    ];
    let list = protected.map(|(name, _)| name.to_lowercase()).join(",");
    let fields = [
        &[
            ("Connection", &*list),
            ("connection", "x-forwarded-for, Set-Cookie"),
        ],
        &protected[..],
    ]
    .concat();
    let expected: Vec<String> = protected
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(sent(&fields, &client(false))[..4], expected);
    assert_eq!(sent(&fields, &client(false))[4..], TOLD);
}

#[test]
fn what_an_untrusted_client_says_of_itself_is_replaced() {
    let fields = [
        ("X-Forwarded-For", "10.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("X-Forwarded-Host", "evil"),
        ("X_Forwarded_For", "10.0.0.2"),
        ("X-Forwarded-Anything", "x"),
        ("Forwarded", "for=10.0.0.1"),
        ("X-Real-IP", "10.0.0.1"),
        ("Proxy", "http://evil"),
    ];
    assert_eq!(sent(&fields, &client(false)), TOLD);
}

#[test]
fn an_upstream_is_told_what_the_view_says_and_nothing_that_came_in() {
    let fields = [
        ("X-Forwarded-For", "203.0.113.9, 198.51.100.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "public.example"),
        ("X-Forwarded-Prefix", "/x"),
        ("X-Real-IP", "198.51.100.1"),
        ("Forwarded", "for=203.0.113.9"),
    ];
    let view = ClientView {
        hops: [9, 10]
            .map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
            .to_vec(),
        ..client(true)
    };
    assert_eq!(
        sent(&fields, &view),
        [
            &[
                "X-Forwarded-Prefix: /x",
                "X-Real-IP: 198.51.100.1",
                "x-forwarded-for: 192.0.2.7, 10.0.0.9, 10.0.0.10",
            ][..],
            &TOLD[1..],
        ]
        .concat()
    );
}

#[test]
fn our_own_fields_never_cross() {
    let fields = [
        ("Remora-Effect", "none"),
        ("remora_effect", "none"),
        ("REMORA-Anything", "1"),
    ];
    assert_eq!(sent(&fields, &client(true))[..1], ["x-forwarded-for: 192.0.2.7"]);
    for (name, value) in fields {
        assert_eq!(response(name, value), FieldEdit::Drop, "{name}");
    }
    assert!(declines(b"Remora-Effect", b" None "));
    assert!(!declines(b"Remora-Effect", b"certain"));
    assert!(!declines(b"X-Remora-Effect", b"none"));
}

#[test]
fn nothing_that_a_rule_is_about_may_trail() {
    for name in [
        "Cookie",
        "Set-Cookie",
        "HOST",
        "content-length",
        "Authorization",
        "X-Forwarded-For",
        "x_forwarded_proto",
        "Remora-Effect",
        "Connection",
        "Transfer-Encoding",
        "Content-Type",
        "Location",
    ] {
        assert!(!may_trail(name.as_bytes()), "{name}");
    }
    assert!(may_trail(b"X-Checksum") && may_trail(b"Server-Timing") && may_trail(b"Digest"));
}

const ASKED: [Field<'static>; 2] = [("Connection", "Upgrade"), ("Upgrade", "websocket")];

#[test]
fn an_upgrade_passes_only_when_connection_says_so() {
    let expected = [&["Upgrade: websocket"][..], &TOLD, &["connection: upgrade"]].concat();
    assert_eq!(sent(&ASKED, &client(false)), expected);
    assert_eq!(sent(&[("Upgrade", "websocket")], &client(false)), TOLD);
}

#[test]
fn a_tunnel_is_websocket_alone_and_without_a_body() {
    let asked = |method, http11, more: &[Field<'_>]| {
        let fields = [&ASKED[..], more].concat();
        Upgrade::asked(method, http11, bytes(&fields))
    };
    assert_eq!(asked("GET", true, &[]), Upgrade::WebSocket);
    assert_eq!(asked("GET", true, &[("Content-Length", "0")]), Upgrade::WebSocket);
    assert_eq!(asked("POST", true, &[]), Upgrade::No);
    assert_eq!(asked("GET", false, &[]), Upgrade::No);
    for more in [
        ("Content-Length", "4"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Upgrade", "websocket"),
    ] {
        assert_eq!(asked("GET", true, &[more]), Upgrade::No, "{more:?}");
    }
    let h2c = [("Connection", "Upgrade"), ("Upgrade", "h2c")];
    assert_eq!(Upgrade::asked("GET", true, bytes(&h2c)), Upgrade::No);
    assert!(Upgrade::WebSocket.is_granted(bytes(&ASKED)));
    assert!(!Upgrade::WebSocket.is_granted(bytes(&h2c)));
    assert!(!Upgrade::WebSocket.is_granted(bytes(&ASKED[1..])));
    assert!(!Upgrade::No.is_granted(bytes(&ASKED)), "nobody asked");
}

fn mapped(public: &str, internal: &str, name: &str, value: &str) -> FieldEdit {
    let route = PathRoute {
        public: public.into(),
        internal: internal.into(),
        pool: 0,
    };
    let origin = Origin {
        route: &route,
        upstream: "127.0.0.1:8081",
        client: &client(false),
    };
    edit_response(
        name.as_bytes(),
        value.as_bytes(),
        &Listed::default(),
        &origin,
        Upgrade::No,
    )
}

fn response(name: &str, value: &str) -> FieldEdit {
    mapped("/shop", "/cart", name, value)
}

fn check(name: &str, cases: &[(&str, &str)]) {
    for (value, expected) in cases {
        let edit = if value == expected {
            FieldEdit::Keep
        } else {
            FieldEdit::Replace(expected.as_bytes().to_vec())
        };
        assert_eq!(response(name, value), edit, "{name}: {value}");
    }
}

#[test]
fn redirects_come_back_to_where_the_client_is() {
    let cases = [
        ("/cart", "/shop"),
        ("/cart/x?y#z", "/shop/x?y#z"),
        ("/cart;jsessionid=A.n1", "/shop;jsessionid=A.n1"),
        ("/carton", "/carton"),
        ("/other", "/other"),
        ("x/y", "x/y"),
        ("", ""),
        ("http://127.0.0.1:8081/cart/x", "https://shop.example/shop/x"),
        ("http://shop.example/cart/x", "http://shop.example/shop/x"),
        ("https://shop.example/cart/x", "https://shop.example/shop/x"),
        ("HTTP://SHOP.example/cart", "HTTP://SHOP.example/shop"),
        ("//shop.example/cart/x", "//shop.example/shop/x"),
        ("//127.0.0.1:8081/cart/x", "//shop.example/shop/x"),
        ("http://127.0.0.1:8081/other", "http://127.0.0.1:8081/other"),
        ("http://127.0.0.1:80811/cart", "http://127.0.0.1:80811/cart"),
        ("https://elsewhere.example/cart", "https://elsewhere.example/cart"),
        ("ftp://shop.example/cart", "ftp://shop.example/cart"),
        ("mailto:a@b", "mailto:a@b"),
    ];
    for name in ["Location", "content-location", "URI"] {
        check(name, &cases);
    }
    check("X-Location", &[("/cart", "/cart")]);
}

#[test]
fn an_unmapped_route_still_mends_scheme_and_host() {
    let same = |value: &str| mapped("", "", "location", value);
    let mended = FieldEdit::Replace(b"https://shop.example/x".to_vec());
    assert_eq!(same("http://127.0.0.1:8081/x"), mended);
    assert_eq!(same("https://shop.example/x"), FieldEdit::Keep);
    assert_eq!(same("/x"), FieldEdit::Keep);
    assert_eq!(
        same("http://127.0.0.1:8081"),
        FieldEdit::Replace(b"https://shop.example/".to_vec())
    );
}

#[test]
fn a_redirect_to_the_client_s_own_host_keeps_its_scheme() {
    let route = PathRoute {
        public: "/shop".into(),
        internal: "/cart".into(),
        pool: 0,
    };
    let client = ClientView {
        scheme: Scheme::Http,
        port: 80,
        ..client(false)
    };
    let origin = Origin {
        route: &route,
        upstream: "127.0.0.1:8081",
        client: &client,
    };
    let edit = |value: &str| {
        edit_response(
            b"location",
            value.as_bytes(),
            &Listed::default(),
            &origin,
            Upgrade::No,
        )
    };
    let mapped = FieldEdit::Replace(b"https://shop.example/shop/login".to_vec());
    assert_eq!(edit("https://shop.example/cart/login"), mapped);
    let mended = FieldEdit::Replace(b"http://shop.example/shop".to_vec());
    assert_eq!(edit("https://127.0.0.1:8081/cart"), mended);
}

#[test]
fn cookie_paths_come_back_to_where_the_client_is() {
    check(
        "Set-Cookie",
        &[
            (
                "JSESSIONID=A.n1; Path=/cart; HttpOnly",
                "JSESSIONID=A.n1; Path=/shop; HttpOnly",
            ),
            ("JSESSIONID=A.n1;path = /cart/x", "JSESSIONID=A.n1;path =/shop/x"),
            ("a=b; Path=/", "a=b; Path=/"),
            ("a=b; Path=/carton", "a=b; Path=/carton"),
            ("a=b", "a=b"),
            ("path=/cart", "path=/cart"),
            ("a=Path=/cart; Secure", "a=Path=/cart; Secure"),
        ],
    );
}

#[test]
fn the_cookie_of_a_root_application_covers_its_public_path_itself() {
    let edit = |value: &str| mapped("/shop", "", "set-cookie", value);
    let replaced = |value: &str| FieldEdit::Replace(value.as_bytes().to_vec());
    assert_eq!(
        edit("A=B; Path=/; HttpOnly"),
        replaced("A=B; Path=/shop; HttpOnly")
    );
    assert_eq!(edit("A=B; Path=/x/"), replaced("A=B; Path=/shop/x/"));
    assert_eq!(mapped("", "", "set-cookie", "A=B; Path=/"), FieldEdit::Keep);
}

#[test]
fn no_bytes_break_the_edits() {
    let route = PathRoute {
        public: "/shop".into(),
        internal: "/cart".into(),
        pool: 0,
    };
    crate::route::tests::fuzzed("a field").run(|noise| {
        let client = ClientView {
            host: noise,
            ..client(true)
        };
        let origin = Origin {
            route: &route,
            upstream: "h:80",
            client: &client,
        };
        let listed = Listed::read([(&b"connection"[..], noise)].into_iter());
        let mut said = String::new();
        for name in [&b"location"[..], b"set-cookie", noise] {
            for upgrade in [Upgrade::No, Upgrade::WebSocket] {
                let edits = [
                    edit_response(name, noise, &listed, &origin, upgrade),
                    edit_request(name, &listed, &client, upgrade),
                ];
                said += &format!("{:?}", edits.map(|edit| std::mem::discriminant(&edit)));
            }
        }
        said
    });
}
