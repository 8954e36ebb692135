//! One Tomcat under StandardManager, under Tomcat's own replication and under ours: requests that read and requests
//! that change, at 32 connections over as many sessions and at 128 over 4,000; latency at a steady rate of changes;
//! heap per session and bytes allocated per request.
//!
//! All share this machine: for ours three syncing store nodes too, for DeltaManager a second Tomcat that receives, and
//! the load for all. That is what "beside StandardManager" costs at worst. Each page is warmed up for a minute first,
//! because a JVM that is still compiling measures itself.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use remora_tests::http::{Browser, Request};

use crate::cpu::Usage;
use crate::heap::Heap;
use crate::paced;
use crate::rivals::{Rival, Running, each};
use crate::table::Table;
use crate::wrk::{Load, installed, load};

/// Connections, and the sessions that they take turns with.
const CROWDS: [(usize, usize); 2] = [(32, 32), (128, 4_000)];

/// Pages: what they do, and how they are asked.
const PAGES: [(&str, &str); 2] = [
    ("read-only", "read.jsp?name=changed&nothing="),
    ("changing", "change.jsp?name=changed&value="),
];

/// Changes a second at which latency is measured.
const STEADY_RATES: [u32; 2] = [500, 2_000];

/// Seconds of load before the first row of a page: the JIT needs about a minute for all that a page touches.
const WARM_UP_SECONDS: u64 = 60;

/// Seconds of load before its other rows, by which time only the new sessions are cold.
const SETTLING_SECONDS: u64 = 8;

/// Seconds of each measurement.
const MEASURE_SECONDS: u64 = 10;

/// Size of the attributes that each session holds beside the one that changes.
const SESSION_BYTES: usize = 2_048;

/// Size of what a request changes, a few digits apart.
const CHANGE_BYTES: usize = 190;

/// A row of the loaded Tomcat.
struct Row {
    what: String,
    load: Load,
    microseconds: f64,
}

/// Measures, or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    if installed("wrk").is_none() {
        let missing = "wrk must be installed (tools/prerequisites bench)";
        table.row(["Tomcat request", "", "", "", "", missing].map(String::from));
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let mut measured = Vec::new();
    for rival in Rival::ALL {
        let rows = run(table, rival, directory.path()).with_context(|| rival.name())?;
        measured.push((rival, rows));
    }
    let (_, standard) = measured.first().context("somebody was measured")?;
    for (rival, rows) in &measured[1..] {
        for (row, standard) in rows.iter().zip(standard) {
            table.row([
                row.what.clone(),
                format!("{} / StandardManager", rival.name()),
                format!("{:.2}", row.load.rate / standard.load.rate),
                format!("{:+.1} us", row.microseconds - standard.microseconds),
                String::new(),
                String::new(),
            ]);
        }
    }
    Ok(())
}

fn run(table: &mut Table, rival: Rival, directory: &Path) -> Result<Vec<Row>> {
    let mut running = Running::start(rival, directory)?;
    let script = directory.join(format!("{}.lua", rival.name()));
    let mut rows = Vec::new();
    let mut cookies = Vec::new();
    for (connections, sessions) in CROWDS {
        begin_sessions(table, rival, &mut running, &mut cookies, sessions)?;
        std::fs::write(&script, requests(&cookies))?;
        for (what, page) in PAGES {
            let warm_up = if rows.len() < PAGES.len() {
                WARM_UP_SECONDS
            } else {
                SETTLING_SECONDS
            };
            let url = format!("http://{}/bench/{page}", running.address());
            load(&url, warm_up, connections, Some(&script))?;
            let what = format!("Tomcat request, {what}, {connections} connections, {sessions} sessions");
            rows.push(one(table, rival, &mut running, what, || {
                load(&url, MEASURE_SECONDS, connections, Some(&script))
            })?);
        }
    }
    for rate in STEADY_RATES {
        let pid = running.pid()?;
        let before = Usage::of(&[pid])?;
        let paced = paced::changes(running.address(), &cookies, rate)?;
        let used = Usage::of(&[pid])?.since(before);
        table.row([
            "Tomcat request, changing, at a steady rate".into(),
            rival.name().into(),
            format!("{rate}/s"),
            format!("{:.1} us", used.microseconds_each(paced.answers)),
            format!("{:.2}", used.sleeps_each(paced.answers)),
            paced.told(),
        ]);
    }
    running.stop()?;
    Ok(rows)
}

/// Measures one load and adds its row.
fn one(
    table: &mut Table,
    rival: Rival,
    running: &mut Running,
    what: String,
    drive: impl FnOnce() -> Result<Load>,
) -> Result<Row> {
    let pid = running.pid()?;
    let (usage, heap, beside) = (Usage::of(&[pid])?, Heap::of(pid)?, running.beside()?);
    let load = drive()?;
    let used = Usage::of(&[pid])?.since(usage);
    let allocated = Heap::of(pid)?.allocated_since(heap);
    let remark = running.beside()?.remark(beside, load.answers);
    let microseconds = used.microseconds_each(load.answers);
    let remarks = [
        load.latency.clone(),
        format!("{:.0} bytes allocated", each(allocated, load.answers)),
        remark,
    ];
    table.row([
        what.clone(),
        rival.name().into(),
        format!("{:.0}/s", load.rate),
        format!("{microseconds:.1} us"),
        format!("{:.2}", used.sleeps_each(load.answers)),
        remarks
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
    ]);
    Ok(Row {
        what,
        load,
        microseconds,
    })
}

/// Begins sessions until there are as many, and adds a row with the heap that each of many takes.
fn begin_sessions(
    table: &mut Table,
    rival: Rival,
    running: &mut Running,
    cookies: &mut Vec<String>,
    sessions: usize,
) -> Result<()> {
    let pid = running.pid()?;
    let before = Heap::without_garbage(pid)?;
    let warm = !cookies.is_empty();
    let begun = sessions - cookies.len();
    while cookies.len() < sessions {
        cookies.push(begin_session(running.address())?);
    }
    if warm {
        let heap = Heap::without_garbage(pid)?.used - before.used;
        table.row([
            "Tomcat heap per session of 2 KiB".into(),
            rival.name().into(),
            format!("{:.0} bytes", each(heap, u64::try_from(begun)?)),
            String::new(),
            String::new(),
            format!("{begun} sessions"),
        ]);
    }
    Ok(())
}

/// Begins a session that holds something already; its id.
fn begin_session(at: SocketAddr) -> Result<String> {
    let mut browser = Browser::new(at);
    let filler = "x".repeat(SESSION_BYTES);
    browser.send(&Request::get(&format!(
        "/bench/change.jsp?name=filler&value={filler}"
    )))?;
    Ok(browser
        .cookie("JSESSIONID")
        .context("no session cookie")?
        .to_owned())
}

/// A script for wrk: the users take turns, and every request ends in another value, so that a change is one.
fn requests(ids: &[String]) -> String {
    let cookies: Vec<String> = ids.iter().map(|id| format!("\"JSESSIONID={id}\"")).collect();
    format!(
        "local cookies = {{ {} }}\nlocal turn = 0\nlocal padding = string.rep('x', {CHANGE_BYTES})\nfunction request()\n  \
         turn = turn + 1\n  return wrk.format('GET', wrk.path .. padding .. turn, \
         {{ Cookie = cookies[turn % #cookies + 1] }})\nend\n",
        cookies.join(", ")
    )
}
