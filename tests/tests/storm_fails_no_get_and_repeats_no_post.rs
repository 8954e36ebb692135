//! Promise 4: whatever befalls Tomcats one after the other, no GET fails and no POST runs twice.
//!
//! Shown with three real Tomcats, which carry the load easily, and 40 users who ask for ten small pages a second each, every
//! tenth a POST. Meanwhile Tomcats are killed, frozen, paused, robbed of all their connections at any moment of a request, and
//! of all their threads, in an order that a seed draws. Each POST has a name of its own, and its page counts its runs. What it
//! cost is printed by fault: users who were answered elsewhere, attempts that were repeats, POSTs without a 200.
//! Nothing is expected of times: a slow machine plays the same storm with fewer requests.
//! `REMORA_STORM_SECONDS` makes it longer (`make soak`), `REMORA_SEED` plays an order again.
//! Broken once to see it fail: a GET whose effect is possible is not repeated (62 GETs failed); a POST whose effect is
//! possible is (24 ran twice).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use remora_tests::http::{Browser, Request};
use remora_tests::place::free_port;
use remora_tests::relay::{Passage, Relay};
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::wait::{SOON, holds_for};
use remora_tests::{Outcome, World, wait_until};

/// Users; with [`PACE`] between two clicks of each they are 400 requests a second.
const USERS: usize = 40;

/// Between two clicks of a user: a tenth of a second, less the step in which it is waited for.
const PACE: Duration = Duration::from_millis(90);

/// How long a page runs once it has counted that it does, in ms: faults meet some that ran and did not answer yet.
const PAGE_MILLIS: &str = "20";

/// Every so manieth click is a POST.
const POST_EVERY: usize = 10;

/// How long faults begin, unless said.
const USUAL_SECONDS: u64 = 20;

/// Threads for requests at each Tomcat: few enough to take them all.
const THREADS: usize = 16;

/// Longer than patience where checks are quick.
const FROZEN: Duration = Duration::from_secs(3);

/// Shorter than the least patience.
const PAUSED: Duration = Duration::from_millis(600);

/// How often connections are cut in one fault; each time others are in another phase of their requests.
const CUTS: usize = 10;

/// How long the relay is cut: until it has noticed.
const CUT: Duration = Duration::from_millis(50);

/// How long it is open between two cuts: no part of the pace, so that each cut meets users in another phase.
const OPEN: Duration = Duration::from_millis(80);

/// How long each page that takes a thread keeps it, in ms.
const EXHAUSTED_MILLIS: u32 = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Killed,
    Frozen,
    Paused,
    Reset,
    Exhausted,
}

const FAULTS: [Fault; 5] = [
    Fault::Killed,
    Fault::Frozen,
    Fault::Paused,
    Fault::Reset,
    Fault::Exhausted,
];

/// A number below `bound` that follows from the seed; SplitMix64, as any good mixing would do.
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 11;
    usize::try_from(mixed % bound as u64).unwrap_or(0)
}

fn number(name: &str, usual: u64) -> Result<u64> {
    let Ok(text) = std::env::var(name) else {
        return Ok(usual);
    };
    text.parse()
        .with_context(|| format!("{name} is no number: {text}"))
}

/// What happened to users, in all or since it was asked last.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    answered: AtomicUsize,
    /// What GETs met that was not their answer.
    failed: Mutex<Vec<String>>,
    /// The names of all POSTs.
    posts: Mutex<Vec<String>>,
    posts_unanswered: AtomicUsize,
    /// Users who were answered elsewhere, since it was asked last.
    moved: Mutex<BTreeSet<usize>>,
}

impl Tally {
    /// A user of one Tomcat, who clicks until it is over.
    fn click(&self, front: SocketAddr, user: usize) {
        let home = format!("n{}", user % 3 + 1);
        let mut browser = Browser::new(front);
        browser.set_cookie("JSESSIONID", &format!("{user:016X}.{home}"), "/");
        let mut clicks = 0;
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            clicks += 1;
            let key = format!("post-{user}-{clicks}");
            let is_post = clicks % POST_EVERY == 0;
            let request = if is_post {
                Request::form("/probe/work.jsp", &[("key", &key), ("millis", PAGE_MILLIS)])
            } else {
                Request::get(&format!("/probe/work.jsp?key=get&millis={PAGE_MILLIS}"))
            };
            let answer = browser.send(&request);
            let good = (answer.as_ref().ok()).filter(|answer| answer.status == 200 && answer.complete);
            if let Some(answer) = good {
                self.answered.fetch_add(1, Ordering::SeqCst);
                if !answer.text().contains(&home) {
                    let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
                    moved.insert(user);
                }
            } else if is_post {
                self.posts_unanswered.fetch_add(1, Ordering::SeqCst);
            } else {
                let what = answer.map_or_else(|error| format!("{error:#}"), |answer| told(&answer));
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(format!("user {user}, click {clicks}: {what}"));
            }
            if is_post {
                self.posts
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(key);
            }
            let _ = holds_for("the pace", PACE.saturating_sub(began.elapsed()), || true);
        }
    }
}

/// What faults of one kind cost.
#[derive(Default)]
struct Cost {
    times: usize,
    moved: usize,
    repeats: f64,
    posts: usize,
}

/// Repeats that the proxy counted since its start.
fn repeats(control: SocketAddr) -> Result<f64> {
    let page = Browser::new(control).get("/metrics")?.text();
    let lines = page
        .lines()
        .filter(|line| line.starts_with("remora_proxy_repeats_total"));
    Ok(lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum())
}

