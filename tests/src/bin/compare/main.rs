//! `make compare`: one story, played on what usually keeps users logged in and on ours, and a table of who lost what.
//!
//! Two real Tomcats, thirty users who log in and fill carts, one Tomcat killed with SIGKILL in the middle; then the users go on.
//! The page that they click at, the users, their pace and the moment of the kill are the same for all. The others stand before
//! the Tomcats with the files of `docs/keep-your-proxy.md`, as its claim runs them. `ROUNDS=5` says how often it is played, each
//! time with new users; with `UPDATE_GOLDENFILES=1` the table is written into `docs/comparison.md` as well.
//!
//! What is counted, and what that says: a user is logged out who meets the login page; his cart is lost or older when a page shows
//! fewer pieces than one before. Both are about what he has seen, so a purchase whose answer never came is no loss. A POST marks
//! outside of all sessions that it ran, and two marks are a purchase that was made twice.
//!
//! Seen to count: with HAProxy's line left out that keeps POSTs from being sent again, eight of them ran twice.
//!
//! Left out: speed, which `make bench` measures beside the same peers; a Tomcat that hangs instead of dying; and a power cut, in
//! which what was in memory alone is gone on both Tomcats. Of all that is compared here only our store keeps sessions on disks.

mod contender;
mod crowd;

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use remora_process::catalogue::holds;
use remora_tests::place::{release, repository};
use remora_tests::table::Table;
use remora_tests::tomcat::Version;

use crate::contender::Contender;

/// How often the story is played on each, unless said: one kill meets few requests at work, and each takes half a minute.
const USUAL_ROUNDS: usize = 2;

/// Where the table stands.
const PAGE: &str = "docs/comparison.md";

/// Who keeps a user logged in, and what users lost.
const COLUMNS: [&str; 8] = [
    "in front",
    "sessions kept by",
    "users logged out",
    "carts lost or older",
    "GETs failed",
    "POSTs failed",
    "POSTs run twice",
    "slowest answer",
];

fn main() -> Result<()> {
    let rounds = match std::env::var("ROUNDS") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("ROUNDS={text} is no number"))?,
        Err(_) => USUAL_ROUNDS,
    };
    ensure!(rounds > 0, "ROUNDS={rounds}: the story has to be played");
    let head = versions()?;
    let mut table = Table::of(COLUMNS);
    for contender in Contender::ALL {
        let [front, keeper] = contender.names();
        say(&format!("playing: {front}, {keeper} ..."))?;
        let losses = contender
            .play(rounds)
            .with_context(|| format!("{front} with {keeper}"))?;
        let [logged_out, carts, gets, posts, twice, slowest] = losses.cells();
        table.row([
            front.into(),
            keeper.into(),
            logged_out,
            carts,
            gets,
            posts,
            twice,
            slowest,
        ]);
    }
    let text = format!("{head}\n\n{table}\n\n");
    say(&format!("\n{text}"))?;
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        let written = holds(&repository().join(PAGE), "who lost what", &text)?;
        ensure!(written, "{PAGE} was not written");
    }
    Ok(())
}

/// Who was compared, when and on what.
fn versions() -> Result<String> {
    let mut peers = Contender::releases()?;
    peers.push(format!("Tomcat {}", Version::V10.release()));
    peers.push(format!("OpenJDK {}", release("java", "-version")?));
    peers.push(format!("Remora {}", env!("CARGO_PKG_VERSION")));
    let day = Command::new("date")
        .args(["-u", "+%F"])
        .output()
        .context("ask date for the day")?;
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "{}, {cores} cores: {}.",
        String::from_utf8_lossy(&day.stdout).trim(),
        peers.join(", ")
    ))
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
