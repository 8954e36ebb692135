//! Promises 4 and 5: a person at a real browser notices nothing of a Tomcat, a store node and a proxy that go.
//!
//! Shown with Chromium, which trusts the site's authority as a user's machine would and checks the proxy's certificate by its own
//! rules: http sends to https, TLS everywhere, every page over HTTP/2 and WebSockets as well, a login by FORM, a page whose script
//! keeps a WebSocket. The Tomcat that serves her is killed, then the store's leader, then a new proxy takes the place of the old
//! one. After each the next click shows the same user and the same list, and the script has its socket again. Every cookie is
//! kept from scripts and from the clear, and the access log holds no answer that a person would call an error. A picture of the
//! last page stays with the logs (`REMORA_KEEP`).
//! Broken once to see it fail: Tomcat told that clients speak in clear (it leads her there after the login), Tomcat's own session manager
//! (the socket is not let in again), a Tomcat's certificate shown to the public (the browser refuses it).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use remora_tests::chromium::Chromium;
use remora_tests::place::free_port;
use remora_tests::proxy::{ROUTE_COOKIE, Sticky};
use remora_tests::tomcat::{Application, Version};
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_for};

/// What the desk says of itself.
#[derive(Clone, Debug)]
struct Desk {
    page: String,
    user: String,
    node: String,
    list: String,
    opened: u64,
    heard: u64,
    said: u64,
}

fn desk(chromium: &Chromium) -> Result<Desk> {
    let facts = chromium.run("return {...document.body.dataset}")?;
    let fact = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| fact(name).parse().unwrap_or_default();
    Ok(Desk {
        page: fact("page"),
        user: fact("user"),
        node: fact("node"),
        list: fact("list"),
        opened: number("opened"),
        heard: number("heard"),
        said: number("said"),
    })
}

/// A person at the browser, and what she has seen last.
struct Ada {
    chromium: Chromium,
    desk: Desk,
    /// What she wrote, as the page shows it.
    entries: Vec<&'static str>,
}

impl Ada {
    /// Asks for the desk in clear, is sent to where it is secure, and signs in.
    fn arrives(chromium: Chromium, clear: &str, secure: &str) -> Result<Self> {
        chromium.go(&format!("{clear}/sockets/desk/"))?;
        let url = chromium.url()?;
        ensure!(url == format!("{secure}/sockets/desk/"), "she was sent to {url}");
        let shown = chromium.run("return document.body.innerText")?;
        ensure!(desk(&chromium)?.page == "login", "no login page: {shown}");
        chromium.write("[name=j_username]", "ada")?;
        chromium.write("[name=j_password]", "lovelace")?;
        chromium.click("button")?;
        let desk = wait_for("the desk", SOON, || {
            desk(&chromium).ok().filter(|desk| desk.page == "desk")
        })?;
        ensure!(desk.user == "ada" && desk.list == "[]", "{desk:?}");
        Ok(Self {
            chromium,
            desk,
            entries: Vec::new(),
        })
    }

    /// Clicks once, and gets the page that she expects: hers, with one entry more.
    fn notes(&mut self) -> Outcome {
        self.entries.push("note");
        self.chromium.click("#note")?;
        self.sees("the page after her click", |_| true)
    }

    /// Says something over the socket; the next click shows it.
    fn says(&mut self) -> Outcome {
        let said = self.desk.said;
        self.chromium.click("#say")?;
        self.sees("an answer to what she said", |desk| desk.said > said)?;
        self.entries.push("pearl");
        Ok(())
    }

    /// Waits until her page has her name, her entries and an open socket, and `more` holds.
    fn sees(&mut self, what: &str, more: impl Fn(&Desk) -> bool) -> Outcome {
        let list = format!("[{}]", self.entries.join(", "));
        let mut last = None;
        let seen = wait_for(what, SOON, || {
            last = desk(&self.chromium).ok();
            let desk = last.clone()?;
            let hers = desk.user == "ada" && desk.list == list && desk.opened > 0 && desk.heard > 0;
            (hers && more(&desk)).then_some(desk)
        });
        self.desk = seen.with_context(|| format!("expected {list}, and she sees {last:?}"))?;
        Ok(())
    }

    /// The script of her page gets a socket again.
    fn is_connected_again(&mut self) -> Outcome {
        let before = self.desk.clone();
        self.sees("the socket again", |desk| {
            desk.opened > before.opened && desk.heard > before.heard
        })
    }

