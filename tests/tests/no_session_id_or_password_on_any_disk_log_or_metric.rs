//! Promise 8: the session id is a credential. No id and no password stands on any disk, in any log, metric or screen of
//! an operator.
//!
//! Shown: a site lives through what may tempt a program to write one down: logins by form and without one, a wrong
//! password, ids in addresses, a socket of a logged-in user (where Tomcat puts the id into the session as an attribute),
//! a failover, saves refused while a majority of the store is away, a value that cannot be stored, a logout, snapshots, a
//! backup, an orderly end. Then every file that the run wrote, every metric and every word of the command line is searched for
//! every id and password, in several spellings and in part; files and metrics for more of an id's hash than logs show. What
//! must be found is searched for, too, so that nobody looks past the place. And Tomcat has left no session file.
//! Left out: Tomcat's own access log, which writes addresses down as they are; it is off unless configured. The user
//! database in conf/tomcat-users.xml, which holds passwords because an operator wrote them there.
//! Broken once to see it fail: the row of the socket's attribute among what Tomcat keeps for itself (the store's log then
//! holds the id); the id itself as its key (log and snapshots hold it).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use remora_tests::haystack::{Needles, base64, files_below};
use remora_tests::http::{Answer, Browser, Request};
use remora_tests::stores::loopback;
use remora_tests::tomcat::{Application, Version};
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::{SOON, START};
use remora_tests::{Outcome, World, wait_until};

/// Whose password stands on no page.
const MARY: (&str, &str) = ("mary", "known-to-mary-alone");

/// What she types by mistake.
const MISTYPED: &str = "mistyped-by-mary-once";

/// An attribute's value, which the store must hold.
const KEPT: &str = "kept-where-it-belongs";

/// The file of a backup, in the world's directory.
const BACKUP: &str = "sessions.backup";

/// Saves that give the stores reason to take snapshots.
const SAVES: usize = 40;
/// Bytes of log after which the stores take snapshots: fewer than these saves write.
const SNAPSHOT_BYTES: usize = SAVES * 200;

/// Everything that our classes in Tomcat have to say.
const LOGGING: &str = "handlers = java.util.logging.ConsoleHandler
.handlers = java.util.logging.ConsoleHandler
java.util.logging.ConsoleHandler.level = ALL
java.util.logging.ConsoleHandler.formatter = org.apache.juli.OneLineFormatter
remora.tomcat.level = ALL
";

/// Longest end of a Tomcat or of a store node.
const STOP: Duration = Duration::from_secs(30);

/// What has become known to browsers, and what was shown to operators.
#[derive(Default)]
struct Collected {
    needles: Needles,
    hashes: Needles,
    ids: Vec<String>,
    shown: Vec<(String, String)>,
}

impl Collected {
    fn id(&mut self, browser: &Browser) -> Outcome {
        let id = browser.cookie("JSESSIONID").context("a session cookie")?;
        self.add(id);
        Ok(())
    }

    fn add(&mut self, id: &str) {
        if !self.ids.iter().any(|known| known == id) {
            self.ids.push(id.to_owned());
            let what = format!("session id {}", self.ids.len());
            self.needles.add_id(&what, id);
            self.hashes.add_hash(&what, id);
        }
    }

    fn operator(&mut self, world: &mut World, arguments: &[&str]) -> Result<String> {
        let said = world.operator(arguments)?;
        self.shown
            .push((format!("remora {}", arguments.join(" ")), said.clone()));
        Ok(said)
    }
}

fn good(answer: Answer, expected: &str) -> Result<Answer> {
    ensure!(
        answer.status == 200 && answer.text().contains(expected),
        "expected {expected:?}: {}",
        told(&answer)
    );
    Ok(answer)
}

fn with_login(path: &str) -> Request {
    let mut request = Request::get(path);
    let credentials = base64(format!("{}:{}", MARY.0, MARY.1).as_bytes());
    request
        .fields
        .push(("Authorization".to_owned(), format!("Basic {credentials}")));
    request
}

/// Logins by form: the id before it, after a wrong password, and after the right one.
fn by_form(world: &World, known: &mut Collected) -> Result<Visitor> {
    let mut mary = world.visitor()?;
    ensure!(
        mary.sign_in(MARY.0, MISTYPED).is_err(),
        "a wrong password does not sign in"
    );
    known.id(&mary.browser)?;
    mary.sign_in(MARY.0, MARY.1)?;
    known.id(&mary.browser)?;
    for item in ["mask", "lamp"] {
        mary.add(item)?;
    }
    Ok(mary)
}

