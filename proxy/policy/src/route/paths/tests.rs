//! Which path goes where, which is refused, and that the way back undoes the way there.

use super::*;
use crate::route::tests::fuzzed;

const HOST: &[u8] = b"shop.test";

fn route(public: &str, internal: &str, pool: usize) -> PathRoute {
    PathRoute {
        public: public.into(),
        internal: internal.into(),
        pool,
        ..PathRoute::default()
    }
}

/// `/shop` stays, `/shop/admin` is its own pool, `/old` becomes `/cart`, `/bare` becomes the root.
fn map() -> PathMap {
    PathMap::new(vec![
        route("/shop", "/shop", 0),
        route("/shop/admin", "/admin", 1),
        route("/old", "/cart", 2),
        route("/bare", "", 3),
    ])
}

fn shown(map: &PathMap, target: &str) -> String {
    match map.map(HOST, target.as_bytes()) {
        Ok(mapped) => format!(
            "{} {}",
            mapped.route.pool,
            String::from_utf8(mapped.target.to_vec()).unwrap()
        ),
        Err(PathFault::NoRoute) => "404".to_owned(),
        Err(PathFault::Refused(_)) => "400".to_owned(),
    }
}

fn check(map: &PathMap, cases: &[(&str, &str)]) {
    for (target, expected) in cases {
        assert_eq!(shown(map, target), *expected, "{target}");
    }
}

#[test]
fn the_longest_path_of_whole_segments_wins_and_is_replaced() {
    check(
        &map(),
        &[
            ("/shop", "0 /shop"),
            ("/shop/", "0 /shop/"),
            ("/shop?x=/shop/admin", "0 /shop?x=/shop/admin"),
            ("/shop/cart?a=b", "0 /shop/cart?a=b"),
            ("/shopping", "404"),
            ("/Shop", "404"),
            ("/", "404"),
            ("/shop/admin", "1 /admin"),
            ("/shop/admin/", "1 /admin/"),
            ("/shop/admin/x?y", "1 /admin/x?y"),
            ("/shop/administration", "0 /shop/administration"),
            ("/old/x", "2 /cart/x"),
            ("/old", "2 /cart"),
            ("/bare", "3 /"),
            ("/bare/x", "3 /x"),
            ("/bare?q", "3 /?q"),
        ],
    );
}

#[test]
fn the_root_serves_what_nothing_else_does() {
    let rooted = PathMap::new(vec![route("", "", 7), route("/shop", "/shop", 0)]);
    check(
        &rooted,
        &[
            ("/", "7 /"),
            ("/x", "7 /x"),
            ("/shop/x", "0 /shop/x"),
            ("/?q", "7 /?q"),
        ],
    );
    let moved = PathMap::new(vec![route("", "/app", 7)]);
    check(
        &moved,
        &[("/", "7 /app/"), ("/x;p/y", "7 /app/x;p/y"), ("/?q", "7 /app/?q")],
    );
}

#[test]
fn the_match_is_on_what_tomcat_reads_and_the_bytes_stay_the_clients() {
    check(
        &map(),
        &[
            ("/sh%6Fp/x", "0 /sh%6Fp/x"),
            ("/shop;jsessionid=A.n1", "0 /shop;jsessionid=A.n1"),
            (
                "/shop;jsessionid=A.n1/cart;b?c",
                "0 /shop;jsessionid=A.n1/cart;b?c",
            ),
            ("/old;jsessionid=A.n1", "2 /cart;jsessionid=A.n1"),
            ("/old;jsessionid=A.n1/x%20y", "2 /cart;jsessionid=A.n1/x%20y"),
            ("/%6fld/x", "2 /cart/x"),
            ("/bare;v=1/x", "3 /;v=1/x"),
            ("//shop/x", "0 //shop/x"),
            ("//old//x", "2 /cart//x"),
            ("/shop/%61dmin/x", "1 /admin/x"),
            ("/shop/a%3Bb", "0 /shop/a%3Bb"),
            ("/shop/a%25b", "0 /shop/a%25b"),
            ("/shop%3Badmin", "404"),
        ],
    );
}

