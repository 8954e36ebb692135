//! What is mapped back, and what is left as it is.

use super::super::tests::client;
use super::super::*;
use crate::route::{PathMap, PathRoute};
use crate::upstream::testing::pool;

/// The shop and its sign-in on one pool, a neighbour on another.
const ROUTES: &[(&str, &str, usize)] = &[("/shop", "/cart", 0), ("/auth", "/sso", 0), ("/other", "/far", 1)];

/// What becomes of a field, and its new value.
#[derive(Debug, PartialEq, Eq)]
enum Edited {
    Keep,
    Unpublished,
    Drop,
    Replace(Vec<u8>),
}

fn edited_by(name: &[u8], value: &[u8], listed: &Listed, origin: &Origin<'_>, upgrade: Upgrade) -> Edited {
    // What the buffer held for another field must not show.
    let mut instead = b"of another field".to_vec();
    match edit_response(name, value, listed, origin, upgrade, &mut instead) {
        FieldEdit::Keep => Edited::Keep,
        FieldEdit::Unpublished => Edited::Unpublished,
        FieldEdit::Drop => Edited::Drop,
        FieldEdit::Replace => Edited::Replace(instead),
    }
}

/// What becomes of a field of an answer that the first route served, from the first of two members.
fn edited(routes: &[(&str, &str, usize)], client: &ClientView<'_>, name: &str, value: &str) -> Edited {
    let routes: Vec<PathRoute> = routes
        .iter()
        .map(|(public, internal, pool)| PathRoute {
            public: (*public).into(),
            internal: (*internal).into(),
            pool: *pool,
            ..PathRoute::default()
        })
        .collect();
    let origin = Origin {
        route: &routes[0],
        paths: &PathMap::new(routes.clone()),
        pool: &pool(&["n1 up", "n2 up"]),
        client,
    };
    let listed = Listed::default();
    edited_by(name.as_bytes(), value.as_bytes(), &listed, &origin, Upgrade::No)
}

fn mapped(public: &str, internal: &str, name: &str, value: &str) -> Edited {
    edited(&[(public, internal, 0)], &client(false), name, value)
}

fn response(name: &str, value: &str) -> Edited {
    edited(ROUTES, &client(false), name, value)
}

