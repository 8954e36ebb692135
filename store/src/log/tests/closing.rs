//! How a log ends: by whom it is given up, what is waited for then, and what the next life makes of it.

use super::file_log::CLOSES_WITHIN;
use super::workers::bench;
use super::*;
use crate::faults::{Kind, Operation};

#[test]
fn a_log_that_is_given_up_by_its_own_thread_does_not_wait_for_itself() {
    let bench = bench();
    let log = bench.open();
    bench.faults.hang(Kind::Log, Operation::Sync);
    let (sender, over) = sync_channel(1);
    let last = log.clone();
    let done: Completion = Box::new(move |_| {
        drop(last);
        sender.send(()).unwrap();
    });
    log.append(entries(1, 0..1), done).unwrap();
    drop(log);
    bench.faults.clear(Kind::Log, Operation::Sync);
    over.recv_timeout(DISK_WAIT).expect("it waits for itself");
}

#[test]
fn whoever_gave_the_disk_up_for_lost_does_not_wait_for_it() {
    let bench = bench();
    let log = bench.open();
    bench.faults.hang(Kind::Log, Operation::Sync);
    let (done, _durable) = completion();
    log.append(entries(1, 0..1), done).unwrap();
    bench.hangs(Kind::Log, Operation::Sync);
    log.gauge().give_up();
    let (sender, over) = sync_channel(1);
    std::thread::spawn(move || {
        drop(log);
        sender.send(()).unwrap();
    });
    let ended = over.recv_timeout(CLOSES_WITHIN / 2);
    bench.faults.clear(Kind::Log, Operation::Sync);
    ended.expect("it waits for the disk");
}

#[test]
fn what_a_dead_process_wrote_is_synced_before_it_counts() {
    let bench = bench();
    let mut driven = bench.drive();
    driven.append(entries(1, 0..1)).unwrap();
    bench
        .faults
        .fail(Kind::Log, Operation::Sync, io::ErrorKind::TimedOut);
    driven.append(entries(1, 1..2)).unwrap_err();
    drop(driven);
    // It was written, and nothing has made it durable: opening fails where it should.
    let refused = Driven::open(&bench.disk(), &bench.path(), SETUP);
    assert_eq!(refused.err().unwrap().kind(), io::ErrorKind::TimedOut);
    bench.faults.clear(Kind::Log, Operation::Sync);
    assert_eq!(bench.drive().log.bounds().last, Some(id(1, 1)));
}
