//! Which images a log may go on with, and that no power cut while one is put in its place leaves a directory of no use.
//!
//! Broken once to see them fail: entries that were never committed left in the log, or removed behind the image ("stands where
//! the image is"); no vote with the image ("its vote is of an earlier term"); an image taken that ends before the log begins.

use std::collections::BTreeMap;
use std::sync::mpsc;

use futures::StreamExt;
use futures::stream;
use remora_table::{Formats, SessionTable};
use tempfile::TempDir;

use super::*;
use crate::disk::{Disk, faulty};
use crate::faults::{Faults, Leftover};
use crate::log::{DataDir, FileLog, Lives, LogEntry, Payload, Vote};
use crate::metrics::Consensus;
use crate::raft::NodeId;
use crate::raft::pace::Pace;
use crate::raft::types::{Membership, StoredMembership, log_id};
use crate::snapshot::SnapshotStore;

const NODE: NodeId = 2;
const CLUSTER: ClusterId = ClusterId(7);
/// So small that a log of some entries takes one.
const SEGMENT_BYTES: u64 = 64 << 10;

/// The log that is gone up to here, committed up to here, and goes on to here, all of it of the second term.
const PURGED: u64 = 10;
const COMMITTED: u64 = 20;
const LAST: u64 = 30;
const TERM: u64 = 2;

fn at(term: u64, index: u64) -> LogId {
    LogId { term, index }
}

/// A disk whose log has outlived its images.
struct Bench {
    directory: TempDir,
    faults: Faults,
    /// Until the power goes.
    disk: Disk,
}

impl Bench {
    fn new() -> Self {
        let faults = Faults::default();
        let bench = Self {
            directory: TempDir::new().unwrap(),
            disk: faulty::disk(&faults),
            faults,
        };
        let (mut data_dir, log, _) = bench.open(&bench.disk);
        data_dir.join_cluster(CLUSTER).unwrap();
        let vote = Vote {
            term: TERM,
            committed: true,
            node: Some(NODE),
        };
        log.save_vote(vote, Box::new(|_| {}));
        let entry = |index| LogEntry {
            log_id: at(TERM, index),
            payload: Payload::Blank,
        };
        let append = |entries: Vec<LogEntry>| {
            let (done, durable) = mpsc::sync_channel(1);
            let done = Box::new(move |result: io::Result<()>| done.send(result).unwrap());
            log.append(entries, done).unwrap();
            durable.recv().unwrap().unwrap();
        };
        append((0..=LAST).map(entry).collect());
        log.save_committed(at(TERM, COMMITTED)).unwrap();
        log.purge_to(at(TERM, PURGED)).unwrap();
        append(Vec::new());
        bench
    }

    fn open(&self, disk: &Disk) -> (DataDir, FileLog, SnapshotStore) {
        let mut data_dir = DataDir::open(disk, self.directory.path(), NODE, Formats::OURS).unwrap();
        let log = data_dir.open_log(Formats::OURS, SEGMENT_BYTES).unwrap();
        let images = SnapshotStore::open(disk, &data_dir.snapshot_directory(), Formats::OURS).unwrap();
        (data_dir, log, images)
    }

    fn asking(&self) -> Asking {
        let (data_dir, log, images) = self.open(&self.disk);
        let log: Arc<dyn Log> = Arc::new(log);
        let seam = LogSeam::new(Arc::clone(&log), Arc::new(|| Ok(())), Arc::new(Pace::new()));
        let nowhere = (String::new(), String::new());
        let table = SessionTable::new().reader();
        let identity = NodeIdentity::new(
            data_dir,
            BTreeMap::new(),
            nowhere,
            (Formats::OURS, table),
            Lives::default(),
        );
        Asking {
            own: OwnDisk {
                identity: Arc::new(identity),
                votes: seam.votes(),
                log,
            },
            log: seam,
            snapshots: Snapshots::counted(images, Consensus::new()),
            contacts: Vec::new(),
            introductions: Introductions::default(),
            starting: watch::Sender::default(),
            saying: Saying::default(),
        }
    }
}

/// Of an image of another node, what it says and its pieces, and its size.
async fn sent(image: LogId) -> (SnapshotMetaOf<Types>, Vec<v1::SnapshotChunk>, u64) {
    let elsewhere = TempDir::new().unwrap();
    let images = SnapshotStore::open(&Disk::real(), elsewhere.path(), Formats::OURS).unwrap();
    let meta = snapshots::meta(Some(log_id(image.term, image.index)), StoredMembership::default());
    images
        .save(&snapshots::to_disk(&meta), SessionTable::new().image())
        .unwrap();
    let images = Snapshots::counted(images, Consensus::new());
    let newest = images.newest().await.unwrap().unwrap();
    let bytes = newest.snapshot.bytes();
    let head = snapshots::head(None, v1::Vote::default(), &newest);
    let pieces = snapshots::chunks(head, newest.snapshot).skip(1);
    (meta, pieces.collect().await, bytes)
}

