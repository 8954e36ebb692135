//! Beside the promises: the console on the proxy's control address shows what happens to a site as it happens, lets an operator
//! act on it, and says what `remora status` says.
//!
//! Shown with Chromium over three store nodes and two Tomcats. A token opens the console and leaves the address bar. A Tomcat is
//! killed with SIGKILL: its upstream goes down on the page, and the page of a user's session tells the move when that user
//! clicks on. A drain is asked for in a dialog, by a page whose browser was signed in anew beside it, is followed until nobody is
//! left, and ends. A new weight leaves a drain its deadline. A session is ended after a question, and its user is signed out. A
//! store node is killed and missed. At each of these stations the troubles and remarks on the page are those of `remora status -o json`. A session whose user and label are markup shows them as text, and nothing of it runs. No
//! rule of axe-core is broken by any view, in both colour schemes and on a phone. A token for looking shows no button that
//! changes anything, and what it sends all the same is refused. Who signs out is asked for a login by the page that is loaded
//! again, and a link signs nobody in anew who does not say so. Pictures lie in `target/remora-tests/console`.
//! Broken once to see it fail: text put in as markup (the planted name was shown no more), the store's nodes left out of the verdict
//! (the page and the command line differed), quiet text in a paler grey (axe-core named it). Over a mock of the proxy: the
//! new word not used (the drain was refused), all of a dialog sent (a weight named a state), the sign-out not sent (the page that
//! was loaded again asked for nothing).

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use remora_proto::v1;
use remora_tests::axe::Axe;
use remora_tests::calls::session_key;
use remora_tests::chromium::Chromium;
use remora_tests::place;
use remora_tests::tomcat::Version;
use remora_tests::visitor::Visitor;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_for};
use serde_json::{Value, json};

/// A desk's screen, and a phone's.
const WIDE: (u32, u32) = (1600, 1000);
const NARROW: (u32, u32) = (360, 780);

/// A name that a page must not believe.
const MARKUP: &str = "<img src=x onerror=\"window.owned=1\">";

/// Who plants it; owns nothing that anybody asks for.
const CALLS: u64 = 78;

/// The views, as the address names them; a session's comes beside.
const VIEWS: [&str; 5] = ["overview", "upstreams", "sessions", "tomcats", "changes"];

/// The console in a browser.
struct Console {
    chromium: Chromium,
    address: String,
    pictures: PathBuf,
}

impl Console {
    /// Opens it with a new token, which goes in the address.
    fn open(world: &mut World) -> Result<Self> {
        let stores: Vec<String> = (world.stores.client_addresses().iter())
            .map(|address| format!("\"{address}\""))
            .collect();
        let more = format!("console = {{ store = [{}] }}\n", stores.join(", "));
        world.proxy()?.start_anew(|file| file + &more)?;
        for node in ["n1", "n2"] {
            world.proxy()?.wait_health(node, "up")?;
        }
        let pictures = place::cache()?.join("console");
        std::fs::create_dir_all(&pictures)?;
        let console = Self {
            chromium: Chromium::open_in_clear(world.directory())?,
            address: format!("http://{}/console/", world.proxy()?.control),
            pictures,
        };
        console.chromium.screen(WIDE, "light")?;
        let token = token(world, &[])?;
        console
            .chromium
            .go(&format!("{}#token={token}", console.address))?;
        console.sees("the verdict", "!!document.querySelector('.verdict')")?;
        let url = console.chromium.url()?;
        ensure!(!url.contains("token"), "the address bar keeps the secret: {url}");
        let cookies = console.chromium.run("return document.cookie")?;
        ensure!(cookies == "", "a script reads {cookies}");
        Ok(console)
    }

    /// Goes to a view, as its link does.
    fn view(&self, view: &str) -> Outcome {
        let there = json!(format!("#/{view}"));
        self.chromium.run(&format!("location.hash = {there}"))?;
        let name = view.split('?').next().unwrap_or(view);
        self.sees(view, &format!("!!document.querySelector('[data-view={name}]')"))
    }

    /// Waits until an expression is true on the page.
    fn sees(&self, what: &str, expression: &str) -> Outcome {
        self.chromium.wait(what, &format!("return {expression}"))
    }

    /// Waits until an element that the selector names shows a text.
    fn shows(&self, selector: &str, text: &str) -> Outcome {
        let (selector, text) = (json!(selector), json!(text));
        let expression = format!(
            "[...document.querySelectorAll({selector})].some((element) => element.textContent.includes({text}))"
        );
        self.sees(&format!("{text} in {selector}"), &expression)
    }

