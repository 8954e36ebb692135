//! One seed: a cluster forms, works through its troubles, heals, and is looked at.
//!
//! While there are troubles answers are held to what was told before. Afterwards the cluster must also *do* something: answer
//! all that was asked, take a new session, let what is overdue expire, and come to the same table everywhere.

use std::time::Duration;

use tokio::task::JoinHandle;

use remora_table::{ListFilter, ListStart};

use crate::raft::tests::key;
use crate::raft::{NodeId, RaftHandle};

use super::tomcats::Tomcat;
use super::troubles::Troubles;
use super::turns::{Turns, WORLD};
use super::twists::Twist;
use super::world::World;

/// How long a cluster may take to form, and to answer everybody once it is healed: a restart guard, some elections in vain.
const HEALS_WITHIN: Duration = Duration::from_secs(10);
/// How long sessions may stand that last two seconds, also when nobody asks for anything: a tick comes after five seconds, and
/// a sweep after that.
const EXPIRES_WITHIN: Duration = Duration::from_secs(8);
/// How often, in a hundred, nobody asks for anything while sessions expire.
const IDLE_PERCENT: u64 = 20;
/// How often somebody asks for something otherwise.
const ASKS_EVERY: Duration = Duration::from_millis(200);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Tomcats of a simulation.
const TOMCATS: u64 = 3;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Nodes.
    pub(super) size: u64,
    /// For how long there are troubles.
    pub(super) turmoil: Duration,
    /// Which rule is broken.
    pub(super) twist: Option<Twist>,
}

/// What came of a seed.
pub(super) struct Told {
    /// The first promise that was broken.
    pub(super) broken: Option<String>,
    /// Every line.
    pub(super) all: String,
    /// What people read.
    pub(super) told: String,
}

/// Plays a seed.
pub(super) fn play(seed: u64, plan: Plan) -> Told {
    Turns::play(seed, move |turns| tell(turns, plan))
}

async fn tell(turns: Turns, plan: Plan) -> Told {
    let world = World::new(turns, plan.size, plan.twist);
    // What breaks a promise has told so itself.
    let _ = whole(&world, plan).await;
    Told {
        broken: world.broken(),
        all: world.chronicle.all(),
        told: world.chronicle.told(),
    }
}

/// The whole story; none if it broke off.
async fn whole(world: &World, plan: Plan) -> Option<()> {
    for node in world.all() {
        if let Err(sentence) = world.start(node).await {
            world.break_off(format!("node {node} does not start at all: {sentence}"));
        }
    }
    until(world, "somebody leads", || world.leader().is_some()).await?;
    if plan.twist == Some(Twist::QuorumMinusOne) {
        world.wires.forge_answers_of(plan.size);
    }
    let end = world.turns.passed() + plan.turmoil;
    let tomcats: Vec<JoinHandle<Tomcat>> = (1..=TOMCATS)
        .map(|instance| begin(world, instance, end))
        .collect();
    let mut troubles = Troubles::new(world.clone());
    troubles.run(end).await;
    troubles.heal().await;
    until(world, "everybody is answered", || {
        tomcats.iter().all(JoinHandle::is_finished)
    })
    .await?;
    let mut rested = Vec::new();
    for tomcat in tomcats {
        rested.push(tomcat.await.ok()?);
    }
    world.chronicle.tell("everybody is answered");
    until(world, "whoever lost a disk is replaced", || {
        troubles.all_replaced()
    })
    .await?;
    let newcomer = &mut rested[0];
    let mut taken = None;
    in_time(world, "a new session is taken", async {
        taken = Some(newcomer.create(Some(0)).await);
    })
    .await?;
    expiry(world, newcomer, taken?).await?;
    troubles.reap().await;
    agreement(world).await?;
    let finished = world.oracle().finish();
    finished.map_err(|sentence| world.break_off(sentence)).ok()?;
    world.chronicle.tell("all promises were kept");
    world.broken().is_none().then_some(())
}

/// A Tomcat that works until then.
fn begin(world: &World, instance: u64, end: Duration) -> JoinHandle<Tomcat> {
    let mut tomcat = Tomcat::new(world.clone(), instance);
    let turns = world.turns.clone();
    world.turns.start(WORLD, async move {
        while turns.passed() < end {
            tomcat.act().await;
        }
        tomcat
    })
}

/// Whatever is overdue goes, and whatever is not is there.
async fn expiry(world: &World, newcomer: &mut Tomcat, eternal: u64) -> Option<()> {
    let idle = world.turns.draw(|dice| dice.percent(IDLE_PERCENT));
    let deadline = world.turns.passed() + EXPIRES_WITHIN;
    let mortal = world.oracle().overdue(deadline);
    while let Some((user, node)) = stands(world, &mortal) {
        if world.turns.passed() > deadline {
            world.break_off(format!(
                "session {user} should have expired long ago, and stands on node {node}"
            ));
        }
        if !idle {
            in_time(world, "a save is answered", newcomer.save(eternal, false)).await?;
        }
        Turns::pass(ASKS_EVERY).await;
        world.broken().is_none().then_some(())?;
    }
    let standing = world.oracle().standing();
    for user in standing {
        in_time(world, "a session is read", newcomer.read(user)).await?;
    }
    world.broken().is_none().then_some(())
}

/// One of these sessions that stands on a node, and that node.
fn stands(world: &World, sessions: &[u64]) -> Option<(u64, NodeId)> {
    world.running().into_iter().find_map(|node| {
        let handle = world.handle(node)?;
        let table = handle.table();
        let standing = sessions.iter().find(|user| table.get(&key(**user)).is_some());
        Some((*standing?, node))
    })
}

/// All nodes come to the same.
async fn agreement(world: &World) -> Option<()> {
    if !world.down().is_empty() {
        world.break_off("a node does not run at the end".to_owned());
    }
    let tables = || -> Vec<(NodeId, String)> {
        let running = world.running().into_iter();
        running
            .filter_map(|node| Some((node, told_table(&world.handle(node)?))))
            .collect()
    };
    let same = || tables().windows(2).all(|pair| pair[0].1 == pair[1].1);
    let agreed = until(world, "all nodes have the same table", same).await;
    if agreed.is_none() {
        for (node, table) in tables() {
            world.chronicle.tell(&format!("node {node} has {table}"));
        }
    }
    agreed
}

/// Where a node is in the log, and what it made of that.
fn told_table(handle: &RaftHandle) -> String {
    let table = handle.table();
    let all = table.list(&ListFilter::default(), &ListStart::default(), usize::MAX);
    let sum = crc32fast::hash(format!("{:?}", all.sessions).as_bytes());
    let (version, time) = (table.version(), table.table_time());
    format!(
        "version {version} of {} and {} bytes at {time:?}, {} sessions {sum:08x}",
        table.remains(),
        table.bytes(),
        all.matching
    )
}

/// Waits for a condition; the story breaks off if it never holds.
async fn until(world: &World, what: &str, holds: impl Fn() -> bool) -> Option<()> {
    let wait = async {
        while !holds() && world.broken().is_none() {
            Turns::pass(LOOK_EVERY).await;
        }
    };
    in_time(world, what, wait).await
}

/// Does something that must end in time.
async fn in_time(world: &World, what: &str, done: impl Future<Output = ()>) -> Option<()> {
    if tokio::time::timeout(HEALS_WITHIN, done).await.is_err() {
        world.break_off(format!("never: {what}"));
    }
    world.broken().is_none().then_some(())
}
