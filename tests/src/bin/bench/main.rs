//! `make bench`: what Remora costs beside its peers, in one run, as one table.
//!
//! Saves per second of three syncing store nodes, and how long none is answered when their leader dies; proxied GETs beside
//! nginx; Tomcat requests beside StandardManager and DeltaManager. Rows of one kind are measured minutes apart at most, on
//! the same machine, so their ratios mean more
//! than their values. `make bench ONLY=store,proxy,tomcat` measures some of them. What is not installed is named, not
//! skipped in silence.
//!
//! Left out on purpose: thresholds. A bench informs; claims in `tests/` decide.

mod cpu;
mod gap;
mod heap;
mod paced;
mod proxy;
mod rivals;
mod store;
mod table;
mod tomcat;
mod wrk;

use std::io::Write;

use anyhow::{Context, Result, bail};

use crate::table::Table;

/// What can be measured, in this order.
const PARTS: [&str; 3] = ["store", "proxy", "tomcat"];

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
    let mut table = Table::default();
    let mut outcome = Ok(());
    for part in PARTS {
        if outcome.is_ok() && (wanted.is_empty() || wanted.contains(&part)) {
            say(&format!("measuring: {part} ..."))?;
            outcome = measure(part, &mut table).with_context(|| format!("the {part} bench"));
        }
    }
    // What was measured before a failure took minutes, and is as true as it was.
    say("")?;
    table.print(&mut std::io::stdout().lock())?;
    outcome
}

fn measure(part: &str, table: &mut Table) -> Result<()> {
    match part {
        "store" => store::measure(table).and_then(|()| gap::measure(table)),
        "proxy" => proxy::measure(table),
        _ => tomcat::measure(table),
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
