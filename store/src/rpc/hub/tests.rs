//! Who is told, who waits, and for how long.

use std::sync::Arc;

use futures::FutureExt;

use remora_table::Epoch;

use super::*;

const OWNER: u64 = 7;

fn key() -> SessionKey {
    SessionKey {
        application: Arc::from("localhost/shop"),
        key: [3; 16],
    }
}

fn lost() -> Event {
    Event {
        session: key(),
        kind: EventKind::OwnershipLost,
        instance: OWNER,
        epoch: Epoch(5),
    }
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Streams::new()))
}

#[tokio::test]
async fn an_answer_waits_until_the_previous_owner_acknowledges() {
    let hub = hub();
    let outbox = Arc::new(Outbox::default());
    let _stream = hub.register(OWNER, outbox.clone());
    hub.happened(&[lost()]);
    let push = outbox.take().pushes.pop_front().unwrap();
    assert_eq!((push.kind(), push.epoch), (push::Kind::OwnershipLost, 5));

    let mut waiting = Box::pin(hub.evictions(&key()).unwrap());
    assert!(waiting.as_mut().now_or_never().is_none(), "not acknowledged yet");
    hub.acknowledged(OWNER + 1, push.id);
    assert!(
        waiting.as_mut().now_or_never().is_none(),
        "somebody else's acknowledgement counts for nothing"
    );
    hub.acknowledged(OWNER, push.id);
    waiting.await;
    assert!(
        hub.evictions(&key()).is_none(),
        "nobody waits for what was acknowledged"
    );
}

#[tokio::test]
async fn an_answer_waits_no_longer_than_the_limit() {
    let hub = hub();
    let _stream = hub.register(OWNER, Arc::new(Outbox::default()));
    let began = Instant::now();
    hub.happened(&[lost()]);
    hub.evictions(&key()).unwrap().await;
    let waited = began.elapsed();
    assert!(waited < 10 * EVICTED_WITHIN, "{waited:?}");
    assert!(waited >= EVICTED_WITHIN - Duration::from_millis(5), "{waited:?}");
}

#[tokio::test]
async fn an_answer_goes_at_once_when_the_previous_owner_has_no_stream() {
    let hub = hub();
    hub.happened(&[lost()]);
    assert!(hub.evictions(&key()).is_none());
}

#[tokio::test]
async fn a_broken_stream_does_not_end_the_wait() {
    let hub = hub();
    let stream = hub.register(OWNER, Arc::new(Outbox::default()));
    hub.happened(&[lost()]);
    drop(stream);
    let mut waiting = Box::pin(hub.evictions(&key()).unwrap());
    assert!(waiting.as_mut().now_or_never().is_none());
}

#[tokio::test]
async fn the_newest_stream_of_an_instance_replaces_the_older_one() {
    let hub = hub();
    let (old, new) = (Arc::new(Outbox::default()), Arc::new(Outbox::default()));
    let first = hub.register(OWNER, old.clone());
    let _second = hub.register(OWNER, new.clone());
    assert_eq!(old.take().cut, Some(Cut::Replaced));
    drop(first);
    hub.happened(&[lost()]);
    assert_eq!(
        new.take().pushes.len(),
        1,
        "the end of the older stream does not take out the newer one"
    );
}

#[tokio::test]
async fn a_manager_that_acknowledges_nothing_is_cut() {
    let hub = hub();
    let outbox = Arc::new(Outbox::default());
    let _stream = hub.register(OWNER, outbox.clone());
    for _ in 0..=UNACKNOWLEDGED_MAX {
        hub.happened(&[lost()]);
        assert!(
            outbox.take().pushes.len() <= 1,
            "the manager reads, it only does not acknowledge"
        );
    }
    assert!(hub.state().streams.is_empty());
}

#[tokio::test]
async fn a_manager_that_does_not_read_is_cut() {
    let hub = hub();
    let outbox = Arc::new(Outbox::default());
    let _stream = hub.register(OWNER, outbox.clone());
    let gone = Event {
        kind: EventKind::Gone,
        ..lost()
    };
    let mut pushed = 0;
    while !hub.state().streams.is_empty() {
        hub.happened(std::slice::from_ref(&gone));
        pushed += 1;
        assert!(pushed < 10_000, "the queue has a bound");
    }
    assert_eq!(outbox.take().cut, Some(Cut::Slow));
}
