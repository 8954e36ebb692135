//! Beside the promises: the jar and the store work behind an httpd, nginx or HAProxy that a site has already, with `jvmRoute`
//! and without, as `docs/keep-your-proxy.md` says.
//!
//! Shown with the very configurations of the page, addresses of this machine in place of theirs: in front of the same two real
//! Tomcats stand the three, and ours beside them; behind each a user logs in at n1 and stays there. Then n1 is killed, with a
//! GET and a POST of each front at work in it: what comes of these is what the page's table says, no POST runs twice, and each
//! user's next click is answered by n2, logged in, cart intact. At last n1 is back, and ours takes the place of each of the three that
//! mark users by themselves, with the file that `remora import` writes of theirs (`docs/migration.md`): whoever has such a mark stays.
//! Broken once to see it fail: a page without the lines of `disable-l7-retry`, and one with `non_idempotent` (then HAProxy and
//! nginx run the POST twice); the second Tomcat's line left out of the page (then nobody answers after the kill).

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use remora_tests::fronts::{By, Front, Kind, PAGE};
use remora_tests::http::{Browser, Request};
use remora_tests::imported::stand_in;
use remora_tests::page::{blocks, text};
use remora_tests::proxy::Sticky;
use remora_tests::tomcat::Version;
use remora_tests::visitor::Visitor;
use remora_tests::{Outcome, World};

/// New users are shared out evenly, or by a hash of what nobody foresees: so many in a row never miss one of two Tomcats.
const USERS: usize = 30;

/// Who is behind each front when ours takes its place: of so many new users two Tomcats share every time.
const STAY: usize = 4;

/// What stands in front of the Tomcats, in the order of the page's table.
const FRONTS: [&str; 4] = ["httpd", "nginx", "haproxy", "ours"];

/// Of requests that n1 works on when it is killed, behind each front: the method, statuses, how often each ran.
const UNDER_WAY: [(&str, [u16; 4], [usize; 4]); 2] = [
    ("GET", [502, 200, 200, 200], [1, 2, 2, 2]),
    ("POST", [502, 502, 502, 502], [1, 1, 1, 1]),
];

/// The page's configurations of one way to stick, run in front of a world's Tomcats.
struct Fronts([Front; 3]);

impl Fronts {
    fn start(world: &World, by: By) -> Result<Self> {
        let [httpd, nginx, haproxy] = Kind::ALL.map(|kind| kind.stand(by, world.directory(), &world.tomcats));
        Ok(Self([httpd?, nginx?, haproxy?]))
    }

    fn addresses(&self) -> [SocketAddr; 3] {
        [0, 1, 2].map(|at: usize| self.0[at].address)
    }

    fn tails(&self) -> String {
        self.0.iter().map(Front::tail).collect::<Vec<_>>().join("\n")
    }
}

/// Looks that the Tomcats have the line that the page adds, and nothing else.
fn has_the_pages_line(world: &World) -> Outcome {
    let page = blocks(&text(PAGE)?);
    let line = page.iter().find(|block| block.language == "xml");
    let line = &line.context("the page has the Manager's line")?.text;
    let nodes = "192.0.2.1:7400,192.0.2.2:7400,192.0.2.3:7400";
    let line = line.replace(nodes, &world.stores.client_list());
    let file = world.directory().join("tomcat-n1/conf/context.xml");
    let written = std::fs::read_to_string(file)?;
    ensure!(
        written == format!("<Context>\n  {line}</Context>\n"),
        "{written} has not {line}"
    );
    Ok(())
}

/// A user who logged in behind this front, is served by n1, and has something in her cart.
fn user_at_n1(front: SocketAddr) -> Result<Visitor> {
    for _ in 0..USERS {
        let mut ada = Visitor::new(front);
        if ada.sign_in("ada", "lovelace")?.node == "n1" {
            let page = ada.add("mask")?;
            ensure!(
                page.node == "n1" && page.cart == "mask:1",
                "she does not stay: {page:?}"
            );
            return Ok(ada);
        }
    }
    anyhow::bail!("none of {USERS} users came to n1")
}

/// The user's next clicks after n1's death.
fn goes_on(ada: &mut Visitor) -> Outcome {
    let page = ada.look()?;
    ensure!(
        page.node == "n2" && page.user == "ada" && page.cart == "mask:1",
        "expected ada at n2 with a mask: {page:?}"
    );
    let page = ada.add("lamp")?;
    ensure!(
        page.node == "n2" && page.cart == "mask:1,lamp:1",
        "she goes on: {page:?}"
    );
    Ok(())
}