fn check(name: &str, cases: &[(&str, &str)]) {
    for (value, expected) in cases {
        let edit = if value == expected {
            Edited::Keep
        } else {
            Edited::Replace(expected.as_bytes().to_vec())
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
        ("/sso/login?a", "/auth/login?a"),
        ("/far", "/far"),
        ("/shop/x", "/shop/x"),
        ("x/y", "x/y"),
        ("", ""),
        ("http://127.0.0.1:8081/cart/x", "https://shop.example/shop/x"),
        ("http://shop.example/cart/x", "http://shop.example/shop/x"),
        ("https://shop.example/cart/x", "https://shop.example/shop/x"),
        ("HTTP://SHOP.example/cart", "HTTP://SHOP.example/shop"),
        ("//shop.example/cart/x", "//shop.example/shop/x"),
        ("//127.0.0.1:8081/cart/x", "//shop.example/shop/x"),
        ("http://127.0.0.1:8082/cart/x", "https://shop.example/shop/x"),
        ("http://127.0.0.1:8082/sso", "https://shop.example/auth"),
        ("http://shop.example/sso/x", "http://shop.example/auth/x"),
        ("http://shop.example/shop/x", "http://shop.example/shop/x"),
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
    let mended = Edited::Replace(b"https://shop.example/x".to_vec());
    assert_eq!(same("http://127.0.0.1:8081/x"), mended);
    assert_eq!(same("https://shop.example/x"), Edited::Keep);
    assert_eq!(same("/x"), Edited::Keep);
    assert_eq!(
        same("http://127.0.0.1:8081"),
        Edited::Replace(b"https://shop.example/".to_vec())
    );
}

#[test]
fn a_redirect_to_the_client_s_own_host_keeps_its_scheme() {
    let client = ClientView {
        scheme: Scheme::Http,
        port: 80,
        ..client(false)
    };
    let edit = |value: &str| edited(ROUTES, &client, "location", value);
    let mapped = Edited::Replace(b"https://shop.example/shop/login".to_vec());
    assert_eq!(edit("https://shop.example/cart/login"), mapped);
    let mended = Edited::Replace(b"http://shop.example/shop".to_vec());
    assert_eq!(edit("https://127.0.0.1:8081/cart"), mended);
}

#[test]
fn a_host_that_only_the_front_sends_becomes_the_client_s() {
    let client = ClientView {
        sent_host: b"inner:8080",
        port: 8443,
        ..client(true)
    };
    for (name, value, expected) in [
        (
            "location",
            "http://inner:8080/cart",
            "https://shop.example:8443/shop",
        ),
        (
            "location",
            "http://127.0.0.1:8081/cart",
            "https://shop.example:8443/shop",
        ),
        (
            "location",
            "https://shop.example:8443/sso",
            "https://shop.example:8443/auth",
        ),
        ("set-cookie", "a=b; Domain=.inner", "a=b; Domain=shop.example"),
    ] {
        let mapped = Edited::Replace(expected.as_bytes().to_vec());
        assert_eq!(edited(ROUTES, &client, name, value), mapped, "{value}");
    }
}

#[test]
fn an_upstream_s_address_that_nobody_publishes_passes_and_is_told_of() {
    for value in [
        "http://127.0.0.1:8081/other",
        "http://127.0.0.1:8082/far",
        "//127.0.0.1:8081",
    ] {
        assert_eq!(response("Location", value), Edited::Unpublished, "{value}");
    }
    let refresh = response("Refresh", "0;url=http://127.0.0.1:8082/far");
    assert_eq!(refresh, Edited::Unpublished);
    assert_eq!(response("Location", "http://127.0.0.1:8083/cart"), Edited::Keep);
}

#[test]
fn the_serving_route_comes_first_and_then_the_longest_path_on_the_upstream() {
    let routes = &[
        ("/a", "/app", 0),
        ("/b", "/app", 0),
        ("/c", "/app/deep", 0),
        ("/d", "/app/deep", 0),
        ("/e", "/else/deep", 0),
        ("/f", "/else", 0),
        ("/g", "/else", 0),
    ];
    let edit = |value: &str| edited(routes, &client(false), "location", value);
    for (value, expected) in [
        ("/app/x", "/a/x"),
        ("/app/deep/x", "/a/deep/x"),
        ("/else/deep/x", "/e/x"),
        ("/else/deeper", "/f/deeper"),
    ] {
        assert_eq!(
            edit(value),
            Edited::Replace(expected.as_bytes().to_vec()),
            "{value}"
        );
    }
}

#[test]
fn the_url_of_a_refresh_is_mapped_in_all_its_forms() {
    check(
        "Refresh",
        &[
            ("5; url=/cart/x", "5; url=/shop/x"),
            (
                "0;URL='http://127.0.0.1:8081/sso'",
                "0;URL='https://shop.example/auth'",
            ),
            ("1.5, Url = \"/cart\"; x", "1.5, Url = \"/shop\"; x"),
            ("5; url='/cart", "5; url='/shop"),
            ("5", "5"),
            ("5; /cart", "5; /cart"),
            ("5; url", "5; url"),
            ("5; url=", "5; url="),
            ("5; url=\"", "5; url=\""),
            ("/cart; url=x", "/cart; url=x"),
        ],
    );
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
            ("a=b; Path=/sso; Secure", "a=b; Path=/auth; Secure"),
            ("a=b; path=/cart; Path=/sso", "a=b; path=/shop; Path=/auth"),
            (
                "a=b; Domain=127.0.0.1; Path=/cart",
                "a=b; Domain=shop.example; Path=/shop",
            ),
            ("a=b; domain=.shop.example", "a=b; domain=.shop.example"),
            ("a=b; Domain=elsewhere", "a=b; Domain=elsewhere"),
            ("__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"),
            ("__HOST-a=b; Path=/cart", "__HOST-a=b; Path=/cart"),
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
    let replaced = |value: &str| Edited::Replace(value.as_bytes().to_vec());
    assert_eq!(
        edit("A=B; Path=/; HttpOnly"),
        replaced("A=B; Path=/shop; HttpOnly")
    );
    assert_eq!(edit("A=B; Path=/x/"), replaced("A=B; Path=/shop/x/"));
    assert_eq!(mapped("", "", "set-cookie", "A=B; Path=/"), Edited::Keep);
    // Another route would take it away from the one that set it.
    let routes = &[
        ("/shop", "/cart/deep", 0),
        ("/bare", "", 0),
        ("/cart", "/cart", 0),
    ];
    for path in ["/", "/cart", "/cart/"] {
        let cookie = format!("A=B; Path={path}");
        assert_eq!(
            edited(routes, &client(false), "set-cookie", &cookie),
            Edited::Keep
        );
    }
}

#[test]
fn no_bytes_break_the_edits() {
    crate::route::tests::fuzzed("a field").run(|noise| {
        let client = ClientView {
            host: noise,
            ..client(true)
        };
        let told = Told {
            client: &client,
            upgrade: Upgrade::No,
            secured: None,
            request_id: "r1",
            via: "1.1 remora-1",
        };
        let routes = PathMap::new(vec![PathRoute {
            public: "/shop".into(),
            internal: "/n1".into(),
            pool: 0,
            ..PathRoute::default()
        }]);
        let origin = Origin {
            route: &routes.routes()[0],
            paths: &routes,
            pool: &pool(&["n1 up"]),
            client: &client,
        };
        let listed = Listed::read([(&b"connection"[..], noise)].into_iter());
        let mut said = String::new();
        for name in [&b"location"[..], b"set-cookie", b"refresh", noise] {
            for upgrade in [Upgrade::No, Upgrade::WebSocket] {
                let answered = edited_by(name, noise, &listed, &origin, upgrade);
                let sent = edit_request(name, &listed, &Told { upgrade, ..told });
                said += &format!("{:?} {sent:?}", std::mem::discriminant(&answered));
            }
        }
        said
    });
}

#[test]
fn our_own_fields_never_reach_a_client() {
    for name in ["Remora-Effect", "remora_effect", "REMORA-Anything"] {
        assert_eq!(response(name, "none"), Edited::Drop, "{name}");
    }
}

#[test]
fn the_usual_port_of_a_member_is_that_of_its_scheme() {
    let route = PathRoute {
        public: "/shop".into(),
        internal: "/cart".into(),
        ..PathRoute::default()
    };
    let (paths, client) = (PathMap::new(vec![route.clone()]), client(false));
    for (secured, location, is_mapped) in [
        (true, "https://tomcat/cart", true),
        (true, "https://tomcat:443/cart", true),
        (true, "https://tomcat:80/cart", false),
        (false, "http://tomcat/cart", false),
    ] {
        let mut pool = pool(&["n1 up"]);
        pool.members[0].authority = "tomcat:443".into();
        pool.members[0].secured = secured;
        let origin = Origin {
            route: &route,
            paths: &paths,
            pool: &pool,
            client: &client,
        };
        let listed = Listed::default();
        let edited = edited_by(b"location", location.as_bytes(), &listed, &origin, Upgrade::No);
        assert_eq!(
            matches!(edited, Edited::Replace(_)),
            is_mapped,
            "{location}: {edited:?}"
        );
    }
}
