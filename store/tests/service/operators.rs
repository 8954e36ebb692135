//! What operators and the registry are told, on a real node.

use std::collections::BTreeSet;

use super::common::{Running, Who, creation, refusal, saved, single, until};
use remora_process::catalogue::{Differences, compare};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::registry_client::RegistryClient;
use remora_store::FIGURES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

/// Figures that a node which has just begun to serve alone does not show: there was no image yet, and there is no TLS. Other
/// tests of this process may have made them meanwhile.
const SELDOM: [&str; 3] = [
    "remora_store_snapshot_bytes",
    "remora_tls_certificate_expires_seconds",
    "remora_tls_refused_total",
];

pub(crate) async fn fill(node: &Running, count: u8) {
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    for tail in 1..=count {
        let login = v1::Login {
            principal: format!("user{}", tail % 2),
            auth_type: "FORM".to_owned(),
            ..Default::default()
        };
        let save = v1::SaveRequest {
            caller: tomcat.caller(),
            login: Some(login),
            labels: Some(v1::Labels {
                labels: vec![user(&format!("user{}", tail % 2))],
            }),
            local: vec![local()],
            ..creation(tail, "cart", "apple")
        };
        saved(store.save(save).await.unwrap().into_inner());
    }
}

/// What each session that [`fill`] makes holds beside what is stored.
fn local() -> v1::LocalAttribute {
    v1::LocalAttribute {
        name: "connection".to_owned(),
        class: "com.example.Connection".to_owned(),
    }
}

/// The label of whose session it is.
fn user(name: &str) -> v1::Label {
    v1::Label {
        name: "principal".to_owned(),
        value: name.to_owned(),
    }
}

