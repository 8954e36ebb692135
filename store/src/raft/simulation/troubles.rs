//! What happens to a cluster in a simulation: processes end, power goes, ways are blocked, nodes stand still, disks become
//! slow and full, leadership moves. Drawn by the seed, one trouble after the other, several at a time.
//!
//! Every trouble ends by itself. A node that lost a part of its data directory must refuse to start, and stays out until an
//! operator gives it an empty disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::faults::{Kind, Leftover};
use crate::raft::NodeId;

use super::dice::Dice;
use super::operator;
use super::turns::Turns;
use super::twists::Twist;
use super::world::World;

/// Time between two troubles, in milliseconds.
const NEXT_MS: (u64, u64) = (20, 120);
/// How long a trouble lasts, in milliseconds: from less than a lease to more than an election.
const LASTS_MS: (u64, u64) = (30, 700);
/// Writes and syncs after which a power cut comes that was announced: within some saves, or a start.
const CUT_AFTER_MAX: u64 = 60;
/// How often it is looked whether all nodes run when their troubles are over.
const MENDED_LOOKS: usize = 10;
/// After how long each time.
const MENDED_EVERY: Duration = Duration::from_millis(20);
/// How long one of three nodes is left alone before the others lose something, in milliseconds: less than it takes for another
/// election.
const ALONE_MS: (u64, u64) = (30, 120);
/// What a disk takes longer for a sync, in milliseconds: an ordinary cloud disk under load.
const LAG_MS: (u64, u64) = (5, 120);
/// The lag of a disk that hangs: beyond the patience in which a node takes part.
const HANGS: Duration = Duration::from_millis(2_500);

/// The troubles of one simulation.
pub(super) struct Troubles {
    world: World,
    /// When nodes that are down start again, and those that stand still go on.
    starts: BTreeMap<NodeId, Duration>,
    wakes: BTreeMap<NodeId, Duration>,
    /// When the ways are opened, and the disks well again.
    opens: Option<Duration>,
    mends: Option<Duration>,
    /// Who is to lose its power after some writes.
    armed: BTreeSet<NodeId>,
    /// Whose disks may have ended their nodes.
    excused: BTreeSet<NodeId>,
    /// Who lost a part of its data directory, and when it gets an empty disk.
    out: Option<(NodeId, Duration)>,
    /// The replacement that is under way, or done.
    replaced: Option<JoinHandle<()>>,
}

