//! The stream of a session manager: Hello, batches, evictions, confirmations, its end.

use std::time::{Duration, Instant};

use super::common::{Manager, Who, attribute, claimed, creation, hello, key, refusal, saved, single, soon};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::request::Ask;
use tonic::Code;

fn claim(tail: u8) -> Ask {
    Ask::Claim(v1::ClaimRequest {
        caller: None,
        session: key(tail),
    })
}

fn create(tail: u8) -> Ask {
    Ask::Save(creation(tail, "cart", "apple"))
}

/// What no stream is opened for, and why.
fn refused_hellos() -> [(v1::Hello, Reason, Code); 5] {
    let understands = Some(v1::Formats { oldest: 2, newest: 3 });
    let (cluster, node) = ("ab".repeat(16), "n".repeat(65));
    [
        (
            v1::Hello {
                understands,
                ..hello(1)
            },
            Reason::WrongVersion,
            Code::FailedPrecondition,
        ),
        (
            v1::Hello {
                understands: None,
                ..hello(1)
            },
            Reason::Malformed,
            Code::InvalidArgument,
        ),
        (
            v1::Hello { cluster, ..hello(1) },
            Reason::WrongCluster,
            Code::FailedPrecondition,
        ),
        (
            v1::Hello {
                instance: 0,
                ..hello(1)
            },
            Reason::Malformed,
            Code::InvalidArgument,
        ),
        (
            v1::Hello { node, ..hello(1) },
            Reason::Malformed,
            Code::InvalidArgument,
        ),
    ]
}

#[tokio::test]
async fn a_stream_welcomes_who_says_hello_and_refuses_who_does_not() {
    let (node, _directory) = single().await;
    let manager = Manager::open(&node, hello(1)).await.unwrap();
    let cluster = node.status().await.cluster;
    assert_eq!(manager.welcome.cluster, cluster);
    assert_eq!(manager.welcome.nodes, [node.client.to_string()]);
    assert_eq!(
        (manager.welcome.session_bytes_max, manager.welcome.attributes_max),
        (1 << 20, 1_024)
    );
    assert_eq!(manager.welcome.format, 1);
    let durations = manager.welcome.durations.unwrap();
    assert_eq!((durations.trust_ms, durations.handover_ms), (500, 1_000));
    assert_eq!(
        (durations.evicted_within_ms, durations.confirm_every_ms),
        (1_200, 100)
    );
    let known = v1::Hello { cluster, ..hello(1) };
    assert!(Manager::open(&node, known).await.is_ok());

    for (hello, reason, code) in refused_hellos() {
        let status = Manager::open(&node, hello).await.err().unwrap();
        assert_eq!(
            (status.code(), refusal(&status).reason()),
            (code, reason),
            "{status:?}"
        );
        assert!(!status.message().is_empty());
    }
    let (requests, outgoing) = tokio::sync::mpsc::channel(1);
    requests.send(v1::ExchangeRequest::default()).await.unwrap();
    let mut client = node.sessions().await;
    let status = client
        .exchange(tokio_stream::wrappers::ReceiverStream::new(outgoing))
        .await
        .unwrap_err();
    assert!(status.message().contains("must carry a Hello"), "{status:?}");
    node.stop().await;
}

#[tokio::test]
async fn one_message_carries_many_requests_and_every_one_is_answered() {
    let (node, _directory) = single().await;
    let mut manager = Manager::open(&node, hello(1)).await.unwrap();
    let before = node.status().await.last_log_index;
    manager
        .send(
            (1..=100)
                .map(|serial| (u64::from(serial), create(serial)))
                .collect(),
        )
        .await;
    let answers = manager.replies(100).await;
    assert!(answers.values().all(|answer| matches!(answer, Answer::Save(_))));
    let entries = node.status().await.last_log_index - before;
    assert!(entries <= 4, "one message is one batch: {entries} log entries");

    let Answer::Save(first) = answers[&1].clone() else {
        unreachable!()
    };
    let first = saved(first);
    let check = v1::CheckRequest {
        session: key(1),
        epoch: first.epoch,
        version: first.version,
    };
    let mixed = vec![
        (101, Ask::Check(check)),
        (102, claim(200)),
        (103, Ask::Claim(v1::ClaimRequest::default())),
        (0, create(201)),
        (104, Ask::Touch(v1::TouchRequest::default())),
    ];
    manager.send(mixed).await;
    let answers = manager.replies(5).await;
    assert!(
        matches!(&answers[&101], Answer::Check(reply) if matches!(reply.outcome, Some(v1::check_reply::Outcome::Current(_))))
    );
    assert!(
        matches!(&answers[&102], Answer::Claim(reply) if matches!(reply.outcome, Some(v1::claim_reply::Outcome::Gone(_))))
    );
    assert!(matches!(&answers[&103], Answer::Refusal(refusal) if refusal.reason() == Reason::Malformed));
    assert!(matches!(&answers[&0], Answer::Refusal(refusal) if refusal.message.contains("serial is 0")));
    assert!(matches!(&answers[&104], Answer::Touch(_)));
    node.stop().await;
}

