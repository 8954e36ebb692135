//! Every unary call of the session store does what session.proto says, on a real node.

use super::common::{Running, Who, attribute, claimed, config, creation, key, refusal, saved, single, until};
use bytes::Bytes;
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::{check_reply, claim_reply, release_reply, remove_reply, rename_reply, save_reply};
use tonic::Code;

#[tokio::test]
async fn a_session_is_created_changed_and_a_repeat_changes_nothing() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);

    let created = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());
    assert_eq!(created.version, created.epoch);

    let changed = v1::SaveRequest {
        caller: tomcat.caller(),
        session: key(1),
        epoch: created.epoch,
        base: created.version,
        changed: vec![attribute("cart", "apple, pear")],
        ..v1::SaveRequest::default()
    };
    let repeat = changed.clone();
    let changed = saved(store.save(changed).await.unwrap().into_inner());
    assert!(changed.version > created.version);
    assert_eq!(changed.epoch, created.epoch);
    let repeated = saved(store.save(repeat).await.unwrap().into_inner());
    assert_eq!(
        repeated.version, changed.version,
        "a repeat changes nothing and gets the same answer"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_copy_is_touched_and_checked() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    let created = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());
    let changed = v1::SaveRequest {
        caller: tomcat.caller(),
        session: key(1),
        epoch: created.epoch,
        base: created.version,
        changed: vec![attribute("cart", "apple, pear")],
        ..v1::SaveRequest::default()
    };
    let changed = saved(store.save(changed).await.unwrap().into_inner());

    let touched = v1::TouchedSession {
        session: key(1),
        epoch: created.epoch,
        last_access_ms: 5,
    };
    let touch = v1::TouchRequest {
        caller: tomcat.caller(),
        sessions: vec![touched],
    };
    assert_eq!(
        store.touch(touch).await.unwrap().into_inner(),
        v1::TouchReply::default()
    );

    let check = |epoch, version| v1::CheckRequest {
        session: key(1),
        epoch,
        version,
    };
    let current = store
        .check(check(created.epoch, changed.version))
        .await
        .unwrap()
        .into_inner();
    assert!(
        matches!(current.outcome, Some(check_reply::Outcome::Current(_))),
        "{current:?}"
    );
    let newer = store
        .check(check(created.epoch, created.version))
        .await
        .unwrap()
        .into_inner();
    let Some(check_reply::Outcome::Newer(newer)) = newer.outcome else {
        panic!("{newer:?}")
    };
    assert_eq!(newer.attributes[0].value, Bytes::from("apple, pear"));
    node.stop().await;
}

#[tokio::test]
async fn a_session_is_released_and_removed_for_good() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    let created = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());

    let release = v1::ReleaseRequest {
        caller: tomcat.caller(),
        session: key(1),
        epoch: created.epoch,
    };
    let released = store.release(release).await.unwrap().into_inner();
    assert!(
        matches!(released.outcome, Some(release_reply::Outcome::Done(_))),
        "{released:?}"
    );

    let remove = v1::RemoveRequest {
        caller: tomcat.caller(),
        session: key(1),
        created_version: created.created_version,
        reason: v1::remove_request::Reason::Logout.into(),
        ..v1::RemoveRequest::default()
    };
    let removed = store.remove(remove).await.unwrap().into_inner();
    let Some(remove_reply::Outcome::Done(done)) = removed.outcome else {
        panic!("{removed:?}")
    };
    let claim = v1::ClaimRequest {
        caller: tomcat.caller(),
        session: key(1),
    };
    let gone = store.claim(claim).await.unwrap().into_inner();
    let Some(claim_reply::Outcome::Gone(gone)) = gone.outcome else {
        panic!("{gone:?}")
    };
    assert_eq!(gone.tombstone, done.tombstone);
    node.stop().await;
}

#[tokio::test]
async fn a_claim_moves_the_session_and_fences_the_previous_owner() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let (mut first, mut second) = (Who::new(1), Who::new(2));
    let created = v1::SaveRequest {
        caller: first.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());

    let claim = v1::ClaimRequest {
        caller: second.caller(),
        session: key(1),
    };
    let session = claimed(store.claim(claim).await.unwrap().into_inner());
    assert_eq!(session.owner.unwrap().instance, 2);
    assert_ne!(session.epoch, created.epoch);
    assert_eq!(session.attributes[0].value, Bytes::from("apple"));

    let late = v1::SaveRequest {
        caller: first.caller(),
        session: key(1),
        epoch: created.epoch,
        base: created.version,
        changed: vec![attribute("cart", "late")],
        ..v1::SaveRequest::default()
    };
    let fenced = store.save(late).await.unwrap().into_inner();
    let Some(save_reply::Outcome::Fenced(fenced)) = fenced.outcome else {
        panic!("{fenced:?}")
    };
    assert_eq!(fenced.owner.unwrap().node, "n2");
    let moved = v1::CheckRequest {
        session: key(1),
        epoch: created.epoch,
        version: created.version,
    };
    let moved = store.check(moved).await.unwrap().into_inner();
    assert!(
        matches!(moved.outcome, Some(check_reply::Outcome::Moved(_))),
        "{moved:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_late_save_merges_what_is_disjoint_and_conflicts_otherwise() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let (mut first, mut second) = (Who::new(1), Who::new(2));
    let created = v1::SaveRequest {
        caller: first.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());
    let claim = v1::ClaimRequest {
        caller: second.caller(),
        session: key(1),
    };
    let session = claimed(store.claim(claim).await.unwrap().into_inner());
    let late = |caller, name: &str| v1::SaveRequest {
        caller,
        session: key(1),
        epoch: created.epoch,
        base: created.version,
        changed: vec![attribute(name, "late")],
        late: true,
        ..v1::SaveRequest::default()
    };

    let other = v1::SaveRequest {
        caller: second.caller(),
        session: key(1),
        epoch: session.epoch,
        base: session.version,
        changed: vec![attribute("cart", "apple, pear")],
        ..v1::SaveRequest::default()
    };
    saved(store.save(other).await.unwrap().into_inner());
    let merged = saved(
        store
            .save(late(first.caller(), "colour"))
            .await
            .unwrap()
            .into_inner(),
    );
    assert_eq!(merged.epoch, session.epoch, "the successor stays the owner");
    assert_eq!(
        merged.merged.unwrap().attributes[0].value,
        Bytes::from("apple, pear")
    );
    let conflict = store
        .save(late(first.caller(), "cart"))
        .await
        .unwrap()
        .into_inner();
    let Some(save_reply::Outcome::Conflict(conflict)) = conflict.outcome else {
        panic!("{conflict:?}")
    };
    assert!(!conflict.merged.unwrap().attributes.is_empty());
    node.stop().await;
}

