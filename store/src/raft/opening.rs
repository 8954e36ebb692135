//! Opens what a node keeps on its disk, and starts openraft on it.
//!
//! Invariant: nothing is started before all of the log and the newest whole table image have been read and fit together. A
//! node that lost what lies between has it sent first, or does not start.
//!
//! Left out: what is built around openraft (`start`), and how others are asked for an image (`asking`).

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use openraft::Config;
use tokio::sync::watch;

use crate::disk::Disk;
use crate::log::{DataDir, DataDirError, Lives, LivesFile, Log, LogGauge, Vote};
use crate::metrics::Consensus;
use crate::runtime;
use crate::snapshot::SnapshotStore;
use remora_table::{Formats, TableReader};

use super::NodeId;
use super::anew;
use super::applier::{Applier, Raft, Rules};
use super::asking::{Asking, Gap};
use super::backlog::{Backlog, LogWritten};
use super::identity::NodeIdentity;
use super::imaging::{SharedBacklog, SnapshotPolicy};
use super::log_seam::{LogSeam, NoteVote};
use super::network::Network;
use super::pace::Pace;
use super::recover;
use super::settings::Settings;
use super::snapshots::Snapshots;
use super::stamps::Marks;
use super::start::StartError;

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

/// Opens the log in a data directory, for a program that understands these formats, with segments of so many bytes.
pub(super) type OpenLog =
    Box<dyn FnOnce(&mut DataDir, Formats, u64) -> Result<(Arc<dyn Log>, LogGauge), DataDirError> + Send>;

/// What a node keeps its state on. Programs have the machine's disk; a test may have one with faults, and smaller segments.
pub(super) struct Media {
    /// Where the data directory is.
    pub(super) disk: Disk,
    /// Size of the log's segments in bytes.
    pub(super) segment_bytes: u64,
    /// How the log is opened: with threads of its own, unless somebody else drives it.
    pub(super) open_log: OpenLog,
    /// How a proposal changes the table.
    pub(super) rules: Rules,
}

impl Media {
    /// As a program has them, on this disk.
    pub(super) fn new(disk: Disk, segment_bytes: u64) -> Self {
        Self {
            disk,
            segment_bytes,
            open_log: Box::new(|data_dir, understands, segment_bytes| {
                let log = data_dir.open_log(understands, segment_bytes)?;
                let gauge = log.gauge();
                Ok((Arc::new(log), gauge))
            }),
            rules: Box::new(|_, table, proposal, told| table.apply(proposal, told)),
        }
    }
}

/// openraft over the opened disk.
pub(super) struct Opened {
    pub(super) raft: Raft,
    pub(super) identity: Arc<NodeIdentity>,
    pub(super) snapshots: Snapshots,
    pub(super) table: TableReader,
    pub(super) marks: Arc<Marks>,
    pub(super) backlog: SharedBacklog,
    pub(super) policy: watch::Sender<SnapshotPolicy>,
    pub(super) log: Arc<dyn Log>,
    pub(super) gauge: LogGauge,
    pub(super) votes: watch::Receiver<Option<Vote>>,
    pub(super) lives_file: LivesFile,
    pub(super) pace: Arc<Pace>,
    pub(super) counts: Consensus,
}

