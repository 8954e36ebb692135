//! Growth: what ours and the peers do when they hold ten thousand sessions, a hundred thousand, a million; what each session
//! takes of their memory; and how long they take to serve again when all three processes were killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use remora_tests::table::Table;

use crate::cpu::{ratio, resident};
use crate::load::{self, Ask, Client, Load, Rival, VALUE_BYTES};

/// Sessions that are held while others are saved, if SESSIONS does not say how many.
const HELD: [u64; 3] = [10_000, 100_000, 1_000_000];

/// Clients that fill a table together: as many as the widest load has, on as many connections.
const FILLERS: (usize, usize) = (16, 16);

/// How many sessions are held, one row each.
///
/// # Errors
/// SESSIONS is no list of numbers.
pub(crate) fn held() -> Result<Vec<u64>> {
    let Ok(sessions) = std::env::var("SESSIONS") else {
        return Ok(HELD.to_vec());
    };
    let numbers = sessions.split(',').map(str::trim).map(str::parse);
    numbers
        .collect::<Result<_, _>>()
        .context("SESSIONS is a list of numbers, as 10000,100000")
}

/// Loads a rival that holds so many sessions, and adds a row for the load and one for what they cost.
///
/// # Errors
/// When it does not start, or anything was not answered with a success.
pub(crate) fn measure<R: Rival>(table: &mut Table, sessions: u64) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut rival = R::start(directory.path()).with_context(|| format!("start {}", R::NAME))?;
    let pids = rival.pids()?;
    let empty = resident(&pids)?;
    let filled = load::runtime()?.block_on(fill(&rival, sessions));
    filled.with_context(|| format!("fill {}", R::NAME))?;
    let full = resident(&pids)?;
    let with = format!(" beside {sessions} sessions");
    load::on(&mut rival, table, Load::saves(1, 64), directory.path(), &with)?;
    let restarted = rival.restart()?;
    let payload = sessions * VALUE_BYTES as u64 * pids.len() as u64;
    table.row([
        format!("{sessions} sessions of 1 KiB, 3 nodes"),
        R::NAME.into(),
        "-".into(),
        "-".into(),
        "-".into(),
        format!(
            "memory {:.2} x payload; restart of all three {:.1} s",
            ratio(full.saturating_sub(empty), payload),
            restarted.as_secs_f64()
        ),
    ]);
    Ok(())
}

/// Saves so many sessions, each once.
async fn fill<R: Rival>(rival: &R, sessions: u64) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut fillers = Vec::new();
    let (connections, slots) = FILLERS;
    for number in 0..connections {
        for mut client in rival.connect(number, slots).await? {
            let next = Arc::clone(&next);
            fillers.push(tokio::spawn(async move {
                loop {
                    let session = next.fetch_add(1, Ordering::Relaxed);
                    if session >= sessions {
                        return anyhow::Ok(());
                    }
                    client.choose(session);
                    client.ask(Ask::Save).await?;
                }
            }));
        }
    }
    for filler in fillers {
        filler.await.context("a client ended early")??;
    }
    Ok(())
}
