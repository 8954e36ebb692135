//! Claim: `lookup = "httpd"` finds the route that httpd itself finds, over thousands of requests drawn at random.
//!
//! Needs the httpd of Debian's package, which `tools/prerequisites` installs. A part of its answers is kept beside the look-up
//! (`policy/src/route/httpd.txt`).

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};

use remora_policy::{Lookup, RouteKey, Sticky};
use support::client::Client;
use support::upstream::Upstream;
use support::wait_until;

/// Where Debian's package has the program and its modules; not every user's PATH leads to the first.
const PROGRAM: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";
/// Requests in both modes together.
const REQUESTS: usize = 10_000;

const NAMES: [&str; 8] = [
    "ROUTEID",
    "JSESSIONID",
    "jsessionid",
    "XROUTEID",
    "JSESSIONIDX",
    "xjsessionid",
    "routeid",
    "J",
];
const VALUES: [&str; 16] = [
    "A.n1",
    ".n1",
    "n1",
    "",
    ".",
    "A.b.n2",
    "\"A.n1\"",
    "A.n1\"",
    "A..n1",
    "A.n1,B.n2",
    "A.n 1",
    "A.n1/x",
    "=A.n1",
    "ROUTEID=B.n2",
    "A.n3=x",
    "*.n1",
];
const EQUALS: [&str; 8] = ["=", "=", "=", "=", " =", "= ", "", "=="];
const BETWEEN: [&str; 5] = ["; ", "; ", ";", ", ", " "];

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % sides
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }

    fn pair(&mut self) -> String {
        [self.of(&NAMES), self.of(&EQUALS), self.of(&VALUES)].concat()
    }

    /// Pairs with something between them.
    fn pairs(&mut self, between: &[&str]) -> String {
        let mut text = self.pair();
        for _ in 0..self.roll(3) {
            text += self.of(between);
            text += &self.pair();
        }
        text
    }

    fn target(&mut self) -> String {
        let plain = |text: String| text.replace([' ', '"'], "");
        let mut target = format!("/{}", self.of(&["", "a", "a/b", "x.y"]));
        if self.roll(3) == 0 {
            target += self.of(&[";", ";;", "/"]);
            target += &plain(self.pairs(&[";", "/", ";x;"]));
        }
        if self.roll(3) == 0 {
            target += "?";
            target += &plain(self.pairs(&["&", "&&", ";", "?"]));
        }
        target
    }
}

/// A running httpd; stopped when dropped.
struct Httpd(Child);

impl Httpd {
    /// One with a balancer at `address` that sticks by `by`; it tells the route that it found.
    fn start(home: &Path, address: SocketAddr, by: &str, member: &Upstream) -> Self {
        let here = home.display();
        let mut text = format!("ServerRoot {here}\nPidFile {here}/pid\nDefaultRuntimeDir {here}\n");
        for module in [
            "mpm_event",
            "authz_core",
            "headers",
            "proxy",
            "proxy_http",
            "proxy_balancer",
            "lbmethod_byrequests",
            "slotmem_shm",
        ] {
            text += &format!("LoadModule {module}_module {MODULES}/mod_{module}.so\n");
        }
        text += &format!(
            "ServerName localhost\nErrorLog /dev/null\nMaxKeepAliveRequests 0\nListen {address}\n\
             Header always set X-Route \"<%{{BALANCER_SESSION_ROUTE}}e>\"\n\
             <Proxy balancer://pool>\nBalancerMember http://{}\nProxySet stickysession={by}\n</Proxy>\n\
             ProxyPass / balancer://pool/\n",
            member.address
        );
        let file = home.join("httpd.conf");
        std::fs::write(&file, text).expect("a new directory takes a file");
        let mut command = Command::new(PROGRAM);
        let started = command.arg("-f").arg(&file).arg("-DFOREGROUND").spawn();
        let httpd = Self(started.expect("httpd is there: `tools/prerequisites` installs it"));
        wait_until("httpd accepts", || TcpStream::connect(address).is_ok());
        httpd
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.0.wait();
    }
}

/// The one difference: behind a name that ends the text, without a value, httpd reads on in whatever its memory holds there.
fn ends_with_a_name(text: &str) -> bool {
    let text = text.trim_end_matches(['=', ' ']);
    NAMES.iter().any(|name| text.ends_with(name))
}

#[test]
fn a_route_is_found_as_httpd_finds_it() {
    let member = Upstream::named("member");
    let mut dice = Dice(7);
    for (by, route_cookie) in [("ROUTEID", Some("ROUTEID")), ("JSESSIONID|jsessionid", None)] {
        let home = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _httpd = Httpd::start(home.path(), address, by, &member);
        let sticky = Sticky {
            lookup: Lookup::Httpd,
            ..Sticky::new("JSESSIONID", route_cookie)
        };
        let mut client = Client::connect(address);
        let mut compared = 0;
        while compared < REQUESTS / 2 {
            let (target, cookie) = (dice.target(), dice.pairs(&BETWEEN));
            if [&target, &cookie].into_iter().any(|text| ends_with_a_name(text)) {
                continue;
            }
            let response = client.get(&target, &format!("Cookie: {cookie}\r\n"));
            // It writes no route as an absent one, and one without letters as an empty one.
            let theirs = response
                .field("x-route")
                .map_or("none".to_owned(), |route| route.replace("(null)", ""));
            let ours = RouteKey::read(&sticky, target.as_bytes(), [cookie.as_bytes()].into_iter()).route;
            let ours = ours.map_or("".into(), String::from_utf8_lossy);
            assert_eq!(format!("<{ours}>"), theirs, "{by}: {target} with {cookie}");
            compared += 1;
        }
    }
}
