//! A bad time for three real store nodes: `make soak`, or `target/debug/soak [SECONDS [SEED]]`.
//!
//! Writers save and readers read without a pause while nodes are killed, frozen, cut off and put on disks that misbehave,
//! one or two at a time, as a seed draws it (`faults`). Each node has a network of its own, made of namespaces that end
//! with this program (`network`). What the writers were told is the oracle: a read that shows less than was acknowledged
//! before it was asked is *stale* (`readers`), a session that does not hold the last acknowledged value at the end is
//! *lost*. The last line says how many; the exit code is 0 only if there are none of either, and if saves went on after
//! each round of faults. The seed repeats the faults, not the moments at which they meet the nodes.
//!
//! Without the right to make network namespaces nothing is tried: it says so, and the exit code is 0.

mod faults;
mod network;
mod readers;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use remora_tests::savers::Savers;
use remora_tests::stores::{StorePorts, Stores};

use faults::Trouble;
use network::Network;
use readers::Readers;

/// How long it goes on unless said.
const USUAL_SECONDS: u64 = 600;

/// Store nodes.
const NODES: usize = 3;

/// Writers, each with one save on its way: enough that saves share entries, few enough to leave the nodes a core.
const WRITERS: u64 = 8;

/// Most sentences about what was lost or stale: one is enough to look for its cause.
const SHOWN_MAX: usize = 20;

/// Set in the program that runs inside the namespace.
const INSIDE: &str = "REMORA_SOAK_INSIDE";

fn main() -> ExitCode {
    let ended = asked().and_then(|(seconds, seed)| {
        if std::env::var_os(INSIDE).is_some() {
            run(seconds, seed)
        } else {
            enter()
        }
    });
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("soak: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "what it is for: people read it as it goes")]
fn say(text: &str) {
    println!("{text}");
}

/// Seconds and seed.
fn asked() -> Result<(u64, u64)> {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: u64| match words.next().filter(|word| !word.is_empty()) {
        Some(word) => word.parse().with_context(|| {
            format!("{word:?} is no number. Usage: soak [SECONDS [SEED]], for example: soak 120")
        }),
        None => Ok(usual),
    };
    let seconds = number(USUAL_SECONDS)?;
    // Another bad time each run; the first line tells how to have the same again.
    Ok((seconds, number(u64::from(std::process::id()))?))
}

/// Starts this program again in a network namespace of its own, in which it may make others.
fn enter() -> Result<bool> {
    let allowed = Command::new("unshare").args(["--net", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        say(
            "SOAK SKIPPED: it needs network namespaces, and this user may not make any. Run `make soak` as root.",
        );
        return Ok(true);
    }
    let own = std::env::current_exe().context("where this program lies")?;
    let mut inside = Command::new("unshare");
    inside
        .args(["--net", "--"])
        .arg(own)
        .args(std::env::args().skip(1));
    Err(inside.env(INSIDE, "1").exec()).context("start in a network of its own")
}

/// The bad time; whether nothing was lost or stale.
fn run(seconds: u64, seed: u64) -> Result<bool> {
    let directory = tempfile::Builder::new().prefix("remora-soak-").tempdir()?;
    let network = Network::new(directory.path(), NODES)?;
    let ports = (1..=NODES)
        .map(|node| network.ports(node))
        .collect::<Result<Vec<StorePorts>>>()?;
    let mut stores = Stores::start_with(
        directory.path(),
        &ports,
        &["--allow-plaintext".to_owned()],
        true,
        None,
    )?;
    let outcome = bad_time(&mut stores, &network, seconds, seed);
    if outcome.is_err() {
        say(&stores.tails());
    }
    outcome
}

fn bad_time(stores: &mut Stores, network: &Network, seconds: u64, seed: u64) -> Result<bool> {
    stores.wait_ready()?;
    network.check(stores)?;
    say(&format!(
        "soak: {NODES} store nodes for {seconds} s; again with: soak {seconds} {seed}"
    ));
    let savers = Savers::start(stores, WRITERS)?;
    let readers = Readers::start(stores, &savers)?;
    let mut trouble = Trouble::new(seed);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        trouble.round(stores, network, &savers, began)?;
    }
    stores.wait_ready()?;
    let (acknowledged, gap) = (savers.acknowledged(), savers.longest_gap());
    let seen = readers.finish()?;
    let lost = savers.verdict(stores)?;
    for sentence in lost.iter().chain(&seen.stale).take(SHOWN_MAX) {
        say(&format!("  WRONG: {sentence}"));
    }
    say(&format!(
        "soak: {} s, {} faults, {} operations, {acknowledged} saves acknowledged, {} lost, {} stale, longest gap {:.1} s",
        began.elapsed().as_secs(),
        trouble.faults(),
        acknowledged + seen.reads,
        lost.len(),
        seen.stale.len(),
        gap.as_secs_f64()
    ));
    if acknowledged == 0 || seen.reads == 0 {
        bail!("nothing was saved or read: this shows nothing");
    }
    Ok(lost.is_empty() && seen.stale.is_empty())
}