/// A login without a page, in a session that was there before; then one whose id travels in addresses.
fn without_form(front: SocketAddr, known: &mut Collected) -> Result<Browser> {
    let mut mary = Browser::new(front);
    good(mary.get("/rough/set.jsp?name=color&value=blue")?, "set")?;
    known.id(&mary)?;
    let page = format!("/rough/secure/who.jsp?note={KEPT}");
    good(mary.send(&with_login(&page))?, "user=mary")?;
    known.id(&mary)?;

    let without_cookies = Browser::new(front);
    let answer = without_cookies.clone().send(&with_login(&page))?;
    let text = answer.text();
    let (_, next) = text.split_once("next=").context("the page links to itself")?;
    let (_, id) = next
        .split_once(";jsessionid=")
        .context("by an address with the id")?;
    known.add(id.trim());
    let linked = format!("/rough/secure/{}?note={KEPT}", next.trim());
    good(without_cookies.clone().send(&with_login(&linked))?, "user=mary")?;
    Ok(mary)
}

/// Opens a socket in a session, whereupon Tomcat sets an attribute that holds the session's id.
fn socket(front: SocketAddr, user: &mut Browser) -> Result<TcpStream> {
    let cookie = user.cookie("JSESSIONID").context("a session cookie")?;
    let key = base64(b"sixteen bytes ..");
    let mut socket = TcpStream::connect(front)?;
    socket.set_read_timeout(Some(SOON))?;
    write!(
        socket,
        "GET /rough/secure/socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nCookie: JSESSIONID={cookie}\r\n\r\n"
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket
            .read_exact(&mut byte)
            .context("the answer to a handshake")?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    ensure!(head.starts_with("HTTP/1.1 101"), "a socket opens: {head}");
    // Behind its 101.
    wait_until("this Tomcat sets the attribute", SOON, || {
        let page = user.get("/rough/read.jsp");
        page.is_ok_and(|page| page.text().contains("WsHttpSessionBindingListener"))
    })?;
    good(user.get("/rough/set.jsp?name=color&value=green")?, "set")?;
    Ok(socket)
}

/// A majority of the stores stands still: saves are refused, and each program says so in its way.
fn outage(world: &mut World, user: &mut Browser) -> Outcome {
    let leader = world.stores.wait_ready()?;
    let others = world.stores.ids().into_iter().filter(|id| *id != leader);
    let paused: Vec<u64> = others.collect();
    for id in &paused {
        world.stores.process(*id)?.pause()?;
    }
    wait_until("a save is refused", START, || {
        let answer = user.get("/rough/set.jsp?name=color&value=red");
        answer.is_ok_and(|answer| answer.status == 503)
    })?;
    for id in &paused {
        world.stores.process(*id)?.resume()?;
    }
    wait_until("saves go on", START, || {
        let answer = user.get("/rough/set.jsp?name=color&value=red");
        answer.is_ok_and(|answer| answer.status == 200)
    })?;
    Ok(())
}

fn operators_look(world: &mut World, known: &mut Collected) -> Outcome {
    let listed = known.operator(world, &["sessions", "list", "-o", "json"])?;
    ensure!(listed.contains("mary"), "the operator sees her: {listed}");
    let table = known.operator(world, &["sessions", "list", "--principal", "mary"])?;
    let first = table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    let first = first.with_context(|| format!("a hash in {table}"))?.to_owned();
    known.operator(world, &["sessions", "show", &first])?;
    known.operator(world, &["sessions", "show", &first, "-o", "json"])?;
    known.operator(world, &["sessions", "show", &first, "--values", "-o", "json"])?;
    for arguments in [&["status"][..], &["nodes", "list"], &["upstreams", "list"]] {
        for output in ["table", "json"] {
            known.operator(world, &[arguments, &["-o", output]].concat())?;
        }
    }
    let backup = world.directory().join(BACKUP).display().to_string();
    known.operator(world, &["backup", &backup])?;
    known.operator(world, &["sessions", "kill", &first, "--yes"])?;
    Ok(())
}

fn metrics(world: &mut World, known: &mut Collected) -> Outcome {
    let mut addresses = vec![world.proxy()?.control];
    for id in world.stores.ids() {
        let node = world.stores.node(id).context("a store")?;
        addresses.push(loopback(node.ports.ops));
    }
    for address in addresses {
        let answer = Browser::new(address).get("/metrics")?;
        let metrics = good(answer, "remora_")?.text();
        if let Some(what) = known.hashes.found(metrics.as_bytes()).first() {
            bail!("the metrics at {address} hold {what}: {metrics}");
        }
        known.shown.push((format!("the metrics at {address}"), metrics));
    }
    Ok(())
}

/// The files of the run, with what a person may write into a configuration left out.
fn written(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_below(directory)?;
    files.retain(|path| !path.ends_with("conf/tomcat-users.xml"));
    Ok(files)
}

fn nothing_is_written_down(world: &World, known: &Collected) -> Outcome {
    let mut faults = Vec::new();
    let mut seen: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for path in written(world.directory())? {
        let bytes = std::fs::read(&path)?;
        for what in [known.needles.found(&bytes), known.hashes.found(&bytes)].concat() {
            faults.push(format!("{} holds {what}", path.display()));
        }
        if path.ends_with("SESSIONS.ser") {
            faults.push(format!("Tomcat has left {}", path.display()));
        }
        seen.push((path, bytes));
    }
    for (what, text) in &known.shown {
        faults.extend(
            (known.needles.found(text.as_bytes()))
                .iter()
                .map(|id| format!("{what} shows {id}: {text}")),
        );
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    // What must be there is found by the same reading.
    let expected = [
        ("store-1/log", KEPT),
        ("store-2/log", KEPT),
        ("store-3/log", KEPT),
        ("store-1/snapshots", KEPT),
        (BACKUP, MARY.0),
        ("proxy.log", "/rough/secure/who.jsp"),
        ("tomcat-n1.log", "keeps its sessions in the store"),
        ("", "is answered 503"),
    ];
    for (place, text) in expected {
        let place = world.directory().join(place);
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let found = seen
            .iter()
            .any(|(path, bytes)| path.starts_with(&place) && holds(bytes));
        ensure!(
            found,
            "{} must hold {text:?}, or nobody looked there",
            place.display()
        );
    }
    Ok(())
}

fn snapshots_are_taken(world: &World, user: &mut Browser) -> Outcome {
    for count in 0..SAVES {
        let path = format!("/rough/set.jsp?name=count&value={count}");
        wait_until("a save", SOON, || {
            user.get(&path).is_ok_and(|answer| answer.status == 200)
        })?;
    }
    wait_until("a snapshot on every store", SOON, || {
        let taken = |id: &u64| {
            let node = world.stores.node(*id);
            let files = node.map(|node| files_below(&node.data.join("snapshots")));
            matches!(files, Some(Ok(files)) if !files.is_empty())
        };
        world.stores.ids().iter().all(taken)
    })?;
    Ok(())
}

fn live(world: &mut World, known: &mut Collected) -> Outcome {
    let front = world.front_door()?;
    let mut shopper = by_form(world, known)?;
    let mut user = without_form(front, known)?;
    let _open = socket(front, &mut user)?;
    let home = shopper.look()?.node;
    world.tomcat(&home)?.kill();
    ensure!(shopper.look()?.node != home, "she goes on elsewhere");
    known.id(&shopper.browser)?;
    good(user.get("/rough/read.jsp")?, "live")?;
    known.id(&user)?;
    world.tomcat(&home)?.launch()?;
    world.tomcat(&home)?.wait_ready()?;
    let mut caller = world.caller()?;
    caller.browser.get("/probe/unserializable.jsp?name=thing")?;
    known.id(&caller.browser)?;
    outage(world, &mut user)?;
    snapshots_are_taken(world, &mut user)?;
    ensure!(shopper.sign_out()?, "she signs out");
    operators_look(world, known)?;
    metrics(world, known)?;
    for tomcat in &mut world.tomcats {
        tomcat.process()?.stop(STOP)?;
    }
    // A node that runs replaces files, also while somebody reads them.
    for id in world.stores.ids() {
        world.stores.process(id)?.stop(STOP)?;
    }
    if known.ids.len() < 6 {
        bail!("the run has used {} ids", known.ids.len());
    }
    Ok(())
}

#[test]
fn nobody_writes_one_down() -> Outcome {
    let own = tempfile::tempdir()?;
    let logging = own.path().join("logging.properties");
    std::fs::write(&logging, LOGGING)?;
    let plan = World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .application(Application::Rough)
        .store_flag("snapshot-bytes", &SNAPSHOT_BYTES.to_string())
        .manager("onStoreLoss", "refuse")
        .java_option(&format!("-Djava.util.logging.config.file={}", logging.display()));
    plan.run(|world| {
        let mut known = Collected::default();
        known.needles.add_password("her password", MARY.1);
        known.needles.add_password("a mistyped password", MISTYPED);
        live(world, &mut known)?;
        nothing_is_written_down(world, &known)
    })
}
