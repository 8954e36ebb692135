//! One Tomcat under StandardManager, under Tomcat's own replication and under ours: requests that read and requests
//! that change, at 32 connections over as many sessions and at 128 over 4,000; latency at a steady rate of changes;
//! heap per session and bytes allocated per request.
//!
//! All share this machine: for ours three syncing store nodes too, for DeltaManager a second Tomcat that receives, and
//! the load for all. That is what "beside StandardManager" costs at worst. All run for the whole time and are loaded in
//! turns, the others idle, so that who is measured when the machine is slow is nobody's luck. Each page is warmed up for
//! a minute first, because a JVM that is still compiling measures itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use remora_tests::http::{Browser, Request};
use remora_tests::table::Table;

use crate::cpu::Usage;
use crate::heap::Heap;
use crate::paced;
use crate::rivals::{Rival, Running, each};
use crate::wrk::{Load, Wrk, installed};

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
const MEASURE_SECONDS: u64 = 5;

/// Measurements of each row: all contenders in turns, as a machine that is shared grows faster and slower by itself. The
/// one in the middle is shown.
const ROUNDS: u32 = 5;

/// Size of the attributes that each session holds beside the one that changes.
const SESSION_BYTES: usize = 2_048;

/// Size of what a request changes, a few digits apart.
const CHANGE_BYTES: usize = 190;

/// A rival that is measured: what runs, and its users.
struct Contender {
    rival: Rival,
    running: Running,
    cookies: Vec<String>,
}

/// One measurement of a loaded Tomcat.
struct Sample {
    load: Load,
    microseconds: f64,
    sleeps: f64,
    allocated: f64,
    remark: String,
}

/// Measures, or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    if installed("wrk").is_none() {
        let missing = "wrk must be installed (tools/prerequisites bench)";
        table.row(["Tomcat request", "", "", "", "", missing].map(String::from));
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let mut contenders = Vec::new();
    for rival in Rival::ALL {
        contenders.push(Contender {
            rival,
            running: Running::start(rival, directory.path()).with_context(|| rival.name())?,
            cookies: Vec::new(),
        });
    }
    for (number, (connections, sessions)) in CROWDS.into_iter().enumerate() {
        for contender in &mut contenders {
            begin_sessions(table, contender, sessions)?;
        }
        let warm_up = if number == 0 {
            WARM_UP_SECONDS
        } else {
            SETTLING_SECONDS
        };
        for (what, page) in PAGES {
            let what = format!("Tomcat request, {what}, {connections} connections, {sessions} sessions");
            let drive = Drive {
                page,
                connections,
                script: directory.path().join("requests.lua"),
            };
            compare(table, &mut contenders, &what, &drive, warm_up)?;
        }
    }
    for contender in &mut contenders {
        steadily(table, contender)?;
    }
    contenders
        .into_iter()
        .try_for_each(|contender| contender.running.stop())
}

/// How a page is asked.
struct Drive {
    page: &'static str,
    connections: usize,
    script: PathBuf,
}

impl Drive {
    fn load(&self, contender: &Contender, seconds: u64) -> Result<Load> {
        std::fs::write(&self.script, requests(&contender.cookies))?;
        let url = format!("http://{}/bench/{}", contender.running.address(), self.page);
        let wrk = Wrk {
            script: Some(&self.script),
            ..Wrk::new(seconds, self.connections)
        };
        wrk.load(&url)
    }
}

/// Loads the contenders in turns, and adds a row of each and what each costs beside the first.
fn compare(
    table: &mut Table,
    contenders: &mut [Contender],
    what: &str,
    drive: &Drive,
    warm_up: u64,
) -> Result<()> {
    for contender in &*contenders {
        drive.load(contender, warm_up)?;
    }
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
            samples.push(sample(contender, drive)?);
        }
    }
    let usual: Vec<Sample> = samples.into_iter().filter_map(usual).collect();
    for (contender, sample) in contenders.iter().zip(&usual) {
        table.row(sample.row(what, contender.rival));
    }
    let standard = usual.first().context("somebody was measured")?;
    for (contender, sample) in contenders.iter().zip(&usual).skip(1) {
        table.row([
            what.to_owned(),
            format!("{} / StandardManager", contender.rival.name()),
            format!("{:.2}", sample.load.rate / standard.load.rate),
            format!("{:+.1} us", sample.microseconds - standard.microseconds),
            String::new(),
            String::new(),
        ]);
    }
    Ok(())
}

/// The measurement in the middle, by processor time.
fn usual(mut samples: Vec<Sample>) -> Option<Sample> {
    samples.sort_by(|one, other| one.microseconds.total_cmp(&other.microseconds));
    let middle = samples.len() / 2;
    samples.into_iter().nth(middle)
}

fn sample(contender: &mut Contender, drive: &Drive) -> Result<Sample> {
    let pid = contender.running.pid()?;
    let (usage, heap, beside) = (Usage::of(&[pid])?, Heap::of(pid)?, contender.running.beside()?);
    let load = drive.load(contender, MEASURE_SECONDS)?;
    let used = Usage::of(&[pid])?.since(usage);
    let allocated = Heap::of(pid)?.allocated_since(heap);
    Ok(Sample {
        microseconds: used.microseconds_each(load.answers),
        sleeps: used.sleeps_each(load.answers),
        allocated: each(allocated, load.answers),
        remark: contender.running.beside()?.remark(beside, load.answers),
        load,
    })
}

impl Sample {
    fn row(&self, what: &str, rival: Rival) -> [String; 6] {
        let remarks = [
            self.load.latency(),
            format!("{:.0} bytes allocated", self.allocated),
            self.remark.clone(),
        ];
        let remarks: Vec<String> = remarks.into_iter().filter(|part| !part.is_empty()).collect();
        [
            what.to_owned(),
            rival.name().into(),
            format!("{:.0}/s", self.load.rate),
            format!("{:.1} us", self.microseconds),
            format!("{:.2}", self.sleeps),
            remarks.join(", "),
        ]
    }
}

/// Adds what changes take, and cost, at rates that are the same for all.
fn steadily(table: &mut Table, contender: &mut Contender) -> Result<()> {
    for rate in STEADY_RATES {
        let pid = contender.running.pid()?;
        let before = Usage::of(&[pid])?;
        let paced = paced::changes(contender.running.address(), &contender.cookies, rate)?;
        let used = Usage::of(&[pid])?.since(before);
        table.row([
            "Tomcat request, changing, at a steady rate".into(),
            contender.rival.name().into(),
            format!("{rate}/s"),
            format!("{:.1} us", used.microseconds_each(paced.answers)),
            format!("{:.2}", used.sleeps_each(paced.answers)),
            paced.told(),
        ]);
    }
    Ok(())
}

/// Begins sessions until there are as many, and adds a row with the heap that each of many takes.
fn begin_sessions(table: &mut Table, contender: &mut Contender, sessions: usize) -> Result<()> {
    let pid = contender.running.pid()?;
    let before = Heap::without_garbage(pid)?;
    let warm = !contender.cookies.is_empty();
    let begun = sessions - contender.cookies.len();
    while contender.cookies.len() < sessions {
        contender
            .cookies
            .push(begin_session(contender.running.address())?);
    }
    if warm {
        let heap = Heap::without_garbage(pid)?.used - before.used;
        table.row([
            "Tomcat heap per session of 2 KiB".into(),
            contender.rival.name().into(),
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
