//! A site as a document, letter by letter (`site.json`), and what is not known of it.

use std::time::Duration;

use remora_proto::v1::{Owner, SessionFigures, SessionGroup, Status};

use super::*;
use crate::judge::tests::site;

/// The site of the judge's tests, at work, with all that can be said of it said once.
fn at_work() -> site::Site {
    let mut site = site();
    site.proxies.truncate(1);
    let cluster = site.store.as_mut().unwrap().as_mut().unwrap();
    let leader = cluster.nodes[1].status.as_mut().unwrap();
    leader.last_log_index = 1_002;
    leader.members = vec![remora_proto::v1::StoreMember {
        node_id: 1,
        matched_index: Some(1_000),
        ..Default::default()
    }];
    leader.disk_bytes = 20 << 30;
    leader.disk_free_bytes = 15 << 30;
    leader.sync_micros = 700;
    cluster.nodes[2].status = None;
    cluster.nodes[2].silent = "10.0.0.3:7401: no answer".into();
    let servers = cluster.servers.as_mut().unwrap().as_mut().unwrap();
    servers[0].server = Some(Owner {
        node: "n2".into(),
        instance: 7,
    });
    servers[0].threads = 200;
    servers[0].status = Some(Status {
        busy: 3,
        in_flight: 5,
        applications: vec![Application {
            application: "localhost/shop".into(),
            local: 1,
            classes: vec!["shop.Cart".into()],
            ..Application::default()
        }],
    });
    servers[1].server = Some(Owner {
        node: "n1".into(),
        instance: 8,
    });
    servers[1].present = false;
    servers[1].silent_seconds = Some(12);
    let proxy = site.proxies[0].1.as_mut().unwrap();
    proxy.discovery = Some(DiscoveryStatus {
        cluster: "c1".into(),
        version: 9,
        present: true,
        silent_seconds: Some(0),
        ..DiscoveryStatus::default()
    });
    let drained = &mut proxy.upstreams[0];
    drained.state = "draining".into();
    drained.draining = true;
    drained.wished = true;
    drained.wished_by = "ada".into();
    drained.wished_since = 1_795_766_400;
    drained.discovered = true;
    proxy.pools.push(PoolStatus {
        pool: "tomcat".into(),
        ..PoolStatus::default()
    });
    site
}

/// Two seconds of it.
fn rates(site: &mut site::Site) -> Rates {
    let mut rates = Rates::default();
    for second in [1, 2] {
        let cluster = site.store.as_mut().unwrap().as_mut().unwrap();
        cluster.nodes[0].status.as_mut().unwrap().applied_index = 100 * second;
        let upstreams = &mut site.proxies[0].1.as_mut().unwrap().upstreams;
        upstreams[0].answered = 40 * second;
        upstreams[1].failed = 2 * second;
        let at = Duration::from_secs(second);
        rates.hear_store(at, site.store.as_ref());
        rates.hear_proxies(at, &site.proxies);
    }
    rates
}

fn users(groups: &[(&str, u64)], other_groups: u64) -> Users {
    let groups = groups.iter().map(|(name, sessions)| SessionGroup {
        name: (*name).to_owned(),
        figures: Some(SessionFigures {
            sessions: *sessions,
            ..SessionFigures::default()
        }),
    });
    Users::of(&SessionStatsReply {
        groups: groups.collect(),
        other_groups,
        ..SessionStatsReply::default()
    })
}

#[test]
fn a_site_at_work_is_this_document() {
    let mut site = at_work();
    let rates = rates(&mut site);
    let users = users(&[("n1", 17)], 0);
    let picture = picture(&site, &rates, Some(&users), 1_795_766_460_000);
    let written = serde_json::to_string_pretty(&picture).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/picture/site.json");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == golden, "{path} differs:\n{written}");
}

#[test]
fn none_is_said_of_a_name_only_that_is_announced() {
    let mut site = at_work();
    let upstream = &mut site.proxies[0].1.as_mut().unwrap().upstreams[1];
    upstream.route = "tomcat-b".into();
    let counted = users(&[("n1", 17)], 0);
    let told = serde_json::to_value(picture(&site, &Rates::default(), Some(&counted), 0)).unwrap();
    assert_eq!(told["upstreams"][0]["users"], 17);
    assert_eq!(told["upstreams"][1]["users"], serde_json::Value::Null);
    let why = told["upstreams"][1]["users_unknown"].as_str().unwrap();
    assert!(why.contains("node=\"tomcat-b\""), "{why}");
}

#[test]
fn what_is_not_known_is_null_and_no_zero() {
    let mut site = at_work();
    let cluster = site.store.as_mut().unwrap().as_mut().unwrap();
    cluster.servers = None;
    let some = users(&[("n9", 1)], 3);
    let told = serde_json::to_value(picture(&site, &Rates::default(), Some(&some), 0)).unwrap();
    let null = serde_json::Value::Null;
    assert_eq!(told["store"]["tomcats"], null, "nobody says who is announced");
    assert_eq!(told["store"]["nodes"][2]["sessions"], null);
    assert_eq!(told["store"]["nodes"][0]["disk_free_bytes"], null);
    assert_eq!(told["upstreams"][0]["users"], null, "others own some of these");
    assert_eq!(told["upstreams"][0]["requests_per_second"], null);
    site.store = Some(Err("no answer".into()));
    site.proxies[0].1 = Err("no answer".into());
    let told = serde_json::to_value(picture(&site, &Rates::default(), None, 0)).unwrap();
    assert_eq!(told["store"], serde_json::json!({ "error": "no answer" }));
    assert_eq!(told["proxy"], null);
    assert_eq!(told["verdict"]["troubles"].as_array().unwrap().len(), 2);
    site.store = None;
    let told = serde_json::to_value(picture(&site, &Rates::default(), None, 0)).unwrap();
    assert_eq!(told["store"], null);
}
