//! What the directory publishes, keeps over reloads and costs.

use remora_policy::Wish;
use remora_process::config::Source;

use super::*;
use crate::tally::Thread;

fn config(members: &[(&str, u16)]) -> Config {
    let mut text = "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n".to_owned();
    for (route, port) in members {
        text.push_str(&format!(
            "[[pool.p.member]]\nurl = \"http://127.0.0.1:{port}\"\nroute = \"{route}\"\n"
        ));
    }
    Config::read(&Source::from_text("test", &text)).unwrap()
}

/// `generation: route#id belief drained`, for each upstream.
fn shown(directory: &Directory) -> String {
    let snapshot = &directory.current().snapshot;
    let members = snapshot.upstreams.pools.iter().flat_map(|pool| &pool.members);
    let members: Vec<String> = members
        .map(|member| {
            let drained = if member.state.is_drain() { " drained" } else { "" };
            format!(
                "{}#{} {}{drained}",
                member.route,
                member.id.0,
                member.health.belief().as_str()
            )
        })
        .collect();
    format!("{}: {}", snapshot.generation, members.join(", "))
}

/// Wishes a state of a route, or nothing any longer.
fn wish(directory: &Directory, route: &str, state: Option<AdminState>) -> Result<(), Unknown> {
    let mut wishes = directory.wishes();
    for route in directory.meant(&Meant::Route(route.to_owned()))? {
        wishes.set(
            &route,
            Wish {
                state,
                ..Wish::default()
            },
            false,
        );
    }
    directory.follow(wishes);
    Ok(())
}

fn two() -> Directory {
    Directory::new(&config(&[("n1", 1), ("n2", 2)]))
}

#[test]
fn a_refused_connect_is_seen_by_the_very_next_pick() {
    let directory = two();
    let before = directory.current();
    directory.observe(UpstreamId(0), &Observation::Refused);
    assert_eq!(shown(&directory), "2: n1#0 down, n2#1 unknown");
    assert_eq!(
        before.snapshot.upstreams.pools[0].members[0].health.belief(),
        Belief::Unknown,
        "a snapshot never changes"
    );
}

#[test]
fn observations_that_change_nothing_publish_nothing() {
    let directory = two();
    directory.observe(UpstreamId(0), &Observation::CheckPassed);
    let before = directory.current();
    directory.observe(UpstreamId(0), &Observation::Answered);
    directory.observe(UpstreamId(0), &Observation::Broken);
    directory.observe(UpstreamId(0), &Observation::CheckPassed);
    directory.observe(UpstreamId(9), &Observation::Refused);
    assert!(Arc::ptr_eq(&before, &directory.current()));
    // The lock is not even asked for: a writer that holds it delays nobody who brings no news.
    let held = directory.lock();
    directory.observe(UpstreamId(0), &Observation::Answered);
    drop(held);
}

#[test]
fn a_drain_names_a_route_and_survives_reloads() {
    let directory = two();
    assert_eq!(
        wish(&directory, "n9", Some(AdminState::Draining))
            .unwrap_err()
            .to_string(),
        "no pool has an upstream with route `n9`; known here: n1, n2"
    );
    wish(&directory, "n1", Some(AdminState::Draining)).unwrap();
    assert_eq!(shown(&directory), "2: n1#0 unknown drained, n2#1 unknown");
    directory.reload(&config(&[("n2", 2)]));
    assert_eq!(shown(&directory), "3: n2#1 unknown");
    directory.reload(&config(&[("n1", 1), ("n2", 2)]));
    assert_eq!(shown(&directory), "4: n1#2 unknown drained, n2#1 unknown");
    wish(&directory, "n1", None).unwrap();
    assert_eq!(shown(&directory), "5: n1#2 unknown, n2#1 unknown");
}

#[test]
fn a_drain_ends_also_while_no_pool_has_the_route() {
    let directory = two();
    wish(&directory, "n1", Some(AdminState::Draining)).unwrap();
    directory.reload(&config(&[("n2", 2)]));
    wish(&directory, "n1", None).unwrap();
    directory.reload(&config(&[("n1", 1)]));
    assert_eq!(shown(&directory), "5: n1#2 unknown");
}

#[test]
fn a_reload_keeps_what_is_known_of_members_that_stay() {
    let directory = two();
    directory.observe(UpstreamId(0), &Observation::Refused);
    directory
        .current()
        .tally
        .upstream(UpstreamId(1))
        .of(Thread(0))
        .answered(200);
    directory.reload(&config(&[("n3", 3), ("n2", 2), ("n1", 1)]));
    assert_eq!(shown(&directory), "3: n3#2 unknown, n2#1 unknown, n1#0 down");
    let tally = &directory.current().tally;
    assert_eq!(tally.upstream(UpstreamId(1)).answered_so_far(), 1);
    assert_eq!(tally.upstream(UpstreamId(2)).answered_so_far(), 0);
}

#[test]
fn another_address_is_another_upstream() {
    let directory = two();
    directory.observe(UpstreamId(0), &Observation::Refused);
    wish(&directory, "n1", Some(AdminState::Draining)).unwrap();
    directory.reload(&config(&[("n1", 9), ("n2", 2)]));
    assert_eq!(shown(&directory), "4: n1#2 unknown drained, n2#1 unknown");
}

#[test]
fn every_change_is_announced() {
    let directory = two();
    let mut changes = directory.changes();
    assert!(!changes.has_changed().unwrap());
    directory.observe(UpstreamId(1), &Observation::Frozen);
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), 2);
}

