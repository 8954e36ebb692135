//! Who joins and who leaves as the store tells of it.
//!
//! Broken once to see it fail: the merge left out, so that what another cluster tells replaces all (an empty view empties the pool) and
//! an older version is taken; `allow` not asked (the server outside is a member).

use remora_policy::{Announced, Observation, Retired, UpstreamId, Wish};
use remora_process::config::Source;

use super::*;
use crate::directory::{Directory, unix_now};

/// A pool that discovers, beside members of the file.
fn config(members: &[(&str, u16)]) -> Config {
    let mut text = "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n[pool.p]\n\
         discovery = { store = [\"127.0.0.1:7400\"], allow = [\"127.0.0.0/8\"] }\n"
        .to_owned();
    for (route, port) in members {
        text.push_str(&format!(
            "[[pool.p.member]]\nurl = \"http://127.0.0.1:{port}\"\nroute = \"{route}\"\n"
        ));
    }
    Config::read(&Source::from_text("test", &text)).unwrap()
}

fn server(node: &str, instance: u64, url: &str) -> Announced {
    Announced {
        node: node.into(),
        instance,
        version: instance,
        threads: 0,
        url: url.into(),
        applications: Vec::new(),
        carried: false,
    }
}

fn view(cluster: &str, version: u64, servers: Vec<Announced>) -> View {
    View {
        cluster: cluster.into(),
        version,
        servers,
        ..View::default()
    }
}

/// `route#id at address belief`, for each upstream.
fn shown(directory: &Directory) -> String {
    let snapshot = &directory.current().snapshot;
    let members = snapshot.upstreams.pools.iter().flat_map(|pool| &pool.members);
    let members: Vec<String> = members
        .map(|member| {
            let belief = member.health.belief().as_str();
            format!(
                "{}#{} at {} {belief}",
                member.route, member.id.0, member.authority
            )
        })
        .collect();
    members.join(", ")
}

fn refused(directory: &Directory) -> Vec<String> {
    let discovered = directory.current().snapshot.discovered.clone().unwrap();
    let refused = discovered.refused.iter();
    refused
        .map(|refused| format!("{}: {}", refused.server.node, refused.server.why))
        .collect()
}

#[test]
fn who_announces_himself_joins_and_who_is_retired_leaves() {
    let directory = Directory::new(&config(&[]));
    assert_eq!(shown(&directory), "");
    let (n1, n2) = (
        server("n1", 1, "http://127.0.0.1:8081"),
        server("n2", 2, "http://127.0.0.1:8082"),
    );
    let followed = directory.discover(view("a", 2, vec![n1.clone(), n2.clone()]), &[]);
    assert_eq!(followed.version, 2);
    assert_eq!(
        shown(&directory),
        "n1#0 at 127.0.0.1:8081 unknown, n2#1 at 127.0.0.1:8082 unknown"
    );
    directory.discover(view("a", 3, vec![n2.clone()]), &[]);
    assert_eq!(shown(&directory), "n2#1 at 127.0.0.1:8082 unknown");
    // An older word is none.
    let followed = directory.discover(view("a", 2, vec![n1, n2]), &[]);
    assert_eq!(followed.version, 3);
    assert_eq!(shown(&directory), "n2#1 at 127.0.0.1:8082 unknown");
}

#[test]
fn a_cluster_that_knows_nobody_empties_no_pool() {
    let directory = Directory::new(&config(&[]));
    let n1 = server("n1", 1, "http://127.0.0.1:8081");
    directory.discover(view("a", 9, vec![n1]), &[]);
    directory.discover(view("b", 1, vec![]), &[]);
    directory.discover(view("b", 2, vec![]), &[]);
    assert_eq!(shown(&directory), "n1#0 at 127.0.0.1:8081 unknown");
    let gone = Retired {
        node: "n1".into(),
        instance: 1,
        version: 3,
    };
    directory.discover(
        View {
            retired: vec![gone],
            ..view("b", 3, vec![])
        },
        &[],
    );
    assert_eq!(shown(&directory), "");
}

