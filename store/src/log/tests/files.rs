//! Our log's files: torn and damaged ones, the flush gate, and what it does when a disk fails under it.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn syncs(log: &FileLog) -> u64 {
    log.gauge().syncs().unwrap().count
}

#[test]
fn two_processes_cannot_share_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let _first = FileLog::open(&Disk::real(), directory.path()).unwrap();
    assert!(FileLog::open(&Disk::real(), directory.path()).is_err());
}

/// The files of a log, oldest first.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    files.sort();
    files
}

/// Writes ten entries and gives the file that holds them.
fn written(directory: &Path) -> PathBuf {
    let log = FileLog::open(&Disk::real(), directory).unwrap();
    append(&log, 1, 0..10);
    drop(log);
    files(directory).pop().unwrap()
}

#[test]
fn a_torn_tail_is_cut_and_the_rest_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path());
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let log = FileLog::open(&Disk::real(), directory.path()).unwrap();
    assert_eq!(log.bounds().last, Some(id(1, 8)));
    append(&log, 1, 9..10);
    assert_eq!(indices(&log, 0..10).len(), 10);
}

#[test]
fn damage_in_the_middle_is_refused_with_a_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path());
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&file, bytes).unwrap();
    let error = FileLog::open(&Disk::real(), directory.path())
        .expect_err("damage was not found")
        .to_string();
    assert!(error.contains("must not go on with it"), "{error}");
}

#[test]
fn every_flipped_byte_before_the_last_record_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open(&Disk::real(), directory.path()).unwrap();
    vote(
        &log,
        Vote {
            term: 1,
            committed: true,
            node: Some(1),
        },
    )
    .unwrap();
    append(&log, 1, 0..5);
    let file = files(directory.path()).pop().unwrap();
    let before_last = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    append(&log, 1, 5..6);
    drop(log);
    let whole = fs::read(&file).unwrap();
    assert!(whole.len() > before_last);
    for at in 0..before_last {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= mask;
            fs::write(&file, &damaged).unwrap();
            assert!(
                FileLog::open(&Disk::real(), directory.path()).is_err(),
                "byte {at} xor {mask:#x}"
            );
            assert_eq!(
                fs::read(&file).unwrap(),
                damaged,
                "byte {at}: the file was changed"
            );
        }
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(
        FileLog::open(&Disk::real(), directory.path())
            .unwrap()
            .bounds()
            .last,
        Some(id(1, 5))
    );
}

#[test]
fn a_file_that_was_just_begun_does_not_hide_damage_in_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open_with(&Disk::real(), directory.path(), SMALL_FILE).unwrap();
    append(&log, 1, 0..9);
    drop(log);
    let mut files = files(directory.path());
    let (newest, before) = (files.pop().unwrap(), files.pop().unwrap());
    fs::write(&newest, b"").unwrap();
    let whole = fs::read(&before).unwrap();
    for at in 0..whole.len() / 2 {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x80;
        fs::write(&before, damaged).unwrap();
        assert!(
            FileLog::open(&Disk::real(), directory.path()).is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn what_a_dead_process_wrote_is_synced_before_it_counts() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path());
    let log = FileLog::open(&Disk::real(), directory.path()).unwrap();
    assert_eq!(syncs(&log), 1, "the log was opened and not synced");
}

#[test]
fn a_completion_is_told_after_a_sync() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open(&Disk::real(), directory.path()).unwrap();
    for index in 0..50 {
        let before = syncs(&log);
        append(&log, 1, index..index + 1);
        assert!(syncs(&log) > before, "append {index} was told without a sync");
        let before = syncs(&log);
        vote(
            &log,
            Vote {
                term: index,
                committed: false,
                node: Some(1),
            },
        )
        .unwrap();
        assert!(syncs(&log) > before, "vote {index} was told without a sync");
    }
}

#[test]
fn purged_files_go_and_the_rest_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open_with(&Disk::real(), directory.path(), SMALL_FILE).unwrap();
    append(&log, 1, 0..60);
    let many = files(directory.path()).len();
    log.purge_to(id(1, 40)).unwrap();
    sync(&log).unwrap();
    drop(log);
    let few = files(directory.path()).len();
    assert!(few < many, "{many} files became {few}");
    let log = FileLog::open_with(&Disk::real(), directory.path(), SMALL_FILE).unwrap();
    assert_eq!(log.bounds().purged, Some(id(1, 40)));
    let expected: Vec<LogEntry> = (41..60).map(|index| entry(1, index)).collect();
    assert_eq!(log.read(41..60, u64::MAX).unwrap(), expected);
    append(&log, 1, 60..70);
    assert_eq!(indices(&log, 41..70).len(), 29);
}

#[test]
fn a_failed_write_is_final_and_changes_no_earlier_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = FileLog::open_with(&Disk::real(), &path, SMALL_FILE).unwrap();
    append(&log, 1, 0..1);
    fs::rename(&path, directory.path().join("elsewhere")).unwrap();
    // The next file cannot be made where the directory was.
    let failed = (1..20).find_map(|index| log.append(vec![entry(1, index)], Box::new(|_| ())).err());
    assert!(failed.is_some(), "nothing failed");
    for attempt in 0..2 {
        let (done, told) = completion();
        log.sync(done);
        let error = told
            .recv_timeout(DISK_WAIT)
            .unwrap()
            .expect_err("a sync after a failure");
        assert!(
            error.to_string().contains("an earlier write"),
            "{attempt}: {error}"
        );
    }
    assert!(log.read(0..1, 1).is_err());
    assert!(log.truncate_after(None).is_err());
}

#[test]
fn everybody_is_told_when_the_thread_of_the_log_ends() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open_with(&Disk::real(), directory.path(), SMALL_FILE).unwrap();
    append(&log, 1, 0..60);
    // The log's thread fails when it cannot remove what was purged.
    fs::remove_file(files(directory.path()).remove(0)).unwrap();
    log.purge_to(id(1, 40)).unwrap();
    let mut waiting = Vec::new();
    for index in 0..1_000 {
        let (done, told) = completion();
        log.sync(done);
        waiting.push(told);
        if index > 0 && log.read(59..60, 1).is_err() {
            break;
        }
    }
    let told: Vec<_> = waiting
        .iter()
        .map(|told| told.recv_timeout(DISK_WAIT).expect("somebody was told nothing"))
        .collect();
    assert!(told.last().unwrap().is_err(), "the failure was not noticed");
}

#[test]
fn what_was_appended_lately_is_in_memory_and_what_was_found_is_not_claimed() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open(&Disk::real(), directory.path()).unwrap();
    append(&log, 1, 0..10);
    assert!(log.in_memory(0) && log.in_memory(9) && !log.in_memory(10));
    drop(log);
    let log = FileLog::open(&Disk::real(), directory.path()).unwrap();
    assert!(!log.in_memory(9));
    append(&log, 1, 10..11);
    assert!(log.in_memory(10));
    log.truncate_after(Some(9)).unwrap();
    assert!(!log.in_memory(10));
}
