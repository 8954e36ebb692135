//! The order of what one instance asks for; the rest is shown on real nodes (`store/tests/service/following.rs`).

use super::*;
use crate::rpc::visit::tests::Store;

fn caller(serial: u64) -> Option<v1::Caller> {
    Some(v1::Caller {
        instance: 1,
        serial,
        node: "n1".to_owned(),
    })
}

fn announcement(serial: u64) -> Request<v1::AnnounceRequest> {
    let mut request = Request::new(v1::AnnounceRequest {
        caller: caller(serial),
        url: "http://127.0.0.1:8081".to_owned(),
        applications: vec!["localhost/shop".to_owned()],
        ..v1::AnnounceRequest::default()
    });
    // As without TLS.
    request.extensions_mut().insert(Caller::anybody());
    request
}

#[tokio::test]
async fn an_announcement_that_says_nothing_new_does_not_overtake_a_retirement() {
    let store = Store::of_one().await;
    let registered = Registered {
        desk: Arc::clone(&store.desk),
    };
    registered.announce(announcement(1)).await.unwrap();
    let retire = Request::new(v1::RetireRequest { caller: caller(2) });
    let (retired, told) = tokio::join!(registered.retire(retire), registered.announce(announcement(3)));
    assert!(retired.unwrap().into_inner().retired);
    told.unwrap();
    assert!(
        store.desk.raft.table().is_announced(1),
        "it was told that it stands, and says nothing more"
    );
}
