//! `make bench`: what Remora costs beside its peers, in one run, as one table.
//!
//! Saves per second of three syncing store nodes, and how long none is answered when their leader dies; proxied GETs beside
//! nginx, and with pages of the console open and without; Tomcat requests beside StandardManager and DeltaManager. Rows of one
//! kind are measured minutes apart at most, on the same machine, so their ratios mean more than their values.
//! `make bench ONLY=store,proxy,console,tomcat` measures some of them. The others are measured when they are named: `peers` and `growth` by `make bench-store`, the store beside etcd and
//! Redis; `proxies` by `make bench-proxy`, the proxy beside four others, which prints tables of its own. What is not
//! installed is named, not skipped in silence.
//!
//! Left out on purpose: thresholds. A bench informs; claims in `tests/` decide.

mod cpu;
mod etcd;
mod etcd_gap;
mod gap;
mod growth;
mod h2load;
mod heap;
mod load;
mod paced;
mod peers;
mod proxy;
mod redis;
mod rivals;
mod store;
mod tomcat;
mod wrk;

use std::io::Write;

use anyhow::{Context, Result, bail};
use remora_tests::table::Table;

/// What can be measured, in this order.
const PARTS: [&str; 7] = [
    "store", "proxy", "console", "tomcat", "peers", "growth", "proxies",
];

/// What is measured when nothing is named: of the store, its own rows alone; of the proxy, one form beside nginx, and beside open pages.
const USUAL: [&str; 4] = ["store", "proxy", "console", "tomcat"];

/// Columns: what is measured, who, rate, processor time each, sleeps each, remarks.
const COLUMNS: [&str; 6] = ["what", "who", "rate", "CPU each", "sleeps each", "remarks"];

fn main() -> Result<()> {
    let wanted = std::env::var("ONLY").unwrap_or_default();
    let wanted: Vec<&str> = wanted
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if let Some(unknown) = wanted.iter().find(|part| !PARTS.contains(part)) {
        bail!("ONLY={unknown}: there are only {}", PARTS.join(", "));
    }
    let mut table = Table::of(COLUMNS);
    let mut outcome = Ok(());
    for part in PARTS {
        let asked_for = if wanted.is_empty() { &USUAL[..] } else { &wanted };
        if outcome.is_ok() && asked_for.contains(&part) {
            say(&format!("measuring: {part} ..."))?;
            outcome = measure(part, &mut table).with_context(|| format!("the {part} bench"));
        }
    }
    // What was measured before a failure took minutes, and is as true as it was.
    if !table.is_empty() {
        say("")?;
        say(&table.to_string())?;
    }
    outcome
}

fn measure(part: &str, table: &mut Table) -> Result<()> {
    match part {
        "store" => store::measure(table).and_then(|()| gap::measure(table)),
        "proxy" => proxy::measure(table),
        "console" => proxy::console::measure(table),
        "peers" => peers::measure(table),
        "growth" => peers::measure_growth(table),
        "proxies" => proxy::measure_all(),
        _ => tomcat::measure(table),
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
