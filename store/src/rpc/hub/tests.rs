//! The shell around the rule: who is told, who wakes, who is cut. The rule itself is in `owners`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use remora_table::Epoch;

use super::*;
use crate::runtime;

const OWNER: u64 = 7;

/// Long enough that no answer goes because of it while a test runs.
const LONG: Patience = Patience {
    trust: Duration::from_secs(600),
    handover: Duration::from_secs(1_200),
};

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

fn hub(patience: Patience) -> Arc<Hub> {
    Arc::new(Hub::new(patience, Streams::new()))
}

fn claim() -> Wait {
    Wait {
        session: key(),
        asks: OWNER + 1,
        version: Version(6),
    }
}

fn acknowledged(push: u64) -> [u64; 1] {
    [push]
}

#[tokio::test]
async fn an_answer_wakes_when_the_previous_owner_acknowledges() {
    let hub = hub(LONG);
    let outbox = Arc::new(Outbox::default());
    let stream = hub.register(OWNER, None, true, outbox.clone());
    let other = hub.register(OWNER + 1, None, true, Arc::new(Outbox::default()));
    hub.happened(&[lost()]);
    let push = outbox.take().pushes.pop_front().unwrap();
    assert_eq!((push.kind(), push.epoch), (push::Kind::OwnershipLost, 5));

    let mut waiting = Box::pin(hub.due(claim()).unwrap());
    assert!(waiting.as_mut().now_or_never().is_none(), "not acknowledged yet");
    let message = OwnerSaid {
        acknowledged: &acknowledged(push.id),
        ..OwnerSaid::default()
    };
    other.heard(message);
    assert!(
        waiting.as_mut().now_or_never().is_none(),
        "somebody else's acknowledgement counts for nothing"
    );
    stream.heard(message);
    waiting.await;
    assert!(
        hub.due(claim()).is_none(),
        "nobody waits for what was acknowledged"
    );
}

#[tokio::test]
async fn an_answer_wakes_at_a_goodbye_and_at_the_end_of_the_connection() {
    for goodbye in [true, false] {
        let hub = hub(LONG);
        let stream = hub.register(OWNER, Some(9), true, Arc::new(Outbox::default()));
        hub.happened(&[lost()]);
        let mut waiting = Box::pin(hub.due(claim()).unwrap());
        assert!(waiting.as_mut().now_or_never().is_none());
        if goodbye {
            stream.goodbye();
        } else {
            hub.disconnected(9);
        }
        waiting.await;
    }
}

#[tokio::test]
async fn an_answer_waits_no_longer_than_trust_lasts() {
    let trust = Duration::from_millis(20);
    let hub = hub(Patience { trust, ..LONG });
    let stream = hub.register(OWNER, None, true, Arc::new(Outbox::default()));
    let probed = runtime::now();
    stream.heard(OwnerSaid {
        probe: true,
        ..OwnerSaid::default()
    });
    hub.happened(&[lost()]);
    if let Some(waiting) = hub.due(claim()) {
        waiting.await;
    }
    assert!(runtime::since(probed) >= trust, "it went before");
}

#[tokio::test]
async fn an_answer_waits_on_when_the_push_was_read() {
    let trust = Duration::from_millis(20);
    let hub = hub(Patience { trust, ..LONG });
    let outbox = Arc::new(Outbox::default());
    let stream = hub.register(OWNER, None, true, outbox.clone());
    // On a machine that stood still meanwhile the owner's time was up before it was told.
    let push = loop {
        stream.heard(OwnerSaid {
            probe: true,
            ..OwnerSaid::default()
        });
        hub.happened(&[lost()]);
        let push = outbox.take().pushes.pop_front().unwrap();
        stream.heard(OwnerSaid {
            read_through: push.id,
            ..OwnerSaid::default()
        });
        if hub.due(claim()).is_some() {
            break push;
        }
    };
    let mut waiting = Box::pin(hub.due(claim()).unwrap());
    let early = tokio::time::timeout(2 * trust, waiting.as_mut()).await;
    assert!(early.is_err(), "it went when trust was over");
    stream.heard(OwnerSaid {
        acknowledged: &acknowledged(push.id),
        ..OwnerSaid::default()
    });
}

#[tokio::test]
async fn the_newest_stream_of_an_instance_replaces_the_older_one() {
    let hub = hub(LONG);
    let (old, new) = (Arc::new(Outbox::default()), Arc::new(Outbox::default()));
    let first = hub.register(OWNER, None, true, old.clone());
    let _second = hub.register(OWNER, None, true, new.clone());
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
    let hub = hub(LONG);
    let outbox = Arc::new(Outbox::default());
    let _stream = hub.register(OWNER, None, true, outbox.clone());
    for _ in 0..=UNACKNOWLEDGED_MAX {
        assert_eq!(outbox.take().cut, None);
        hub.happened(&[lost()]);
    }
    assert_eq!(outbox.take().cut, Some(Cut::Slow));
    assert!(hub.state().streams.is_empty());
    assert!(hub.due(claim()).is_some(), "what it may still show is waited for");
}

#[tokio::test]
async fn a_manager_that_does_not_read_is_cut() {
    let hub = hub(LONG);
    let outbox = Arc::new(Outbox::default());
    let stream = hub.register(OWNER, None, true, outbox.clone());
    let expired = Event {
        kind: EventKind::Expired,
        ..lost()
    };
    let mut pushed = 0;
    while !hub.state().streams.is_empty() {
        hub.happened(std::slice::from_ref(&expired));
        pushed += 1;
        stream.heard(OwnerSaid {
            acknowledged: &acknowledged(pushed),
            ..OwnerSaid::default()
        });
        assert!(pushed < 100_000, "the queue has a bound");
    }
    assert_eq!(outbox.take().cut, Some(Cut::Slow));
}

#[test]
fn what_a_tomcat_says_of_itself_is_kept_as_long_as_its_stream() {
    let hub = hub(LONG);
    let stream = hub.register(OWNER, None, true, Arc::new(Outbox::default()));
    assert_eq!(hub.status_of(OWNER), None, "it has said nothing");
    let says = |busy| v1::Status {
        busy,
        ..Default::default()
    };
    stream.fares(says(1));
    stream.fares(says(2));
    assert_eq!(hub.status_of(OWNER).unwrap().busy, 2);
    let newer = hub.register(OWNER, None, true, Arc::new(Outbox::default()));
    stream.fares(says(3));
    assert_eq!(
        hub.status_of(OWNER),
        None,
        "the older stream speaks for nobody any more"
    );
    newer.fares(says(4));
    drop(newer);
    assert_eq!(hub.status_of(OWNER), None);
}
