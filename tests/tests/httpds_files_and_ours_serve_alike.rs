//! Beside the promises: a site that httpd serves by one of its two usual files for Tomcats can be served by ours.
//!
//! Shown with the very files of `examples/httpd/`, with addresses of this machine in place of theirs: httpd and our proxy stand
//! side by side before the same two real Tomcats, in both sticky modes, and are asked the same while n1 dies and comes back.
//! [`STORY`] says of each request what comes of it behind both, or how they differ and why; whatever else differs fails. Each
//! line of httpd's files stands as a comment in ours.
//! Broken once to see it fail: a route's `to` without its path, the cookie read behind the URL in our look-up, a member's line
//! in one of httpd's files.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use remora_tests::fronts::Front;
use remora_tests::http::{Answer, Browser, Request};
use remora_tests::place::{free_port, repository};
use remora_tests::proxy::Proxy;
use remora_tests::tomcat::{Application, Version};
use remora_tests::{Outcome, World};

/// One request, with these cookies, and what comes of it as [`told`] says it; a `?` stands for either Tomcat.
struct Row {
    path: &'static str,
    cookies: &'static str,
    httpd: &'static str,
    ours: &'static str,
    /// Why they differ; empty where they do not.
    why: &'static str,
}

const fn same(path: &'static str, cookies: &'static str, both: &'static str) -> Row {
    differs(path, cookies, both, both, "")
}

const fn differs(
    path: &'static str,
    cookies: &'static str,
    httpd: &'static str,
    ours: &'static str,
    why: &'static str,
) -> Row {
    Row {
        path,
        cookies,
        httpd,
        ours,
        why,
    }
}

/// A page that says who answers.
const PAGE: &str = "/tomcat/get.jsp";

/// A new user, and one whose route names nobody, are balanced; where the proxy marks the route, it sets its cookie.
const MARKED: &str = "200 by n?, sets ROUTEID=.OWN; path=/";
const MARKED_BY_US: &str = "200 by n?, sets ROUTEID=.OWN; Path=/; HttpOnly; SameSite=Lax";
const STRICTER: &str = "no script and no other site needs our cookie";

const BY_ROUTE_COOKIE: &[Row] = &[
    differs(PAGE, "", MARKED, MARKED_BY_US, STRICTER),
    differs(PAGE, "ROUTEID=.9", MARKED, MARKED_BY_US, STRICTER),
    differs(PAGE, "routeid=.1", MARKED, MARKED_BY_US, STRICTER),
    same(PAGE, "ROUTEID=.1", "200 by n1"),
    same(PAGE, "ROUTEID=.2", "200 by n2"),
    same(PAGE, "a=b; ROUTEID=.2; c=d", "200 by n2"),
    same(PAGE, "JSESSIONID=A.n1; ROUTEID=.2", "200 by n2"),
    differs(PAGE, "ROUTEID=2", MARKED, "200 by n2", "a bare route is a route"),
    differs(
        PAGE,
        "ROUTEID=.1; ROUTEID=.2",
        "200 by n1",
        "200 by n2",
        "ours is for the whole site, so browsers bring it last",
    ),
    differs(
        "/tomcat/get.jsp?ROUTEID=.2",
        "ROUTEID=.1",
        "200 by n2",
        "200 by n1",
        "a link moves no user, unless lookup = \"httpd\"",
    ),
    differs(
        "/tomcat/front.jsp",
        "ROUTEID=.1",
        "200 by n1, Host=at n1, X-Forwarded-Host=localhost, X-Forwarded-For=127.0.0.1, X-Forwarded-Proto=null",
        "200 by n1, Host=localhost, X-Forwarded-Host=localhost, X-Forwarded-For=127.0.0.1, X-Forwarded-Proto=http",
        "Tomcat is told what the user asked for",
    ),
    differs(
        "/tomcat/front.jsp?away",
        "ROUTEID=.1",
        "302 to http://localhost:HTTPD/tomcat/get.jsp",
        "302 to http://localhost/tomcat/get.jsp",
        "the port is the one that the user asked, which may be mapped to ours",
    ),
    same("/tomcat", "ROUTEID=.1", "302 to /tomcat/"),
    same("/tomcats", "ROUTEID=.1", "404"),
    same("/shop/", "ROUTEID=.1", "404"),
    differs(
        "/tomcat/%2e%2e/shop/",
        "",
        "404",
        "400",
        "an escaped dot leads nowhere",
    ),
    differs(
        "/tomcat/a%2Fb",
        "",
        "404",
        "400",
        "a route takes such paths if it says so",
    ),
    same(
        "/tomcat/set.jsp?name=a&value=b",
        "ROUTEID=.1",
        "200, sets JSESSIONID=ID.n1; Path=/tomcat; HttpOnly",
    ),
];

