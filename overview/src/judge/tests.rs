//! Sites with one thing wrong each, and what is said of it.

use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::{
    DiscoveryStatus, Owner, PoolStatus, ProxyStatus, StoreMember, StoreStatus, UpstreamStatus, WaitingNode,
};

use super::*;
use crate::site::Node;

mod registry;

/// A node that is well, of three; the second leads.
pub(crate) fn node(id: u64) -> Node {
    let member = StoreMember {
        node_id: id,
        client_address: format!("10.0.0.{id}:7401"),
        peer_address: format!("10.0.0.{id}:7501"),
        voter: true,
        reachable: true,
        ..StoreMember::default()
    };
    let status = StoreStatus {
        node_id: id,
        cluster: "c1".into(),
        role: if id == 2 { "leader" } else { "follower" }.into(),
        ready: true,
        term: 4,
        leader_id: 2,
        sessions: 131,
        session_bytes: 4_096,
        uptime_seconds: 3_700,
        software_version: "0.1.0".into(),
        disk_room: "ample".into(),
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

fn server(name: &str) -> Server {
    Server {
        server: Some(Owner {
            node: name.into(),
            ..Owner::default()
        }),
        applications: vec!["localhost/shop".into()],
        mode: "serve".into(),
        version: "0.1.0".into(),
        present: true,
        ..Server::default()
    }
}

/// Three nodes, two Tomcats and two proxies, all well.
pub(crate) fn site() -> Site {
    let cluster = Cluster {
        nodes: vec![node(1), node(2), node(3)],
        servers: Some(Ok(vec![server("n1"), server("n2")])),
    };
    let proxy = ProxyStatus {
        software_version: "0.1.0".into(),
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

fn cluster(site: &mut Site) -> &mut Cluster {
    site.store.as_mut().unwrap().as_mut().unwrap()
}

fn servers(site: &mut Site) -> &mut Vec<Server> {
    cluster(site).servers.as_mut().unwrap().as_mut().unwrap()
}

fn status(site: &mut Site, node: usize) -> &mut StoreStatus {
    cluster(site).nodes[node - 1].status.as_mut().unwrap()
}

fn proxy(site: &mut Site, index: usize) -> &mut ProxyStatus {
    site.proxies[index].1.as_mut().unwrap()
}

/// What is said of a site after something happened to it: troubles with their advice, and remarks behind a star.
fn said(happened: impl FnOnce(&mut Site)) -> Vec<String> {
    let mut site = site();
    happened(&mut site);
    let verdict = judge(&site);
    let troubles = verdict.troubles.into_iter().map(|trouble| {
        assert!(!trouble.advice.is_empty(), "each says what to do");
        format!("{} -> {}", trouble.what, trouble.advice)
    });
    let remarks = verdict.remarks.iter().map(|remark| format!("* {remark}"));
    troubles.chain(remarks).collect()
}

/// Exactly one thing is said, with these words in it.
#[track_caller]
fn says(happened: impl FnOnce(&mut Site), words: &[&str]) {
    let said = said(happened);
    assert_eq!(said.len(), 1, "{said:#?}");
    for word in words {
        assert!(said[0].contains(word), "{word:?} is not in {said:#?}");
    }
}

#[test]
fn nothing_is_said_of_a_site_that_is_well() {
    assert_eq!(said(|_| {}), Vec::<String>::new());
    assert_eq!(said(|site| site.store = None), Vec::<String>::new());
    assert_eq!(said(|site| site.proxies.clear()), Vec::<String>::new());
}

#[test]
fn a_node_that_is_not_well_is_named_with_its_cure() {
    says(
        |site| cluster(site).nodes[2].status = None,
        &["store node 3 is down ->", "remora nodes replace 3"],
    );
    says(
        |site| {
            let node = &mut cluster(site).nodes[2];
            node.status = None;
            node.silent = "10.0.0.3:7401: no answer".into();
        },
        &["store node 3 is down (10.0.0.3:7401: no answer) ->"],
    );
    says(
        |site| status(site, 3).ready = false,
        &["store node 3 is not ready ->", "/readyz"],
    );
    says(
        |site| status(site, 3).role = "forming".into(),
        &["node 3 has formed no cluster", "start all nodes"],
    );
    says(
        |site| status(site, 3).role = "awaiting restore".into(),
        &[
            "node 3 waits for a backup",
            "remora --store 10.0.0.3:7401 restore FILE",
        ],
    );
    says(
        |site| status(site, 3).disk_room = "short".into(),
        &["nearly full", "new sessions", "make room"],
    );
    says(
        |site| status(site, 1).disk_room = "reserve".into(),
        &["is full", "make room"],
    );
}

#[test]
fn what_the_store_does_not_say_is_a_trouble_and_an_earlier_release_is_none() {
    says(
        |site| cluster(site).servers = Some(Err("10.0.0.2:7401: the books are shut".into())),
        &[
            "which Tomcats are there: 10.0.0.2:7401: the books are shut ->",
            "ask again",
        ],
    );
    let earlier = said(|site| status(site, 2).format = 0);
    assert_eq!(earlier, Vec::<String>::new());
}

#[test]
fn a_store_without_majority_or_leader_says_which() {
    let said_of_two = said(|site| {
        cluster(site).nodes[1].status = None;
        cluster(site).nodes[2].status = None;
    });
    assert_eq!(said_of_two.len(), 3, "{said_of_two:#?}");
    assert!(said_of_two[0].contains("no majority: 1 of 3 voters answer, 2 must"));
    assert!(said_of_two[0].contains("remora recover --force-new-cluster"));
    says(
        |site| {
            status(site, 2).role = "candidate".into();
            status(site, 2).ready = false;
        },
        &["the store has no leader ->", "ask again"],
    );
    says(
        |site| site.store = Some(Err("10.0.0.1:7401: no answer".into())),
        &[
            "the store does not answer: 10.0.0.1:7401: no answer ->",
            "--store",
        ],
    );
}

#[test]
fn what_goes_on_as_planned_is_no_trouble() {
    for (happened, words) in [
        (
            (|site: &mut Site| status(site, 1).software_version = "0.2.0".into()) as fn(&mut Site),
            "* store nodes run different versions: 0.1.0 (2, 3), 0.2.0 (1)",
        ),
        (
            |site| status(site, 2).ready_format = 6,
            "remora nodes upgrade --now",
        ),
        (
            |site| status(site, 2).format_held = true,
            "remora nodes upgrade --release",
        ),
        (
            |site| {
                status(site, 1).waiting.push(WaitingNode {
                    node_id: 4,
                    peer_address: "10.0.0.4:7501".into(),
                    ..WaitingNode::default()
                });
            },
            "remora nodes add 4 10.0.0.4:7501",
        ),
        (|site| cluster(site).nodes[2].member.voter = false, "2 voters"),
        (|site| *servers(site) = Vec::new(), "no Tomcat has announced"),
        (
            |site| servers(site)[0].mode = "observe".into(),
            "only observe, and protect nobody: n1",
        ),
        (
            |site| servers(site)[0].version = "0.2.0".into(),
            "Tomcats run different versions",
        ),
        (
            |site| proxy(site, 0).absent.push("n9".into()),
            "remora upstreams set n9 --reset",
        ),
        (
            |site| {
                proxy(site, 0).pools.push(PoolStatus {
                    pool: "tomcat".into(),
                    maintenance: true,
                    ..PoolStatus::default()
                });
            },
            "remora upstreams maintenance tomcat off",
        ),
        (
            |site| {
                let drained = &mut proxy(site, 0).upstreams[0];
                drained.state = "draining".into();
                drained.draining = true;
            },
            "* n1 is draining at p1:7410: remora upstreams undrain n1",
        ),
    ] {
        let said = said(happened);
        assert!(
            said.iter().any(|remark| remark.contains(words)),
            "{words}: {said:#?}"
        );
        assert!(said.iter().all(|remark| remark.starts_with('*')), "{said:#?}");
    }
}

#[test]
fn an_upstream_that_is_down_is_one_trouble_at_all_proxies() {
    let down = |site: &mut Site, proxies: usize| {
        for index in 0..proxies {
            let upstream = &mut proxy(site, index).upstreams[0];
            upstream.health = "down".into();
            upstream.reason = "connection refused".into();
        }
    };
    let said_of_both = said(|site| down(site, 2));
    assert!(said_of_both[0].starts_with("proxy p1:7410, p2:7410: n1 is down (connection refused) -> "));
    assert!(said_of_both[0].contains("http://n1:8080") && said_of_both[0].contains("--state stopped"));
    let last = "* proxy p1:7410: n2 is the last of 2 in pool tomcat that takes new users";
    assert!(said_of_both.contains(&last.to_owned()), "{said_of_both:#?}");
    let said_of_one = said(|site| down(site, 1));
    assert!(
        said_of_one[0].starts_with("proxy p1:7410: n1"),
        "{said_of_one:#?}"
    );
    let nobody = said(|site| {
        proxy(site, 0)
            .upstreams
            .iter_mut()
            .for_each(|upstream| upstream.state = "stopped".into());
    });
    assert!(nobody[0].contains("pool tomcat has nobody"), "{nobody:#?}");
    says(
        |site| site.proxies[1].1 = Err("p2:7410: no answer".into()),
        &["proxy p2:7410: no answer ->", "[control]"],
    );
}

#[test]
fn what_is_no_tomcat_is_not_called_one() {
    let down = |site: &mut Site| {
        site.proxies.truncate(1);
        let upstream = &mut proxy(site, 0).upstreams[0];
        upstream.health = "down".into();
    };
    let advice = |happened: &dyn Fn(&mut Site)| said(happened)[0].clone();
    let announced = advice(&down);
    assert!(
        announced.contains("look after the Tomcat at http://n1:8080"),
        "{announced}"
    );
    let not_announced = advice(&|site| {
        down(site);
        servers(site).remove(0);
    });
    assert!(
        not_announced.contains("look after the server at http://n1:8080"),
        "{not_announced}"
    );
    let nobody_asked = advice(&|site| {
        down(site);
        site.store = None;
    });
    assert!(nobody_asked.contains("look after the server"), "{nobody_asked}");
    let discovered = advice(&|site| {
        down(site);
        site.store = None;
        proxy(site, 0).upstreams[0].discovered = true;
    });
    assert!(discovered.contains("look after the Tomcat"), "{discovered}");
}

#[test]
fn a_tomcat_that_has_another_name_than_its_route_is_named_once() {
    says(
        |site| {
            let server = &mut servers(site)[0];
            server.server.as_mut().unwrap().node = "blue".into();
            server.url = "http://n1:8080".into();
        },
        &[
            "* the Tomcat at http://n1:8080 calls itself blue, not n1:",
            "node=\"n1\"",
        ],
    );
}

#[test]
fn an_application_that_is_not_protected_is_a_trouble() {
    says(
        |site| {
            servers(site)[0].unprotected.push("localhost/old".into());
        },
        &[
            "Tomcat n1: localhost/old has a session manager of its own",
            "<Manager>",
        ],
    );
}
