//! Rates, of answers that come and do not come.

use super::*;

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

const ADDRESS: &str = "10.0.2.1:7410";

/// A proxy with two upstreams, as it says at a second.
fn proxy(rates: &mut Rates, second: u64, answered: [u64; 2]) {
    let upstreams = [0, 1].map(|index| UpstreamStatus {
        pool: "tomcat".into(),
        route: format!("n{}", index + 1),
        answered: answered[index],
        ..UpstreamStatus::default()
    });
    let status = ProxyStatus {
        upstreams: upstreams.to_vec(),
        ..ProxyStatus::default()
    };
    rates.hear_proxy(at(second), ADDRESS, Ok(Box::new(status)));
}

#[test]
fn a_rate_is_the_difference_of_two_answers_and_unknown_before() {
    let mut counter = Counter::default();
    counter.rises(at(1), 100);
    assert_eq!(counter.rate, None);
    counter.rises(at(3), 300);
    assert_eq!(counter.rate, Some(100.0));
    // A new process counts from nothing.
    counter.rises(at(4), 10);
    assert_eq!(counter.rate, None);
    counter.rises(at(5), 12);
    assert_eq!(counter.rate, Some(2.0));
    let mut sessions = Counter::default();
    sessions.moves(at(1), 10);
    sessions.moves(at(2), 4);
    assert_eq!(sessions.rate, Some(-6.0));
}

#[test]
fn who_says_nothing_is_silent_and_its_rate_unknown() {
    let mut rates = Rates::default();
    for second in [1, 2] {
        proxy(&mut rates, second, [100 * second, 0]);
    }
    assert_eq!(rates.proxies[ADDRESS].work.rate, Some(100.0));
    // A word that is old is no present one: whoever asks may hang as well.
    assert!(rates.proxies[ADDRESS].is_present(at(5)));
    assert!(!rates.proxies[ADDRESS].is_present(at(6)));
    rates.hear_proxy(at(3), ADDRESS, Err("no answer".into()));
    assert!(!rates.proxies[ADDRESS].is_present(at(3)));
    assert_eq!(rates.upstreams.len(), 2, "they are still shown");
    let mut upstreams = rates.upstreams.values();
    assert!(upstreams.all(|upstream| upstream.answered.rate.is_none()));
}

#[test]
fn an_upstream_that_is_no_more_is_not_shown() {
    let mut rates = Rates::default();
    proxy(&mut rates, 1, [0, 0]);
    rates.hear_proxy(at(2), ADDRESS, Ok(Box::default()));
    assert!(rates.upstreams.is_empty());
}

/// A node of two, as it says at a second; the first leads.
fn node(rates: &mut Rates, second: u64, id: u64) {
    let members = [1, 2].map(|node_id| remora_proto::v1::StoreMember {
        node_id,
        client_address: format!("10.0.0.{node_id}:7401"),
        ..Default::default()
    });
    let status = StoreStatus {
        node_id: id,
        role: if id == 1 { "leader" } else { "follower" }.into(),
        applied_index: 100 * second,
        members: members.to_vec(),
        ..StoreStatus::default()
    };
    let address = format!("10.0.0.{id}:7401");
    rates.hear_node(at(second), address, Ok(Box::new(status)));
}

#[test]
fn what_is_known_at_a_moment_is_a_site() {
    let mut rates = Rates::default();
    assert!(rates.site(at(0)).store.is_none());
    rates.hear_node(at(0), "10.0.0.1:7401".into(), Err("no answer".into()));
    let away = rates.site(at(0)).store.unwrap();
    assert_eq!(away.err().as_deref(), Some("10.0.0.1:7401: no answer"));
    for id in [2, 1] {
        node(&mut rates, 1, id);
    }
    // One address more of the same node is no other node.
    let status = rates.nodes["10.0.0.2:7401"].said.clone().unwrap();
    rates.hear_node(at(1), "localhost:7401".into(), Ok(status));
    node(&mut rates, 4, 1);
    let silent = |rates: &Rates, now| {
        let cluster = rates.site(at(now)).store.unwrap().unwrap();
        let nodes = cluster.nodes.iter();
        nodes.map(|node| node.silent.clone()).collect::<Vec<_>>()
    };
    assert_eq!(silent(&rates, 4), ["", ""]);
    assert_eq!(silent(&rates, 5), ["", "10.0.0.2:7401: no answer yet"]);
    rates.hear_node(
        at(5),
        "10.0.0.2:7401".into(),
        Err("10.0.0.2:7401: refused".into()),
    );
    assert_eq!(silent(&rates, 5), ["", "10.0.0.2:7401: refused"]);
}

#[test]
fn who_is_no_more_of_a_site_is_forgotten() {
    let mut rates = Rates::default();
    node(&mut rates, 1, 1);
    proxy(&mut rates, 1, [0, 0]);
    rates.hear_store(at(2), None);
    rates.hear_proxies(at(2), &[]);
    assert!(rates.nodes.is_empty() && rates.proxies.is_empty() && rates.upstreams.is_empty());
}
