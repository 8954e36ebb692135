//! What is mapped back, and what is left as it is.

use super::super::tests::client;
use super::super::*;
use crate::route::PathRoute;

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
                    edit_request(
                        name,
                        &listed,
                        &Told {
                            client: &client,
                            upgrade,
                            request_id: "r1",
                            via: "1.1 remora-1",
                        },
                    ),
                ];
                said += &format!("{:?}", edits.map(|edit| std::mem::discriminant(&edit)));
            }
        }
        said
    });
}

#[test]
fn our_own_fields_never_reach_a_client() {
    for name in ["Remora-Effect", "remora_effect", "REMORA-Anything"] {
        assert_eq!(response(name, "none"), FieldEdit::Drop, "{name}");
    }
}
