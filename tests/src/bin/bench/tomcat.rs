//! Requests per second of one Tomcat, read-only and changing, with our session manager and with Tomcat's own.
//!
//! The probe application reads or changes one attribute of 32 users' sessions. Tomcat, the load and, for ours, three
//! syncing store nodes share this machine, which is what "beside StandardManager" costs at worst. Each row is warmed up
//! first, because a JVM that is still compiling measures itself.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use remora_tests::place::free_port;
use remora_tests::probe::Caller;
use remora_tests::stores::{StorePorts, Stores};
use remora_tests::tomcat::{Application, Tomcat, TomcatPlan, Version};

use crate::cpu::Usage;
use crate::table::Table;
use crate::wrk::{Load, installed, load};

/// Users, each with a session and a connection.
const USERS: usize = 32;

/// Seconds of load before each row; the JIT needs about this long for the gRPC path.
const WARM_UP_SECONDS: u64 = 20;

/// Seconds of each measurement.
const MEASURE_SECONDS: u64 = 8;

/// Size of the attributes that each session holds beside the one that changes.
const SESSION_BYTES: usize = 2_048;

/// Size of what a request changes, a few digits apart.
const CHANGE_BYTES: usize = 190;

/// As Tomcat sites run it: both compilers, a collector for servers, a heap that is not the subject.
const JAVA_OPTIONS: &str = "-XX:+UseParallelGC -Xms512m -Xmx512m";

/// Measures, or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    if installed("wrk").is_none() {
        let missing = "wrk must be installed (tools/prerequisites bench)";
        table.row(["Tomcat request", "", "", "", "", missing].map(String::from));
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let standard = run(table, "StandardManager", directory.path(), None)?;
    let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
    let stores = Stores::start(directory.path(), &ports)?;
    stores.wait_ready()?;
    let ours = run(
        table,
        "RemoraManager",
        directory.path(),
        Some(stores.client_list()),
    )?;
    for ((what, standard), (_, ours)) in standard.iter().zip(&ours) {
        let ratio = format!("{:.2}", ours.rate / standard.rate);
        table.row([
            format!("Tomcat request, {what}"),
            "ours / StandardManager".into(),
            ratio,
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    Ok(())
}

fn run(
    table: &mut Table,
    who: &str,
    directory: &Path,
    store: Option<String>,
) -> Result<Vec<(&'static str, Load)>> {
    let port = free_port()?;
    let plan = TomcatPlan {
        version: Version::V10,
        node: who.to_lowercase(),
        jvm_route: false,
        port,
        store,
        manager: Vec::new(),
        applications: Application::USUAL.to_vec(),
        java_options: JAVA_OPTIONS.into(),
        signals: directory.join("signals"),
    };
    std::fs::create_dir_all(&plan.signals)?;
    let mut tomcat = Tomcat::start(directory, plan)?;
    tomcat.wait_ready()?;
    let at = tomcat.address();
    let cookies = cookies(at)?;
    let pid = tomcat.process()?.id();
    let mut rows = Vec::new();
    for (what, page) in [
        ("read-only", "get.jsp?nothing="),
        ("changing", "set.jsp?name=changed&value="),
    ] {
        let url = format!("http://{at}/probe/{page}");
        let script = directory.join(format!("{who}-{what}.lua"));
        std::fs::write(&script, requests(&cookies))?;
        load(&url, WARM_UP_SECONDS, USERS, Some(&script))?;
        let before = Usage::of(&[pid])?;
        let seen = load(&url, MEASURE_SECONDS, USERS, Some(&script))?;
        let used = Usage::of(&[pid])?.since(before);
        table.row([
            format!("Tomcat request, {what}"),
            who.into(),
            format!("{:.0}/s", seen.rate),
            format!("{:.1} us", used.microseconds_each(seen.answers)),
            format!("{:.2}", used.sleeps_each(seen.answers)),
            seen.latency.clone(),
        ]);
        rows.push((what, seen));
    }
    tomcat.process()?.stop(Duration::from_secs(20))?;
    Ok(rows)
}

/// Session cookies of users whose sessions hold something already.
fn cookies(at: SocketAddr) -> Result<Vec<String>> {
    let filler = "x".repeat(SESSION_BYTES);
    let cookie = |_| {
        let mut caller = Caller::new(at);
        caller.set("filler", &filler)?;
        let id = caller.browser.cookie("JSESSIONID").context("no session cookie")?;
        Ok(format!("\"JSESSIONID={id}\""))
    };
    (0..USERS).map(cookie).collect()
}

/// A script for wrk: the users take turns, and every request ends in another value, so that a change is one.
fn requests(cookies: &[String]) -> String {
    format!(
        "local cookies = {{ {} }}\nlocal turn = 0\nlocal padding = string.rep('x', {CHANGE_BYTES})\nfunction request()\n  \
         turn = turn + 1\n  return wrk.format('GET', wrk.path .. padding .. turn, \
         {{ Cookie = cookies[turn % #cookies + 1] }})\nend\n",
        cookies.join(", ")
    )
}