    /// Presses the button whose text begins so, in what the selector names.
    fn press(&self, within: &str, text: &str) -> Outcome {
        let (within, text) = (json!(format!("{within} button")), json!(text));
        let script = format!(
            "const wanted = [...document.querySelectorAll({within})].find((button) => \
             button.textContent.startsWith({text}) && !button.disabled); wanted?.focus(); wanted?.click(); return !!wanted"
        );
        self.chromium.wait(&format!("a button {text}"), &script)
    }

    fn picture(&self, name: &str) -> Outcome {
        self.chromium.picture(&self.pictures.join(format!("{name}.png")))
    }
}

/// A secret for the console, from the operator's command line.
fn token(world: &mut World, flags: &[&str]) -> Result<String> {
    let said = world.operator(&[&["console", "token", "-o", "json"], flags].concat())?;
    let said: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    let address = said["consoles"][0]["url"].as_str();
    let token = address.and_then(|address| address.split_once("#token="));
    Ok(token.with_context(|| format!("no token in {said}"))?.1.to_owned())
}

/// The page and the command line say the same of the site, and so many troubles.
fn agree(world: &mut World, console: &Console, station: &str, troubles: usize) -> Outcome {
    console.view("overview")?;
    let mut last = (Value::Null, Value::Null);
    let same = wait_for(&format!("page and status agree: {station}"), SOON, || {
        let page = console.chromium.run(
            "const all = (selector) => [...document.querySelectorAll(selector)].map((found) => found.textContent).sort();
             return { troubles: all('.troubles b'), advice: all('.troubles span'), remarks: all('.remarks span') }",
        );
        last = (page.ok()?, status(world).ok()?);
        let counted = last.0["troubles"].as_array().map(Vec::len) == Some(troubles);
        (counted && last.0 == last.1).then_some(())
    });
    same.with_context(|| format!("the page says {:#}\nstatus says {:#}", last.0, last.1))?;
    console.picture(&format!("overview-{station}"))
}

/// What the command line says, whatever its exit code.
fn status(world: &mut World) -> Result<Value> {
    let output = std::process::Command::new(place::program("remora")?)
        .args(["--store", &world.stores.client_list()])
        .args([
            "--proxy",
            &world.proxy()?.control.to_string(),
            "status",
            "-o",
            "json",
        ])
        .output()?;
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let sorted = |name: &str| {
        let mut texts: Vec<&str> = said[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        texts.sort_unstable();
        json!(texts)
    };
    Ok(json!({ "troubles": sorted("troubles"), "advice": sorted("advice"), "remarks": sorted("remarks") }))
}

/// The page of the session of that user.
fn open_session(console: &Console, user: &str) -> Outcome {
    console.view("sessions")?;
    console
        .chromium
        .run("document.querySelector('[name=user]').value = ''")?;
    console.chromium.write("[name=user]", user)?;
    console.press(".filter", "Search")?;
    let only = format!(
        "(() => {{ const found = [...document.querySelectorAll('td[data-label=User]')];
         return found.length > 0 && found.every((cell) => cell.textContent === {}) }})()",
        json!(user)
    );
    console.sees(&format!("the sessions of {user} alone"), &only)?;
    console.chromium.click("tbody th a")?;
    console.shows(".facts dd", user)
}

/// Somebody whose name and label are markup.
fn plant(world: &World) -> Outcome {
    let label = |name: &str| v1::Label {
        name: name.to_owned(),
        value: MARKUP.to_owned(),
    };
    let request = v1::SaveRequest {
        session: Some(session_key("localhost/planted", "planted")),
        changed: vec![v1::Attribute {
            name: MARKUP.to_owned(),
            value: b"1".to_vec().into(),
            ..Default::default()
        }],
        max_idle_seconds: Some(1800),
        local: vec![v1::LocalAttribute {
            name: "thread".to_owned(),
            class: MARKUP.to_owned(),
        }],
        labels: Some(v1::Labels {
            labels: vec![label("principal"), label("tenant")],
        }),
        ..Default::default()
    };
    let reply = world.stores.calls(CALLS)?.save(&request)?;
    let saved = matches!(reply.outcome, Some(v1::save_reply::Outcome::Saved(_)));
    ensure!(saved, "{reply:?}");
    Ok(())
}