#[tokio::test]
async fn a_claim_is_answered_when_the_previous_owner_has_dropped_its_copy() {
    let (node, _directory) = single().await;
    let mut owner = Manager::open(&node, hello(1)).await.unwrap();
    let mut heir = Manager::open(&node, hello(2)).await.unwrap();
    owner.send(vec![(1, create(1))]).await;
    let Answer::Save(created) = owner.replies(1).await.remove(&1).unwrap() else {
        unreachable!()
    };
    let epoch = saved(created).epoch;

    heir.send(vec![(1, claim(1))]).await;
    let push = owner.next().await.pushes.remove(0);
    assert_eq!(
        (push.kind(), push.epoch, push.session),
        (v1::push::Kind::OwnershipLost, epoch, key(1))
    );
    let early = tokio::time::timeout(Duration::from_millis(20), heir.next()).await;
    assert!(
        early.is_err(),
        "the claim was answered before the previous owner acknowledged"
    );
    owner.acknowledge(push.id).await;
    let answers = heir.replies(1).await;
    assert!(
        matches!(&answers[&1], Answer::Claim(reply) if matches!(reply.outcome, Some(v1::claim_reply::Outcome::Claimed(_))))
    );
    node.stop().await;
}

#[tokio::test]
async fn a_late_save_leaves_the_successor_in_place_and_tells_it_the_new_version() {
    let (node, _directory) = single().await;
    let mut former = Manager::open(&node, hello(1)).await.unwrap();
    let mut owner = Manager::open(&node, hello(2)).await.unwrap();
    former.send(vec![(1, create(1))]).await;
    let Answer::Save(created) = former.replies(1).await.remove(&1).unwrap() else {
        unreachable!()
    };
    let created = saved(created);
    owner.send(vec![(1, claim(1))]).await;
    let push = former.next().await.pushes.remove(0);
    former.acknowledge(push.id).await;
    let Answer::Claim(claim) = owner.replies(1).await.remove(&1).unwrap() else {
        unreachable!()
    };
    let record = claimed(claim);

    let late = v1::SaveRequest {
        session: key(1),
        epoch: created.epoch,
        base: created.version,
        changed: vec![attribute("colour", "late")],
        late: true,
        ..v1::SaveRequest::default()
    };
    former.send(vec![(2, Ask::Save(late))]).await;
    let push = owner.next().await.pushes.remove(0);
    assert_eq!(
        (push.kind(), push.epoch, push.session),
        (v1::push::Kind::Newer, record.epoch, key(1))
    );
    owner.acknowledge(push.id).await;
    let Answer::Save(reply) = former.replies(1).await.remove(&2).unwrap() else {
        unreachable!()
    };
    let stored = saved(reply);
    assert_eq!((stored.epoch, stored.version), (record.epoch, push.version));
    assert!(stored.version > record.version);
    node.stop().await;
}

