//! A node that does not lead forwards a unary call one hop and refuses a stream with the leader's address; a leader that
//! stops hands over.

use super::common::{Manager, Who, claimed, creation, hello, key, refusal, saved, soon, three, until};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::request::Ask;
use tonic::{Code, Request};

#[tokio::test]
async fn a_follower_forwards_unary_calls_to_the_leader() {
    let (nodes, _directory) = three().await;
    let mut follower = nodes[1].sessions().await;
    let mut tomcat = Who::new(1);
    let create = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let created = saved(follower.save(create).await.unwrap().into_inner());
    let check = v1::CheckRequest {
        session: key(1),
        epoch: created.epoch,
        version: created.version,
    };
    let checked = nodes[2].sessions().await.check(check).await.unwrap().into_inner();
    assert!(
        matches!(checked.outcome, Some(v1::check_reply::Outcome::Current(_))),
        "{checked:?}"
    );
    let claim = v1::ClaimRequest {
        caller: Who::new(2).caller(),
        session: key(1),
    };
    assert_eq!(
        claimed(nodes[0].sessions().await.claim(claim).await.unwrap().into_inner())
            .attributes
            .len(),
        1
    );

    let status = follower.save(v1::SaveRequest::default()).await.unwrap_err();
    assert_eq!(
        refusal(&status).reason(),
        Reason::Malformed,
        "the leader's refusal comes back whole"
    );
    let listed = nodes[1]
        .admin()
        .await
        .list_sessions(v1::ListSessionsRequest::default())
        .await
        .unwrap();
    assert_eq!(listed.into_inner().sessions.len(), 1);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_call_is_forwarded_once_and_a_stream_never() {
    let (nodes, _directory) = three().await;
    let leader = nodes[0].client.to_string();
    let mut marked = Request::new(v1::ClaimRequest {
        caller: Who::new(1).caller(),
        session: key(1),
    });
    marked
        .metadata_mut()
        .insert("remora-forwarded", "1".parse().unwrap());
    let status = nodes[1].sessions().await.claim(marked).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        (refusal(&status).reason(), refusal(&status).leader),
        (Reason::NotLeader, leader.clone())
    );

    let status = Manager::open(&nodes[2], hello(1)).await.err().unwrap();
    assert_eq!(
        (refusal(&status).reason(), refusal(&status).leader),
        (Reason::NotLeader, leader)
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_leader_that_stops_hands_over_and_keeps_every_acknowledged_save() {
    let (mut nodes, _directory) = three().await;
    let mut manager = Manager::open(&nodes[0], hello(1)).await.unwrap();
    assert_eq!(manager.welcome.nodes.len(), 3);
    let create = |serial: u8| (u64::from(serial), Ask::Save(creation(serial, "cart", "apple")));
    manager.send((1..=50).map(create).collect()).await;
    let answers = manager.replies(50).await;
    assert!(answers.values().all(|answer| matches!(answer, Answer::Save(_))));

    let leader = nodes.remove(0);
    let (status, ()) = tokio::join!(manager.end(), leader.stop());
    let reason = refusal(&status).reason();
    assert!(
        matches!(reason, Reason::NotLeader | Reason::Stopping),
        "{status:?}"
    );
    until("another node leads", async || {
        let status = nodes[0].status().await;
        status.ready
            && status
                .members
                .iter()
                .any(|member| member.node_id == status.leader_id && member.reachable)
    })
    .await;
    until("the new leader lists every session", async || {
        let listed = nodes[0]
            .admin()
            .await
            .list_sessions(v1::ListSessionsRequest::default())
            .await;
        listed.is_ok_and(|reply| reply.into_inner().sessions.len() == 50)
    })
    .await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_answers_what_it_took_in_first() {
    let (mut nodes, _directory) = three().await;
    let mut manager = Manager::open(&nodes[0], hello(1)).await.unwrap();
    manager
        .send(vec![(1, Ask::Save(creation(1, "cart", "apple")))])
        .await;
    manager.replies(1).await;
    let (second, first) = (nodes.pop().unwrap(), nodes.pop().unwrap());
    tokio::join!(second.stop(), first.stop());
    // Without a majority neither is answered; the third is at once, and shows that the message was taken in.
    let check = v1::CheckRequest {
        session: key(1),
        ..v1::CheckRequest::default()
    };
    let asks = vec![
        (2, Ask::Save(creation(2, "cart", "pear"))),
        (3, Ask::Check(check)),
        (4, Ask::Save(v1::SaveRequest::default())),
    ];
    manager.send(asks).await;
    let mut answers = manager.replies(1).await;
    // The same instance opens another stream, which ends this one, unless the lost majority has ended it already.
    let _newer = Manager::open(&nodes[0], hello(1)).await;
    while let Ok(message) = soon("the end of the stream", manager.replies.message()).await {
        for reply in message.unwrap().replies {
            answers.insert(reply.serial, reply.answer.unwrap());
        }
    }
    assert!(
        matches!(answers[&2], Answer::Unknown(_) | Answer::Refusal(_)),
        "{answers:?}"
    );
    assert!(matches!(answers[&3], Answer::Refusal(_)), "{answers:?}");
    assert!(matches!(answers[&4], Answer::Refusal(_)), "{answers:?}");
    nodes.remove(0).stop().await;
}
