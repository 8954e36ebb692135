//! Puts consensus together and starts its tasks: over an opened disk (`opening`) it builds what stands around openraft.
//!
//! Invariants: the membership on the disk rules, and a `--cluster` that names other nodes is no more than a warning. A node of
//! several that comes back neither votes nor stands before the longest lease is over (the restart guard). Every task
//! started here ends with [`RaftHandle::stop`].
//!
//! Left out: what the tasks do (`duties`, `forming`, `proposer`, `reader`), and everything around consensus, which
//! the composition root starts.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use crate::disk::Disk;
use crate::log::{DataDirError, LivesFile, SEGMENT_BYTES};
use crate::runtime;

use super::anew::Anew;
use super::applier::Raft;
use super::elections::{Around, Elections};
use super::endpoint::PeerEndpoint;
use super::handle::{Parts, RaftHandle};
use super::identity::NodeIdentity;
use super::joining::{self, Contact};
use super::lives::OwnDisk;
use super::membership::{MemberChanges, Turn};
use super::opening::{Media, Opened};
use super::peers::{Addresses, PeerBook};
use super::proposer::{ANSWER_WITHIN, Proposer, Writes};
use super::reader::Reader;
use super::settings::{Settings, Timers};
use super::{
    Leadership, NodeId, Round, duties, elections, formats, forming, imaging, lives, space, watchdog,
};

/// Why consensus did not start, as a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The disk was not read to its end.
    #[error("data directory: {0}")]
    Disk(#[from] JoinError),
    /// The snapshots cannot be opened.
    #[error("snapshots: {0}")]
    Snapshots(io::Error),
    /// The other nodes know that this disk must not go on.
    #[error("{0}")]
    Refused(String),
    /// What an operator asked of the one disk that is left could not be completed.
    #[error("going on alone: {0}")]
    Recovery(io::Error),
    /// openraft did not start: the state on disk does not fit together.
    #[error("consensus: {0}")]
    Raft(String),
}

/// Opens the data directory, restores the table and starts. Must run inside a tokio runtime. The cluster forms, and
/// peers are looked for, in the background.
pub(crate) async fn start(settings: Settings) -> Result<RaftHandle, StartError> {
    start_on(settings, Media::new(Disk::real(), SEGMENT_BYTES)).await
}

/// The same on these media.
pub(super) async fn start_on(mut settings: Settings, media: Media) -> Result<RaftHandle, StartError> {
    check(&mut settings)?;
    warn_of(&settings.timers);
    let began = runtime::now();
    let opened = Opened::open(&mut settings, media).await?;
    let silent_until = match known_members(&opened).await {
        Ok(voters) => guard(voters, &settings.timers),
        Err(error) => {
            opened
                .raft
                .shutdown()
                .await
                .map_err(|error| StartError::Raft(error.to_string()))?;
            return Err(error);
        }
    };
    let handle = assemble(&settings, opened, silent_until);
    let identity = &handle.inner.identity;
    tracing::info!(
        node = settings.node,
        disk = %identity.disk,
        cluster = identity.cluster().map_or_else(|| "not formed".to_owned(), |cluster| cluster.to_string()),
        sessions = handle.table().sessions(),
        took_ms = u64::try_from(runtime::since(began).as_millis()).unwrap_or(u64::MAX),
        "consensus started"
    );
    Ok(handle)
}

/// Builds the parts around openraft and starts their tasks.
fn assemble(settings: &Settings, opened: Opened, silent_until: Option<Instant>) -> RaftHandle {
    let (rounds, rounds_seen) = watch::channel(None);
    let nobody = Leadership {
        node: settings.node,
        ..Leadership::default()
    };
    let (leadership, leadership_seen) = watch::channel(nobody);
    let (stopping, stopping_seen) = watch::channel(false);
    let peers = Arc::new(PeerBook::new(Arc::clone(&settings.links)));
    let turn = Arc::new(Turn::default());
    let mut tasks = vec![runtime::spawn(duties::watch_leadership(
        opened.raft.clone(),
        Arc::clone(&opened.identity),
        rounds_seen.clone(),
        leadership,
        (Arc::clone(&settings.events), opened.table.clone()),
        stopping_seen.clone(),
    ))];

    let (reader, reading) = spawn_reader(&opened, rounds, &leadership_seen, &peers);
    let (proposer, proposing) = spawn_proposer(settings, &opened, &leadership_seen, stopping_seen);
    tasks.extend([reading, proposing]);
    let (elections, holding) = hold_elections(settings, &opened, &peers, &leadership_seen, silent_until);
    tasks.extend(holding);
    let endpoint = PeerEndpoint::new(
        opened.raft.clone(),
        Arc::clone(&opened.identity),
        (opened.snapshots.clone(), Arc::clone(&opened.backlog)),
        reader.clone(),
        (elections, Arc::clone(&opened.pace)),
        OwnDisk {
            identity: Arc::clone(&opened.identity),
            log: Arc::clone(&opened.log),
            votes: opened.votes.clone(),
        },
    );

    tasks.extend(spawn_duties(
        &opened,
        settings,
        &proposer,
        &leadership_seen,
        &turn,
    ));
    let changes = change_members(settings, &opened, &endpoint, &leadership_seen, (&peers, turn));
    let contacts = joining::contacts(&settings.join, &*settings.links);
    tasks.extend(spawn_lives(&opened.identity, &contacts, opened.lives_file));
    let anew = Anew::default();
    let cluster = (&opened.raft, &opened.identity);
    tasks.extend(spawn_forming(cluster, &endpoint, &anew, (peers, contacts)));
    RaftHandle {
        inner: Arc::new(Parts {
            raft: opened.raft,
            identity: opened.identity,
            proposer,
            reader,
            rounds: rounds_seen,
            leadership: leadership_seen,
            stopping,
            table: opened.table,
            endpoint,
            changes,
            snapshots: opened.snapshots,
            log: opened.gauge,
            policy: opened.policy,
            anew,
            tasks: Mutex::new(tasks),
        }),
    }
}