#[tokio::test]
async fn a_claim_waits_as_long_as_an_owner_that_says_nothing_may_trust_its_copy() {
    let (node, _directory) = single().await;
    let opens = Instant::now();
    let mut owner = Manager::open(&node, hello(1)).await.unwrap();
    owner.send(vec![(1, create(1))]).await;
    owner.replies(1).await;
    let mut store = node.sessions().await;
    let claim = v1::ClaimRequest {
        caller: Who::new(2).caller(),
        session: key(1),
    };
    soon("an answer", store.claim(claim)).await.unwrap();
    let waited = opens.elapsed();
    assert!(
        waited >= Duration::from_millis(500),
        "the owner trusts its copy since its first probe: {waited:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn an_owner_hears_of_logouts_elsewhere() {
    let (node, _directory) = single().await;
    let mut owner = Manager::open(&node, hello(1)).await.unwrap();
    owner.send(vec![(1, create(1))]).await;
    let Answer::Save(created) = owner.replies(1).await.remove(&1).unwrap() else {
        unreachable!()
    };
    let remove = v1::RemoveRequest {
        caller: Who::new(2).caller(),
        session: key(1),
        created_version: saved(created).created_version,
        reason: v1::remove_request::Reason::Operator.into(),
        ..v1::RemoveRequest::default()
    };
    node.sessions().await.remove(remove).await.unwrap();
    assert_eq!(owner.next().await.pushes[0].kind(), v1::push::Kind::Gone);
    node.stop().await;
}

#[tokio::test]
async fn nothing_is_confirmed_without_a_probe() {
    let (node, _directory) = single().await;
    let mut silent = Manager::open(&node, hello(1)).await.unwrap();
    let mut other = Manager::open(&node, hello(2)).await.unwrap();
    let first = |message: v1::ExchangeReply| message.confirmed == 1;
    assert!(first(
        soon("a confirmation", silent.replies.message())
            .await
            .unwrap()
            .unwrap()
    ));
    // The other goes on probing; the silent one must hear nothing all the while.
    for expected in 1..=4 {
        let message = soon("a confirmation", other.replies.message())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(message.confirmed, expected);
        other.probe(expected + 1).await;
    }
    let heard = futures::FutureExt::now_or_never(silent.replies.message());
    assert!(heard.is_none(), "{heard:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_silent_stream_is_confirmed_several_times_a_second() {
    let (node, _directory) = single().await;
    let mut manager = Manager::open(&node, hello(1)).await.unwrap();
    let began = Instant::now();
    for expected in 1..=6 {
        let message = soon("a confirmation", manager.replies.message())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(message.confirmed, expected, "each probe once, in order");
        manager.probe(expected + 1).await;
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "6 confirmations took {took:?}");
    assert!(
        took > Duration::from_millis(300),
        "6 confirmations took {took:?}: they are not throttled"
    );
    node.stop().await;
}

#[tokio::test]
async fn the_newest_stream_of_an_instance_stays() {
    let (node, _directory) = single().await;
    let mut older = Manager::open(&node, hello(1)).await.unwrap();
    let mut newer = Manager::open(&node, hello(1)).await.unwrap();
    assert_eq!(older.end().await.code(), Code::Aborted);
    newer.send(vec![(1, create(1))]).await;
    assert_eq!(newer.replies(1).await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn a_second_hello_ends_the_stream() {
    let (node, _directory) = single().await;
    let mut manager = Manager::open(&node, hello(1)).await.unwrap();
    let again = v1::ExchangeRequest {
        hello: Some(hello(1)),
        ..v1::ExchangeRequest::default()
    };
    manager.requests.send(again).await.unwrap();
    assert_eq!(refusal(&manager.end().await).reason(), Reason::Malformed);
    node.stop().await;
}

#[tokio::test]
async fn a_stopping_node_ends_its_streams_with_a_refusal() {
    let (node, _directory) = single().await;
    let mut manager = Manager::open(&node, hello(1)).await.unwrap();
    manager.send(vec![(1, create(1))]).await;
    manager.replies(1).await;
    let began = Instant::now();
    let (status, ()) = tokio::join!(manager.end(), node.stop());
    let reason = refusal(&status).reason();
    assert!(
        matches!(reason, Reason::Stopping | Reason::NotLeader),
        "{status:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(7), "a stop is bounded");
}

/// Asks to bury a session until the answer is there.
async fn bury(manager: &mut Manager, serial: u64, created_version: u64) -> bool {
    let ask = Ask::Bury(v1::BuryRequest {
        caller: None,
        session: key(1),
        created_version,
    });
    manager.send(vec![(serial, ask)]).await;
    match manager.replies(1).await.remove(&serial) {
        Some(Answer::Bury(reply)) => reply.first,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_that_expires_is_offered_with_its_record_and_buried_once() {
    let (node, _directory) = single().await;
    let mut owner = Manager::open(&node, hello(1)).await.unwrap();
    let mut save = creation(1, "cart", "apple");
    save.max_idle_seconds = Some(1);
    save.changed[0].r#type |= 1 << 31;
    owner.send(vec![(1, Ask::Save(save))]).await;
    owner.replies(1).await;
    let offered = soon("the offer", async {
        loop {
            if let Some(push) = owner.next().await.pushes.pop() {
                return push;
            }
        }
    });
    let offered = offered.await;
    assert_eq!((offered.kind(), offered.id), (v1::push::Kind::Leaver, 0));
    let record = offered.record.unwrap();
    assert_eq!(record.attributes[0].name, "cart");

    let mut other = Manager::open(&node, hello(2)).await.unwrap();
    assert!(bury(&mut other, 1, record.created_version).await);
    assert!(
        bury(&mut other, 1, record.created_version).await,
        "the same again"
    );
    assert!(!bury(&mut other, 2, record.created_version).await);
    assert!(!bury(&mut owner, 2, record.created_version).await);
    node.stop().await;
}