/// The same, received.
async fn fetched(asking: &Asking, image: LogId) -> Fetched {
    let (meta, pieces, bytes) = sent(image).await;
    let pieces = stream::iter(pieces).map(Ok).boxed();
    let receiver = asking.snapshots.take_aside(pieces, (&meta, bytes), |_| ()).await;
    Fetched {
        receiver: receiver.unwrap(),
        image,
        stays: fit(image, &*asking.own.log).unwrap(),
        vote: from_disk_vote(Vote {
            term: image.term,
            committed: true,
            node: Some(3),
        }),
    }
}

/// What came of each size that was announced, and what was told of that.
#[tokio::test]
async fn an_image_is_told_as_it_comes_and_is_no_longer_than_was_announced() {
    let bench = Bench::new();
    let asking = bench.asking();
    let (meta, pieces, bytes) = sent(at(TERM, LAST)).await;
    for (announced, is_taken) in [(bytes, true), (bytes - 1, false)] {
        let mut told = 0;
        let pieces = stream::iter(pieces.clone()).map(Ok).boxed();
        let taken = asking
            .snapshots
            .take_aside(pieces, (&meta, announced), |came| told = came)
            .await;
        assert_eq!(taken.is_ok(), is_taken, "{announced} of {bytes}");
        assert_eq!(told == bytes, is_taken);
    }
}

#[test]
fn an_image_fits_a_log_that_it_reaches_and_whose_committed_entries_it_holds() {
    let bench = Bench::new();
    let (_data_dir, log, _) = bench.open(&bench.disk);
    let fits = |term, index| fit(at(term, index), &log).map_err(drop);
    assert_eq!(fits(TERM, PURGED - 1), Err(()), "a gap stays");
    assert_eq!(fits(TERM, PURGED), Ok(None));
    assert_eq!(fits(TERM, COMMITTED), Ok(None));
    assert_eq!(fits(TERM, LAST), Ok(None));
    assert_eq!(fits(TERM, LAST + 5), Ok(None), "the log ends before it");
    assert_eq!(fits(TERM + 1, LAST + 5), Ok(None));
    for index in [PURGED, COMMITTED] {
        assert_eq!(
            fits(TERM + 1, index),
            Err(()),
            "another entry is committed at {index}"
        );
    }
    assert_eq!(
        fits(TERM + 1, COMMITTED + 1),
        Ok(Some(COMMITTED)),
        "what is not committed may go"
    );
    for index in [COMMITTED + 1, LAST + 1] {
        assert_eq!(
            fits(TERM - 1, index),
            Err(()),
            "a leader of this disk's term would hold it"
        );
    }
}

#[test]
fn an_image_is_of_the_cluster_of_its_members() {
    let of = |clusters: &[u64]| {
        let member = |cluster| Member {
            peer_address: String::new(),
            client_address: String::new(),
            disk: DiskId(1),
            cluster: ClusterId(cluster),
        };
        let members: BTreeMap<NodeId, Member> = (1..).zip(clusters.iter().map(|of| member(*of))).collect();
        let voters = members.keys().copied().collect();
        let membership = Membership::new(vec![voters], members).unwrap_or_default();
        is_of(
            CLUSTER,
            &snapshots::meta(None, StoredMembership::new(None, membership)),
        )
        .is_ok()
    };
    assert!(of(&[CLUSTER.0, CLUSTER.0]));
    assert!(!of(&[CLUSTER.0, 8]) && !of(&[8]) && !of(&[]));
}

/// Of one in the middle of what was never committed, and of one behind the end of the log.
#[tokio::test]
async fn a_power_cut_at_any_moment_leaves_a_disk_that_starts_or_asks_again() {
    for image in [at(TERM + 1, COMMITTED + 5), at(TERM + 1, LAST + 5)] {
        for leftover in [Leftover::Nothing, Leftover::Part(1), Leftover::Part(2)] {
            let mut cuts = 0;
            loop {
                let bench = Bench::new();
                let mut asking = bench.asking();
                let fetched = fetched(&asking, image).await;
                bench.faults.cut_before(cuts, leftover);
                let placed = asking.put_in_place(fetched).await;
                drop(asking);
                // What is left of the countdown does not concern who starts now.
                bench.faults.forget();
                starts_or_asks(&bench, image, &format!("{image:?}, {leftover:?} after {cuts}"));
                if placed.is_ok() {
                    break;
                }
                cuts += 1;
            }
            assert!(cuts >= 4, "a vote and an image take writes and syncs: {cuts}");
        }
    }
}

fn starts_or_asks(bench: &Bench, image: LogId, when: &str) {
    let (_data_dir, log, images) = bench.open(&faulty::disk(&bench.faults));
    let bounds = log.bounds();
    let last = bounds.last.unwrap();
    let imaged = images.latest().and_then(|newest| newest.last_applied);
    assert!(last.index >= COMMITTED, "{when}: it lost what was committed");
    if Gap::between(imaged, &log).is_some() {
        assert!(fit(image, &log).is_ok(), "{when}: it can take none any more");
        return;
    }
    assert_eq!(imaged, Some(image), "{when}");
    assert!(
        last.index < image.index,
        "{when}: {last:?} stands where the image is"
    );
    assert!(
        log.vote().unwrap().term >= image.term,
        "{when}: its vote is of an earlier term"
    );
}
