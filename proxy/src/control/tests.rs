//! The operator service over a real socket, as the command line speaks to it.

use remora_policy::{Cause, Observation, Phase, Wishes};
use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::{
    DrainMode, DrainRequest, ForeseeRequest, LatelyRequest, MaintainRequest, MaintenanceWish,
    ProxyStatusRequest, SetRequest, UpstreamStatus, foresee_request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::tally::Thread;

const FILE: &str = r#"
[[listen]]
bind = "127.0.0.1:0"
[[route]]
path = "/"
to = "a"
[[pool.a.member]]
url = "http://127.0.0.1:1"
route = "n1"
[[pool.a.member]]
url = "http://127.0.0.1:2"
route = "n2"
group = "blue"
[[pool.b.member]]
url = "http://127.0.0.1:3"
route = "n1"
"#;

async fn started() -> (
    String,
    Directory,
    oneshot::Sender<()>,
    tokio::task::JoinHandle<Result<(), Failure>>,
) {
    // As main does: figures that are made before the recorder is there go nowhere.
    ops::recorder();
    let directory = Directory::of_file(FILE);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let readiness: Readiness = Arc::new(|| Ok(()));
    let (keeping, _) = Keeping::open(None, None).unwrap();
    let known = (directory.clone(), Gates::open(&[]).unwrap(), Vec::new());
    let following = Following::new("proxy".to_owned(), directory.clone(), keeping.clone());
    let serving = serve(
        (listener, None),
        known,
        (readiness, keeping, following),
        None,
        async {
            let _ = stopped.await;
        },
    );
    (address, directory, stop, tokio::spawn(serving))
}

fn shown(upstreams: &[UpstreamStatus]) -> Vec<String> {
    let drained = |upstream: &UpstreamStatus| if upstream.draining { " drained" } else { "" };
    upstreams
        .iter()
        .map(|one| format!("{} {} {}{}", one.pool, one.route, one.health, drained(one)))
        .collect()
}

#[tokio::test]
async fn operators_see_and_drain_a_route_in_every_pool() {
    let (address, directory, stop, server) = started().await;
    let mut client = ProxyAdminClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let current = directory.current();
    let first = current.snapshot.upstreams.pools[0].members[0].id;
    directory.observe(first, &Observation::Refused);
    let counters = current.tally.upstream(first);
    let cells = counters.of(Thread(0));
    cells.answered(200);
    cells.failed(&remora_policy::Failure::new(Phase::Connecting, Cause::Refused));
    let _in_flight = cells.begin();

    let status = client.status(ProxyStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(
        shown(&status.upstreams),
        ["a n1 down", "a n2 unknown", "b n1 unknown"]
    );
    let one = &status.upstreams[0];
    assert_eq!(
        (one.url.as_str(), one.reason.as_str()),
        ("http://127.0.0.1:1", "a connect was refused")
    );
    assert_eq!((one.in_flight, one.answered, one.failed), (1, 1, 1));
    assert_eq!(status.generation, 2);

    let route = "n1".to_owned();
    let reply = client
        .drain(DrainRequest {
            route: route.clone(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        shown(&reply.upstreams),
        ["a n1 down drained", "b n1 unknown drained"]
    );
    let reply = client
        .undrain(DrainRequest {
            route,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(shown(&reply.upstreams), ["a n1 down", "b n1 unknown"]);

    let unknown = client
        .drain(DrainRequest {
            route: "n9".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Status::not_found("").code());
    assert_eq!(
        unknown.message(),
        "no pool has an upstream with route `n9`; known here: n1, n2"
    );
    drop(client);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_ops_pages_share_the_address() {
    let (address, _, _stop, _server) = started().await;
    for (path, expected) in [
        ("/healthz", "ok\n"),
        ("/readyz", "ready\n"),
        ("/metrics", "remora_proxy_upstream_health"),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(expected), "{path}: {answer}");
    }
}

#[tokio::test]
async fn operators_wish_states_and_weights_over_what_the_file_says() {
    let (address, _, _stop, _server) = started().await;
    let mut client = ProxyAdminClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let weighty = SetRequest {
        group: "blue".to_owned(),
        state: Some("standby".to_owned()),
        weight: Some(7),
        ..Default::default()
    };
    let reply = client.set(weighty).await.unwrap().into_inner();
    let two = &reply.upstreams[0];
    assert_eq!(
        (two.route.as_str(), two.state.as_str(), two.weight),
        ("n2", "standby", 7)
    );
    assert!(two.wished && reply.ends_with_process);
    let finish = DrainRequest {
        route: "n2".to_owned(),
        mode: DrainMode::Finish.into(),
        ..Default::default()
    };
    let reply = client.drain(finish).await.unwrap().into_inner();
    let two = &reply.upstreams[0];
    assert_eq!((two.state.as_str(), two.weight), ("finishing", 7));
    assert!(
        two.finishes_in_seconds
            .is_some_and(|left| (3_500..=3_600).contains(&left))
    );
    let reset = SetRequest {
        route: "n2".to_owned(),
        reset: true,
        ..Default::default()
    };
    let reply = client.set(reset).await.unwrap().into_inner();
    let two = &reply.upstreams[0];
    assert_eq!((two.state.as_str(), two.weight, two.wished), ("active", 1, false));
    for wrong in [
        SetRequest::default(),
        SetRequest {
            route: "n1".to_owned(),
            state: Some("gone".to_owned()),
            ..Default::default()
        },
        SetRequest {
            route: "n1".to_owned(),
            weight: Some(0),
            ..Default::default()
        },
    ] {
        let refused = client.set(wrong).await.unwrap_err();
        assert_eq!(refused.code(), Status::invalid_argument("").code(), "{refused}");
    }
}

#[tokio::test]
async fn what_was_so_before_is_not_said_to_be_done() {
    let (address, _, _stop, _server) = started().await;
    let mut client = ProxyAdminClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let route = |route: &str| DrainRequest {
        route: route.to_owned(),
        ..Default::default()
    };
    let refused = client.undrain(route("n1")).await.unwrap_err();
    assert_eq!(refused.code(), Status::failed_precondition("").code());
    assert_eq!(refused.message(), "n1: not drained, and nothing was changed");
    for (wish, unchanged) in [
        (MaintenanceWish::Off, true),
        (MaintenanceWish::Reset, true),
        (MaintenanceWish::On, false),
        (MaintenanceWish::On, true),
        (MaintenanceWish::Off, false),
    ] {
        let request = MaintainRequest {
            pool: "a".to_owned(),
            wish: wish.into(),
            ..Default::default()
        };
        let reply = client.maintain(request).await.unwrap().into_inner();
        assert_eq!(reply.unchanged, unchanged, "{wish:?}");
    }
}

#[tokio::test]
async fn what_a_wish_takes_is_told_and_nothing_is_done() {
    let (address, directory, _stop, _server) = started().await;
    let mut client = ProxyAdminClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    // Pool `a` has two members and keeps one of them, pool `b` has one.
    let drain = DrainRequest {
        route: "n1".to_owned(),
        careful: true,
        ..Default::default()
    };
    let request = ForeseeRequest {
        wish: Some(foresee_request::Wish::Drain(drain.clone())),
    };
    let told = client.foresee(request).await.unwrap().into_inner().emptied;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("from pool `b`, n1"), "{told:?}");
    let refused = client.drain(drain.clone()).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Status::failed_precondition("").code(),
        "{refused}"
    );
    assert_eq!(directory.wishes(), Wishes::default());
    let drain = DrainRequest {
        careful: false,
        ..drain
    };
    assert_eq!(client.drain(drain).await.unwrap().into_inner().upstreams.len(), 2);
}

#[tokio::test]
async fn what_changed_lately_is_told_with_its_reason_and_who_asked() {
    let (address, directory, _stop, _server) = started().await;
    let mut client = ProxyAdminClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let first = directory.current().snapshot.upstreams.pools[0].members[0].id;
    directory.observe(first, &Observation::Refused);
    directory.observe(first, &Observation::Refused);
    let drain = DrainRequest {
        route: "n2".to_owned(),
        ..DrainRequest::default()
    };
    client.drain(drain).await.unwrap();
    let off = MaintainRequest {
        pool: "a".to_owned(),
        wish: MaintenanceWish::Off.into(),
        ..MaintainRequest::default()
    };
    client.maintain(off).await.unwrap();
    let after = |after| LatelyRequest { after };
    let told = client.lately(after(0)).await.unwrap().into_inner();
    let said = |change: &remora_proto::v1::Change| {
        let remora_proto::v1::Change {
            kind,
            of,
            what,
            why,
            who,
            ..
        } = change;
        format!("{kind} of {of}: {what} ({why}; {who})")
    };
    let lines: Vec<String> = told.changes.iter().map(said).collect();
    assert_eq!(
        lines,
        [
            "belief of n1: http://127.0.0.1:1 is down (a connect was refused; )",
            "wish of n2: is drained: its users leave with their next request (; anybody)",
        ],
        "once each, and nothing of what was so before"
    );
    let told = client.lately(after(1)).await.unwrap().into_inner();
    assert_eq!(
        (told.changes.len(), told.changes[0].number, told.missed),
        (1, 2, false)
    );
}
