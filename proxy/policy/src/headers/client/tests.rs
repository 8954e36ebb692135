//! Every sentence about who the client is, with what proxies write and what clients make up.

use super::super::tests::bytes;
use super::*;

/// A site behind 10.0.0.0/8, which everybody else is outside of.
fn trusts(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.octets()[0] == 10)
}

/// The view of a request that came from this peer: client, hops behind it, then scheme, host, port.
fn seen(header: ForwardingHeader, peer: &str, fields: &[(&str, &str)]) -> String {
    let peer = Peer {
        address: peer.parse().unwrap(),
        scheme: Scheme::Http,
    };
    let view = ClientView::of(&peer, header, trusts, &bytes(fields));
    let hops: Vec<String> = view.hops.iter().map(|hop| format!("{hop} ")).collect();
    let (scheme, host) = (view.scheme.as_str(), String::from_utf8_lossy(view.host));
    format!("{} {}{scheme} {host} {}", view.address, hops.concat(), view.port)
}

fn check(header: ForwardingHeader, peer: &str, cases: &[(&[(&str, &str)], &str)]) {
    for (fields, expected) in cases {
        let fields = [&[("Host", "shop.test")], *fields].concat();
        assert_eq!(seen(header, peer, &fields), *expected, "{fields:?}");
    }
}

use ForwardingHeader::{Forwarded, XForwardedFor};

#[test]
fn a_peer_that_is_not_trusted_is_the_client_whatever_it_says() {
    for header in [XForwardedFor, Forwarded] {
        check(
            header,
            "192.0.2.7",
            &[(
                &[
                    ("X-Forwarded-For", "9.9.9.9"),
                    ("X-Forwarded-Proto", "https"),
                    ("X-Forwarded-Host", "evil"),
                    ("X-Forwarded-Port", "1"),
                    ("Forwarded", "for=9.9.9.9;proto=https;host=evil"),
                ],
                "192.0.2.7 http shop.test 80",
            )],
        );
    }
}

#[test]
fn the_client_is_the_first_from_the_right_that_nobody_vouches_for() {
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[], "10.0.0.1 http shop.test 80"),
        (
            &[("X-Forwarded-For", "9.9.9.9")],
            "9.9.9.9 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "1.1.1.1, 9.9.9.9")],
            "9.9.9.9 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "1.1.1.1, 9.9.9.9,10.0.0.3 , 10.0.0.2")],
            "9.9.9.9 10.0.0.3 10.0.0.2 10.0.0.1 http shop.test 80",
        ),
        (
            &[
                ("X-Forwarded-For", "1.1.1.1"),
                ("x-forwarded-for", "9.9.9.9"),
                ("X_Forwarded_For", "10.0.0.2"),
            ],
            "9.9.9.9 10.0.0.2 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "10.0.0.3, 10.0.0.2")],
            "10.0.0.3 10.0.0.2 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "9.9.9.9, unknown, 10.0.0.2")],
            "10.0.0.2 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "9.9.9.9, 010.0.0.2")],
            "10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "9.9.9.9,,")],
            "9.9.9.9 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "9.9.9.9:4711")],
            "9.9.9.9 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "[2001:db8::1]:4711")],
            "2001:db8::1 10.0.0.1 http shop.test 80",
        ),
        (
            &[("X-Forwarded-For", "::ffff:9.9.9.9")],
            "9.9.9.9 10.0.0.1 http shop.test 80",
        ),
    ];
    check(XForwardedFor, "10.0.0.1", &cases);
    assert_eq!(
        seen(
            XForwardedFor,
            "::ffff:10.0.0.1",
            &[("X-Forwarded-For", "9.9.9.9")]
        ),
        "9.9.9.9 10.0.0.1 http  80",
        "an old address on a new socket"
    );
}