    /// The page came over HTTP/2, and its cookies are neither for scripts nor for the clear.
    fn is_safe(&self) -> Outcome {
        let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
        let protocol = self.chromium.run(protocol)?;
        ensure!(protocol == "h2", "the page came over {protocol}");
        let mut cookies = self.chromium.cookies()?;
        cookies.sort_by_key(|cookie| cookie["name"].to_string());
        let told: Vec<String> = (cookies.iter())
            .map(|cookie| {
                let fact = |name: &str| cookie[name].to_string().replace('"', "");
                let facts = ["name", "path", "secure", "httpOnly", "sameSite"];
                facts.map(fact).join(" ")
            })
            .collect();
        let session = "JSESSIONID /sockets true true ".to_owned();
        let route = format!("{ROUTE_COOKIE} / true true Lax");
        ensure!(
            told.len() == 2 && told[0].starts_with(&session) && told[1] == route,
            "cookies: {told:?}"
        );
        let seen = self.chromium.run("return document.cookie")?;
        ensure!(seen == "", "a script reads {seen}");
        Ok(())
    }
}

/// Gives the proxy its public side: the address in clear, which sends to the secure one.
fn opens_to_the_public(world: &mut World) -> Result<(String, String)> {
    let (clear, secure) = (world.front_door()?, free_port()?);
    let files = world.certificates()?.files("proxy");
    let tls = format!("tls = {{ cert = {:?}, key = {:?} }}", files.cert, files.key);
    let public = format!(
        "access_log = {:?}\n\n[[listen]]\nbind = \"127.0.0.1:{secure}\"\n{tls}\n\n\
         [[listen]]\nredirect = {{ port = {secure} }}\n",
        access_log(world)
    );
    let route =
        "\n[[route]]\npath = \"/sockets\"\nto = \"tomcat/sockets\"\n\n[limits]\ntunnel_stop = \"2s\"\n";
    world
        .proxy()?
        .start_anew(|usual| usual.replacen("[[listen]]\n", &public, 1) + route)?;
    for node in ["n1", "n2"] {
        world.proxy()?.wait_health(node, "up")?;
    }
    Ok((
        format!("http://localhost:{}", clear.port()),
        format!("https://localhost:{secure}"),
    ))
}

fn access_log(world: &World) -> PathBuf {
    world.directory().join("access.log")
}

fn story(world: &mut World, ada: &mut Ada) -> Outcome {
    ada.notes()?;
    ada.says()?;
    ada.notes()?;
    ada.is_safe()?;

    let home = ada.desk.node.clone();
    world.tomcat(&home)?.kill();
    ada.is_connected_again()?;
    ada.notes()?;
    ensure!(ada.desk.node != home, "a dead Tomcat answered");

    let leader = world.stores.wait_ready()?;
    world.stores.kill(leader)?;
    ada.notes()?;

    world.proxy()?.replace()?;
    ada.is_connected_again()?;
    ada.says()?;
    ada.notes()?;
    ada.is_safe()?;
    ada.chromium.picture(&world.directory().join("desk.png"))
}

/// What was asked and answered, as the access log has it: no answer that a person would call an error, what was asked in clear
/// sent away, every page over HTTP/2 and whole, and sockets as well. A socket whose connection is gone may come back over one of its own.
fn answered_well(log: &Path) -> Outcome {
    let log = std::fs::read_to_string(log)?;
    for line in log.lines() {
        let status = line.split("\" ").nth(1).and_then(|rest| rest.split(' ').next());
        let status = status.with_context(|| format!("no status: {line}"))?;
        let is_new = line.contains(" HTTP/2.0\" ");
        let end = line.split(' ').find_map(|field| field.strip_prefix("end="));
        ensure!(
            matches!(
                (status, is_new, end),
                ("301", false, Some("complete"))
                    | ("101", _, Some("tunnel"))
                    | ("200" | "302" | "303", true, Some("complete"))
            ),
            "{line}"
        );
    }
    let sockets = log.lines().filter(|line| line.contains(" HTTP/2.0\" 101 "));
    ensure!(sockets.count() > 0, "no socket over HTTP/2: {log}");
    Ok(())
}

#[test]
fn at_a_real_browser() -> Outcome {
    World::plan()
        .tomcats(&[Version::V10; 2])
        .sticky(Sticky::RouteCookie)
        .secured()
        .behind_front()
        .application(Application::Sockets)
        .run(|world| {
            let (clear, secure) = opens_to_the_public(world)?;
            let authority = world.certificates()?.files("proxy").authority;
            let chromium = Chromium::open(world.directory(), &authority)?;
            let mut ada = Ada::arrives(chromium, &clear, &secure)?;
            story(world, &mut ada).with_context(|| ada.chromium.tail())?;
            answered_well(&access_log(world))
        })
}
