//! Our store beside etcd and Redis: `make bench-store`.
//!
//! Every row's load meets the three in turn, each started anew, so that a noisy minute meets all of them. Same values, same
//! clients, three processes each with a directory of its own on the same disk, loopback; versions stand in the table.
//!
//! Left out: sessions of several sizes at once.

use std::process::Command;

use anyhow::{Context, Result};
use remora_tests::table::Table;

use crate::etcd::Etcd;
use crate::etcd_gap;
use crate::gap;
use crate::growth;
use crate::load::{Ask, Load, measure as measure_one};
use crate::redis::Redis;
use crate::store::Ours;
use crate::wrk::installed;

/// Who is beside us, as programs are called.
const PEERS: [&str; 2] = ["etcd", "redis-server"];

/// Connections and clients on each: one, 64 and 256 in all.
const CLIENTS: [(usize, usize); 3] = [(1, 1), (1, 64), (16, 16)];

/// Saves each second at which latency is measured.
const STEADY_RATES: [u32; 2] = [500, 2_000];

/// Measures all, or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    for peer in PEERS {
        let version = version(peer)?;
        table.row(["version", peer, "", "", "", &version].map(String::from));
    }
    for (connections, slots) in CLIENTS {
        each(table, Load::saves(connections, slots))?;
    }
    let ask = Ask::Change;
    each(
        table,
        Load {
            ask,
            ..Load::saves(1, 64)
        },
    )?;
    for rate in STEADY_RATES {
        let rate = Some(rate);
        each(
            table,
            Load {
                rate,
                ..Load::saves(1, 64)
            },
        )?;
    }
    for (connections, slots) in CLIENTS {
        let ask = Ask::Read;
        each(
            table,
            Load {
                ask,
                ..Load::saves(connections, slots)
            },
        )?;
    }
    gap::measure(table)?;
    beside(PEERS[0], || etcd_gap::measure(table))
}

/// Measures how all three grow.
pub(crate) fn measure_growth(table: &mut Table) -> Result<()> {
    for sessions in growth::held()? {
        growth::measure::<Ours>(table, sessions)?;
        beside(PEERS[0], || growth::measure::<Etcd>(table, sessions))?;
        beside(PEERS[1], || growth::measure::<Redis>(table, sessions))?;
    }
    Ok(())
}

/// The same load for ours and for each peer that is installed.
fn each(table: &mut Table, load: Load) -> Result<()> {
    measure_one::<Ours>(table, load)?;
    beside(PEERS[0], || measure_one::<Etcd>(table, load))?;
    beside(PEERS[1], || measure_one::<Redis>(table, load))
}

/// Measures a peer that is installed; one that is not is named by its version's row.
fn beside(program: &str, measure: impl FnOnce() -> Result<()>) -> Result<()> {
    installed(program).map_or(Ok(()), |_| measure())
}

/// The first line of what a program says of itself.
fn version(program: &str) -> Result<String> {
    let Some(path) = installed(program) else {
        return Ok("must be installed (tools/prerequisites bench-store)".into());
    };
    let output = Command::new(path).arg("--version").output();
    let output = output.with_context(|| format!("ask {program} for its version"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
