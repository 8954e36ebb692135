//! What operators learn of many sessions and of one, and what they end by conditions, on a real node.

use super::common::{Running, Who, creation, refusal, saved, single};
use super::operators::{fill, filter};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::upgrade_request::Wish;
use tonic::Code;

/// Conditions that are about an attribute of this name.
fn with_attribute(name: &str) -> Option<v1::SessionConditions> {
    Some(v1::SessionConditions {
        attribute: name.to_owned(),
        ..v1::SessionConditions::default()
    })
}

/// One session more, of another node, with one attribute; it was used and created at these moments.
async fn add(node: &Running, tail: u8, (name, value): (&str, &str), last_access_ms: u64) {
    let mut store = node.sessions().await;
    let save = v1::SaveRequest {
        caller: Who::new(u64::from(tail)).caller(),
        last_access_ms,
        ..creation(tail, name, value)
    };
    saved(store.save(save).await.unwrap().into_inner());
}

#[tokio::test]
async fn values_are_told_by_their_own_method_alone() {
    let (node, _directory) = single().await;
    fill(&node, 2).await;
    let mut admin = node.admin().await;
    let show = |filter| v1::ShowSessionRequest { filter };
    let told = admin.show_values(show(filter("user0", ""))).await.unwrap();
    let did = told.metadata().get("remora-did").unwrap().to_str().unwrap();
    assert!(did.contains("values") && did.contains("09090909"), "{did}");
    assert!(!did.contains("0909090909"), "a key is cut in the books: {did}");
    let told = told.into_inner();
    let session = told.session.unwrap();
    assert_eq!(session.auth_type, "FORM");
    assert!(session.attributes.is_empty(), "they stand beside it");
    assert_eq!(
        (told.attributes[0].name.as_str(), &told.attributes[0].value[..]),
        ("cart", &b"apple"[..])
    );
    for (which, code) in [
        (filter("nobody", ""), Code::NotFound),
        (None, Code::FailedPrecondition),
        (filter("", "xyz"), Code::InvalidArgument),
    ] {
        assert_eq!(admin.show_values(show(which)).await.unwrap_err().code(), code);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_kill_by_conditions_ends_what_matches_and_no_more() {
    let (node, _directory) = single().await;
    fill(&node, 3).await;
    add(&node, 9, ("basket", "a whole basket of apples"), 5_000).await;
    let mut admin = node.admin().await;
    let kill = |filter, conditions| v1::KillMatchingRequest {
        filter,
        conditions,
        at_most: 0,
    };
    let refused = admin.kill_matching(kill(None, None)).await.unwrap_err();
    assert_eq!(refusal(&refused).reason(), Reason::Malformed);
    // Conditions narrow a filter, and a filter conditions.
    let nobody = kill(filter("user1", ""), with_attribute("basket"));
    assert_eq!(admin.kill_matching(nobody).await.unwrap().into_inner().killed, 0);
    let idle = v1::SessionConditions {
        last_access_before_ms: 6_000,
        bytes_at_least: 30,
        ..v1::SessionConditions::default()
    };
    let idle = || kill(None, Some(idle.clone()));
    add(&node, 10, ("basket", "a whole basket of cherries"), 5_000).await;
    let counted = |at_most| v1::KillMatchingRequest { at_most, ..idle() };
    let refused = admin.kill_matching(counted(1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("2 match by now"), "{refused}");
    assert_eq!(node.status().await.sessions, 5, "nothing was ended");
    let ended = admin.kill_matching(counted(2)).await.unwrap();
    let did = ended.metadata().get("remora-did").unwrap().to_str().unwrap();
    assert!(did.contains("before%20%406"), "the books say since when: {did}");
    assert_eq!(ended.into_inner().killed, 2);
    assert_eq!(node.status().await.sessions, 3);
    node.stop().await;
}

#[tokio::test]
async fn sessions_are_counted_in_groups() {
    let (node, _directory) = single().await;
    fill(&node, 5).await;
    add(&node, 9, ("basket", "a whole basket of apples"), 400_000).await;
    let mut admin = node.admin().await;
    let ask = |by: By, groups| v1::SessionStatsRequest {
        by: by.into(),
        now_ms: 500_000,
        groups,
        ..v1::SessionStatsRequest::default()
    };
    let told = admin.session_stats(ask(By::Principal, 2)).await.unwrap();
    let told = told.into_inner();
    let all = told.all.unwrap();
    assert_eq!((all.sessions, all.bytes, all.bytes_max), (6, 5 * 9 + 30, 30));
    assert_eq!((all.bytes_p50, all.bytes_p99), (9, 30));
    assert_eq!((all.logged_in, all.released, all.owners), (5, 0, 2));
    // Five were never used by the clocks of this story, one for a minute and some.
    assert_eq!(all.idle, [0, 1, 5, 0, 0, 0, 0, 0]);
    let named = |groups: &[v1::SessionGroup]| -> Vec<(String, u64)> {
        let groups = groups.iter().cloned();
        groups
            .map(|group| (group.name, group.figures.unwrap().bytes))
            .collect()
    };
    // The most bytes first: nobody's, then those of user1; the rest is one.
    assert_eq!(
        named(&told.groups),
        [(String::new(), 30), ("user1".to_owned(), 27)]
    );
    assert_eq!((told.others.unwrap().sessions, told.other_groups), (2, 1));
    assert!(!told.too_many_groups);

    for (by, wanted) in [
        (By::Application, vec![("localhost/shop", 75)]),
        (By::Owner, vec![("n1", 45), ("n9", 30)]),
        (By::Attribute, vec![("cart", 45), ("basket", 30)]),
    ] {
        let told = admin.session_stats(ask(by, 0)).await.unwrap().into_inner();
        let wanted = wanted.into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
        assert_eq!(named(&told.groups), wanted.collect::<Vec<_>>(), "{by:?}");
        assert_eq!(told.others, None);
    }
    let narrowed = v1::SessionStatsRequest {
        conditions: with_attribute("basket"),
        ..ask(By::Application, 0)
    };
    let told = admin.session_stats(narrowed).await.unwrap().into_inner();
    assert_eq!(told.all.unwrap().sessions, 1);
    let refused = admin.session_stats(ask(By::Owner, 1_001)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    node.stop().await;
}

#[tokio::test]
async fn a_list_comes_the_other_way_round_and_of_those_that_nobody_holds() {
    let (node, _directory) = single().await;
    fill(&node, 3).await;
    add(&node, 9, ("basket", "a whole basket of apples"), 0).await;
    let mut admin = node.admin().await;
    let by_size = |page: bytes::Bytes| v1::ListSessionsRequest {
        order: v1::SessionOrder::Size.into(),
        backwards: true,
        page_size: 3,
        page,
        ..v1::ListSessionsRequest::default()
    };
    let first = admin.list_sessions(by_size(bytes::Bytes::new())).await.unwrap();
    let first = first.into_inner();
    assert_eq!(
        first.knows, 1,
        "what it says of an order it does not know is nothing"
    );
    let sizes = |sessions: &[v1::SessionSummary]| -> Vec<u64> {
        sessions.iter().map(|session| session.bytes).collect()
    };
    assert_eq!(sizes(&first.sessions), [9, 9, 9]);
    let rest = admin.list_sessions(by_size(first.next_page)).await.unwrap();
    assert_eq!(sizes(&rest.into_inner().sessions), [30]);
    let released = v1::ListSessionsRequest {
        conditions: Some(v1::SessionConditions {
            released: true,
            ..v1::SessionConditions::default()
        }),
        ..v1::ListSessionsRequest::default()
    };
    let told = admin.list_sessions(released).await.unwrap().into_inner();
    assert_eq!(told.matching, Some(0), "each of them is held");
    node.stop().await;
}

#[tokio::test]
async fn whoever_may_ask_for_the_status_learns_the_format() {
    let (node, _directory) = single().await;
    let mut admin = node.admin().await;
    let ask = |wish: Wish| v1::UpgradeRequest { wish: wish.into() };
    for (wish, held) in [(Wish::Hold, true), (Wish::Release, false)] {
        let told = admin.upgrade(ask(wish)).await.unwrap().into_inner();
        let status = node.status().await;
        assert!(status.format > 0);
        assert_eq!(
            (status.format, status.ready_format, status.format_held),
            (told.format, told.ready_format, held)
        );
    }
    node.stop().await;
}