#[test]
fn nobody_is_sent_where_it_is_not_allowed() {
    let directory = Directory::new(&config(&[]));
    directory.discover(
        view(
            "a",
            1,
            vec![
                server("n1", 1, "http://192.0.2.1:8081"),
                server("n2", 2, "https://127.0.0.1:8082"),
                server("n3", 3, "http://127.0.0.1:8083"),
            ],
        ),
        &[],
    );
    assert_eq!(shown(&directory), "n3#0 at 127.0.0.1:8083 unknown");
    assert_eq!(
        refused(&directory),
        [
            "n1: 192.0.2.1 is outside discovery.allow",
            "n2: it speaks TLS, and the pool has no tls.authority"
        ]
    );
}

#[test]
fn who_begins_anew_is_another_at_another_address_and_is_checked_at_the_same() {
    let directory = Directory::new(&config(&[]));
    directory.discover(view("a", 1, vec![server("n1", 1, "http://127.0.0.1:8081")]), &[]);
    let id = directory.current().snapshot.upstreams.pools[0].members[0].id;
    directory.observe(id, &Observation::CheckPassed);
    let doubts = || directory.current().tally.doubts(id).raised_so_far();
    assert_eq!(doubts(), 0);
    directory.discover(view("a", 2, vec![server("n1", 2, "http://127.0.0.1:8081")]), &[]);
    assert_eq!(shown(&directory), "n1#0 at 127.0.0.1:8081 up");
    assert_eq!(doubts(), 1);
    directory.discover(view("a", 3, vec![server("n1", 2, "http://127.0.0.1:8081")]), &[]);
    assert_eq!(doubts(), 1, "it is the same still");
    directory.discover(view("a", 4, vec![server("n1", 3, "http://127.0.0.1:9081")]), &[]);
    assert_eq!(shown(&directory), "n1#1 at 127.0.0.1:9081 unknown");
}

#[test]
fn the_file_wins_and_a_reload_keeps_who_was_discovered() {
    let directory = Directory::new(&config(&[("n1", 1)]));
    let mut busy = server("n1", 1, "http://127.0.0.1:8081");
    busy.threads = 200;
    directory.discover(
        view("a", 1, vec![busy, server("n2", 2, "http://127.0.0.1:8082")]),
        &[],
    );
    assert_eq!(
        shown(&directory),
        "n1#0 at 127.0.0.1:1 unknown, n2#1 at 127.0.0.1:8082 unknown"
    );
    let threads = directory.current().snapshot.upstreams.pools[0].members[0].threads;
    assert_eq!(threads, Some(200));
    directory.observe(UpstreamId(1), &Observation::CheckPassed);
    directory.reload(&config(&[]));
    assert_eq!(
        shown(&directory),
        "n1#2 at 127.0.0.1:8081 unknown, n2#1 at 127.0.0.1:8082 up"
    );
}

#[test]
fn wishes_come_with_the_view_and_outlive_who_they_are_of() {
    let directory = Directory::new(&config(&[]));
    let mut told = view("a", 2, vec![server("n1", 1, "http://127.0.0.1:8081")]);
    let said = StoredWish {
        of: "route n1".to_owned(),
        said: b"state=draining".to_vec(),
        version: 2,
        ..StoredWish::default()
    };
    told.hear(&said).unwrap();
    directory.discover(told, &[]);
    let state = || directory.current().snapshot.upstreams.pools[0].members[0].state;
    assert_eq!(state(), AdminState::Draining);
    assert_eq!(directory.wishes().of("n1").mark.version, 2);
    directory.discover(view("a", 3, vec![server("n1", 1, "http://127.0.0.1:8081")]), &[]);
    assert_eq!(state(), AdminState::Active);
    let version = || directory.current().snapshot.discovered.as_ref().unwrap().version;
    assert_eq!(version(), 3, "though nobody came or left");
}

