//! Promise 1: a data directory that was put back to an older state does not vote away what it has forgotten.
//!
//! Shown: under writers, the directory of one node is copied, as a snapshot of its machine would, while it runs and again
//! while it is stopped, of a follower and of the leader. The node goes on until a peer has written down how far it came; then
//! the copy is put in its place. It ends with a sentence that says what to do, the others serve on, and once the true
//! directory is put back it serves as well. Two nodes at once are put back while the third one lives: both end, instead of
//! electing one of them. Every session holds what its writer was told.
//! Broken once to see it fail: the comparison left out (each copy serves on; a leader that had counted on what the copy
//! forgot panicked, and so did the third node when two copies outvoted what it had committed).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use remora_tests::savers::Savers;
use remora_tests::stores::Stores;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// In flight at every moment.
const WRITERS: u64 = 4;

/// Whether a node runs while its directory is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Running,
    Stopped,
}

/// What a node's directory is called while a copy is in its place, and the copy before that.
fn beside(stores: &Stores, node: u64, name: &str) -> Result<(PathBuf, PathBuf)> {
    let data = stores.node(node).context("it is a node")?.data.clone();
    let other = data.with_extension(name);
    Ok((data, other))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Copies a node's directory at one moment of its life.
fn copy_aside(stores: &mut Stores, node: u64, when: When) -> Result<()> {
    let (data, aside) = beside(stores, node, "copy")?;
    match when {
        When::Running => {
            // So that it is of one moment, as a snapshot of the machine would be.
            stores.process(node)?.pause()?;
            let copied = copy(&data, &aside);
            stores.process(node)?.resume()?;
            copied
        }
        When::Stopped => {
            stores.kill(node)?;
            copy(&data, &aside)?;
            stores.launch(node)
        }
    }
}

/// Puts the copy in the place of the directory of a node that is down, and keeps that.
fn put_back_copy(stores: &Stores, node: u64) -> Result<()> {
    let (data, aside) = beside(stores, node, "copy")?;
    fs::rename(&data, beside(stores, node, "true")?.1)?;
    fs::rename(aside, data).context("put the copy in its place")
}

/// Puts the true directory back into its place.
fn put_back_true(stores: &Stores, node: u64) -> Result<()> {
    let (data, kept) = beside(stores, node, "true")?;
    fs::remove_dir_all(&data)?;
    fs::rename(kept, data).context("put the true directory in its place")
}

/// Waits until a node has written down twice what it saw of its peers: the second time it is of a later moment than the call.
fn wait_until_written(stores: &Stores, by: u64) -> Result<()> {
    let lives = stores.node(by).context("it is a node")?.data.join("lives");
    let mut seen = fs::read(&lives).unwrap_or_default();
    for _ in 0..2 {
        wait_until("a peer writes down what it saw", SOON, || {
            fs::read(&lives).is_ok_and(|now| now != seen)
        })?;
        seen = fs::read(&lives)?;
    }
    Ok(())
}

fn ends_as_a_copy(stores: &mut Stores, node: u64) -> Result<()> {
    wait_until("the copy ends", SOON, || {
        stores.process(node).is_ok_and(|process| !process.is_running())
    })?;
    let said = stores.process(node)?.output();
    ensure!(said.contains("is an older copy of itself"), "it says {said}");
    ensure!(
        said.contains("must not go on with this data directory"),
        "it says {said}"
    );
    Ok(())
}

fn one_copy(leads: bool, when: When) -> Outcome {
    World::plan().run(|world| {
        let stores = &mut world.stores;
        let leader = stores.wait_ready()?;
        let older = if leads { leader } else { leader % 3 + 1 };
        let savers = Savers::start(stores, WRITERS)?;
        savers.wait_for_each()?;
        copy_aside(stores, older, when)?;
        savers.wait_for_each()?;
        stores.wait_caught_up(older)?;
        wait_until_written(stores, older % 3 + 1)?;
        stores.kill(older)?;
        put_back_copy(stores, older)?;
        savers.wait_for_each()?;
        stores.launch(older)?;
        ends_as_a_copy(stores, older)?;
        savers.wait_for_each()?;
        put_back_true(stores, older)?;
        stores.launch(older)?;
        stores.wait_caught_up(older)?;
        savers.finish(stores)
    })
}

#[test]
fn of_a_follower_that_runs() -> Outcome {
    one_copy(false, When::Running)
}

#[test]
fn of_a_follower_that_is_stopped() -> Outcome {
    one_copy(false, When::Stopped)
}

#[test]
fn of_the_leader_that_runs() -> Outcome {
    one_copy(true, When::Running)
}

#[test]
fn of_two_nodes_at_once() -> Outcome {
    World::plan().run(|world| {
        let stores = &mut world.stores;
        let leader = stores.wait_ready()?;
        let sees = leader % 3 + 1;
        let older = [leader, sees % 3 + 1];
        let savers = Savers::start(stores, WRITERS)?;
        savers.wait_for_each()?;
        for node in older {
            copy_aside(stores, node, When::Running)?;
        }
        savers.wait_for_each()?;
        stores.wait_caught_up(sees)?;
        wait_until_written(stores, sees)?;
        for node in older {
            stores.kill(node)?;
            put_back_copy(stores, node)?;
        }
        for node in older {
            stores.launch(node)?;
        }
        for node in older {
            ends_as_a_copy(stores, node)?;
        }
        for node in older {
            put_back_true(stores, node)?;
            stores.launch(node)?;
        }
        savers.wait_for_each()?;
        savers.finish(stores)
    })
}
