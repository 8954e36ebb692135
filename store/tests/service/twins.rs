//! Tomcats that have one name: the registry has the last that announced itself, and forgets none that lives; on a real node.
//! Negative controls, run: with the hub telling nobody who was displaced, the first test waits in vain for the end of the stream;
//! with nobody listed beside the last, it sees no twin.

use super::common::{Manager, Running, Who, hello, single};
use remora_proto::v1;
use remora_proto::v1::list_servers_reply::{Server, Twin};
use tonic::Code;

/// An instance of the one name.
async fn announce(node: &Running, who: &mut Who) -> u64 {
    let caller = caller(who);
    let said = v1::AnnounceRequest {
        caller,
        url: format!("http://127.0.0.1:808{}", who.instance),
        applications: vec!["localhost/shop".to_owned()],
        ..v1::AnnounceRequest::default()
    };
    let answered = node.registry().await.announce(said).await;
    answered.unwrap().into_inner().version
}

async fn retire(node: &Running, who: &mut Who) -> bool {
    let caller = caller(who);
    let answered = node.registry().await.retire(v1::RetireRequest { caller }).await;
    answered.unwrap().into_inner().retired
}

fn caller(who: &mut Who) -> Option<v1::Caller> {
    let node = "twin".to_owned();
    who.caller().map(|caller| v1::Caller { node, ..caller })
}

/// What is in the registry.
async fn listed(node: &Running) -> Vec<Server> {
    let ask = v1::ListServersRequest {};
    let listed = node.registry().await.list_servers(ask).await;
    listed.unwrap().into_inner().servers
}

/// Who is in the registry.
async fn instances(node: &Running) -> Vec<u64> {
    let servers = listed(node).await.into_iter();
    servers.map(|entry| entry.server.unwrap().instance).collect()
}

/// Who lives beside those, under the same names.
async fn twins(node: &Running) -> Vec<Twin> {
    let servers = listed(node).await.into_iter();
    servers.flat_map(|entry| entry.twins).collect()
}

#[tokio::test]
async fn who_was_displaced_and_lives_is_told_when_its_name_is_free() {
    let (node, _directory) = single().await;
    let (mut older, mut newer) = (Who::new(1), Who::new(2));
    let _older = Manager::open(&node, hello(1)).await.unwrap();
    let mut manager = Manager::open(&node, hello(2)).await.unwrap();
    announce(&node, &mut older).await;
    announce(&node, &mut newer).await;
    // It stood still meanwhile.
    announce(&node, &mut older).await;
    assert_eq!(instances(&node).await, [1], "the last word holds");
    let beside = twins(&node).await;
    let seen: Vec<_> = beside.iter().map(|twin| (twin.instance, &*twin.url)).collect();
    assert_eq!(seen, [(2, "http://127.0.0.1:8082")], "an operator sees the other");
    for probe in 2..=4 {
        // Looked at with each of these, and left alone: the two would displace each other without an end.
        manager.probe(probe).await;
        manager.confirmed(probe).await;
    }

    assert!(retire(&node, &mut older).await);
    let ended = manager.end().await;
    assert_eq!(ended.code(), Code::Aborted, "{ended:?}");
    assert!(
        ended.message().contains("does not hold this Tomcat any more"),
        "{ended:?}"
    );
    let manager = Manager::open(&node, hello(2)).await.unwrap();
    assert!(!manager.welcome.announced);
    announce(&node, &mut newer).await;
    assert_eq!(instances(&node).await, [2]);
    assert!(twins(&node).await.is_empty(), "it is alone");
    node.stop().await;
}
