//! Promise 1: a disk that lost a part of what it promised does not vote it away.
//!
//! Shown: writers save while one of three nodes is down, so that the other two are all that holds what was acknowledged. One of
//! these loses its log, as when somebody makes room on a full disk; then a single file of it; then all of it while it runs.
//! Each time it does not start, says that the disk lost a part and that nobody must start it over that, and with the node that
//! was down it elects nobody. When the third comes back every session holds what its writer was told.
//! Broken once to see it fail: a log that is taken for new when its directory is empty (the node starts and votes).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use remora_tests::savers::Savers;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// In flight at every moment.
const WRITERS: u64 = 4;

/// Size of a page of the log, in bytes: a segment's label stands on the first one.
const PAGE_BYTES: usize = 4_096;

/// The node that is down while saves are acknowledged, the one that loses something, and the one that keeps all.
const DOWN: u64 = 3;
const LOSES: u64 = 2;
const KEEPS: u64 = 1;

/// A part is lost while the node runs, or after it was killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Running,
    Stopped,
}

fn files(log: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let names = fs::read_dir(log).context("list the log")?;
    let paths = names.map(|name| Ok(name?.path())).collect::<Result<Vec<_>>>()?;
    let is_named = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    Ok(paths.into_iter().filter(is_named).collect())
}

fn remove_all(log: &Path) -> Result<()> {
    fs::remove_dir_all(log).context("remove the log")
}

/// One that was written; the others are kept for later, and losing them loses nothing.
fn remove_a_segment(log: &Path) -> Result<()> {
    let segments = files(log, "segment-")?;
    let is_written = |path: &&PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.iter().skip(PAGE_BYTES).any(|byte| *byte != 0)
    };
    let written = segments.iter().find(is_written);
    fs::remove_file(written.context("a log has entries")?).context("remove a segment")
}

fn loses(what: &str, when: When, lose: fn(&Path) -> Result<()>) -> Outcome {
    World::plan().run(|world| {
        let stores = &mut world.stores;
        stores.kill(DOWN)?;
        let savers = Savers::start(stores, WRITERS)?;
        savers.wait_for_each()?;
        let log = stores.node(LOSES).context("it is a node")?.data.join("log");
        if when == When::Running {
            lose(&log)?;
            savers.wait_for_each()?;
        }
        stores.kill(LOSES)?;
        if when == When::Stopped {
            lose(&log)?;
        }
        stores.kill(KEEPS)?;
        stores.launch(DOWN)?;
        stores.launch(LOSES)?;
        wait_until(&format!("{what}: the node ends"), SOON, || {
            stores.process(LOSES).is_ok_and(|process| !process.is_running())
        })?;
        let said = stores.process(LOSES)?.output();
        ensure!(
            said.contains("must not go on with this data directory"),
            "{what}: it says {said}"
        );
        let leader = stores.agreed_leader(&[DOWN]);
        ensure!(
            leader.is_none(),
            "{what}: node {leader:?} leads without what was acknowledged"
        );
        stores.launch(KEEPS)?;
        savers.wait_for_each()?;
        savers.finish(stores)
    })
}

#[test]
fn the_log_of_a_stopped_node() -> Outcome {
    loses("the log", When::Stopped, remove_all)
}

#[test]
fn one_file_of_a_stopped_node() -> Outcome {
    loses("a segment", When::Stopped, remove_a_segment)
}

#[test]
fn the_log_of_a_running_node() -> Outcome {
    loses("the log of a running node", When::Running, remove_all)
}
