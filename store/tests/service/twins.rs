//! Tomcats that have one name: the registry has the last that announced itself, and forgets none that lives; on a real node.
//! Negative control, run: with the hub telling nobody who was displaced, the first test waits in vain for the end of the stream.

use super::common::{Manager, Running, Who, hello, single};
use remora_proto::v1;
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

/// Who is in the registry.
async fn instances(node: &Running) -> Vec<u64> {
    let ask = v1::ListServersRequest {};
    let listed = node.registry().await.list_servers(ask).await;
    let servers = listed.unwrap().into_inner().servers;
    servers
        .into_iter()
        .map(|entry| entry.server.unwrap().instance)
        .collect()
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
    node.stop().await;
}