const BY_SESSION: &[Row] = &[
    same(PAGE, "", "200 by n?"),
    same(
        "/tomcat/set.jsp?name=a&value=b",
        "",
        "200, sets JSESSIONID=ID.n?; Path=/tomcat; HttpOnly",
    ),
    same(PAGE, "JSESSIONID=A", "200 by n?"),
    same(PAGE, "JSESSIONID=A.n9", "200 by n?"),
    same(PAGE, "JSESSIONID=A.n1", "200 by n1"),
    same(PAGE, "JSESSIONID=A.n2", "200 by n2"),
    same(PAGE, "JSESSIONID=A.n1; JSESSIONID=A.n2", "200 by n1"),
    same(PAGE, "XJSESSIONID=A.n1; JSESSIONID=A.n2", "200 by n2"),
    differs(
        PAGE,
        "JSESSIONID=\"A.n2\"",
        "200 by n?",
        "200 by n2",
        "Tomcat takes the quotes off, too",
    ),
    same("/tomcat/get.jsp;jsessionid=A.n2", "", "200 by n2"),
    same("/tomcat/get.jsp;JSESSIONID=A.n2", "", "200 by n?"),
    same("/tomcat/get.jsp?jsessionid=A.n2", "", "200 by n2"),
    differs(
        "/tomcat/get.jsp;jsessionid=A.n2",
        "JSESSIONID=A.n1",
        "200 by n2",
        "200 by n1",
        "Tomcat takes the cookie's session, too",
    ),
    differs(
        "/tomcat/get.jsp?to=jsessionid=A.n2",
        "JSESSIONID=A.n1",
        "200 by n2",
        "200 by n1",
        "that is text in another parameter",
    ),
];

const N1_DEAD: [&[Row]; 2] = [
    &[
        differs(
            PAGE,
            "ROUTEID=.1",
            "200 by n2, sets ROUTEID=.OWN; path=/",
            "200 by n2, sets ROUTEID=.OWN; Path=/; HttpOnly; SameSite=Lax",
            STRICTER,
        ),
        same(PAGE, "ROUTEID=.2", "200 by n2"),
    ],
    &[same(PAGE, "JSESSIONID=A.n1", "200 by n2")],
];

const N1_BACK: [&[Row]; 2] = [
    &[
        differs(
            PAGE,
            "ROUTEID=.1",
            "200 by n2, sets ROUTEID=.OWN; path=/",
            "200 by n1",
            "httpd tries a member again after a minute, we ask every second",
        ),
        same(PAGE, "ROUTEID=.2", "200 by n2"),
    ],
    &[differs(
        PAGE,
        "JSESSIONID=A.n1",
        "200 by n2",
        "200 by n1",
        "httpd tries a member again after a minute, we ask every second",
    )],
];

const NOBODY_LEFT: [&[Row]; 2] = [
    &[same(PAGE, "ROUTEID=.1", "503")],
    &[same(PAGE, "JSESSIONID=A.n1", "503")],
];

/// What happens to the Tomcats, and what is asked then in each mode.
const STORY: [(Event, [&[Row]; 2]); 4] = [
    (Event::Nothing, [BY_ROUTE_COOKIE, BY_SESSION]),
    (Event::Death, N1_DEAD),
    (Event::Return, N1_BACK),
    (Event::DeathOfBoth, NOBODY_LEFT),
];