/// From its begin to its end; the Tomcat is then well again.
fn befall(world: &mut World, fault: Fault, node: &str, relay: &Relay) -> Outcome {
    match fault {
        Fault::Killed => {
            let tomcat = world.tomcat(node)?;
            tomcat.kill();
            tomcat.launch()?;
            tomcat.wait_ready()?;
        }
        Fault::Frozen | Fault::Paused => {
            let span = if fault == Fault::Frozen { FROZEN } else { PAUSED };
            let process = world.tomcat(node)?.process()?;
            process.pause()?;
            holds_for("it stands still", span, || true)?;
            process.resume()?;
        }
        Fault::Reset => {
            for _ in 0..CUTS {
                relay.set(Passage::Cut);
                holds_for("all its connections end", CUT, || true)?;
                relay.set(Passage::Open);
                holds_for("it carries others", OPEN, || true)?;
            }
        }
        Fault::Exhausted => {
            let address = world.tomcat(node)?.address();
            let page = format!("/probe/work.jsp?key=taken&millis={EXHAUSTED_MILLIS}");
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| Browser::new(address).get(&page));
                }
            });
        }
    }
    world.proxy()?.wait_health(node, "up")
}

/// Faults, one after the other, until the time is over and each kind has come.
fn storm(
    world: &mut World,
    relay: &Relay,
    tally: &Tally,
    seed: u64,
    length: Duration,
) -> Result<BTreeMap<Fault, Cost>> {
    let (began, mut state) = (Instant::now(), seed);
    let control = world.proxy()?.control;
    let mut costs: BTreeMap<Fault, Cost> = BTreeMap::new();
    let mut left = Vec::new();
    while costs.len() < FAULTS.len() || began.elapsed() < length {
        if left.is_empty() {
            left = FAULTS.to_vec();
        }
        let fault = left.swap_remove(below(&mut state, left.len()));
        // The one behind the relay is cut off, and those that are reached directly are killed: a dead port refuses.
        let node = match fault {
            Fault::Reset => 3,
            Fault::Killed => below(&mut state, 2) + 1,
            Fault::Frozen | Fault::Paused | Fault::Exhausted => below(&mut state, 3) + 1,
        };
        let (repeated, posts) = (repeats(control)?, tally.posts_unanswered.load(Ordering::SeqCst));
        tally.moved.lock().unwrap_or_else(PoisonError::into_inner).clear();
        befall(world, fault, &format!("n{node}"), relay)?;
        let cost = costs.entry(fault).or_default();
        cost.times += 1;
        cost.moved += tally.moved.lock().unwrap_or_else(PoisonError::into_inner).len();
        cost.repeats += repeats(control)? - repeated;
        cost.posts += tally.posts_unanswered.load(Ordering::SeqCst) - posts;
    }
    Ok(costs)
}

fn table(costs: &BTreeMap<Fault, Cost>) -> String {
    let mut text = "fault        times  users moved  repeats  POSTs without 200\n".to_owned();
    for (fault, cost) in costs {
        let Cost {
            times,
            moved,
            repeats,
            posts,
        } = cost;
        let name = format!("{fault:?}");
        let _ = writeln!(text, "{name:<11} {times:>6} {moved:>12} {repeats:>8} {posts:>18}");
    }
    text
}

#[allow(clippy::print_stdout, reason = "what a storm cost is for people")]
fn say(text: &str) {
    println!("{text}");
}

#[test]
fn of_kills_freezes_pauses_resets_and_taken_threads() -> Outcome {
    let seed = number("REMORA_SEED", u64::from(std::process::id()))?;
    let length = Duration::from_secs(number("REMORA_STORM_SECONDS", USUAL_SECONDS)?);
    let plan = World::plan().stores(0).tomcats(&[Version::V10; 3]);
    let plan = plan.java_option(&format!("-Dconnector.threads={THREADS}"));
    plan.run(|world| {
        say(&format!("storm of {length:?}, REMORA_SEED={seed}"));
        let server = world.tomcat("n3")?.address();
        let relay = Relay::start(free_port()?, server)?;
        let (direct, relayed) = (server.to_string(), relay.address().to_string());
        world
            .proxy()?
            .start_anew(|file| file.replace(&direct, &relayed))?;
        for node in ["n1", "n2", "n3"] {
            world.proxy()?.wait_health(node, "up")?;
        }
        let (front, tally) = (world.front_door()?, Tally::default());
        let began = Instant::now();
        let costs = std::thread::scope(|scope| {
            for user in 0..USERS {
                let tally = &tally;
                scope.spawn(move || tally.click(front, user));
            }
            let costs = wait_until("all click", SOON, || {
                tally.answered.load(Ordering::SeqCst) > USERS
            })
            .and_then(|_| storm(world, &relay, &tally, seed, length));
            tally.over.store(true, Ordering::SeqCst);
            costs
        })?;
        let took = began.elapsed().as_secs_f64();
        say(&table(&costs));
        let failed = tally.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answered = tally.answered.into_inner();
        let names = tally.posts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let runs = |name: &String| world.signals.executions(name).len();
        let twice: Vec<_> = names.iter().filter(|name| runs(name) > 1).collect();
        say(&format!(
            "{answered} answers in {took:.0} s, {} POSTs; GETs that failed: {}; POSTs that ran twice: {}",
            names.len(),
            failed.len(),
            twice.len()
        ));
        ensure!(failed.is_empty(), "GETs failed: {failed:#?}");
        ensure!(twice.is_empty(), "POSTs ran twice: {twice:?}");
        Ok(())
    })
}