#[test]
fn a_successor_goes_by_what_was_kept_last_and_by_what_the_store_told_meanwhile() {
    let (n1, n2) = (
        server("n1", 1, "http://127.0.0.1:8081"),
        server("n2", 2, "http://127.0.0.1:8082"),
    );
    let mut kept = view("a", 2, vec![n1.clone()]);
    let wish = Wish {
        state: Some(AdminState::Draining),
        at: Some(unix_now()),
        ..Wish::default()
    };
    kept.wishes.set("n1", wish, true);
    let deaf = Directory::with_view(&config(&[]), view("a", 1, vec![]));
    deaf.take_over(kept.clone());
    assert_eq!(shown(&deaf), "n1#0 at 127.0.0.1:8081 unknown");
    let told = Directory::with_view(&config(&[]), view("a", 1, vec![]));
    told.discover(view("a", 3, vec![n1, n2]), &[]);
    told.take_over(kept);
    assert_eq!(told.view().version, 3);
    let states = told.current().snapshot.upstreams.pools[0].members.clone();
    let states: Vec<_> = states
        .iter()
        .map(|member| (&*member.route, member.state))
        .map(|(route, state)| (route.to_owned(), state))
        .collect();
    assert_eq!(
        states,
        [
            ("n1".to_owned(), AdminState::Draining),
            ("n2".to_owned(), AdminState::Active)
        ],
        "what the store was not told holds"
    );
}

#[tokio::test]
async fn a_name_is_looked_up_and_every_address_that_it_means_has_to_be_allowed() {
    let directory = Directory::new(&config(&[]));
    directory.discover(
        view(
            "a",
            1,
            vec![
                server("n1", 1, "http://localhost:8081"),
                server("n2", 2, "http://no-such-name.invalid:8082"),
            ],
        ),
        &[],
    );
    assert_eq!(
        refused(&directory),
        [
            "n1: its host is being looked up",
            "n2: its host is being looked up"
        ]
    );
    let mut changes = directory.changes();
    let looked_up = async {
        while refused(&directory)
            .iter()
            .any(|refused| refused.contains("looked up"))
        {
            changes.changed().await.unwrap();
        }
    };
    tokio::select! {
        () = looked_up => {}
        () = directory.keep_names() => {}
    }
    let member = shown(&directory);
    let refused = refused(&directory);
    assert!(
        refused.contains(&"n2: its host is not found".to_owned()),
        "{refused:?}"
    );
    // Where it means ::1 too, that is outside.
    let is_outside = refused.contains(&"n1: ::1 is outside discovery.allow".to_owned());
    assert!(
        is_outside || member == "n1#0 at 127.0.0.1:8081 unknown",
        "{member} {refused:?}"
    );
    assert_eq!(is_outside, member.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_the_first_view_but_not_for_ever() {
    let directory = Directory::new(&config(&[]));
    let began = tokio::time::Instant::now();
    directory.first_verdicts().await;
    assert_eq!(began.elapsed(), super::super::FIRST_VIEW);
    let known = Directory::with_view(&config(&[]), view("a", 1, vec![]));
    let began = tokio::time::Instant::now();
    known.first_verdicts().await;
    assert!(began.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_with_a_late_first_view_was_there_and_starts_warm() {
    let directory = Directory::new(&config(&[]));
    directory.first_verdicts().await;
    let (n1, n2) = (
        server("n1", 1, "http://127.0.0.1:8081"),
        server("n2", 2, "http://127.0.0.1:8082"),
    );
    directory.discover(view("a", 2, vec![n1.clone(), n2.clone()]), &[]);
    let comes_up = |id| directory.observe(UpstreamId(id), &Observation::CheckPassed);
    let cold = || {
        let snapshot = &directory.current().snapshot;
        let members = snapshot.upstreams.pools[0].members.iter();
        members.map(|member| member.rose.is_some()).collect::<Vec<_>>()
    };
    comes_up(0);
    comes_up(1);
    assert_eq!(cold(), [false, false]);
    let n3 = server("n3", 3, "http://127.0.0.1:8083");
    directory.discover(view("a", 3, vec![n1, n2, n3]), &[]);
    comes_up(2);
    assert_eq!(cold(), [false, false, true], "it is new");
}