#[derive(Clone, Copy)]
enum Event {
    Nothing,
    /// Of n1, while it works for both.
    Death,
    Return,
    DeathOfBoth,
}

/// The files of each mode, without their endings.
const MODES: [&str; 2] = ["route-cookie", "session-cookie"];

/// httpd and ours in one mode.
struct Pair {
    httpd: Front,
    ours: Proxy,
}

fn file(name: &str) -> Result<String> {
    let path = repository().join("examples/httpd").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

impl Pair {
    fn start(mode: &str, world: &World) -> Result<Self> {
        let directory = world.directory().join(mode);
        let (users, operators) = (free_port()?, free_port()?);
        let placed = |text: String, from: &str, port: u16| {
            let here = format!("127.0.0.1:{port}");
            let text = text
                .replace(from, &here)
                .replace("127.0.0.1:7410", &format!("127.0.0.1:{operators}"));
            (2..).zip(&world.tomcats).fold(text, |text, (number, tomcat)| {
                text.replace(
                    &format!("192.168.56.{number}:8080"),
                    &tomcat.address().to_string(),
                )
            })
        };
        let port = free_port()?;
        let httpd = Front::httpd(
            &directory,
            port,
            &placed(file(&format!("{mode}.conf"))?, "*:80", port),
        )?;
        let text = placed(file(&format!("{mode}.toml"))?, "0.0.0.0:80", users);
        let ours = Proxy::start_with(&directory, (users, operators), &text, None)?;
        ours.wait_ready()?;
        Ok(Self { httpd, ours })
    }

    fn fronts(&self) -> [(&'static str, SocketAddr); 2] {
        [("httpd", self.httpd.address), ("ours", self.ours.address)]
    }

    /// What comes of a request behind both, as a row says it.
    fn answer(&self, row: &Row, world: &World) -> Outcome {
        let mut request = Request::get(row.path);
        if !row.cookies.is_empty() {
            request.fields.push(("Cookie".to_owned(), row.cookies.to_owned()));
        }
        for ((front, address), expected) in self.fronts().into_iter().zip([row.httpd, row.ours]) {
            let answer = Browser::new(address).send(&request)?;
            let told = told(&answer, world).replace(&self.httpd.address.port().to_string(), "HTTPD");
            ensure!(
                told == expected || expected.contains("n?") && either(&told) == expected,
                "{front}: {} with {:?} ({}): expected {expected}, and it was {told}",
                row.path,
                row.cookies,
                row.why
            );
        }
        Ok(())
    }
}

/// What came of a request: the status, who answered, what he was told of the client, where it leads, which cookies it sets. The
/// route in our own cookie is OWN if it is that of who answered.
fn told(answer: &Answer, world: &World) -> String {
    let text = answer.text();
    let mut told = answer.status.to_string();
    let node = text.lines().find_map(|line| line.strip_prefix("node="));
    told.extend(node.map(|node| format!(" by {node}")));
    let client = |line: &&str| line.starts_with("Host=") || line.starts_with("X-Forwarded");
    told.extend(text.lines().filter(client).map(|line| format!(", {line}")));
    told.extend(answer.field("location").map(|location| format!(" to {location}")));
    for cookie in answer.all("set-cookie") {
        let own = node.map(|node| format!("=.{};", node.trim_start_matches('n')));
        let cookie = own.map_or_else(|| without_id(cookie), |own| cookie.replace(&own, "=.OWN;"));
        told += &format!(", sets {cookie}");
    }
    world.tomcats.iter().fold(told, |told, tomcat| {
        told.replace(&tomcat.address().to_string(), &format!("at {}", tomcat.node()))
    })
}

/// A session's cookie without the id, which nobody foresees.
fn without_id(cookie: &str) -> String {
    let id = |rest: &str| {
        rest.split_once('.')
            .map(|(_, rest)| format!("JSESSIONID=ID.{rest}"))
    };
    let rest = cookie.strip_prefix("JSESSIONID=");
    rest.and_then(id).unwrap_or_else(|| cookie.to_owned())
}

/// The same, whichever Tomcat it was.
fn either(told: &str) -> String {
    told.replace("n1", "n?").replace("n2", "n?")
}

/// Kills n1 while it works at a page for each front: what may be asked twice is answered behind ours, and no POST runs twice.
fn dies_at_work(world: &mut World, pair: &Pair) -> Outcome {
    let signals = world.signals.clone();
    let works: Vec<_> = pair
        .fronts()
        .into_iter()
        .flat_map(|(front, address)| {
            ["GET", "POST"].map(|method| {
                (
                    front,
                    method,
                    address,
                    format!("{front}-{}", method.to_lowercase()),
                )
            })
        })
        .collect();
    let answers = std::thread::scope(|scope| {
        let asked: Vec<_> = (works.iter())
            .map(|(_, method, address, key)| {
                scope.spawn(move || {
                    let mut request = Request::form(&format!("/tomcat/slow.jsp?key={key}"), &[]);
                    request.method = (*method).to_owned();
                    let user = ("Cookie".to_owned(), "JSESSIONID=A.n1".to_owned());
                    request.fields.push(user);
                    Browser::new(*address).send(&request)
                })
            })
            .collect();
        let begun = works.iter().try_for_each(|(.., key)| signals.wait_begun(key, 1));
        world.tomcat("n1")?.kill();
        works.iter().try_for_each(|(.., key)| signals.go(key))?;
        let answers = asked.into_iter().map(|asked| asked.join().expect("no panic"));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        begun.map(|()| answers)
    })?;
    for ((front, method, _, key), answer) in works.iter().zip(answers) {
        let (status, runs) = match (*front, *method) {
            ("ours", "GET") => (200, 2),
            _ => (502, 1),
        };
        let ran = signals.executions(key).len();
        ensure!(
            (answer.status, ran) == (status, runs),
            "{front}, {method} under way: {} after {ran} runs",
            answer.status
        );
    }
    Ok(())
}

fn happen(event: Event, world: &mut World, pairs: &[Pair]) -> Outcome {
    match event {
        Event::Nothing => Ok(()),
        Event::Death => dies_at_work(world, &pairs[1]),
        Event::Return => {
            world.tomcat("n1")?.launch()?;
            world.tomcat("n1")?.wait_ready()?;
            let routes = ["1", "n1"];
            (pairs.iter().zip(routes)).try_for_each(|(pair, route)| pair.ours.wait_health(route, "up"))
        }
        Event::DeathOfBoth => {
            world.tomcats.iter_mut().for_each(|tomcat| tomcat.kill());
            Ok(())
        }
    }
}

#[test]
fn in_both_sticky_modes() -> Outcome {
    let plan = World::plan().stores(0).tomcats(&[Version::V10; 2]);
    plan.application(Application::Another("tomcat")).run(|world| {
        let pairs = MODES.map(|mode| Pair::start(mode, world));
        let pairs = pairs.into_iter().collect::<Result<Vec<_>>>()?;
        for (event, asked) in STORY {
            happen(event, world, &pairs)?;
            for (pair, rows) in pairs.iter().zip(asked) {
                let tails = || format!("{}\n{}", pair.httpd.tail(), pair.ours.tail());
                let all = rows.iter().try_for_each(|row| pair.answer(row, world));
                all.with_context(tails)?;
            }
        }
        Ok(())
    })
}

#[test]
fn each_line_of_httpds_stands_in_ours() -> Outcome {
    for mode in MODES {
        let ours = file(&format!("{mode}.toml"))?;
        let theirs = file(&format!("{mode}.conf"))?;
        let lines = theirs.lines().map(str::trim);
        for line in lines.filter(|line| !line.starts_with('#') && !line.starts_with("</")) {
            let quoted = ours.lines().any(|own| own.strip_prefix("# ") == Some(line));
            ensure!(quoted, "{mode}.toml does not say what stands in place of {line}");
        }
    }
    Ok(())
}
