//! The claim that decisions about a usual request allocate nothing: whatever they need besides their arguments is on the
//! stack, or was there for the request before.

use std::time::Duration;

use crate::upstream::testing::pool;
use crate::*;

type Fields<'a> = [(&'a str, &'a str)];

/// A browser's request for a page of a shop that is called `/cart` on its Tomcat.
const REQUEST: [(&str, &str); 12] = [
    ("Host", "shop.example"),
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/142.0",
    ),
    ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Referer", "http://shop.example/shop/"),
    (
        "Cookie",
        "theme=dark; JSESSIONID=0123456789ABCDEF0123456789ABCDEF.n1",
    ),
    (
        "Traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
];

/// The page.
const ANSWER: [(&str, &str); 10] = [
    ("Server", "Apache"),
    ("Cache-Control", "private"),
    ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Type", "text/html;charset=UTF-8"),
    ("Content-Language", "en-US"),
    ("Vary", "accept-encoding"),
    ("Content-Length", "1024"),
    ("Date", "Tue, 24 Nov 2026 04:30:00 GMT"),
    ("Keep-Alive", "timeout=20"),
];

/// An answer to a login: a redirect and a cookie, both with names that only the inside has.
const LOGIN: [(&str, &str); 2] = [
    (
        "Set-Cookie",
        "JSESSIONID=0123456789ABCDEF0123456789ABCDEF.n1; Path=/cart; HttpOnly",
    ),
    ("Location", "http://127.0.0.1:8081/cart/account"),
];

/// What outlives a request.
struct Site {
    pool: Pool,
    paths: PathMap,
    balance: Balance,
    /// As the next hop gets it.
    head: Vec<u8>,
    instead: Vec<u8>,
}

impl Site {
    fn new() -> Site {
        let route = PathRoute {
            public: "/shop".into(),
            internal: "/cart".into(),
            ..PathRoute::default()
        };
        Site {
            pool: pool(&["n1 up", "n2 up"]),
            paths: PathMap::new(vec![route]),
            balance: Balance::new(),
            head: Vec::with_capacity(4_096),
            instead: Vec::with_capacity(256),
        }
    }

    fn push(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        for part in [name, b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    }

    /// Everything that is decided about an exchange that goes well.
    fn exchange(&mut self, target: &[u8], answer: &Fields<'_>) {
        let asked = REQUEST
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let peer = Peer {
            address: [192, 0, 2, 7].into(),
            scheme: Scheme::Http,
        };
        let client = ClientView::of(&peer, ForwardingHeader::default(), |_| false, &asked);
        assert!(given_request_id(&client, asked.clone()).is_none());
        assert!(traceparent(asked.clone()).is_some() && !has_been_here(asked.clone(), b"remora-1"));
        let mapped = self.paths.map(client.host_name(), target).unwrap();
        let cookies = asked
            .clone()
            .filter(|(name, _)| *name == b"Cookie")
            .map(|(_, value)| value);
        let key = RouteKey::read(&self.pool.sticky, target, cookies);
        let upgrade = Upgrade::asked("GET", true, asked.clone());
        let picked = pick(&self.pool, &key, &[]);
        let Pick::Sticky(upstream) = picked else {
            panic!("{picked:?}")
        };
        self.balance.count(&self.pool, upstream.id, Duration::ZERO);

        let told = Told {
            client: &client,
            upgrade,
            secured: None,
            request_id: "0123456789abcdef-7",
            via: "1.1 remora-1",
        };
        let listed = Listed::read(asked.clone());
        let (head, instead) = (&mut self.head, &mut self.instead);
        head.clear();
        mapped.target.write(head);
        for (name, value) in asked {
            if edit_request(name, &listed, &told) == FieldEdit::Keep {
                Site::push(head, name, value);
            }
        }
        added_to_request(&told, |name, value| Site::push(head, name, value));

        let rule = &self.pool.rule;
        assert!(upstream.health.observe(&Observation::Answered, rule).is_none());
        let origin = Origin {
            route: mapped.route,
            paths: &self.paths,
            pool: &self.pool,
            client: &client,
        };
        let answer = answer
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let listed = Listed::read(answer.clone());
        head.clear();
        for (name, value) in answer {
            assert!(!declines(name, value));
            match edit_response(name, value, &listed, &origin, upgrade, instead) {
                FieldEdit::Keep | FieldEdit::Unpublished => Site::push(head, name, value),
                FieldEdit::Replace => Site::push(head, name, instead),
                FieldEdit::Drop => {}
            }
        }
    }
}

#[test]
fn decisions_about_a_warm_request_allocate_nothing() {
    let mut site = Site::new();
    for (target, answer) in [(&b"/shop/cart?item=7"[..], &ANSWER[..]), (b"/shop/login", &LOGIN)] {
        site.exchange(target, answer);
        let cost = allocation_counter::measure(|| site.exchange(target, answer));
        assert_eq!(cost.count_total, 0, "{cost:?}");
    }
    let last = String::from_utf8(site.head).unwrap();
    let login = "Set-Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF.n1; Path=/shop; HttpOnly\r\n\
                 Location: http://shop.example/shop/account\r\n";
    assert_eq!(last, login);
}

#[test]
fn a_new_user_is_given_an_upstream_without_an_allocation() {
    for by in BalanceBy::ALL {
        let pool = Pool {
            balance: by,
            ..pool(&["n1 up", "n2 up"])
        };
        let mut balance = Balance::new();
        let mut choose = || balance.choose(&pool, &[], Duration::ZERO, |member| u64::from(member.id.0));
        assert!(choose().is_some());
        let cost = allocation_counter::measure(|| assert!(choose().is_some()));
        assert_eq!(cost.count_total, 0, "{}: {cost:?}", by.as_str());
    }
}

#[test]
fn a_failure_is_decided_without_an_allocation() {
    let cost = allocation_counter::measure(|| {
        let failure = Failure::new(Phase::Waiting, Cause::Broken);
        let shape = RequestShape {
            idempotent: is_idempotent(b"PROPFIND"),
            replayable: true,
        };
        let budget = Budget {
            attempts: 3,
            token: true,
            time: Duration::from_secs(1),
        };
        assert_eq!(decide(&failure, shape, &budget), Verdict::NextUpstream);
    });
    assert_eq!(cost.count_total, 0, "{cost:?}");
}
