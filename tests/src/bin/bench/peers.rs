//! Our store beside etcd and Redis: `make bench-store`.
//!
//! Every row's load meets the three in turn, each started anew, so that a noisy minute meets all of them. Same values, same
//! clients, three processes each with a directory of its own on the same disk, loopback; versions stand in the table.
//!
//! Left out: sessions of several sizes at once.

use std::process::Command;

use anyhow::{Context, Result};

use crate::etcd::Etcd;
use crate::etcd_gap;
use crate::gap;
use crate::growth;
use crate::load::{Ask, Load, Rival, measure as measure_one};
use crate::redis::Redis;
use crate::store::Ours;
use crate::table::Table;
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
    if installed(PEERS[0]).is_some() {
        etcd_gap::measure(table)?;
    }
    Ok(())
}

/// Measures how all three grow.
pub(crate) fn measure_growth(table: &mut Table) -> Result<()> {
    for sessions in growth::held()? {
        growth::measure::<Ours>(table, sessions)?;
        if installed(PEERS[0]).is_some() {
            growth::measure::<Etcd>(table, sessions)?;
        }
        if installed(PEERS[1]).is_some() {
            growth::measure::<Redis>(table, sessions)?;
        }
    }
    Ok(())
}

/// The same load for ours and for each peer that is installed.
fn each(table: &mut Table, load: Load) -> Result<()> {
    measure_one::<Ours>(table, load)?;
    one::<Etcd>(table, PEERS[0], load)?;
    one::<Redis>(table, PEERS[1], load)
}

fn one<R: Rival>(table: &mut Table, program: &str, load: Load) -> Result<()> {
    if installed(program).is_none() {
        return Ok(());
    }
    measure_one::<R>(table, load)
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
