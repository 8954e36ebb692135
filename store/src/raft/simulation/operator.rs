//! The operator of a simulation: gives a node whose disk is lost an empty one, and sees its replacement through.
//!
//! Done as the command line does it: whoever leads is asked for the next step, again and again, until nothing is left to do. A
//! step that is refused may go a moment later, for troubles go on meanwhile; that it is done in the end is for the story.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::raft::{NodeId, StepTaken, Verb, Wish};

use super::turns::{Turns, WORLD};
use super::world::{Answer, World};

/// How long an operator waits for the answer to a step: longer than a leader asks a member that is dead.
const STEP_WITHIN: Duration = Duration::from_secs(2);
/// How long an operator waits before the next step.
const NEXT_AFTER: Duration = Duration::from_millis(30);

/// Begins to replace a node, which has an empty disk; ends when it votes.
pub(super) fn replace(world: &World, node: NodeId) -> JoinHandle<()> {
    let world = world.clone();
    let turns = world.turns.clone();
    turns.start(WORLD, async move {
        while !takes_a_step(&world, node).await {
            Turns::pass(NEXT_AFTER).await;
        }
        world.chronicle.tell(&format!("node {node} is replaced"));
    })
}

/// Asks for the next step; says whether none is left.
async fn takes_a_step(world: &World, node: NodeId) -> bool {
    let Some(leader) = world.leader() else {
        return false;
    };
    let wish = Wish {
        verb: Verb::Replace,
        node,
        peer_address: World::peer_address(node),
    };
    let asked = world.ask((leader, STEP_WITHIN), |handle| async move {
        handle.change_members(&wish).await
    });
    match asked.await {
        Answer::Said(Ok(StepTaken::Done(_))) => true,
        Answer::Said(step) => {
            world.chronicle.tell(&format!("replacing node {node}: {step:?}"));
            false
        }
        Answer::Nobody | Answer::Silence => false,
    }
}