/// Markup in a name is shown as text, wherever it stands.
fn markup_is_inert(world: &World, console: &Console) -> Outcome {
    plant(world)?;
    open_session(console, MARKUP)?;
    console.shows(".tag", &format!("tenant: {MARKUP}"))?;
    console.shows("tbody th code", MARKUP)?;
    console.shows("[aria-labelledby=left] td", MARKUP)?;
    let made = "window.owned !== undefined || document.querySelectorAll('main img, #said img').length > 0";
    let made = console.chromium.run(&format!("return {made}"))?;
    ensure!(made == false, "markup in a name was read as markup");
    console.picture("session-markup")
}

/// No view breaks a rule of accessible pages: all rules in the light, those of colours in the dark, all on a phone.
fn is_accessible(console: &Console, axe: &Axe) -> Outcome {
    let mut wrong = Vec::new();
    let session = console
        .chromium
        .run("return location.hash")?
        .as_str()
        .unwrap_or_default()
        .replace("#/", "");
    let views = VIEWS.map(str::to_owned);
    for (size, scheme, rules) in [
        (WIDE, "light", &[][..]),
        (WIDE, "dark", &["color-contrast"]),
        (NARROW, "dark", &[]),
    ] {
        console.chromium.screen(size, scheme)?;
        for view in views.iter().chain([&session]) {
            console.view(view)?;
            let name = view.split('?').next().unwrap_or_default();
            console.sees(
                "what the store says",
                "!document.querySelector('main').textContent.includes('Asking')",
            )?;
            console.picture(&format!("{name}-{}-{scheme}", size.0))?;
            let found = axe.violations(&console.chromium, rules)?;
            wrong.extend(
                found
                    .into_iter()
                    .map(|found| format!("{name}, {scheme}: {found}")),
            );
        }
    }
    console.chromium.screen(WIDE, "light")?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A Tomcat dies under a user, who clicks on.
fn failover_is_seen(world: &mut World, console: &Console, ada: &mut Visitor) -> Outcome {
    console.view("upstreams")?;
    world.tomcat("n1")?.kill();
    console.shows("[data-route=n1] .mark", "down")?;
    console.picture("upstreams-failover")?;
    agree(world, console, "tomcat-killed", 1)?;
    console.shows(".lately li", "n1")?;
    open_session(console, "ada")?;
    let page = ada.look()?;
    ensure!(page.node == "n2" && page.user == "ada", "{page:?}");
    console.shows(".history li", "It moved from n1 to n2")?;
    console.picture("session-failover")?;
    world.tomcat("n1")?.launch()?;
    world.proxy()?.wait_health("n1", "up")
}

/// Another tab of the same browser signs in, so that the word which the page repeats with every change is good no more.
fn sign_in_beside(world: &mut World, console: &Console) -> Outcome {
    let token = token(world, &[])?;
    let answered = console.chromium.run_later(
        "const [token, done] = arguments;
         fetch('api/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) })
             .then((answer) => done(answer.status), (why) => done(String(why)))",
        &[json!(token)],
    )?;
    ensure!(answered == 200, "a login beside: {answered}");
    Ok(())
}

/// An operator drains a Tomcat on the page, and sees it become empty.
fn drain_is_seen(world: &mut World, console: &Console, ada: &mut Visitor) -> Outcome {
    console.view("upstreams")?;
    sign_in_beside(world, console)?;
    console.press("[data-route=n2]", "Drain")?;
    console.chromium.click("dialog [value=move]")?;
    console.picture("drain-dialog")?;
    console.press("dialog", "Move its users")?;
    console.shows("[data-route=n2] .tag", "draining")?;
    console.shows("[data-route=n2] .progress", "still there")?;
    agree(world, console, "drained", 0)?;
    console.view("upstreams")?;
    let page = ada.look()?;
    ensure!(page.node == "n1" && page.user == "ada", "{page:?}");
    console.shows("[data-route=n2] .progress", "Empty")?;
    console.picture("drain-empty")?;
    console.press("[data-route=n2]", "Undrain")?;
    console.press("dialog", "Undrain")?;
    console.sees(
        "n2 active again",
        "!document.querySelector('[data-route=n2] .progress')",
    )?;
    console.view("changes?kind=wish")?;
    console.shows("tbody tr", "n2")
}

/// What an operator does not touch in a dialog stays: here the deadline of a drain, beside a new weight.
fn set_keeps_the_rest(console: &Console) -> Outcome {
    console.view("upstreams")?;
    console.press("[data-route=n2]", "Drain")?;
    console.press("dialog", "Let users finish")?;
    console.shows("[data-route=n2] .progress", "who is left moves in")?;
    console.press("[data-route=n2]", "Set")?;
    console
        .chromium
        .run("document.querySelector('[name=weight]').value = ''")?;
    console.chromium.write("[name=weight]", "3")?;
    console.picture("set-dialog")?;
    console.press("dialog", "Set")?;
    console.shows("[data-route=n2] .tag", "finishing, weight 3")?;
    console.shows("[data-route=n2] .progress", "who is left moves in")?;
    console.press("[data-route=n2]", "Set")?;
    console.chromium.click("dialog [name=reset]")?;
    console.press("dialog", "Do as the file says")?;
    let as_filed = "!document.querySelector('[data-route=n2] .tag, [data-route=n2] .progress')";
    console.sees("n2 as the file says", as_filed)
}

/// Signing out ends the login at the proxy, not on the page alone; until then a link changes it only when asked to.
fn sign_out_holds(world: &mut World, console: &Console) -> Outcome {
    let link = json!(format!("#token={}", token(world, &[])?));
    console.chromium.run(&format!("location.hash = {link}"))?;
    console.shows("dialog", "You are signed in as")?;
    console.picture("link-dialog")?;
    console.press("#top", "Sign out")?;
    console.sees(
        "nothing but the login",
        "!!document.querySelector('.login') && !document.querySelector('dialog')",
    )?;
    console.chromium.go(&console.address)?;
    console.sees(
        "a page that asks for a login",
        "!!document.querySelector('.login')",
    )
}

/// An operator ends a session on the page.
fn kill_is_seen(console: &Console, ada: &mut Visitor) -> Outcome {
    open_session(console, "ada")?;
    console.press("main", "End this session")?;
    console.shows("dialog", "is logged out at once")?;
    console.press("dialog", "End it")?;
    console.shows("main .notice", "")?;
    ensure!(ada.is_signed_out()?, "the session lives on");
    console.view("changes?kind=session")?;
    console.shows("tbody tr", "session")
}

/// A token for looking changes nothing, neither by the page nor beside it.
fn looking_changes_nothing(world: &mut World, console: &Console) -> Outcome {
    let token = token(world, &["--read-only"])?;
    console.chromium.write("#token", &token)?;
    console.press(".login", "Sign in")?;
    console.shows("#top .tag", "read-only")?;
    console.view("upstreams")?;
    console.shows("[data-route=n1]", "Address")?;
    let buttons = console
        .chromium
        .run("return document.querySelectorAll('main button').length")?;
    ensure!(buttons == 0, "{buttons} buttons that change something");
    let sent = console.chromium.run_later(
        "const done = arguments[0];
         import('./api.js').then((api) => api.post('upstreams/drain', { route: 'n1', mode: 'move', deadline_seconds: 0, careful: false }))
             .then(() => done('taken'), (why) => done(why.status))",
        &[],
    )?;
    ensure!(sent == 403, "a drain by a token for looking: {sent}");
    Ok(())
}

/// A proxy that went knows no login: the page says that it is away, and then asks for one.
fn loss_is_said(world: &mut World, console: &Console) -> Outcome {
    console.view("overview")?;
    world.proxy()?.process()?.pause()?;
    console.shows("#top .fresh", "connection lost")?;
    console.picture("connection-lost")?;
    world.proxy()?.start_anew(|file| file)?;
    console.shows(".login", "The login has ended")
}

fn story(world: &mut World, console: &Console) -> Outcome {
    let axe = Axe::fetch()?;
    let mut ada = Visitor::new(world.tomcat("n1")?.address());
    ada.sign_in("ada", "lovelace")?;
    ada.add("mug")?;
    ada.browser = ada.browser.at(world.front_door()?);
    agree(world, console, "well", 0)?;
    markup_is_inert(world, console)?;
    is_accessible(console, &axe)?;
    failover_is_seen(world, console, &mut ada)?;
    drain_is_seen(world, console, &mut ada)?;
    set_keeps_the_rest(console)?;
    kill_is_seen(console, &mut ada)?;
    let leader = world.stores.wait_ready()?;
    let other = world.stores.ids().into_iter().find(|id| *id != leader);
    world.stores.kill(other.context("a follower")?)?;
    agree(world, console, "store-node-killed", 1)?;
    console.shows("#store ~ table .mark, .panel .mark", "silent")?;
    sign_out_holds(world, console)?;
    looking_changes_nothing(world, console)?;
    loss_is_said(world, console)
}

#[test]
fn to_an_operator_at_a_real_browser() -> Outcome {
    World::plan().tomcats(&[Version::V10; 2]).run(|world| {
        let console = Console::open(world)?;
        story(world, &console).with_context(|| console.chromium.tail())
    })
}
