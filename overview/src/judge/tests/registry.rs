//! What is said of the registry, of who follows it, of wishes and of disks.

use remora_proto::v1::list_servers_reply::Twin;

use super::*;

#[test]
fn two_that_live_under_one_name_are_a_trouble_and_a_restart_is_none() {
    let twin = |seconds| Twin {
        instance: 9,
        url: "http://10.0.0.12:8080".into(),
        seconds,
    };
    says(
        |site| {
            let server = &mut servers(site)[0];
            server.url = "http://10.0.0.11:8080".into();
            server.twins = vec![twin(15), twin(700)];
        },
        &[
            "several Tomcats are called n1: http://10.0.0.11:8080 is listed, and http://10.0.0.12:8080 lives beside it",
            "-> give each a name of its own",
        ],
    );
    let restarted = said(|site| servers(site)[0].twins = vec![twin(14)]);
    assert_eq!(restarted, Vec::<String>::new());
}

#[test]
fn a_tomcat_that_is_silent_for_long_is_a_remark_with_the_verb() {
    let silent = |site: &mut Site, seconds: Option<u64>| {
        servers(site)[0].present = false;
        servers(site)[0].silent_seconds = seconds;
    };
    says(
        |site| silent(site, Some(750)),
        &[
            "* Tomcat n1 has been silent for 12 min:",
            "remora applications retire n1",
        ],
    );
    says(
        |site| silent(site, None),
        &["* Tomcat n1 is announced, and the leader has never heard of it"],
    );
    // It may be about to come, and a leader that has just begun has heard nobody.
    assert!(said(|site| silent(site, Some(SILENT_FOR_A_WHILE))).is_empty());
    assert!(
        said(|site| {
            silent(site, None);
            status(site, 2).uptime_seconds = SILENT_FOR_A_WHILE;
        })
        .is_empty()
    );
}

/// Seconds that nobody has to look after.
const SILENT_FOR_A_WHILE: u64 = 299;

#[test]
fn a_proxy_that_follows_the_registry_no_more_is_a_trouble() {
    let follows = |site: &mut Site, discovery: DiscoveryStatus| {
        let status = proxy(site, 0);
        status.uptime_seconds = 3;
        status.discovery = Some(DiscoveryStatus {
            cluster: "c1".into(),
            version: 7,
            ..discovery
        });
    };
    let away = |silent_seconds| DiscoveryStatus {
        silent_seconds,
        reason: "no answer".into(),
        ..DiscoveryStatus::default()
    };
    let present = || DiscoveryStatus {
        present: true,
        ..DiscoveryStatus::default()
    };
    says(
        |site| follows(site, away(Some(60))),
        &[
            "proxy p1:7410 has served by its last view of the registry for 60 s: no answer ->",
            "`discovery`",
        ],
    );
    // An election, and a start.
    for silent in [Some(2), None] {
        assert!(said(|site| follows(site, away(silent))).is_empty(), "{silent:?}");
    }
    assert!(said(|site| follows(site, present())).is_empty());
    says(
        |site| {
            follows(site, present());
            status(site, 2).cluster = "c2".into();
        },
        &[
            "proxy p1:7410 follows the registry of another cluster, c1 ->",
            "name the same store",
        ],
    );
    says(
        |site| {
            let untold = DiscoveryStatus {
                untold: 2,
                ..present()
            };
            follows(site, untold);
        },
        &["* proxy p1:7410 keeps 2 wishes that the store does not know yet"],
    );
}

#[test]
fn who_wished_is_named_and_one_of_the_registry_is_retired() {
    says(
        |site| {
            let drained = &mut proxy(site, 0).upstreams[0];
            drained.state = "disabled".into();
            drained.wished_by = "ada".into();
            proxy(site, 0).upstreams.push(upstream("n3"));
        },
        &["* n1 is disabled at p1:7410, as ada wishes: remora upstreams set n1"],
    );
    says(
        |site| {
            let gone = &mut proxy(site, 0).upstreams[0];
            gone.health = "down".into();
            gone.discovered = true;
            proxy(site, 0).upstreams.push(upstream("n3"));
        },
        &["remora applications retire n1"],
    );
}

#[test]
fn a_disk_that_fills_is_a_remark_before_the_store_acts_on_it() {
    says(
        |site| {
            status(site, 3).disk_bytes = 20 << 30;
            status(site, 3).disk_free_bytes = 512 << 20;
        },
        &["* the disk of store node 3 has 512 MiB of 20480 left"],
    );
    assert!(
        said(|site| {
            status(site, 3).disk_bytes = 20 << 30;
            status(site, 3).disk_free_bytes = 2 << 30;
        })
        .is_empty()
    );
}
