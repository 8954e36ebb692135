//! Puts consensus together and starts its tasks: opens the disk, starts openraft on it, builds what stands around openraft.
//!
//! Invariants: nothing is started before all of the log and the newest whole table image have been read and fit
//! together, for a node that lost what lies between must not go on. The membership on the disk and `--cluster` name the
//! same nodes. A node of several that comes back neither votes nor stands before the longest lease is over (the restart
//! guard). Every task started here ends with [`RaftHandle::stop`].
//!
//! Left out: what the tasks do (`duties`, `forming`, `proposer`, `reader`), and everything around consensus, which
//! the composition root starts.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use openraft::Config;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use crate::disk::Disk;
use crate::log::{DataDir, DataDirError, FileLog, LEAVE_OUT, Log, LogGauge, SEGMENT_BYTES, Vote};
use crate::metrics::Consensus;
use crate::snapshot::SnapshotStore;
use remora_table::{Formats, TableReader};

use super::applier::{Applier, Raft};
use super::backlog::Backlog;
use super::elections::{Around, Elections};
use super::endpoint::PeerEndpoint;
use super::handle::{Parts, RaftHandle};
use super::identity::{ControlLinks, NodeIdentity};
use super::imaging::{self, SharedBacklog, SnapshotPolicy};
use super::log_seam::{LogSeam, NoteVote};
use super::network::Network;
use super::pace::Pace;
use super::proposer::{ANSWER_WITHIN, Proposer, Writes};
use super::reader::Reader;
use super::settings::{Settings, Timers};
use super::snapshots::Snapshots;
use super::stamps::Marks;
use super::{Leadership, NodeId, duties, elections, formats, forming};

/// How long a heartbeat may be on its way. The next one waits for it, so this is also how long a peer that stood still may be
/// without one.
const HEARTBEAT_WITHIN_MS: u64 = 500;
/// How long a vote may take: two syncs of a slow disk.
const VOTE_WITHIN_MS: u64 = 2_000;
/// How long a leader whom no majority answers still appends what it is told. The proposer refuses before that.
const ALONE_WITHIN_MS: u64 = 2_500;
/// How long a snapshot may take to be sent and installed: 4 GiB at 10 MB/s. Too short a limit sends it again for ever; a
/// connection that broke ends it sooner.
const SNAPSHOT_WITHIN_MS: u64 = 600_000;
/// Entries in one replication message; the byte cap of the log reader comes first for all but tiny entries.
const MESSAGE_ENTRIES_MAX: u64 = 1_024;
/// Messages that wait for openraft's core; proposals are bounded before, by bytes.
const CORE_QUEUE_MAX: u64 = 8_192;

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
    /// openraft did not start: the state on disk does not fit together.
    #[error("consensus: {0}")]
    Raft(String),
}

/// Opens the data directory, restores the table and starts. Must run inside a tokio runtime. The cluster forms, and
/// peers are looked for, in the background.
pub(crate) async fn start(settings: Settings) -> Result<RaftHandle, StartError> {
    let media = Media {
        disk: Disk::real(),
        segment_bytes: SEGMENT_BYTES,
    };
    start_on(settings, media).await
}

/// What a node keeps its state on. Programs have the machine's disk; a test may have one with faults, and smaller segments.
pub(super) struct Media {
    /// Where the data directory is.
    pub(super) disk: Disk,
    /// Size of the log's segments in bytes.
    pub(super) segment_bytes: u64,
}

/// The same on these media.
pub(super) async fn start_on(mut settings: Settings, media: Media) -> Result<RaftHandle, StartError> {
    check(&mut settings)?;
    warn_of(&settings.timers);
    let began = Instant::now();
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
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "consensus started"
    );
    Ok(handle)
}

/// openraft over the opened disk.
struct Opened {
    raft: Raft,
    identity: Arc<NodeIdentity>,
    snapshots: Snapshots,
    table: TableReader,
    marks: Arc<Marks>,
    backlog: SharedBacklog,
    policy: watch::Sender<SnapshotPolicy>,
    log: Arc<dyn Log>,
    gauge: LogGauge,
    votes: watch::Receiver<Option<Vote>>,
    pace: Arc<Pace>,
    counts: Consensus,
}

