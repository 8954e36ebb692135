//! What befalls the nodes, round after round: one or two faults at a time, all of them mended, then saves that go on.
//!
//! A fault is drawn from the seed, with the node that it hits and for how long. Nothing is expected of the time in between: a
//! round may take the majority away. Behind it each writer must get two answers, or the run ends with an error: a
//! cluster that does not come back is as bad as one that forgets.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use remora_tests::savers::Savers;
use remora_tests::stores::Stores;
use remora_tests::wait::holds_for;

use crate::network::{HERE, Network};
use crate::{NODES, say};

/// Shortest time for which a fault stays.
const FAULT_MIN: Duration = Duration::from_millis(300);

/// Longest time for which a fault stays: a unary client's patience of 30 s is far, and a hanging disk ends its node.
const FAULT_MAX: Duration = Duration::from_secs(12);

/// Calm between two rounds: longer than a restart guard, so that some rounds begin with all nodes well.
const CALM: Duration = Duration::from_secs(1);

/// How much longer a sync takes on a slow disk.
const SLOWER: Duration = Duration::from_millis(200);

/// What may befall a node.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// SIGKILL, and started again.
    Killed,
    /// SIGSTOP, and continued.
    Frozen,
    /// Nothing passes between it and anybody, in either direction.
    CutOff,
    /// Nothing passes between it and the other nodes; clients reach it.
    Parted,
    /// It hears nobody.
    Deaf,
    /// Nobody hears it.
    Mute,
    /// One other node does not hear it.
    Unheard,
    /// Its syncs take longer.
    SlowDisk,
    /// Its syncs do not end; for long enough, and it ends itself.
    HungDisk,
}

/// All of them; a kill is as likely as any two others.
const BLOWS: [Blow; 10] = [
    Blow::Killed,
    Blow::Killed,
    Blow::Frozen,
    Blow::CutOff,
    Blow::Parted,
    Blow::Deaf,
    Blow::Mute,
    Blow::Unheard,
    Blow::SlowDisk,
    Blow::HungDisk,
];

impl fmt::Display for Blow {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Killed => "is killed",
            Self::Frozen => "is frozen",
            Self::CutOff => "is cut off from everybody",
            Self::Parted => "is parted from the other nodes",
            Self::Deaf => "hears nobody",
            Self::Mute => "is heard by nobody",
            Self::Unheard => "is not heard by the next node",
            Self::SlowDisk => "has a slow disk",
            Self::HungDisk => "has a disk that hangs",
        })
    }
}

impl Blow {
    /// The wires that it cuts: from, to.
    fn cuts(self, node: usize) -> Vec<(usize, usize)> {
        let nodes = || (1..=NODES).filter(move |other| *other != node);
        let all = || nodes().chain([HERE]);
        let heard = |from: usize| (from, node);
        let said = |to: usize| (node, to);
        match self {
            Self::CutOff => all().map(heard).chain(all().map(said)).collect(),
            Self::Parted => nodes().map(heard).chain(nodes().map(said)).collect(),
            Self::Deaf => all().map(heard).collect(),
            Self::Mute => all().map(said).collect(),
            Self::Unheard => vec![(node, node % NODES + 1)],
            Self::Killed | Self::Frozen | Self::SlowDisk | Self::HungDisk => Vec::new(),
        }
    }
}

/// The seed under way.
pub(crate) struct Trouble {
    state: u64,
    faults: u64,
}

impl Trouble {
    /// From this seed on.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            faults: 0,
        }
    }

    /// Faults so far.
    pub(crate) fn faults(&self) -> u64 {
        self.faults
    }

    /// A number below `bound` that follows from the seed; SplitMix64, as any good mixing would do.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 11;
        usize::try_from(mixed % bound as u64).unwrap_or(0)
    }

    fn time(&mut self) -> Duration {
        let most = usize::try_from((FAULT_MAX - FAULT_MIN).as_millis()).unwrap_or(usize::MAX);
        // Short ones are likelier: what goes wrong does so while something changes.
        let drawn = self.below(most).min(self.below(most));
        FAULT_MIN + Duration::from_millis(drawn as u64)
    }

    /// Faults, their end, and saves that go on.
    pub(crate) fn round(
        &mut self,
        stores: &mut Stores,
        network: &Network,
        savers: &Savers,
        began: Instant,
    ) -> Result<()> {
        let first = 1 + self.below(NODES);
        // Every third round takes the majority away.
        let nodes = if self.below(3) == 0 {
            vec![first, first % NODES + 1]
        } else {
            vec![first]
        };
        let hit: Vec<(usize, Blow)> = nodes
            .into_iter()
            .map(|node| (node, BLOWS[self.below(BLOWS.len())]))
            .collect();
        let time = self.time();
        for (node, fault) in &hit {
            let at = began.elapsed().as_secs_f64();
            say(&format!(
                "{at:7.1} s  node {node} {fault} for {:.1} s",
                time.as_secs_f64()
            ));
            begin(*fault, *node, stores, network)?;
            self.faults += 1;
        }
        holds_for("the fault stays", time, || true)?;
        for (node, fault) in &hit {
            end(*fault, *node, stores, network)?;
        }
        start_what_ended(stores)?;
        savers.wait_for_each()?;
        holds_for("calm", CALM, || true)
    }
}

fn begin(fault: Blow, node: usize, stores: &mut Stores, network: &Network) -> Result<()> {
    let id = node as u64;
    match fault {
        Blow::Killed => stores.kill(id)?,
        Blow::Frozen => stores.process(id)?.pause()?,
        Blow::SlowDisk => stores.disk(id)?.slow_syncs(SLOWER)?,
        Blow::HungDisk => stores.disk(id)?.hang(true)?,
        Blow::CutOff | Blow::Parted | Blow::Deaf | Blow::Mute | Blow::Unheard => {}
    }
    fault
        .cuts(node)
        .into_iter()
        .try_for_each(|(from, to)| network.cut(from, to))
}

fn end(fault: Blow, node: usize, stores: &mut Stores, network: &Network) -> Result<()> {
    let id = node as u64;
    match fault {
        Blow::Frozen => stores.process(id)?.resume()?,
        Blow::SlowDisk => stores.disk(id)?.slow_syncs(Duration::ZERO)?,
        Blow::HungDisk => stores.disk(id)?.hang(false)?,
        Blow::Killed | Blow::CutOff | Blow::Parted | Blow::Deaf | Blow::Mute | Blow::Unheard => {}
    }
    fault
        .cuts(node)
        .into_iter()
        .try_for_each(|(from, to)| network.mend(from, to))
}

/// Starts nodes that were killed, and those that ended by themselves, as from a disk that hung for too long.
fn start_what_ended(stores: &mut Stores) -> Result<()> {
    for id in stores.ids() {
        if stores.process(id).is_ok_and(|process| process.is_running()) {
            continue;
        }
        stores.kill(id)?;
        stores.launch(id)?;
    }
    Ok(())
}