#[test]
fn writers_on_many_threads_lose_no_change() {
    let members: Vec<(String, u16)> = (1..=40).map(|port| (format!("n{port}"), port)).collect();
    let members: Vec<(&str, u16)> = members.iter().map(|(route, port)| (&**route, *port)).collect();
    let directory = Directory::new(&config(&members));
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let directory = &directory;
            scope.spawn(move || {
                for id in (0..40).filter(|id| id % 4 == thread) {
                    directory.observe(UpstreamId(id), &Observation::Refused);
                }
            });
        }
    });
    let snapshot = &directory.current().snapshot;
    let down = snapshot.upstreams.pools[0]
        .members
        .iter()
        .filter(|member| member.health.belief() == Belief::Down);
    assert_eq!((down.count(), snapshot.generation), (40, 41));
}

#[tokio::test]
async fn whoever_comes_up_beside_others_while_clients_are_served_starts_slowly() {
    let directory = two();
    let rose = || cold(&directory);
    directory.observe(UpstreamId(0), &Observation::CheckPassed);
    directory.observe(UpstreamId(1), &Observation::CheckPassed);
    assert_eq!(rose(), [false, false], "at the start of the process");
    directory.first_verdicts().await;
    let comes_back = |id| {
        for seen in [
            Observation::Refused,
            Observation::CheckPassed,
            Observation::CheckPassed,
        ] {
            directory.observe(UpstreamId(id), &seen);
        }
    };
    comes_back(1);
    assert_eq!(rose(), [false, true]);
    directory.observe(UpstreamId(0), &Observation::Refused);
    comes_back(1);
    assert_eq!(rose(), [false, false], "there is nobody else");
}

/// Who is cold, by position.
fn cold(directory: &Directory) -> Vec<bool> {
    let snapshot = &directory.current().snapshot;
    let members = snapshot.upstreams.pools[0].members.iter();
    members.map(|member| member.rose.is_some()).collect()
}

#[tokio::test]
async fn whoever_was_there_and_whose_first_check_was_late_or_failed_starts_warm() {
    for first in [
        Observation::CheckSlow,
        Observation::CheckBroken,
        Observation::CheckRefused,
    ] {
        let directory = two();
        directory.observe(UpstreamId(0), &Observation::CheckPassed);
        directory.observe(UpstreamId(1), &first);
        directory.first_verdicts().await;
        for _ in 0..2 {
            directory.observe(UpstreamId(1), &Observation::CheckPassed);
        }
        assert_eq!(shown(&directory).split_once(": ").unwrap().1, "n1#0 up, n2#1 up");
        assert_eq!(cold(&directory), [false, false], "{first:?}");
        // Another time it is one that was started anew.
        for seen in [
            Observation::Refused,
            Observation::CheckPassed,
            Observation::CheckPassed,
        ] {
            directory.observe(UpstreamId(1), &seen);
        }
        assert_eq!(cold(&directory), [false, true], "{first:?}");
    }
}

#[tokio::test]
async fn whoever_comes_up_long_after_the_start_or_is_new_starts_slowly() {
    let directory = two();
    directory.observe(UpstreamId(0), &Observation::CheckPassed);
    directory.observe(UpstreamId(1), &Observation::CheckRefused);
    directory.first_verdicts().await;
    let later = || Instant::now() + Duration::from_secs(60);
    for _ in 0..2 {
        directory.observe_at(UpstreamId(1), &Observation::CheckPassed, later);
    }
    assert_eq!(cold(&directory), [false, true]);
    directory.reload(&config(&[("n1", 1), ("n3", 3)]));
    directory.observe(UpstreamId(2), &Observation::CheckPassed);
    assert_eq!(cold(&directory), [false, true], "new by a reload");
}

#[tokio::test]
async fn a_deadline_that_passed_before_anybody_looked_is_kept() {
    let directory = two();
    let until = unix_now() + 1;
    let mut wishes = directory.wishes();
    wishes.set(
        "n1",
        Wish {
            state: Some(AdminState::Finishing),
            until: Some(until),
            ..Wish::default()
        },
        false,
    );
    directory.follow(wishes);
    let state = || directory.current().snapshot.upstreams.pools[0].members[0].state;
    assert_eq!(state(), AdminState::Finishing);
    while unix_now() < until {
        tokio::task::yield_now().await;
    }
    let soon = Duration::from_secs(5);
    let kept = tokio::time::timeout(soon, async {
        let mut changes = directory.changes();
        tokio::select! {
            () = directory.keep_deadlines() => {}
            changed = changes.changed() => changed.unwrap(),
        }
    });
    assert!(kept.await.is_ok(), "it is looked at");
    assert_eq!(state(), AdminState::Draining);
}

#[test]
fn a_holder_sees_what_was_published_last_and_nothing_changes_in_a_hand() {
    let directory = two();
    let holder = directory.holder();
    let belief = |held: &Held| held.snapshot.upstreams.pools[0].members[0].health.belief();
    let before = holder.current();
    assert_eq!(belief(&before), Belief::Unknown);
    directory.observe(UpstreamId(0), &Observation::Refused);
    assert_eq!(belief(&holder.current()), Belief::Down);
    assert_eq!(belief(&before), Belief::Unknown);
    std::thread::scope(|scope| {
        scope.spawn(|| directory.observe(UpstreamId(0), &Observation::CheckPassed));
    });
    directory.reload(&config(&[("n2", 2)]));
    assert_eq!(holder.current().snapshot.upstreams.pools[0].members.len(), 1);
}

#[test]
fn what_brings_no_news_allocates_nothing() {
    let directory = two();
    directory.observe(UpstreamId(0), &Observation::CheckPassed);
    let holder = directory.holder();
    let exchange = || {
        let held = holder.current();
        directory.observe(UpstreamId(0), &Observation::Answered);
        held.snapshot.generation
    };
    exchange();
    let cost = allocation_counter::measure(|| {
        exchange();
    });
    assert_eq!(cost.count_total, 0, "{cost:?}");
}
