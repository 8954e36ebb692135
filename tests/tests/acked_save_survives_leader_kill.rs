//! Promises 1 and 5: an acknowledged save is never lost while a majority of store disks lives, and a node that dies costs
//! no save its answer.
//!
//! Shown: writers save without a pause while the leader is killed with SIGKILL, twice, each time the one that leads
//! then. Commands whose outcome is unknown are repeated with the same request id. Afterwards every session must hold
//! exactly the last value that its writer saw acknowledged: nothing lost, nothing applied that came later, no
//! session of which a save was done twice (its version would say so).
//! Broken once to see it fail: appends in the log seam (`store/src/log`) acknowledged before the disk has them (a
//! writer then meets Gone after all nodes died); the repeat rule in the harness, a new serial for each try (then
//! Conflict).

use remora_tests::savers::Savers;
use remora_tests::{Outcome, World};

/// Enough to keep several commands in flight at every moment, on two cores.
const WRITERS: u64 = 8;

/// Acknowledged saves that must pass between two blows, so that each blow falls into a full stream.
const SAVES_BETWEEN: u64 = 300;

#[test]
fn two_leaders_die_under_load() -> Outcome {
    World::plan().run(|world| {
        let savers = Savers::start(&world.stores, WRITERS)?;
        for _ in 0..2 {
            savers.wait_for(SAVES_BETWEEN)?;
            let leader = world.stores.wait_ready()?;
            world.stores.kill(leader)?;
            savers.wait_for(SAVES_BETWEEN)?;
            world.stores.launch(leader)?;
            world.stores.wait_caught_up(leader)?;
        }
        savers.finish(&world.stores)
    })
}

#[test]
fn all_nodes_die_at_once_under_load() -> Outcome {
    World::plan().run(|world| {
        let savers = Savers::start(&world.stores, WRITERS)?;
        savers.wait_for(SAVES_BETWEEN)?;
        for id in world.stores.ids() {
            world.stores.kill(id)?;
        }
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        savers.wait_for(SAVES_BETWEEN)?;
        savers.finish(&world.stores)
    })
}