/// Starts to make rounds for those who read.
fn spawn_reader(
    opened: &Opened,
    rounds: watch::Sender<Option<Round>>,
    leadership: &watch::Receiver<Leadership>,
    peers: &Arc<PeerBook>,
) -> (Reader, JoinHandle<()>) {
    let (reader, reading) = Reader::new(
        opened.raft.clone(),
        rounds,
        leadership.clone(),
        Arc::clone(&opened.identity),
        Arc::clone(peers),
        opened.counts.clone(),
    );
    (reader, runtime::spawn(reading))
}

/// Starts to make entries of proposals.
fn spawn_proposer(
    settings: &Settings,
    opened: &Opened,
    leadership: &watch::Receiver<Leadership>,
    stopping: watch::Receiver<bool>,
) -> (Proposer, JoinHandle<()>) {
    let writes = Writes {
        table: opened.table.clone(),
        understands: settings.understands,
    };
    let (proposer, proposing) = Proposer::new(
        opened.raft.clone(),
        (opened.marks.stamps(), writes),
        leadership.clone(),
        stopping,
        opened.counts.entry_proposals.clone(),
    );
    (proposer, runtime::spawn(proposing))
}

/// What changes the membership while this node leads.
fn change_members(
    settings: &Settings,
    opened: &Opened,
    endpoint: &PeerEndpoint,
    leadership: &watch::Receiver<Leadership>,
    (peers, turn): (&Arc<PeerBook>, Arc<Turn>),
) -> MemberChanges {
    MemberChanges {
        raft: opened.raft.clone(),
        identity: Arc::clone(&opened.identity),
        endpoint: endpoint.clone(),
        links: Arc::clone(&settings.links),
        peers: Arc::clone(peers),
        leadership: leadership.clone(),
        table: opened.table.clone(),
        backlog: Arc::clone(&opened.backlog),
        turn,
    }
}

/// Starts to watch the leader's life, and to give signs of life while this node leads.
fn hold_elections(
    settings: &Settings,
    opened: &Opened,
    peers: &Arc<PeerBook>,
    leadership: &watch::Receiver<Leadership>,
    silent_until: Option<Instant>,
) -> (Arc<Elections>, [JoinHandle<()>; 2]) {
    let around = Around {
        raft: opened.raft.clone(),
        identity: Arc::clone(&opened.identity),
        peers: Arc::clone(peers),
        log: Arc::clone(&opened.log),
        votes: opened.votes.clone(),
        leadership: leadership.clone(),
        pace: Arc::clone(&opened.pace),
    };
    let (elections, lost) = Elections::new(around, settings.timers, silent_until);
    let watching = runtime::spawn(Arc::clone(&elections).watch(lost));
    let beating = runtime::spawn(Arc::clone(&elections).beat());
    (elections, [watching, beating])
}

/// Starts what a node does by itself.
fn spawn_duties(
    opened: &Opened,
    settings: &Settings,
    proposer: &Proposer,
    leadership: &watch::Receiver<Leadership>,
    turn: &Arc<Turn>,
) -> [JoinHandle<()>; 5] {
    let disk = watchdog::watch_disk(
        opened.raft.clone(),
        Arc::clone(&opened.identity),
        (opened.gauge.clone(), opened.snapshots.clone()),
        settings.patience,
    );
    let space = space::judge(
        Arc::clone(&opened.identity),
        opened.snapshots.clone(),
        opened.gauge.clone(),
    );
    let pulse = duties::pulse(
        opened.raft.clone(),
        proposer.clone(),
        opened.table.clone(),
        leadership.clone(),
        Arc::clone(&settings.leavers_bytes_max),
    );
    let images = imaging::take_images(
        opened.raft.clone(),
        opened.policy.subscribe(),
        (
            Arc::clone(&opened.backlog),
            opened.snapshots.clone(),
            opened.gauge.clone(),
        ),
        opened.table.clone(),
    );
    let formats = formats::keep(
        Arc::clone(&opened.identity),
        proposer.clone(),
        opened.table.clone(),
        leadership.clone(),
        Arc::clone(turn),
    );
    [
        runtime::spawn(pulse),
        runtime::spawn(images),
        runtime::spawn(formats),
        runtime::spawn(disk),
        runtime::spawn(space),
    ]
}

