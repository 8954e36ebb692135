//! The rule of seats, with times as data; that an answer waits for real proxies is shown on real nodes
//! (`store/tests/service/following.rs`).

use super::*;

const VIEW: Version = Version(7);

fn missing(seats: &Seats, now: Instant) -> Option<(usize, Option<Instant>)> {
    let missing = seats.missing(VIEW, now);
    missing.map(|missing| (missing.proxies.len(), missing.until))
}

fn seat(seats: &mut Seats, number: u64) -> &mut Seated {
    seats.taken.get_mut(&number).unwrap()
}

#[test]
fn everybody_is_missed_who_goes_by_an_earlier_view() {
    let (mut seats, now) = (Seats::default(), runtime::now());
    assert_eq!(missing(&seats, now), None, "nobody follows");
    let (one, other) = (seats.sit("p1", now).unwrap(), seats.sit("p2", now).unwrap());
    assert_eq!(missing(&seats, now), Some((2, None)));
    for number in [one, other] {
        seat(&mut seats, number).told(Version(8), now);
    }
    seat(&mut seats, one).follows(VIEW, now);
    assert_eq!(
        seats.missing(VIEW, now).unwrap().proxies,
        ["p2"],
        "by name, for people"
    );
    seat(&mut seats, other).follows(Version(6), now);
    assert_eq!(missing(&seats, now), Some((1, None)));
    seat(&mut seats, other).follows(Version(8), now);
    seat(&mut seats, other).follows(Version(6), now);
    assert_eq!(missing(&seats, now), None, "nobody goes back");
}

#[test]
fn who_may_come_back_is_missed_for_a_moment() {
    let (mut seats, now) = (Seats::default(), runtime::now());
    seats.expect_some(now);
    let back = now + BACK_WITHIN;
    assert_eq!(missing(&seats, now), Some((0, Some(back))));
    let number = seats.sit("p1", now).unwrap();
    assert_eq!(missing(&seats, now), Some((1, None)));
    seat(&mut seats, number).told(VIEW, now);
    seat(&mut seats, number).follows(VIEW, now);
    assert_eq!(
        missing(&seats, now),
        Some((0, Some(back))),
        "there may be another"
    );
    assert_eq!(missing(&seats, back), None);
}

#[test]
fn who_does_not_follow_what_it_was_told_is_missed_no_more() {
    let (mut seats, began) = (Seats::default(), runtime::now());
    let number = seats.sit("p1", began).unwrap();
    let at = |seconds| began + Duration::from_secs(seconds);
    seat(&mut seats, number).told(Version(6), began);
    seat(&mut seats, number).told(VIEW, at(20));
    assert_eq!(missing(&seats, at(29)), Some((1, None)));
    assert_eq!(
        missing(&seats, at(30)),
        None,
        "the first view counts, not the last"
    );
    seat(&mut seats, number).follows(Version(6), at(31));
    assert_eq!(missing(&seats, at(60)), Some((1, None)), "it came a step further");
    seat(&mut seats, number).follows(VIEW, at(60));
    assert!(!seat(&mut seats, number).is_overdue(at(600)));
}

#[test]
fn nobody_follows_what_it_was_not_told() {
    let (mut seats, now) = (Seats::default(), runtime::now());
    let number = seats.sit("p1", now).unwrap();
    seat(&mut seats, number).follows(Version(u64::MAX), now);
    assert_eq!(missing(&seats, now), Some((1, None)), "it was told nothing");
    seat(&mut seats, number).told(Version(6), now);
    seat(&mut seats, number).follows(Version(u64::MAX), now);
    assert_eq!(
        missing(&seats, now),
        Some((1, None)),
        "it was told an earlier one"
    );
    seat(&mut seats, number).told(VIEW, now);
    seat(&mut seats, number).follows(VIEW, now);
    assert_eq!(missing(&seats, now), None);
}

#[test]
fn there_are_so_many_seats_and_who_is_late_keeps_none_from_others() {
    let (mut seats, began) = (Seats::default(), runtime::now());
    let late = began + FOLLOWS_WITHIN;
    for _ in 1..FOLLOWERS_MAX {
        seats.sit("p", began).unwrap();
    }
    let silent = seats.sit("late", began).unwrap();
    seat(&mut seats, silent).told(VIEW, began);
    assert_eq!(seats.sit("p", began), None);
    let other = seats.sit("p", late).unwrap();
    assert!(!seats.taken.contains_key(&silent) && seats.taken.contains_key(&other));
    assert_eq!(seats.sit("p", late), None);
}

#[test]
fn a_seat_that_is_left_is_free_and_whoever_had_it_may_come_back() {
    let followers = Followers::new();
    let seat = followers.sit("p").unwrap();
    assert!(!seat.is_overdue());
    assert!(followers.seats().expected_until.is_none());
    drop(seat);
    assert!(followers.seats().expected_until.is_some());
    assert!(followers.seats().taken.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_last_word_and_otherwise_in_time() {
    let followers = Followers::new();
    let (one, other) = (followers.sit("p1").unwrap(), followers.sit("p2").unwrap());
    one.told(VIEW);
    other.told(VIEW);
    let began = runtime::now();
    let mut waiting = std::pin::pin!(followers.followed(VIEW));
    one.follows(VIEW);
    let soon = tokio::time::timeout(ANSWERED_WITHIN / 2, waiting.as_mut()).await;
    assert!(soon.is_err(), "the other has said nothing");
    other.follows(VIEW);
    waiting.await;
    assert!(runtime::since(began) < ANSWERED_WITHIN);

    let began = runtime::now();
    followers.followed(Version(8)).await;
    let took = runtime::since(began);
    assert!((ANSWERED_WITHIN..ANSWERED_WITHIN * 2).contains(&took), "{took:?}");
    drop((one, other));
    let began = runtime::now();
    followers.followed(Version(8)).await;
    let took = runtime::since(began);
    assert!(
        (BACK_WITHIN..BACK_WITHIN * 2).contains(&took),
        "they may come back: {took:?}"
    );
    let began = runtime::now();
    followers.followed(Version(8)).await;
    assert_eq!(runtime::since(began), Duration::ZERO, "nobody is left");
}
