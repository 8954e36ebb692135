//! How long nobody's save is answered when the leader's process dies.
//!
//! Eight writers save without a pause; the longest time between two acknowledged saves is the gap, the writers' own repeats
//! included, 20 ms apart. Between two deaths the node comes back and keeps its restart guard, so that two others may always
//! vote. Left out: a leader that falls silent, where a unary client's own deadline is what is measured.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::savers::Savers;
use remora_tests::stores::{StorePorts, Stores};
use remora_tests::table::Table;
use remora_tests::{holds_for, wait_until};

/// Deaths, if KILLS does not say how many: enough for a median and a worst.
const DEATHS: usize = 20;

/// Writers, each with one save on its way.
pub(crate) const WRITERS: u64 = 8;

/// Longer than a restart guard, and than what a slow start leaves behind.
pub(crate) const CALM: Duration = Duration::from_secs(2);

/// Far longer than an election may take.
pub(crate) const FOLLOWED_WITHIN: Duration = Duration::from_secs(10);

/// Measures the gaps and adds their row.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let deaths = deaths()?;
    let directory = tempfile::tempdir()?;
    let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
    let mut stores = Stores::start(directory.path(), &ports)?;
    stores.wait_ready()?;
    let savers = Savers::start(&stores, WRITERS)?;
    let mut gaps = Vec::new();
    for _ in 0..deaths {
        gaps.push(one(&mut stores, &savers)?);
    }
    savers.finish(&stores)?;
    add_row(table, "remora-store", gaps);
    Ok(())
}

/// How often a leader is killed.
///
/// # Errors
/// KILLS is no number, or nobody would be killed.
pub(crate) fn deaths() -> Result<usize> {
    let deaths = match std::env::var("KILLS") {
        Ok(kills) => kills.parse().context("KILLS is a number")?,
        Err(_) => DEATHS,
    };
    ensure!(deaths > 0, "KILLS=0 kills nobody");
    Ok(deaths)
}

/// Adds the row of some gaps.
pub(crate) fn add_row(table: &mut Table, who: &str, mut gaps: Vec<Duration>) {
    gaps.sort_unstable();
    let (median, worst) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    table.row([
        format!("gap after SIGKILL of the leader, {} times", gaps.len()),
        who.into(),
        "-".into(),
        "-".into(),
        "-".into(),
        format!(
            "median {} ms, longest {} ms",
            median.as_millis(),
            worst.as_millis()
        ),
    ]);
}

/// One death, from a calm cluster to a calm cluster.
fn one(stores: &mut Stores, savers: &Savers) -> Result<Duration> {
    savers.wait_for_each()?;
    holds_for("calm", CALM, || true)?;
    let leader = stores.wait_ready()?;
    savers.longest_gap();
    stores.kill(leader)?;
    let before = savers.acknowledged();
    wait_until("saves through another leader", FOLLOWED_WITHIN, || {
        savers.acknowledged() > before + WRITERS
    })?;
    savers.wait_for_each()?;
    let gap = savers.longest_gap();
    stores.launch(leader)?;
    stores.wait_caught_up(leader)?;
    Ok(gap)
}
