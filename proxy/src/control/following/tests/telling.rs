//! What becomes of wishes that are told while others wish, while a successor has the word, and to another cluster.
//!
//! Left out on purpose: what a view makes of a wish, which `scripts/discovery.script` of `remora-policy` tells.

use remora_policy::{AdminState, StoredWish, View};
use remora_process::tls::Caller;
use remora_proto::v1::{SetRequest, Wish};
use tonic::Status;

use super::registry::{Registry, server, view, wish};
use super::{Proxy, config};
use crate::control::deeds::{Control, Refused};
use crate::wishes::Keeping;

#[tokio::test]
async fn an_untold_wish_gives_way_to_a_later_one() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    store.say(view(7, &[server("n1", 1)])).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Err(Status::failed_precondition("there is another since")));
    assert!(!proxy.drain("n1").await);
    let mut others = view(9, &[server("n1", 1)]);
    others.wishes.push(wish("route n1", "weight=7", 9));
    store.say(others).await;
    proxy
        .wait("the other holds", |proxy| {
            proxy.state_of("n1") == AdminState::Active
        })
        .await;
    assert_eq!(proxy.status().untold, 0);
}

#[tokio::test]
async fn a_weight_brings_no_drain_back_that_somebody_takes_back_meanwhile() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    let mut drained = view(7, &[server("n1", 1)]);
    drained.wishes.push(wish("route n1", "state=draining", 7));
    store.say(drained).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Err(Status::failed_precondition("there is another since")));
    let (keeping, _) = Keeping::open(None, None).unwrap();
    let control = Control::new(
        proxy.directory.clone(),
        keeping,
        proxy.following.clone(),
        [].into(),
    );
    let request = SetRequest {
        route: "n1".to_owned(),
        weight: Some(5),
        ..SetRequest::default()
    };
    let asked = tokio::spawn(async move { control.set(Caller::nobody(), request).await });
    proxy
        .wait("it is wished", |proxy| proxy.status().untold == 1)
        .await;
    let mut lifted = view(8, &[server("n1", 1)]);
    lifted.wishes.push(Wish {
        who: "grace".to_owned(),
        ..wish("route n1", "", 8)
    });
    store.say(lifted).await;
    let refused = asked.await.unwrap().unwrap_err();
    let told = "n1: grace has wished otherwise at the same moment, and that holds (n1 is as the file says): look, and ask again";
    assert!(
        matches!(&refused, Refused::Against(sentence) if sentence == told),
        "{refused:?}"
    );
    assert_eq!(proxy.state_of("n1"), AdminState::Active);
    assert_eq!(proxy.status().untold, 0);
}

#[tokio::test]
async fn what_was_wished_before_a_successor_failed_is_told_then() {
    let store = Registry::start().await;
    let (keeping, _) = Keeping::open(None, None).unwrap();
    let proxy = Proxy::keeping(&config(&[&store]), View::default(), keeping.clone());
    store.say(view(7, &[server("n1", 1)])).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Ok(9));
    keeping.hand_over().await;
    assert!(!proxy.drain("n1").await, "a successor has the word");
    keeping.take_back().await;
    proxy.wait("it is told", |proxy| proxy.status().untold == 0).await;
}

#[tokio::test]
async fn what_another_cluster_does_not_understand_is_told_over() {
    let store = Registry::start().await;
    let mut kept = View {
        cluster: "c0".into(),
        version: 900,
        ..View::default()
    };
    let before = StoredWish {
        of: StoredWish::of_route("n1"),
        said: "weight=3".into(),
        version: 900,
        ..StoredWish::default()
    };
    kept.hear(&before).unwrap();
    let proxy = Proxy::of(&config(&[&store]), kept);
    let mut unread = view(2, &[server("n1", 1)]);
    unread.wishes.push(wish("route n1", "zone=a", 2));
    store.say(unread).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Ok(3));
    assert!(proxy.drain("n1").await, "over what is not understood");
    assert_eq!(store.wished().base, Some(2));
}