/// Starts to remember peers' disks, and to wait until this one was compared with what they remember of it.
fn spawn_lives(identity: &Arc<NodeIdentity>, contacts: &[Contact], file: LivesFile) -> [JoinHandle<()>; 2] {
    let mut asked: BTreeSet<NodeId> = identity.addresses().borrow().keys().copied().collect();
    asked.extend((identity.waits() && !contacts.is_empty()).then_some(lives::CONTACTS));
    identity.lives.begin(asked);
    [
        runtime::spawn(lives::wait_for_peers(Arc::clone(identity))),
        runtime::spawn(lives::remember(Arc::clone(identity), file)),
    ]
}

/// Starts to look for peers, and to form a cluster with them, or to wait for one, if this node has none.
fn spawn_forming(
    (raft, identity): (&Raft, &Arc<NodeIdentity>),
    endpoint: &PeerEndpoint,
    anew: &Anew,
    (peers, contacts): (Arc<PeerBook>, Vec<Contact>),
) -> Vec<JoinHandle<()>> {
    let mut tasks = vec![runtime::spawn(forming::introduce_all(
        endpoint.clone(),
        Arc::clone(identity),
        peers,
        Arc::clone(&anew.introductions),
    ))];
    let (endpoint, identity) = (endpoint.clone(), Arc::clone(identity));
    if identity.joins() {
        tasks.push(runtime::spawn(joining::wait_to_be_added(
            endpoint, identity, contacts,
        )));
    } else {
        let introductions = Arc::clone(&anew.introductions);
        let form = forming::form(raft.clone(), endpoint, identity, introductions);
        tasks.push(runtime::spawn(form));
    }
    tasks
}

/// A gap that outlasts the patience of those who wait for an answer fails their requests, where a shorter one is not seen.
fn warn_of(timers: &Timers) {
    let gap = timers.election_max * 2;
    if gap >= ANSWER_WITHIN {
        tracing::warn!(
            "after a leader's death nobody answers for about {gap:?}, and a session manager waits {ANSWER_WITHIN:?} unless its \
             storeTimeout is longer: lower election-max-ms, or raise that"
        );
    }
}

/// Completes the settings: a single node that is to be added nowhere is a cluster of one.
fn check(settings: &mut Settings) -> Result<(), StartError> {
    if settings.node == 0 {
        return Err(StartError::Settings("node ids begin at 1".to_owned()));
    }
    if !settings.join.is_empty() {
        return Ok(());
    }
    if settings.cluster.is_empty() {
        settings
            .cluster
            .insert(settings.node, settings.peer_address.clone());
    }
    match settings.cluster.get(&settings.node) {
        Some(address) => settings.peer_address = address.clone(),
        None => {
            return Err(StartError::Settings(format!(
                "--cluster does not name node {}: add it, or correct --node-id",
                settings.node
            )));
        }
    }
    Ok(())
}

/// Takes over the membership that the disk knows, and warns of settings that say otherwise. Gives the number of voters.
async fn known_members(opened: &Opened) -> Result<usize, StartError> {
    let stored = opened
        .raft
        .with_raft_state(|state| Arc::clone(state.membership_state.effective()))
        .await;
    let stored = stored.map_err(|fatal| StartError::Raft(fatal.to_string()))?;
    let membership = stored.membership();
    opened.identity.set_members(membership);
    let known = membership
        .nodes()
        .map(|(node, member)| (*node, member.peer_address.clone()));
    let known: Addresses = known.collect();
    let configured = &opened.identity.configured;
    // A node that was told nothing stands there alone.
    if !known.is_empty() && configured.len() > 1 && known != *configured {
        tracing::warn!(
            ?known,
            ?configured,
            "the cluster has other nodes or addresses than --cluster says, and they count: `remora nodes list` shows them"
        );
    }
    Ok(membership.voter_ids().count())
}

/// The restart guard: a node that comes back neither votes nor stands for the longest lease, because before its restart it
/// may have acknowledged a leader that still counts on it. A pristine node and one that is alone have promised nobody
/// anything.
fn guard(voters: usize, timers: &Timers) -> Option<Instant> {
    (voters > 1).then(|| runtime::now() + elections::GUARD.max(timers.election_max))
}