impl Opened {
    async fn open(settings: &mut Settings, media: Media) -> Result<Self, StartError> {
        let (path, node, understands) = (settings.data_dir.clone(), settings.node, settings.understands);
        let found = tokio::task::spawn_blocking(move || Found::open(&media, &path, node, understands));
        let found = found.await??;
        let counts = Consensus::new();
        let snapshots = Snapshots::counted(found.snapshots, counts.clone());
        let marks = Arc::new(Marks::new(settings.clock.clone()));
        let events = Arc::clone(&settings.events);
        let backlog = Arc::new(Mutex::new(Backlog::new(settings.snapshots.keep_bytes)));
        let shared = (Arc::clone(&marks), Arc::clone(&backlog));
        let applier = Applier::new(understands, snapshots.clone(), events, shared);
        let table = applier.reader();
        let identity = Arc::new(NodeIdentity::new(
            found.data_dir,
            std::mem::take(&mut settings.cluster),
            (settings.peer_address.clone(), settings.client_address.clone()),
            (understands, table.clone()),
        ));
        let pace = Arc::new(Pace::new());
        let links = Arc::clone(&settings.links);
        let network = Network::new(Arc::clone(&identity), links, Arc::clone(&pace));
        let config = Arc::new(config(identity.configured.len() == 1)?);
        let gauge = found.log.gauge();
        let found_log: Arc<dyn Log> = Arc::new(found.log);
        let log = LogSeam::new(Arc::clone(&found_log), noting_votes(&identity), Arc::clone(&pace));
        let votes = log.votes();
        let raft = Raft::new(settings.node, config, network, log, applier).await;
        let raft = raft.map_err(|fatal| StartError::Raft(fatal.to_string()))?;
        Ok(Self {
            raft,
            identity,
            snapshots,
            table,
            marks,
            backlog,
            policy: watch::Sender::new(settings.snapshots),
            log: found_log,
            gauge,
            votes,
            pace,
            counts,
        })
    }
}

/// Notes in the identity that this disk has voted.
fn noting_votes(identity: &Arc<NodeIdentity>) -> NoteVote {
    let identity = Arc::clone(identity);
    Arc::new(move || identity.record_vote().map_err(io::Error::other))
}

/// What is on the disk, opened.
struct Found {
    data_dir: DataDir,
    log: FileLog,
    snapshots: SnapshotStore,
}

impl Found {
    /// Reads all of the log and of the newest table image.
    fn open(media: &Media, path: &Path, node: NodeId, understands: Formats) -> Result<Self, StartError> {
        let disk = &media.disk;
        let mut data_dir = DataDir::open(disk, path, node, understands)?;
        let log = data_dir.open_log(understands, media.segment_bytes)?;
        let directory = data_dir.snapshot_directory();
        let snapshots = SnapshotStore::open(disk, &directory, understands).map_err(StartError::Snapshots)?;
        let imaged = snapshots.latest().and_then(|newest| newest.last_applied);
        let purged = log.bounds().purged;
        if let Some(purged) = purged.filter(|purged| imaged.is_none_or(|imaged| imaged.index < purged.index))
        {
            return Err(lost_between(
                purged.index,
                imaged.map(|imaged| imaged.index),
                &directory,
            ));
        }
        Ok(Self {
            data_dir,
            log,
            snapshots,
        })
    }
}

/// A log that begins behind the end of the newest image.
fn lost_between(purged: u64, imaged: Option<u64>, directory: &Path) -> StartError {
    let found = imaged.map_or_else(
        || "there is no table image".to_owned(),
        |imaged| format!("the newest table image ends at entry {imaged}"),
    );
    StartError::Snapshots(io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "the log begins behind entry {purged}, and in {} {found} that is whole: what lies between is lost on this disk. \
             {LEAVE_OUT}",
            directory.display()
        ),
    ))
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
    let peers = forming::control_links(&opened.identity, &*settings.links);
    let mut tasks = vec![tokio::spawn(duties::watch_leadership(
        opened.raft.clone(),
        Arc::clone(&opened.identity),
        rounds_seen.clone(),
        (leadership, opened.counts.leader_changes.clone()),
        (Arc::clone(&settings.events), opened.table.clone()),
        stopping_seen.clone(),
    ))];

    let (reader, reading) = Reader::new(
        opened.raft.clone(),
        rounds,
        leadership_seen.clone(),
        Arc::clone(&opened.identity),
        peers.clone(),
        opened.counts.clone(),
    );
    tasks.push(tokio::spawn(reading));
    let writes = Writes {
        table: opened.table.clone(),
        understands: settings.understands,
    };
    let (proposer, proposing) = Proposer::new(
        opened.raft.clone(),
        (opened.marks.stamps(), writes),
        leadership_seen.clone(),
        stopping_seen,
        opened.counts.entry_proposals.clone(),
    );
    tasks.push(tokio::spawn(proposing));
    let (elections, holding) = hold_elections(settings, &opened, &peers, &leadership_seen, silent_until);
    tasks.extend(holding);
    let endpoint = PeerEndpoint::new(
        opened.raft.clone(),
        Arc::clone(&opened.identity),
        opened.snapshots.clone(),
        reader.clone(),
        (elections, Arc::clone(&opened.pace)),
    );

    tasks.extend(spawn_duties(&opened, &proposer, &leadership_seen));
    tasks.extend(spawn_forming(&opened.raft, &endpoint, &opened.identity, peers));
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
            snapshots: opened.snapshots,
            log: opened.gauge,
            policy: opened.policy,
            tasks: Mutex::new(tasks),
        }),
    }
}

