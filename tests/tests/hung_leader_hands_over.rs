//! Promise 5: a disk that hangs is one node's trouble.
//!
//! Shown: writers save without a pause when the disk of the leader stops to answer. That is no error: no sync fails, none
//! returns, and the others' disks are a majority. The node says that it is not ready, another leads, and saves go on; then it
//! ends by itself, so that a supervisor sees it. When the disk answers again it is started, catches up, and every session
//! holds what its writer was told.
//! Broken once to see it fail: no watch over the disk (the node stays ready).

use anyhow::Context;
use remora_tests::savers::Savers;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// In flight at every moment.
const WRITERS: u64 = 16;

#[test]
fn a_leader_whose_disk_hangs() -> Outcome {
    World::plan().faulty_disks().run(|world| {
        let stores = &mut world.stores;
        let savers = Savers::start(stores, WRITERS)?;
        savers.wait_for_each()?;
        let leader = stores.wait_ready()?;
        stores.disk(leader)?.hang(true)?;
        wait_until("the node is not ready", SOON, || !stores.is_ready(leader))?;
        let others: Vec<u64> = stores.ids().into_iter().filter(|id| *id != leader).collect();
        wait_until("another node leads", SOON, || {
            stores.agreed_leader(&others).is_some_and(|leads| leads != leader)
        })?;
        savers.wait_for_each()?;
        let ended = wait_until("the node ends by itself", SOON, || {
            stores.process(leader).is_ok_and(|process| !process.is_running())
        });
        ended.context("a process whose disk hangs")?;
        savers.wait_for_each()?;

        stores.disk(leader)?.hang(false)?;
        stores.kill(leader)?;
        stores.launch(leader)?;
        stores.wait_caught_up(leader)?;
        savers.wait_for_each()?;
        savers.finish(stores)
    })
}