/// Kills n1 while it works on a request of each kind behind each front; what came of them.
fn dies_at_work(world: &mut World, fronts: [SocketAddr; 4]) -> Outcome {
    let signals = world.signals.clone();
    let asked: Vec<_> = UNDER_WAY
        .iter()
        .flat_map(|(method, statuses, runs)| {
            (0..FRONTS.len()).map(move |at| (*method, at, statuses[at], runs[at]))
        })
        .collect();
    let key = |method: &str, at: usize| format!("{}-{}", FRONTS[at], method.to_lowercase());
    let answers = std::thread::scope(|scope| {
        let under_way: Vec<_> = asked
            .iter()
            .map(|(method, at, ..)| {
                let mut request = Request::form(&format!("/probe/slow.jsp?key={}", key(method, *at)), &[]);
                request.method = (*method).to_owned();
                let user = ("Cookie".to_owned(), "JSESSIONID=A.n1".to_owned());
                request.fields.push(user);
                scope.spawn(move || Browser::new(fronts[*at]).send(&request))
            })
            .collect();
        let begun = (asked.iter()).try_for_each(|(method, at, ..)| signals.wait_begun(&key(method, *at), 1));
        world.tomcat("n1")?.kill();
        (asked.iter()).try_for_each(|(method, at, ..)| signals.go(&key(method, *at)))?;
        let answers = under_way
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        begun.map(|()| answers)
    })?;
    for ((method, at, status, runs), answer) in asked.iter().zip(answers) {
        let ran = signals.executions(&key(method, *at)).len();
        ensure!(
            (answer.status, ran) == (*status, *runs),
            "{method} behind {}: {} after {ran} runs",
            FRONTS[*at],
            answer.status
        );
    }
    Ok(())
}

/// Users who log in while n2 is alone, behind each front.
fn users_at_n2(fronts: [SocketAddr; 3]) -> Result<Vec<Vec<Visitor>>> {
    let user = |front| {
        let mut grace = Visitor::new(front);
        grace.sign_in("grace", "hopper")?;
        let page = grace.add("mask")?;
        ensure!(page.node == "n2", "n2 is alone: {page:?}");
        Ok(grace)
    };
    let behind = |front| (0..STAY).map(|_| user(front)).collect();
    fronts.into_iter().map(behind).collect()
}

/// Ours takes the place of each front. Whose mark says so stays where he is; of nginx, which marks nobody, he is logged in.
fn ours_takes_over(world: &World, Fronts(fronts): Fronts, users: Vec<Vec<Visitor>>) -> Outcome {
    for ((kind, front), users) in Kind::ALL.into_iter().zip(fronts).zip(users) {
        let port = front.address.port();
        drop(front);
        let _ours = stand_in(world.directory(), (kind, By::Mark), port, &world.tomcats)?;
        for mut grace in users {
            let page = grace.look()?;
            let stays = page.node == "n2" || kind == Kind::Nginx;
            ensure!(
                stays && page.user == "grace" && page.cart == "mask:1",
                "ours in place of {}: expected grace at n2 with a mask: {page:?}",
                kind.name()
            );
        }
    }
    Ok(())
}

#[test]
fn with_a_jvm_route() -> Outcome {
    let plan = World::plan().tomcats(&[Version::V10; 2]);
    plan.manager("allowPlaintext", "true").run(|world| {
        has_the_pages_line(world)?;
        let fronts = Fronts::start(world, By::JvmRoute)?;
        let [httpd, nginx, haproxy] = fronts.addresses();
        let doors = [httpd, nginx, haproxy, world.front_door()?];
        let users = doors.map(user_at_n1).into_iter();
        let users = users.collect::<Result<Vec<_>>>();
        let mut users = users.with_context(|| fronts.tails())?;
        dies_at_work(world, doors).with_context(|| fronts.tails())?;
        (users.iter_mut().zip(FRONTS))
            .try_for_each(|(ada, front)| goes_on(ada).context(front))
            .with_context(|| fronts.tails())
    })
}

#[test]
fn without_one() -> Outcome {
    let plan = World::plan()
        .tomcats(&[Version::V10; 2])
        .sticky(Sticky::RouteCookie);
    plan.run(|world| {
        let fronts = Fronts::start(world, By::Mark)?;
        let users = fronts.addresses().map(user_at_n1).into_iter();
        let users = users.collect::<Result<Vec<_>>>();
        let mut users = users.with_context(|| fronts.tails())?;
        world.tomcat("n1")?.kill();
        (users.iter_mut().zip(FRONTS))
            .try_for_each(|(ada, front)| goes_on(ada).context(front))
            .with_context(|| fronts.tails())?;
        let stay = users_at_n2(fronts.addresses()).with_context(|| fronts.tails())?;
        world.tomcat("n1")?.launch()?;
        world.tomcat("n1")?.wait_ready()?;
        ours_takes_over(world, fronts, stay)
    })
}

#[test]
fn the_pages_table_is_what_was_seen() -> Outcome {
    let page = text(PAGE)?;
    for (method, statuses, _) in UNDER_WAY {
        let cells = statuses.map(|status| status.to_string()).join(" | ");
        let row = format!("| while it works on a {method} of hers | {cells} |");
        ensure!(page.contains(&row), "{PAGE} does not say: {row}");
    }
    Ok(())
}