#[tokio::test]
async fn a_renamed_session_serves_nobody_under_its_old_id() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    let created = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());
    let rename = v1::RenameRequest {
        caller: tomcat.caller(),
        session: key(1),
        new_key: key(2).unwrap().key,
        epoch: created.epoch,
    };
    let renamed = store.rename(rename).await.unwrap().into_inner();
    assert!(
        matches!(renamed.outcome, Some(rename_reply::Outcome::Done(_))),
        "{renamed:?}"
    );
    let mut thief = Who::new(3);
    let claim = v1::ClaimRequest {
        caller: thief.caller(),
        session: key(1),
    };
    let planted = store.claim(claim).await.unwrap().into_inner();
    assert!(
        matches!(planted.outcome, Some(claim_reply::Outcome::Renamed(_))),
        "{planted:?}"
    );
    let claim = v1::ClaimRequest {
        caller: thief.caller(),
        session: key(2),
    };
    assert_eq!(
        claimed(store.claim(claim).await.unwrap().into_inner()).created_version,
        created.created_version
    );
    node.stop().await;
}

#[tokio::test]
async fn a_forged_cookie_costs_no_log_entry() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    let before = node.status().await.last_log_index;
    for tail in 0..50 {
        let claim = v1::ClaimRequest {
            caller: tomcat.caller(),
            session: key(tail),
        };
        let gone = store.claim(claim).await.unwrap().into_inner();
        assert!(
            matches!(gone.outcome, Some(claim_reply::Outcome::Gone(_))),
            "{gone:?}"
        );
    }
    assert_eq!(
        node.status().await.last_log_index,
        before,
        "a claim of a missing key is a read"
    );
    let created = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    saved(store.save(created).await.unwrap().into_inner());
    assert_eq!(
        node.status().await.last_log_index,
        before + 1,
        "and a save is one entry"
    );
    node.stop().await;
}

#[tokio::test]
async fn what_is_wrong_or_too_large_is_refused_with_a_sentence() {
    let (node, _directory) = single().await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    let before = node.status().await.last_log_index;

    let large = "x".repeat((1 << 20) + 1);
    let large = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", &large)
    };
    let status = store.save(large).await.unwrap_err();
    assert_eq!(
        (status.code(), refusal(&status).reason()),
        (Code::InvalidArgument, Reason::TooLarge)
    );

    let many = (0..1_025).map(|at| attribute(&format!("a{at}"), "x")).collect();
    let many = v1::SaveRequest {
        caller: tomcat.caller(),
        changed: many,
        ..creation(1, "cart", "x")
    };
    let status = store.save(many).await.unwrap_err();
    assert_eq!(refusal(&status).reason(), Reason::TooLarge, "{status:?}");

    let status = store
        .claim(v1::ClaimRequest {
            caller: None,
            session: key(1),
        })
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), refusal(&status).reason()),
        (Code::InvalidArgument, Reason::Malformed)
    );
    assert!(status.message().starts_with("caller is missing"), "{status:?}");
    assert_eq!(node.status().await.last_log_index, before, "nothing was proposed");
    node.stop().await;
}

#[tokio::test]
async fn beyond_the_session_limit_new_sessions_are_refused_and_old_ones_saved() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = config(1, directory.path(), &std::collections::BTreeMap::new());
    settings.limits.sessions_max = 1;
    let node = Running::start(settings).await;
    until("the node is ready", async || node.status().await.ready).await;
    let mut store = node.sessions().await;
    let mut tomcat = Who::new(1);
    let created = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(store.save(created).await.unwrap().into_inner());
    let second = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(2, "cart", "apple")
    };
    let status = store.save(second).await.unwrap_err();
    assert_eq!(
        (status.code(), refusal(&status).reason()),
        (Code::ResourceExhausted, Reason::Overloaded)
    );
    let change = v1::SaveRequest {
        caller: tomcat.caller(),
        session: key(1),
        epoch: created.epoch,
        base: created.version,
        changed: vec![attribute("cart", "pear")],
        ..v1::SaveRequest::default()
    };
    saved(store.save(change).await.unwrap().into_inner());
    node.stop().await;
}