pub(crate) fn filter(principal: &str, key_prefix: &str) -> Option<v1::SessionFilter> {
    Some(v1::SessionFilter {
        labels: (!principal.is_empty())
            .then(|| user(principal))
            .into_iter()
            .collect(),
        key_prefix: key_prefix.to_owned(),
        ..v1::SessionFilter::default()
    })
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_without_gaps() {
    let (node, _directory) = single().await;
    fill(&node, 25).await;
    let mut admin = node.admin().await;
    let mut keys = Vec::new();
    let mut page = bytes::Bytes::new();
    loop {
        let ask = v1::ListSessionsRequest {
            filter: None,
            page_size: 10,
            page,
            ..v1::ListSessionsRequest::default()
        };
        let reply = admin.list_sessions(ask).await.unwrap().into_inner();
        assert!(reply.sessions.len() <= 10);
        keys.extend(
            reply
                .sessions
                .into_iter()
                .map(|session| session.session.unwrap().key),
        );
        page = reply.next_page;
        if page.is_empty() {
            break;
        }
    }
    assert_eq!(keys.len(), 25);
    assert!(keys.is_sorted());
    let ask = v1::ListSessionsRequest {
        filter: filter("user1", ""),
        ..v1::ListSessionsRequest::default()
    };
    let reply = admin.list_sessions(ask).await.unwrap().into_inner();
    assert_eq!((reply.sessions.len(), reply.matching), (13, Some(13)));
    let summary = &reply.sessions[0];
    assert_eq!(
        (summary.principal.as_str(), summary.attributes, summary.bytes),
        ("user1", 1, 9)
    );
    assert!(summary.expires_in_seconds.unwrap() > 1_700);
    for (page_size, page) in [(4_001, bytes::Bytes::new()), (1, bytes::Bytes::from_static(b"x"))] {
        let ask = v1::ListSessionsRequest {
            page_size,
            page,
            ..v1::ListSessionsRequest::default()
        };
        assert_eq!(
            admin.list_sessions(ask).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    node.stop().await;
}

#[tokio::test]
async fn a_login_over_its_limit_is_told_so_and_one_that_ends_others_leaves_as_many() {
    let (node, _directory) = single().await;
    fill(&node, 4).await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(2);
    let mut login = |then: v1::limit::Then| v1::SaveRequest {
        caller: tomcat.caller(),
        labels: Some(v1::Labels {
            labels: vec![user("user1")],
        }),
        limit: Some(v1::Limit {
            label: "principal".to_owned(),
            sessions: 2,
            then: then.into(),
        }),
        ..creation(9, "cart", "apple")
    };
    let refused = store.save(login(v1::limit::Then::Refuse)).await.unwrap();
    let over = v1::save_reply::Outcome::OverLimit(v1::OverLimit { sessions: 2 });
    assert_eq!(refused.into_inner().outcome, Some(over));
    saved(
        store
            .save(login(v1::limit::Then::End))
            .await
            .unwrap()
            .into_inner(),
    );
    let mut admin = node.admin().await;
    let ask = v1::ListSessionsRequest {
        filter: filter("user1", ""),
        ..v1::ListSessionsRequest::default()
    };
    let left = admin.list_sessions(ask).await.unwrap().into_inner().sessions;
    let tails = left
        .iter()
        .map(|session| session.session.as_ref().unwrap().key[15]);
    assert_eq!(tails.collect::<Vec<_>>(), [3, 9], "the oldest is gone");
    node.stop().await;
}

#[tokio::test]
async fn a_list_is_narrowed_sorted_and_counted_by_the_store() {
    let (node, _directory) = single().await;
    fill(&node, 5).await;
    let mut store = node.sessions().await;
    let large = creation(9, "basket", "a whole basket of apples");
    let large = v1::SaveRequest {
        caller: Who::new(2).caller(),
        ..large
    };
    saved(store.save(large).await.unwrap().into_inner());
    let mut admin = node.admin().await;
    let by_size = |conditions| v1::ListSessionsRequest {
        conditions,
        order: v1::SessionOrder::Size.into(),
        page_size: 2,
        ..v1::ListSessionsRequest::default()
    };
    let all = admin.list_sessions(by_size(None)).await.unwrap().into_inner();
    assert_eq!(
        (all.sessions.len(), all.matching, all.matching_bytes),
        (2, Some(6), 5 * 9 + 30)
    );
    assert_eq!(all.sessions[0].bytes, 30);
    let other_order = v1::ListSessionsRequest {
        page: all.next_page.clone(),
        ..v1::ListSessionsRequest::default()
    };
    let refused = admin.list_sessions(other_order).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");

    let baskets = v1::SessionConditions {
        attribute: "basket".to_owned(),
        ..v1::SessionConditions::default()
    };
    let found = admin
        .list_sessions(by_size(Some(baskets)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((found.sessions.len(), found.matching), (1, Some(1)));
    assert!(found.next_page.is_empty());
    node.stop().await;
}

#[tokio::test]
async fn one_session_is_shown_without_its_values_and_two_are_an_error() {
    let (node, _directory) = single().await;
    fill(&node, 2).await;
    let mut admin = node.admin().await;
    let show = |filter| v1::ShowSessionRequest { filter };
    let detail = admin
        .show_session(show(filter("user0", "")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (detail.auth_type.as_str(), detail.max_idle_seconds),
        ("FORM", 1_800)
    );
    assert_eq!(
        (detail.attributes[0].name.as_str(), detail.attributes[0].bytes),
        ("cart", 5)
    );
    assert_eq!(detail.local, [local()]);
    assert!(detail.created_version > 0);
    assert_eq!(
        admin
            .show_session(show(filter("nobody", "")))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(
        admin.show_session(show(None)).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    assert_eq!(
        admin
            .show_session(show(filter("", "xyz")))
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
    node.stop().await;
}

#[tokio::test]
async fn a_kill_ends_what_matches_and_an_empty_filter_must_be_meant() {
    let (node, _directory) = single().await;
    fill(&node, 9).await;
    let mut admin = node.admin().await;
    let status = admin
        .kill_sessions(v1::KillSessionsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).reason(), Reason::Malformed);
    let kill = v1::KillSessionsRequest {
        filter: filter("user1", ""),
        all: false,
    };
    assert_eq!(
        admin
            .kill_sessions(kill.clone())
            .await
            .unwrap()
            .into_inner()
            .killed,
        5
    );
    assert_eq!(admin.kill_sessions(kill).await.unwrap().into_inner().killed, 0);
    assert_eq!(node.status().await.sessions, 4);
    let all = v1::KillSessionsRequest {
        filter: None,
        all: true,
    };
    assert_eq!(admin.kill_sessions(all).await.unwrap().into_inner().killed, 4);
    assert_eq!(node.status().await.sessions, 0);
    node.stop().await;
}

fn announcement(caller: Option<v1::Caller>) -> v1::AnnounceRequest {
    v1::AnnounceRequest {
        caller,
        url: "http://127.0.0.1:8081".to_owned(),
        applications: vec!["localhost/shop".to_owned()],
        mode: "normal".to_owned(),
        version: "0.1.0".to_owned(),
        threads: 200,
        unprotected: vec!["localhost/own".into()],
        listened: vec!["localhost/shop".into()],
    }
}

#[tokio::test]
async fn application_servers_enter_the_registry_and_leave_it() {
    let (node, _directory) = single().await;
    let mut registry = RegistryClient::connect(format!("http://{}", node.client))
        .await
        .unwrap();
    let mut tomcat = Who::new(1);
    let announce = announcement(tomcat.caller());
    let entered = registry.announce(announce.clone()).await.unwrap().into_inner();
    assert!(entered.version > 0);
    let again = announcement(tomcat.caller());
    let again = registry.announce(again).await.unwrap().into_inner();
    assert_eq!(again.version, entered.version, "nothing is new");
    let servers = registry
        .list_servers(v1::ListServersRequest {})
        .await
        .unwrap()
        .into_inner()
        .servers;
    assert_eq!(servers.len(), 1);
    assert_eq!(
        (servers[0].url.as_str(), &servers[0].applications),
        (announce.url.as_str(), &announce.applications)
    );

    let stranger = v1::RetireRequest {
        caller: Who::new(2).caller().map(|caller| v1::Caller {
            node: "n1".to_owned(),
            ..caller
        }),
    };
    assert!(
        !registry.retire(stranger).await.unwrap().into_inner().retired,
        "another instance may not retire it"
    );
    let retire = v1::RetireRequest {
        caller: tomcat.caller(),
    };
    assert!(registry.retire(retire).await.unwrap().into_inner().retired);
    assert!(
        registry
            .list_servers(v1::ListServersRequest {})
            .await
            .unwrap()
            .into_inner()
            .servers
            .is_empty()
    );
    node.stop().await;
}

#[tokio::test]
async fn health_readiness_and_every_figure_are_served() {
    let (node, _directory) = single().await;
    fill(&node, 3).await;
    assert!(get(&node, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(&node, "/readyz").await.starts_with("HTTP/1.1 200"));
    until("the gauges are set", async || {
        get(&node, "/metrics").await.contains("remora_store_sessions 3")
    })
    .await;
    until("the node knows its disk", async || {
        let status = node.status().await;
        status.sync_micros > 0 && (1..=status.disk_bytes).contains(&status.disk_free_bytes)
    })
    .await;
    let page = get(&node, "/metrics").await;
    let page = page.split_once("\r\n\r\n").expect("a head and a page").1;
    for name in [
        // How many is the business of all tests of this process together.
        "remora_store_answers_total{request=\"save\",ending=\"done\"} ",
        "remora_store_answer_seconds_bucket{request=\"save\",le=\"80\"} ",
        "remora_store_log_sync_seconds_bucket{le=\"0.001\"}",
        "remora_store_entry_proposals_bucket{le=\"256\"}",
        "remora_store_peer_entries_behind{peer=\"1\"} ",
        "remora_store_read_rounds_total{ending=\"done\"}",
        "# HELP remora_store_tombstones What remains of removed",
        "# TYPE process_cpu_seconds_total counter\n",
    ] {
        assert!(page.contains(name), "{name} is not in\n{page}");
    }
    let Differences { strangers, absent } = compare(page, FIGURES);
    assert_eq!(strangers, BTreeSet::new(), "without a row, in\n{page}");
    let missing: BTreeSet<&str> = absent.difference(&SELDOM.into()).copied().collect();
    assert_eq!(missing, BTreeSet::new(), "with a row, not in\n{page}");
    node.stop().await;
}

async fn get(node: &Running, path: &str) -> String {
    let mut stream = TcpStream::connect(node.ops).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