impl Troubles {
    /// None so far.
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            starts: BTreeMap::new(),
            wakes: BTreeMap::new(),
            opens: None,
            mends: None,
            armed: BTreeSet::new(),
            excused: BTreeSet::new(),
            out: None,
            replaced: None,
        }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        self.world.turns.draw(draw)
    }

    fn later(&self) -> Duration {
        self.world.turns.passed() + self.draw(|dice| dice.between_ms(LASTS_MS.0, LASTS_MS.1))
    }

    fn tell(&self, what: &str) {
        self.world.chronicle.tell(what);
    }

    /// Makes trouble until then.
    pub(super) async fn run(&mut self, until: Duration) {
        while self.world.turns.passed() < until && self.world.broken().is_none() {
            let pause = self.draw(|dice| dice.between_ms(NEXT_MS.0, NEXT_MS.1));
            Turns::pass(pause).await;
            self.look_after().await;
            self.make_one().await;
        }
    }

    /// Ends all troubles.
    pub(super) async fn heal(&mut self) {
        self.tell("all is mended");
        self.world.wires.open_all();
        self.world.wires.forge_no_more();
        for node in std::mem::take(&mut self.wakes).into_keys() {
            self.world.turns.wake(node);
        }
        self.mend_disks();
        for node in std::mem::take(&mut self.armed) {
            self.world.faults(node).cut_before(u64::MAX, Leftover::Nothing);
        }
        self.replace().await;
        for _ in 0..MENDED_LOOKS {
            self.reap().await;
            for node in self.world.down() {
                self.start(node).await;
            }
            Turns::pass(MENDED_EVERY).await;
        }
        self.excused.clear();
    }

    /// Nodes that ended by themselves are started again; the others must not have. Whoever lost its power ends as well.
    pub(super) async fn reap(&mut self) {
        for node in self.world.without_power() {
            self.down(node, &format!("node {node} lost its power")).await;
        }
        for (node, sentence) in self.world.failed() {
            if !self.excused.contains(&node) {
                self.world
                    .break_off(format!("node {node} ended by itself: {sentence}"));
            }
            self.down(node, &format!("node {node} ends: {sentence}")).await;
        }
    }

    /// Whether whoever lost a disk is replaced.
    pub(super) fn all_replaced(&self) -> bool {
        self.replaced.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn is_out(&self, node: NodeId) -> bool {
        self.out.is_some_and(|(out, _)| out == node)
    }

    /// Whoever is out gets an empty disk, and somebody who sees that it takes part.
    async fn replace(&mut self) {
        let Some((node, _)) = self.out.take() else { return };
        if let Err(error) = self.world.empty(node) {
            self.world
                .break_off(format!("a simulation cannot empty a disk: {error}"));
        }
        self.tell(&format!("node {node} gets an empty disk"));
        self.start(node).await;
        self.replaced = Some(operator::replace(&self.world, node));
    }

    async fn look_after(&mut self) {
        let now = self.world.turns.passed();
        self.reap().await;
        if self.opens.is_some_and(|at| at <= now) {
            self.opens = None;
            self.world.wires.open_all();
            self.tell("all ways are open");
        }
        if self.mends.is_some_and(|at| at <= now) {
            self.mend_disks();
        }
        for node in due(&mut self.wakes, now) {
            self.world.turns.wake(node);
            self.tell(&format!("node {node} goes on"));
        }
        for node in due(&mut self.starts, now) {
            self.start(node).await;
        }
        if self.out.is_some_and(|(_, at)| at <= now) {
            self.replace().await;
        }
    }

    fn mend_disks(&mut self) {
        self.mends = None;
        for node in self.world.all() {
            self.world.set_disk_lag(node, Duration::ZERO);
            self.world.faults(node).make_room(Kind::Snapshot);
            self.world.set_free(node, None);
        }
    }

    async fn start(&mut self, node: NodeId) {
        let lost = self.is_out(node);
        match self.world.start(node).await {
            Ok(()) if lost => {
                self.world
                    .break_off(format!("node {node} started without its log"));
            }
            Ok(()) => {}
            Err(sentence) if lost => {
                self.down(node, &format!("node {node} stays out: {sentence}"))
                    .await;
            }
            Err(sentence) if self.excused.contains(&node) => {
                self.down(node, &format!("node {node} does not start yet: {sentence}"))
                    .await;
                let again = self.later();
                self.starts.insert(node, again);
            }
            Err(sentence) => self
                .world
                .break_off(format!("node {node} does not start: {sentence}")),
        }
    }

    /// A node is ended, and starts again some time.
    async fn down(&mut self, node: NodeId, what: &str) {
        self.tell(what);
        self.wakes.remove(&node);
        self.world.end(node).await;
        if !self.is_out(node) {
            let again = self.later();
            self.starts.insert(node, again);
        }
    }

    async fn make_one(&mut self) {
        let running = self.world.running();
        let Some(node) = self.draw(|dice| dice.one_of(&running)) else {
            return;
        };
        match self.draw(|dice| dice.below(100)) {
            0..10 => self.down(node, &format!("node {node} is killed")).await,
            10..20 => self.cut_power(&[node]).await,
            20..28 => self.announce_cut(node),
            28..32 => self.cut_power(&running).await,
            32..60 => self.block(node),
            60..72 => self.pause(node),
            72..78 => self.hand_over().await,
            78..88 => self.slow(node),
            88..92 => self.fill(node),
            92..97 => self.lose_log(node).await,
            _ => self.lose_disk(node).await,
        }
    }

    async fn cut_power(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            let faults = self.world.faults(*node);
            match self.draw(|dice| (dice.percent(50), dice.next())) {
                (true, seed) => faults.tear(seed),
                (false, _) => faults.forget(),
            }
        }
        for node in nodes {
            self.excused.remove(node);
            self.down(*node, &format!("node {node} loses its power")).await;
        }
    }

    fn announce_cut(&mut self, node: NodeId) {
        let (after, seed) = self.draw(|dice| (dice.below(CUT_AFTER_MAX), dice.next()));
        self.excused.insert(node);
        self.armed.insert(node);
        self.world.faults(node).cut_before(after, Leftover::Part(seed));
        self.tell(&format!("node {node} will lose its power after {after} writes"));
    }

    fn block(&mut self, node: NodeId) {
        let others: Vec<NodeId> = self
            .world
            .all()
            .into_iter()
            .filter(|other| *other != node)
            .collect();
        let (there, back) = self.draw(|dice| match dice.below(3) {
            0 => (true, true),
            1 => (true, false),
            _ => (false, true),
        });
        let one = self.draw(|dice| {
            if dice.percent(40) {
                dice.one_of(&others)
            } else {
                None
            }
        });
        for other in others
            .into_iter()
            .filter(|other| one.is_none_or(|one| one == *other))
        {
            if there {
                self.world.wires.block(node, other);
            }
            if back {
                self.world.wires.block(other, node);
            }
        }
        let far = one.map_or_else(|| "all".to_owned(), |one| one.to_string());
        let arrow = if there && back {
            "<>"
        } else if there {
            ">"
        } else {
            "<"
        };
        self.tell(&format!("blocked: {node} {arrow} {far}"));
        let opens = self.later();
        self.opens.get_or_insert(opens);
    }

    fn pause(&mut self, node: NodeId) {
        self.world.turns.pause(node);
        let wakes = self.later();
        self.wakes.insert(node, wakes);
        self.tell(&format!("node {node} stands still"));
    }

    async fn hand_over(&mut self) {
        let Some(leader) = self.world.leader() else { return };
        if let Some(handle) = self.world.handle(leader) {
            self.tell(&format!("node {leader} is to hand over"));
            self.world
                .turns
                .start(leader, async move { handle.hand_over(None).await });
        }
    }

    fn slow(&mut self, node: NodeId) {
        let lag = self.draw(|dice| match dice.percent(10) {
            true => HANGS,
            false => dice.between_ms(LAG_MS.0, LAG_MS.1),
        });
        self.world.set_disk_lag(node, lag);
        self.tell(&format!("the disk of node {node} lags by {} ms", lag.as_millis()));
        let mends = self.later();
        self.mends.get_or_insert(mends);
    }

    fn fill(&mut self, node: NodeId) {
        let (all, bytes) = self.draw(|dice| (dice.percent(50), dice.below(20_000)));
        if all {
            self.world.set_free(node, Some(0));
            self.tell(&format!("the disk of node {node} is full"));
        } else {
            let bytes = usize::try_from(bytes).unwrap_or(0);
            self.world.faults(node).fill_after(Kind::Snapshot, bytes);
            self.tell(&format!(
                "there is no room for images on node {node} after {bytes} bytes"
            ));
        }
        let mends = self.later();
        self.mends.get_or_insert(mends);
    }

    /// Whether a disk may be lost: all nodes take part.
    fn may_lose(&self) -> bool {
        self.out.is_none() && self.all_replaced() && self.world.down().is_empty()
    }

    async fn lose_disk(&mut self, node: NodeId) {
        if self.may_lose() {
            self.out = Some((node, self.later()));
            self.down(node, &format!("node {node} is killed, and its disk is gone"))
                .await;
        }
    }

    /// A disk loses its log when that is worst: what only it and the leader have is acknowledged, and
    /// the leader dies with it. Its node must not take part any more.
    async fn lose_log(&mut self, node: NodeId) {
        let Some(leader) = self.world.leader() else { return };
        let others = self.world.all();
        let behind = others.iter().find(|other| ![node, leader].contains(other));
        let Some(behind) = behind.copied() else { return };
        if node == leader || !self.may_lose() {
            return;
        }
        for other in [node, leader] {
            self.world.wires.block(behind, other);
            self.world.wires.block(other, behind);
        }
        self.tell(&format!("blocked: {behind} <> {node}, {leader}"));
        let alone = self.draw(|dice| dice.between_ms(ALONE_MS.0, ALONE_MS.1));
        Turns::pass(alone).await;
        self.down(leader, &format!("node {leader} is killed")).await;
        self.down(node, &format!("node {node} is killed, and its log removed"))
            .await;
        self.starts.remove(&node);
        self.world.wires.open_all();
        let directory = self.world.data_dir(node);
        let forgets = self.world.twist == Some(Twist::VotedIgnored);
        if let Err(error) = remove_log(&directory, forgets) {
            self.world
                .break_off(format!("a simulation cannot remove a log: {error}"));
        }
        if !forgets {
            self.out = Some((node, self.later()));
        }
        self.start(node).await;
    }
}

/// Removes a node's log, and on demand the mark that its disk has voted.
fn remove_log(directory: &std::path::Path, forgets: bool) -> io::Result<()> {
    fs::remove_dir_all(directory.join("log"))?;
    if forgets {
        let path = directory.join("identity");
        let text = fs::read_to_string(&path)?;
        fs::write(&path, text.replace("voted yes\n", ""))?;
    }
    Ok(())
}

/// Those whose time has come; they are taken out.
fn due(waiting: &mut BTreeMap<NodeId, Duration>, now: Duration) -> Vec<NodeId> {
    let due: Vec<NodeId> = waiting
        .iter()
        .filter(|(_, at)| **at <= now)
        .map(|(node, _)| *node)
        .collect();
    waiting.retain(|_, at| *at > now);
    due
}