#[test]
fn dot_segments_stay_inside_their_route_or_are_refused() {
    check(
        &map(),
        &[
            ("/shop/a/../b", "0 /shop/a/../b"),
            ("/shop/./b", "0 /shop/./b"),
            ("/old/a/%2e%2E/b", "2 /cart/a/%2e%2E/b"),
            ("/shop/..", "400"),
            ("/shop/../shop/x", "400"),
            ("/shop/../old/x", "400"),
            ("/shop/%2e%2e/x", "400"),
            ("/shop/a/../../x", "400"),
            ("/shop//../x", "400"),
            ("/shop/x/../admin/y", "400"),
            ("/shop/admin/../x", "400"),
            ("/x/../shop/y", "400"),
            ("/./shop/y", "400"),
            ("/..", "400"),
            ("/../shop", "400"),
        ],
    );
}

#[test]
fn what_two_servers_could_read_differently_is_refused() {
    check(
        &map(),
        &[
            ("/shop/..;/x", "400"),
            ("/shop/..;a=b/x", "400"),
            ("/shop/.;/x", "400"),
            ("/shop/%2e%2e;/x", "400"),
            ("/shop%2Fx", "400"),
            ("/shop/%5c..", "400"),
            ("/shop/\\x", "400"),
            ("/shop/%00", "400"),
            ("/shop/%", "400"),
            ("/shop/%4", "400"),
            ("/shop/%zz", "400"),
            ("/shop#x", "400"),
            ("/shop x", "400"),
            ("/shop/\u{e4}", "400"),
            ("/shop\t", "400"),
            ("shop", "400"),
            ("*", "400"),
            ("", "400"),
            ("http://host/shop", "400"),
        ],
    );
}

#[test]
fn hosts_and_exceptions_narrow_a_route() {
    let map = PathMap::new(vec![
        route("", "", 0),
        PathRoute {
            hosts: vec!["shop.test".into(), "*.shop.test".into()],
            except: vec!["/a/static".into(), "/a/b/c".into()],
            ..route("/a", "/x", 1)
        },
        route("/a", "/y", 2),
        PathRoute {
            hosts: vec!["other.test".into()],
            ..route("/a/deep", "", 3)
        },
    ]);
    for (host, target, expected) in [
        ("shop.test", "/a/q", "1 /x/q"),
        ("SHOP.test", "/%61/q", "1 /x/q"),
        ("www.shop.test", "/a", "1 /x"),
        ("a.b.shop.test", "/a", "1 /x"),
        ("myshop.test", "/a", "2 /y"),
        (".shop.test", "/a", "2 /y"),
        ("", "/a", "2 /y"),
        ("shop.test", "/a/static/x", "2 /y/static/x"),
        ("shop.test", "/a/%73tatic/x", "2 /y/%73tatic/x"),
        ("shop.test", "/a/statics", "1 /x/statics"),
        ("shop.test", "/a/b/c", "2 /y/b/c"),
        ("shop.test", "/a/b/../static/x", "400"),
        ("shop.test", "/a/deep/x", "1 /x/deep/x"),
        ("other.test", "/a/deep/x", "3 /x"),
        ("other.test", "/a/x", "2 /y/x"),
        ("other.test", "/%61/x", "2 /y/x"),
        ("shop.test", "/q", "0 /q"),
    ] {
        let mapped = map.map(host.as_bytes(), target.as_bytes());
        let shown = mapped.map_or_else(
            |_| "400".to_owned(),
            |mapped| {
                format!(
                    "{} {}",
                    mapped.route.pool,
                    String::from_utf8_lossy(&mapped.target.to_vec())
                )
            },
        );
        assert_eq!(shown, expected, "{host} {target}");
    }
}