#[test]
fn forwarded_is_walked_the_same_way() {
    let cases: [(&[(&str, &str)], &str); 9] = [
        (
            &[("Forwarded", "for=9.9.9.9;proto=https;host=public.test")],
            "9.9.9.9 10.0.0.1 https public.test 443",
        ),
        (
            &[(
                "Forwarded",
                "for=1.1.1.1, For=\"9.9.9.9:80\";by=x , for=10.0.0.2; Proto=\"HTTPS\"",
            )],
            "9.9.9.9 10.0.0.2 10.0.0.1 https shop.test 443",
        ),
        (
            &[("Forwarded", "for=9.9.9.9"), ("forwarded", "for=10.0.0.2")],
            "9.9.9.9 10.0.0.2 10.0.0.1 http shop.test 80",
        ),
        (
            &[("Forwarded", "for=\"[2001:db8::1]\";host=\"p.test:8443\"")],
            "2001:db8::1 10.0.0.1 http p.test:8443 8443",
        ),
        (
            &[("Forwarded", "for=_hidden, for=10.0.0.2")],
            "10.0.0.2 10.0.0.1 http shop.test 80",
        ),
        (
            &[("Forwarded", "for=\", for=9.9.9.9")],
            "9.9.9.9 10.0.0.1 http shop.test 80",
        ),
        (
            &[("Forwarded", "for=1.1.1.1, for=\"a,b\\\"\";proto=https")],
            "10.0.0.1 https shop.test 443",
        ),
        (
            &[("Forwarded", "for=9.9.9.9;for=8.8.8.8")],
            "10.0.0.1 http shop.test 80",
        ),
        (
            &[
                ("X-Forwarded-For", "9.9.9.9"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil"),
            ],
            "10.0.0.1 http shop.test 80",
        ),
    ];
    check(Forwarded, "10.0.0.1", &cases);
    check(
        XForwardedFor,
        "10.0.0.1",
        &[(
            &[("Forwarded", "for=9.9.9.9;proto=https;host=evil")],
            "10.0.0.1 http shop.test 80",
        )],
    );
}

#[test]
fn scheme_host_and_port_are_what_the_nearest_hop_wrote() {
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("X-Forwarded-Proto", "https")], "10.0.0.1 https shop.test 443"),
        (
            &[("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "x, HTTPS")],
            "10.0.0.1 https shop.test 443",
        ),
        (
            &[("X-Forwarded-Proto", "https, http")],
            "10.0.0.1 http shop.test 80",
        ),
        (&[("X-Forwarded-Proto", "wss")], "10.0.0.1 https shop.test 443"),
        (&[("X-Forwarded-Proto", "gopher")], "10.0.0.1 http shop.test 80"),
        (
            &[("X-Forwarded-Host", "a.test, b.test:81")],
            "10.0.0.1 http b.test:81 81",
        ),
        (
            &[("X-Forwarded-Host", "b.test:81"), ("X-Forwarded-Port", "444")],
            "10.0.0.1 http b.test:81 444",
        ),
        (
            &[("X-Forwarded-Host", "b/test"), ("X-Forwarded-Port", "+1")],
            "10.0.0.1 http shop.test 80",
        ),
    ];
    check(XForwardedFor, "10.0.0.1", &cases);
}

#[test]
fn a_port_that_nobody_names_is_that_of_the_host_and_then_of_the_scheme() {
    for (host, proto, expected) in [
        ("shop.test", "http", "http shop.test 80"),
        ("shop.test", "https", "https shop.test 443"),
        ("shop.test:8443", "https", "https shop.test:8443 8443"),
        ("[2001:db8::1]", "https", "https [2001:db8::1] 443"),
        ("[2001:db8::1]:81", "http", "http [2001:db8::1]:81 81"),
        ("shop.test:", "http", "http shop.test: 80"),
        ("shop.test:0", "http", "http shop.test:0 80"),
        ("shop.test:65536", "http", "http shop.test:65536 80"),
    ] {
        let fields = [("Host", host), ("X-Forwarded-Proto", proto)];
        let view = seen(XForwardedFor, "10.0.0.1", &fields);
        assert_eq!(view, format!("10.0.0.1 {expected}"));
    }
}

#[test]
fn an_authority_names_a_port_that_is_not_the_schemes() {
    for (fields, expected) in [
        (&[("Host", "shop.test:80")][..], "shop.test"),
        (&[("Host", "shop.test:81")], "shop.test:81"),
        (
            &[("Host", "shop.test:81"), ("X-Forwarded-Port", "80")],
            "shop.test",
        ),
        (&[("Host", "[::1]"), ("X-Forwarded-Port", "81")], "[::1]:81"),
        (&[], ""),
    ] {
        let peer = Peer {
            address: "10.0.0.1".parse().unwrap(),
            scheme: Scheme::Http,
        };
        let view = ClientView::of(&peer, XForwardedFor, trusts, &bytes(fields));
        let mut authority = Vec::new();
        view.write_authority(&mut authority);
        assert_eq!(String::from_utf8(authority).unwrap(), expected);
    }
}

#[test]
fn no_bytes_break_the_view() {
    crate::route::tests::fuzzed("a forwarding field").run(|noise| {
        let mut said = String::new();
        for header in [XForwardedFor, Forwarded] {
            let peer = Peer {
                address: "10.0.0.1".parse().unwrap(),
                scheme: Scheme::Http,
            };
            let names = [
                &b"forwarded"[..],
                b"x-forwarded-for",
                b"x-forwarded-proto",
                b"x-forwarded-host",
                b"x-forwarded-port",
                b"host",
            ];
            let fields = names.map(|name| (name, noise));
            let view = ClientView::of(&peer, header, trusts, &fields.into_iter());
            said += &format!("{} {:?} {}", view.address, view.scheme, view.port);
        }
        said
    });
}