impl Opened {
    /// Reads the disk, then starts openraft on it. Where no table image reaches the log, that waits for another node's.
    ///
    /// # Errors
    /// The disk failed or is not whole and nobody can help, or openraft does not start over it.
    pub(super) async fn open(settings: &mut Settings, media: Media) -> Result<Self, StartError> {
        let (path, node, understands) = (settings.data_dir.clone(), settings.node, settings.understands);
        let joins = !settings.join.is_empty();
        let Media {
            disk,
            segment_bytes,
            open_log,
            rules,
        } = media;
        let open = move || {
            Found::open(
                &disk,
                (segment_bytes, open_log),
                (&path, joins),
                node,
                understands,
            )
        };
        let found = runtime::blocking(open);
        let found = found.await??;
        let counts = Consensus::new();
        let snapshots = Snapshots::counted(found.snapshots, counts.clone());
        let marks = Arc::new(Marks::new(settings.clock.clone()));
        let events = Arc::clone(&settings.events);
        let backlog = Backlog::new(settings.snapshots.keep_bytes, written(&found.gauge));
        let backlog = Arc::new(Mutex::new(backlog));
        let shared = (Arc::clone(&marks), Arc::clone(&backlog));
        let applier = Applier::new((understands, rules), snapshots.clone(), events, shared);
        let table = applier.reader();
        let identity = NodeIdentity::new(
            found.data_dir,
            std::mem::take(&mut settings.cluster),
            (settings.peer_address.clone(), settings.client_address.clone()),
            (understands, table.clone()),
            found.lives,
        );
        let identity = Arc::new(identity.told_to_await(settings.await_restore));
        let pace = Arc::new(Pace::new());
        let log = LogSeam::new(Arc::clone(&found.log), noting_votes(&identity), Arc::clone(&pace));
        let votes = log.votes();
        if let Some(gap) = found.gap {
            let opened = (&identity, &found.log, &log);
            Asking::new(settings, opened, &snapshots)
                .until_closed(gap)
                .await?;
        }
        let links = Arc::clone(&settings.links);
        let network = Network::new(Arc::clone(&identity), links, Arc::clone(&pace));
        let config = Arc::new(config()?);
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
            log: found.log,
            gauge: found.gauge,
            votes,
            lives_file: found.lives_file,
            pace,
            counts,
        })
    }
}

/// What the log writes, counted on.
fn written(gauge: &LogGauge) -> LogWritten {
    let gauge = gauge.clone();
    Box::new(move || gauge.written_bytes())
}

/// Notes in the identity that this disk has voted.
fn noting_votes(identity: &Arc<NodeIdentity>) -> NoteVote {
    let identity = Arc::clone(identity);
    Arc::new(move || identity.record_vote().map_err(io::Error::other))
}

/// What is on the disk, opened.
struct Found {
    data_dir: DataDir,
    log: Arc<dyn Log>,
    gauge: LogGauge,
    snapshots: SnapshotStore,
    /// What no image of this disk holds, and its log neither.
    gap: Option<Gap>,
    lives_file: LivesFile,
    lives: Lives,
}

impl Found {
    /// Reads all of the log and of the newest table image.
    fn open(
        disk: &Disk,
        (segment_bytes, open_log): (u64, OpenLog),
        (path, joins): (&Path, bool),
        node: NodeId,
        understands: Formats,
    ) -> Result<Self, StartError> {
        let mut data_dir = DataDir::open(disk, path, node, understands)?;
        if joins {
            data_dir.set_joins()?;
        }
        let (log, gauge) = open_log(&mut data_dir, understands, segment_bytes)?;
        let (lives_file, lives) = data_dir.open_lives(understands)?;
        let directory = data_dir.snapshot_directory();
        let snapshots = SnapshotStore::open(disk, &directory, understands).map_err(StartError::Snapshots)?;
        anew::settle(&mut data_dir, snapshots.latest())?;
        recover::complete(&mut data_dir, &*log, &snapshots, understands).map_err(StartError::Recovery)?;
        let imaged = snapshots.latest().and_then(|newest| newest.last_applied);
        Ok(Self {
            data_dir,
            gap: Gap::between(imaged, &*log),
            log,
            gauge,
            snapshots,
            lives_file,
            lives,
        })
    }
}

/// openraft's configuration. Its timers only limit calls: elections are ours, see `elections`.
fn config() -> Result<Config, StartError> {
    Config {
        cluster_name: "remora".to_owned(),
        heartbeat_interval: HEARTBEAT_WITHIN_MS,
        election_timeout_min: VOTE_WITHIN_MS,
        election_timeout_max: ALONE_WITHIN_MS,
        enable_elect: false,
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
