//! A log on a disk that is full: its reserve, what it does when that is spent, and how it goes on.

use super::spares::RESERVE_SEGMENTS;
use super::workers::{Bench, bench, load, next_is_ready, until};
use super::*;
use crate::faults::Kind;
use crate::log::core::Worker;
use crate::runtime;

/// Entries, of a page each, that fit into the segment of the first one, the next one and the reserve.
const FITTING: u64 = 3 * (2 + RESERVE_SEGMENTS as u64);

/// A log with no room for one more entry, on a disk that says so many bytes are free.
fn filled(bench: &Bench, free: u64) -> Driven {
    let mut driven = bench.drive();
    driven.append(entries(1, 0..1)).unwrap();
    bench.faults.say_free(Some(free));
    (1..FITTING).for_each(|index| driven.append(entries(1, index..index + 1)).unwrap());
    driven
}

/// Appends one entry, and lets the workers do what they can.
fn try_append(driven: &mut Driven, index: u64) -> Receiver<io::Result<()>> {
    let (done, durable) = completion();
    driven.log.append(entries(1, index..index + 1), done).unwrap();
    driven.settle();
    durable
}

#[test]
fn a_log_without_room_spends_its_reserve_then_waits_and_goes_on_when_there_is_some() {
    let bench = bench();
    let mut driven = filled(&bench, SMALL);
    assert_eq!(load(&driven.log).lacks_room, None);
    let durable = try_append(&mut driven, FITTING);
    assert!(durable.try_recv().is_err(), "told without room");
    let waiting = load(&driven.log);
    assert!(waiting.lacks_room.is_some() && waiting.spare_bytes == 0);
    assert_eq!(driven.log.bounds().last, Some(id(1, FITTING)));
    bench.faults.say_free(None);
    driven.housekeeper.look_again();
    driven.settle();
    durable.try_recv().unwrap().unwrap();
    driven.append(entries(1, FITTING + 1..FITTING + 9)).unwrap();
    let whole = load(&driven.log);
    assert_eq!(whole.lacks_room, None);
    assert_eq!(
        whole.spare_bytes,
        RESERVE_SEGMENTS as u64 * SMALL,
        "the reserve is back"
    );
    drop(driven);
    assert_eq!(bench.drive().log.bounds().last, Some(id(1, FITTING + 8)));
}

/// When it had, a node whose disk had room again after ten seconds ended as one whose disk hung that long.
#[test]
fn what_waited_for_room_has_not_waited_for_the_disk() {
    let bench = bench();
    let mut driven = filled(&bench, 0);
    let durable = try_append(&mut driven, FITTING);
    let voted = {
        let (done, voted) = completion();
        driven.log.save_vote(granted(2, 1), done);
        voted
    };
    let waited = load(&driven.log).lacks_room.unwrap();
    until("time goes on", || load(&driven.log).lacks_room.unwrap() > waited);
    let before = runtime::now();
    bench.faults.say_free(None);
    driven.housekeeper.look_again();
    while driven.housekeeper.step() != Progress::None {}
    let waits = load(&driven.log);
    assert_eq!(waits.lacks_room, None);
    assert!(
        waits.oldest_unsynced.unwrap() <= runtime::since(before),
        "{waits:?}"
    );
    driven.settle();
    durable.try_recv().unwrap().unwrap();
    voted.try_recv().unwrap().unwrap();
    assert_eq!(load(&driven.log).oldest_unsynced, None);
}

#[test]
fn what_waits_for_room_fails_once_nobody_expects_any() {
    let bench = bench();
    let mut driven = filled(&bench, 0);
    driven.log.gauge().expect_no_room();
    let durable = try_append(&mut driven, FITTING);
    let refused = durable.try_recv().unwrap().unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    drop(driven);
    bench.faults.say_free(None);
    assert_eq!(bench.drive().log.bounds().last, Some(id(1, FITTING - 1)));
}

#[test]
fn workers_that_wait_for_room_do_not_keep_each_other_awake() {
    let bench = bench();
    let mut driven = filled(&bench, 0);
    let _durable = try_append(&mut driven, FITTING);
    let news = |driven: &Driven| [Worker::Writer, Worker::Housekeeper].map(|worker| driven.core.news(worker));
    let known = news(&driven);
    driven.settle();
    assert_eq!(news(&driven), known);
}

#[test]
fn a_process_that_ends_while_its_log_waits_for_room_has_what_was_told() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..1);
    next_is_ready(&log);
    bench.faults.say_free(Some(0));
    (1..FITTING).for_each(|index| append(&log, 1, index..index + 1));
    let (done, durable) = completion();
    log.append(entries(1, FITTING..FITTING + 1), done).unwrap();
    until("it lacks room", || load(&log).lacks_room.is_some());
    // Its threads end, though nobody made room.
    drop(log);
    assert!(!matches!(durable.try_recv(), Ok(Ok(()))));
    bench.faults.say_free(None);
    assert_eq!(bench.drive().log.bounds().last, Some(id(1, FITTING - 1)));
}

#[test]
fn a_disk_that_is_too_full_for_a_manifest_gets_room_from_the_reserve() {
    let bench = bench();
    let mut driven = bench.drive();
    driven.append(entries(1, 0..1)).unwrap();
    let before = bench.segments();
    bench.faults.fill_after(Kind::Log, 0);
    for index in 1..6 {
        driven.append(entries(1, index..index + 1)).unwrap();
    }
    let durable = try_append(&mut driven, 6);
    assert!(durable.try_recv().is_err(), "told in a segment without a name");
    assert!(bench.segments() < before, "nothing made way");
    bench.faults.make_room(Kind::Log);
    driven.housekeeper.look_again();
    driven.settle();
    durable.try_recv().unwrap().unwrap();
}

#[test]
fn a_purge_on_a_full_disk_frees_what_the_log_needs() {
    let bench = bench();
    let mut driven = bench.drive();
    for index in 0..7 {
        driven.append(entries(1, index..index + 1)).unwrap();
    }
    bench.faults.say_free(Some(0));
    for round in 1..9 {
        for index in round * 7..(round + 1) * 7 {
            driven.append(entries(1, index..index + 1)).unwrap();
        }
        driven.log.purge_to(id(1, round * 7 + 5)).unwrap();
        driven.settle();
    }
}
