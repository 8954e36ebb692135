//! What passes, what is told, what is mapped back.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

type Field<'a> = (&'a str, &'a str);

pub(super) fn bytes<'a>(
    fields: &'a [Field<'a>],
) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> + Clone {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

pub(super) fn client(trusted: bool) -> ClientView<'static> {
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
    sent_over(None, fields, client)
}

/// The same over TLS that ends here.
fn sent_over(
    secured: Option<&[(&'static str, String)]>,
    fields: &[Field<'_>],
    client: &ClientView<'_>,
) -> Vec<String> {
    let listed = Listed::read(bytes(fields));
    let upgrade = Upgrade::asked("GET", true, bytes(fields));
    let told = Told {
        client,
        upgrade,
        secured,
        request_id: "r1",
        via: "1.1 remora-1",
    };
    let kept = fields
        .iter()
        .filter(|(name, _)| edit_request(name.as_bytes(), &listed, &told) == FieldEdit::Keep)
        .map(|(name, value)| format!("{name}: {value}"));
    let mut sent: Vec<String> = kept.collect();
    added_to_request(&told, |name, value| {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        sent.push(format!("{name}: {value}"));
    });
    sent
}

const TOLD: [&str; 6] = [
    "x-forwarded-for: 192.0.2.7",
    "x-forwarded-proto: https",
    "x-forwarded-host: shop.example",
    "x-forwarded-port: 443",
    "x-request-id: r1",
    "via: 1.1 remora-1",
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

/// What servers believe of whoever asks, by any of its spellings.
const VOUCHES: [Field<'static>; 12] = [
    ("SSL_CLIENT_CERT", "x"),
    ("ssl-cipher", "x"),
    ("Ssl_Session_Id", "x"),
    ("X-SSL-Client-Verify", "SUCCESS"),
    ("X_Client_Cert", "x"),
    ("Client-Cert-Chain", "x"),
    ("True-Client-IP", "9.9.9.9"),
    ("CF-Connecting-IP", "9.9.9.9"),
    ("Front-End-Https", "on"),
    ("X-Original-URL", "/admin"),
    ("Remote_User", "root"),
    ("X-Amzn-Oidc-Identity", "root"),
];

#[test]
fn nobody_vouches_for_himself() {
    assert_eq!(sent(&VOUCHES, &client(false)), TOLD);
    let told = sent(&VOUCHES, &client(true));
    assert_eq!(told.len(), VOUCHES.len() + TOLD.len(), "a trusted front does");
    for (name, _) in VOUCHES {
        assert!(!may_trail(name.as_bytes()), "{name}");
    }
    let listed = [&VOUCHES[..], &[("Connection", "ssl_client_cert, remote-user")]].concat();
    assert_eq!(
        sent(&listed, &client(true)),
        told,
        "and Connection takes none away"
    );
}

#[test]
fn of_tls_that_ends_here_nobody_else_tells() {
    let secured = [("client-cert", ":AQ==:".to_owned())];
    for trusted in [false, true] {
        let told = sent_over(Some(&secured), &VOUCHES[..6], &client(trusted));
        let expected = [&TOLD[..4], &["client-cert: :AQ==:"], &TOLD[4..]].concat();
        assert_eq!(told, expected);
    }
    let others = sent_over(Some(&[]), &VOUCHES[6..], &client(true));
    assert_eq!(
        others.len(),
        VOUCHES.len() - 6 + TOLD.len(),
        "the rest is a front's to say"
    );
}

#[test]
fn a_rule_covers_a_name_in_all_its_spellings_and_none_that_a_message_rests_on() {
    let rules = FieldRules {
        set: vec![("X-Site".into(), "one".into())],
        unset: vec!["X_Old".into()],
    };
    for (name, covered) in [
        ("x-site", true),
        ("X_SITE", true),
        ("x-old", true),
        ("X-Older", false),
    ] {
        assert_eq!(rules.cover(name.as_bytes()), covered, "{name}");
    }
    for name in [
        "Host",
        "content_length",
        "Transfer-Encoding",
        "Connection",
        "Cookie",
        "Set-Cookie",
        "Remora-Effect",
        "X-Forwarded-For",
        "Via",
    ] {
        assert!(!FieldRules::may_name(name.as_bytes()), "{name}");
    }
    assert!(FieldRules::may_name(b"Server") && FieldRules::may_name(b"SSL_CLIENT_CERT"));
}

#[test]
fn a_request_keeps_the_id_that_a_trusted_peer_gave() {
    let long = "x".repeat(129);
    for (trusted, value, expected) in [
        (true, "7f-1_a.b:c/d+e=@f", Some("7f-1_a.b:c/d+e=@f")),
        (true, &long[1..], Some(&long[1..])),
        (true, &long, None),
        (true, "", None),
        (true, "a b", None),
        (true, "a\"", None),
        (false, "7f", None),
    ] {
        let fields = [("X-Request-ID", value)];
        assert_eq!(
            given_request_id(&client(trusted), bytes(&fields)),
            expected,
            "{value}"
        );
    }
    let given = [("x_request_id", "theirs")];
    assert_eq!(sent(&given, &client(true)), TOLD, "it is told once");
}

#[test]
fn a_trace_is_logged_if_it_is_one() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let of = |value| traceparent(bytes(&[("Traceparent", value)])).map(str::to_owned);
    assert_eq!(of(good), Some(good.to_owned()));
    for wrong in [&good[1..], &good.to_uppercase(), &good.replacen('-', "0", 1), ""] {
        assert_eq!(of(wrong), None, "{wrong}");
    }
    assert_eq!(
        sent(&[("traceparent", good)], &client(false)).len(),
        TOLD.len() + 1
    );
}

#[test]
fn a_request_that_was_here_is_known_by_its_via() {
    let here = |lines: &[&str]| {
        let fields: Vec<Field<'_>> = lines.iter().map(|line| ("Via", *line)).collect();
        has_been_here(bytes(&fields), b"remora-1")
    };
    assert!(
        here(&["1.1 remora-1"]) && here(&["1.0 fred, 1.1 remora-1 (x)"]) && here(&["1.1 a", "1.1 remora-1"])
    );
    assert!(!here(&[]) && !here(&["1.1 remora-12", "remora-1", "1.1 fred (remora-1)"]));
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

#[test]
fn of_two_rules_about_a_field_the_later_one_holds() {
    let rules = |set: &[(&str, &str)], unset: &[&str]| FieldRules {
        set: set
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        unset: unset.iter().map(|name| (*name).into()).collect(),
    };
    let site = rules(&[("A", "1"), ("B", "1"), ("X-C", "1")], &["D", "E"]);
    let route = rules(&[("B", "2"), ("d", "2")], &["X_C"]);
    assert_eq!(
        site.followed_by(&route),
        rules(&[("A", "1"), ("B", "2"), ("d", "2")], &["E", "X_C"])
    );
    assert_eq!(site.followed_by(&FieldRules::default()), site);
}