/// Starts to watch the leader's life, and to give signs of life while this node leads.
fn hold_elections(
    settings: &Settings,
    opened: &Opened,
    peers: &ControlLinks,
    leadership: &watch::Receiver<Leadership>,
    silent_until: Option<Instant>,
) -> (Arc<Elections>, [JoinHandle<()>; 2]) {
    let around = Around {
        raft: opened.raft.clone(),
        identity: Arc::clone(&opened.identity),
        peers: peers.clone(),
        log: Arc::clone(&opened.log),
        votes: opened.votes.clone(),
        leadership: leadership.clone(),
        pace: Arc::clone(&opened.pace),
    };
    let (elections, lost) = Elections::new(around, settings.timers, silent_until);
    let watching = tokio::spawn(Arc::clone(&elections).watch(lost));
    let beating = tokio::spawn(Arc::clone(&elections).beat());
    (elections, [watching, beating])
}

/// Starts what a node does by itself.
fn spawn_duties(
    opened: &Opened,
    proposer: &Proposer,
    leadership: &watch::Receiver<Leadership>,
) -> [JoinHandle<()>; 3] {
    let pulse = duties::pulse(
        opened.raft.clone(),
        proposer.clone(),
        opened.table.clone(),
        leadership.clone(),
    );
    let images = imaging::take_images(
        opened.raft.clone(),
        opened.policy.subscribe(),
        (Arc::clone(&opened.backlog), opened.snapshots.clone()),
        opened.table.clone(),
    );
    let formats = formats::keep(
        Arc::clone(&opened.identity),
        proposer.clone(),
        opened.table.clone(),
        leadership.clone(),
    );
    [tokio::spawn(pulse), tokio::spawn(images), tokio::spawn(formats)]
}

/// Starts to look for peers, and to form a cluster with them if there is none.
fn spawn_forming(
    raft: &Raft,
    endpoint: &PeerEndpoint,
    identity: &Arc<NodeIdentity>,
    peers: ControlLinks,
) -> Vec<JoinHandle<()>> {
    let introductions = forming::Introductions::default();
    let mut tasks = Vec::new();
    for (peer, link) in peers {
        tasks.push(tokio::spawn(forming::introduce(
            endpoint.clone(),
            Arc::clone(identity),
            peer,
            link,
            Arc::clone(&introductions),
        )));
    }
    let form = forming::form(
        raft.clone(),
        endpoint.clone(),
        Arc::clone(identity),
        introductions,
    );
    tasks.push(tokio::spawn(form));
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

/// Completes the settings: a single node is a cluster of one.
fn check(settings: &mut Settings) -> Result<(), StartError> {
    if settings.node == 0 {
        return Err(StartError::Settings("node ids begin at 1".to_owned()));
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

/// openraft's configuration. Its timers only limit calls, see `elections`; a node that is `alone` elects itself by them.
fn config(alone: bool) -> Result<Config, StartError> {
    Config {
        cluster_name: "remora".to_owned(),
        heartbeat_interval: HEARTBEAT_WITHIN_MS,
        election_timeout_min: VOTE_WITHIN_MS,
        election_timeout_max: ALONE_WITHIN_MS,
        enable_elect: alone,
        enable_heartbeat: false,
        // A restarted leader asks a majority again instead of going on from what its disk says.
        enable_leader_restore: Some(false),
        install_snapshot_timeout: SNAPSHOT_WITHIN_MS,
        max_payload_entries: MESSAGE_ENTRIES_MAX,
        snapshot_policy: openraft::SnapshotPolicy::Never,
        // Counts entries; what is kept is weighed instead, and purged by `imaging`.
        max_in_snapshot_log_to_keep: u64::MAX,
        api_channel_size: Some(CORE_QUEUE_MAX),
        ..Config::default()
    }
    .validate()
    .map_err(|error| StartError::Settings(error.to_string()))
}

/// Takes over the membership that the disk knows, and checks it against the settings. Gives the number of voters.
async fn known_members(opened: &Opened) -> Result<usize, StartError> {
    let stored = opened
        .raft
        .with_raft_state(|state| Arc::clone(state.membership_state.effective()))
        .await;
    let stored = stored.map_err(|fatal| StartError::Raft(fatal.to_string()))?;
    let membership = stored.membership();
    opened.identity.set_members(membership);
    let known: Vec<NodeId> = membership.nodes().map(|(node, _)| *node).collect();
    let configured: Vec<NodeId> = opened.identity.configured.keys().copied().collect();
    if known.is_empty() || known == configured {
        return Ok(membership.voter_ids().count());
    }
    Err(StartError::Settings(format!(
        "this data directory belongs to a cluster of nodes {known:?}, but --cluster names {configured:?}: name the \
         same nodes"
    )))
}

/// The restart guard: a node that comes back neither votes nor stands for the longest lease, because before its restart it
/// may have acknowledged a leader that still counts on it. A pristine node and one that is alone have promised nobody
/// anything.
fn guard(voters: usize, timers: &Timers) -> Option<Instant> {
    (voters > 1).then(|| Instant::now() + elections::GUARD.max(timers.election_max))
}
