//! Promise 5: a planned move of leadership is invisible.
//!
//! Shown: writers save without a pause while an operator lets each node lead in its turn, and whoever is furthest ahead once.
//! Each time the node that was named leads afterwards and its log says why, no save is lost or done twice. A stranger is refused by name, and
//! nothing moves.
//! Broken once to see it fail: the named node left out of the request (node 1 does not lead when it is asked to).

use anyhow::ensure;
use remora_tests::savers::Savers;
use remora_tests::{Outcome, World};

/// In flight at every moment.
const WRITERS: u64 = 8;

#[test]
fn each_node_leads_in_its_turn() -> Outcome {
    World::plan().run(|world| {
        let savers = Savers::start(&world.stores, WRITERS)?;
        for node in world.stores.ids().into_iter().rev() {
            savers.wait_for_each()?;
            world.operator(&["nodes", "transfer-leader", &node.to_string()])?;
            let leads = world.stores.wait_ready()?;
            ensure!(leads == node, "node {node} was asked to lead, and {leads} does");
            let said = world.stores.process(node)?.output();
            let why = "this node leads: the leader handed over to it";
            ensure!(
                said.contains(why),
                "node {node} does not say why it leads: {said}"
            );
        }
        savers.wait_for_each()?;
        let before = world.stores.wait_ready()?;
        world.operator(&["nodes", "transfer-leader"])?;
        ensure!(world.stores.wait_ready()? != before, "leadership stayed");
        let refused = world.operator(&["nodes", "transfer-leader", "9"]);
        let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(refused.contains("node 9 is no member"), "{refused}");
        savers.wait_for_each()?;
        savers.finish(&world.stores)
    })
}