#[test]
fn an_encoded_slash_passes_where_a_route_lets_it_and_never_leads_out_of_it() {
    let raw = |route| PathRoute {
        encoded_slash: true,
        ..route
    };
    let map = PathMap::new(vec![
        raw(route("/job", "/ci", 0)),
        route("/job/safe", "/safe", 1),
        route("/shop", "/shop", 2),
        raw(route("", "", 3)),
    ]);
    check(
        &map,
        &[
            ("/job/a%2Fb/x", "0 /ci/a%2Fb/x"),
            ("/job/a%2fb%2F", "0 /ci/a%2fb%2F"),
            ("/job/%2F", "0 /ci/%2F"),
            ("/x%2Fy", "3 /x%2Fy"),
            ("/shop/a%2Fb", "400"),
            ("/job/safe/a%2Fb", "400"),
            ("/job%2Fsafe", "400"),
            ("/job%2Fx", "400"),
            ("/job/safe%2Fx", "400"),
            ("/job/..%2F..%2Fshop", "400"),
            ("/job/a%2F..%2F..", "400"),
            ("/job/a%2F..%2Fb", "0 /ci/a%2F..%2Fb"),
            ("/job/a%2F..%2F..%2Fshop", "400"),
            ("/job/a%2F..%2Fsafe", "400"),
            ("/job/safe%2F..%2Fx", "400"),
            ("/job/..%2Fjob/x", "400"),
            ("/x%2F..%2Fshop", "400"),
            ("/job/a%5Cb", "400"),
            ("/job/a%00b", "400"),
        ],
    );
}

/// How a servlet container reads a path: parameters cut, decoded once, empty segments dropped, dots resolved.
fn as_tomcat_reads(path: &[u8]) -> Vec<Vec<u8>> {
    let mut read: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        let name = segment.split(|byte| *byte == b';').next().unwrap();
        let name = decode(name).unwrap().into_owned();
        match &name[..] {
            b"" | b"." => {}
            b".." => drop(read.pop()),
            _ => read.push(name),
        }
    }
    read
}

#[test]
fn no_bytes_break_the_map_or_leave_the_route_on_the_upstream() {
    let map = PathMap::new(vec![
        route("/shop", "/inner/shop", 0),
        route("/shop/n1", "/n1", 1),
    ]);
    let mut mapped = 0;
    fuzzed("a request's path").run(|bytes| {
        let mut said = String::new();
        for begin in [&b"/shop/"[..], b"/", b""] {
            let asked = [begin, bytes].concat();
            match map.map(HOST, &asked) {
                Ok(found) => {
                    mapped += 1;
                    let standings = map.standings(HOST, &asked);
                    let first = standings
                        .iter()
                        .find(|(_, standing)| *standing == Standing::Serves);
                    assert_eq!(
                        first.map(|(route, _)| *route),
                        Some(found.route),
                        "as it is explained"
                    );
                    let target = found.target.to_vec();
                    let path = target.split(|byte| *byte == b'?').next().unwrap();
                    let read = as_tomcat_reads(path);
                    let expected: Vec<&[u8]> = names(&found.route.internal).map(str::as_bytes).collect();
                    assert!(
                        read.len() >= expected.len()
                            && read.iter().zip(expected).all(|(read, own)| read == own),
                        "{found:?}"
                    );
                    said += &found.route.internal;
                }
                Err(why) => said += &format!("{why:?}"),
            }
        }
        said
    });
    assert!(
        mapped > remora_fuzz::USUAL_ROUNDS / 10,
        "the bytes must reach the interesting part: {mapped}"
    );
}

#[test]
fn the_way_back_undoes_the_way_there() {
    let public = |route: &PathRoute, path: &str| {
        route
            .to_public(path.as_bytes())
            .map(|path| String::from_utf8(path.to_vec()).unwrap())
    };
    let old = route("/old", "/cart", 0);
    assert_eq!(public(&old, "/cart/x?y"), Some("/old/x?y".to_owned()));
    assert_eq!(public(&old, "/cart"), Some("/old".to_owned()));
    assert_eq!(
        public(&old, "/cart;jsessionid=A"),
        Some("/old;jsessionid=A".to_owned())
    );
    assert_eq!(public(&old, "/carton"), None);
    assert_eq!(public(&old, "/"), None);
    let bare = route("/bare", "", 0);
    assert_eq!(public(&bare, "/x"), Some("/bare/x".to_owned()));
    assert_eq!(public(&bare, "/"), Some("/bare/".to_owned()));
    assert_eq!(public(&bare, "x"), None);
    let rooted = route("", "/app", 0);
    assert_eq!(public(&rooted, "/app"), Some("/".to_owned()));
    assert_eq!(public(&rooted, "/app/x"), Some("/x".to_owned()));
}
