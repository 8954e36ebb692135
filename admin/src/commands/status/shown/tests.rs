//! A site that is well, letter by letter, and what becomes of it when parts do not answer.

use remora_proto::v1::{StoreMember, StoreStatus};

use super::*;
use crate::args::{Format, Output};
use crate::render::render;

/// A node that is well, of three; the second leads.
fn node(id: u64) -> Node {
    let member = StoreMember {
        node_id: id,
        client_address: format!("10.0.0.{id}:7401"),
        peer_address: format!("10.0.0.{id}:7501"),
        voter: true,
        ..StoreMember::default()
    };
    let status = StoreStatus {
        node_id: id,
        cluster: "c1".into(),
        role: if id == 2 { "leader" } else { "follower" }.into(),
        ready: true,
        term: 4,
        sessions: 131,
        session_bytes: 4_096,
        uptime_seconds: 3_700,
        software_version: "0.1.0".into(),
        format: 5,
        ..StoreStatus::default()
    };
    Node {
        member,
        status: Some(status),
        silent: String::new(),
    }
}

fn upstream(route: &str) -> UpstreamStatus {
    UpstreamStatus {
        pool: "tomcat".into(),
        route: route.into(),
        url: format!("http://{route}:8080"),
        health: "up".into(),
        state: "active".into(),
        ..UpstreamStatus::default()
    }
}

/// Three nodes, two Tomcats and two proxies, all well.
fn site() -> Site {
    let server = || Server {
        applications: vec!["localhost/shop".into()],
        ..Server::default()
    };
    let cluster = Cluster {
        nodes: vec![node(1), node(2), node(3)],
        servers: Some(Ok(vec![server(), server()])),
    };
    let proxy = ProxyStatus {
        upstreams: vec![upstream("n1"), upstream("n2")],
        ..ProxyStatus::default()
    };
    Site {
        store: Some(Ok(cluster)),
        proxies: vec![
            ("p1:7410".into(), Ok(proxy.clone())),
            ("p2:7410".into(), Ok(proxy)),
        ],
    }
}

fn shown(site: &Site, format: Format) -> String {
    let no_headers = false;
    render(&arrange(site), Output { format, no_headers }).unwrap()
}

#[test]
fn a_site_is_one_screen() {
    let expected = "\
store     3 of 3 nodes ready, node 2 leads in term 4, version 0.1.0, format 5
sessions  131, 4.0 KiB
tomcats   2 with 1 application: localhost/shop
proxies   2 of 2 answer, 2 of 2 upstreams up in 1 pool, 0 requests in flight

NODE  ROLE      READY  CLIENT         BEHIND     UP
   1  follower  yes    10.0.0.1:7401  -       1h01m
   2  leader    yes    10.0.0.2:7401  -       1h01m
   3  follower  yes    10.0.0.3:7401  -       1h01m

PROXY    POOL    ROUTE  HEALTH  STATE   IN FLIGHT  FAILED
p1:7410  tomcat  n1     up      active          0       0
p1:7410  tomcat  n2     up      active          0       0
p2:7410  tomcat  n1     up      active          0       0
p2:7410  tomcat  n2     up      active          0       0
";
    assert_eq!(shown(&site(), Format::Table), expected);
}

#[test]
fn many_upstreams_are_counted_only() {
    let mut site = site();
    for (_, proxy) in &mut site.proxies {
        let proxy = proxy.as_mut().unwrap();
        let mut third = proxy.upstreams[0].clone();
        third.route = "n3".into();
        third.health = "down".into();
        proxy.upstreams.extend([third.clone(), third]);
    }
    let text = shown(&site, Format::Table);
    assert!(
        text.contains("2 of 3 upstreams up") && !text.contains("PROXY"),
        "{text}"
    );
    assert!(shown(&site, Format::Wide).contains("PROXY"));
}

#[test]
fn what_does_not_answer_takes_no_room() {
    let away = Site {
        store: Some(Err("no answer".into())),
        proxies: vec![("p1:7410".into(), Err("no answer".into()))],
    };
    let expected = "proxies  0 of 1 answer, 0 of 0 upstreams up in 0 pools, 0 requests in flight\n";
    assert_eq!(shown(&away, Format::Table), expected);
    let document: serde_json::Value = serde_json::from_str(&shown(&away, Format::Json)).unwrap();
    assert_eq!(document["upstreams"], serde_json::json!([]));
}

#[test]
fn programs_get_the_figures() {
    let document: serde_json::Value = serde_json::from_str(&shown(&site(), Format::Json)).unwrap();
    assert_eq!(document["cluster"]["leader"], 2);
    assert_eq!(document["cluster"]["sessions"], 131);
    assert_eq!(document["cluster"]["applications"], 1);
    assert_eq!(document["nodes"][2]["peer"], "10.0.0.3:7501");
    assert_eq!(document["upstreams"][3]["route"], "n2");
    // A site is more than a table.
    let (format, no_headers) = (Format::Csv, false);
    assert!(render(&arrange(&site()), Output { format, no_headers }).is_err());
}
