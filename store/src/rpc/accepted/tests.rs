//! Whose word ends a connection, over sockets of the loopback.

use std::time::Duration;

use metrics::Gauge;
use remora_process::accept::Accepting;
use remora_table::{Epoch, Event, EventKind, SessionKey, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::metrics::Streams;
use crate::raft::EventSink;
use crate::rpc::hub::{Patience, Wait};
use crate::rpc::outbox::Outbox;

const OWNER: u64 = 7;
const CONNECTION: u64 = 3;

fn key() -> SessionKey {
    SessionKey {
        application: Arc::from("localhost/shop"),
        key: [3; 16],
    }
}

/// A connection of an owner that lost a session and has not said that it knows: whoever claimed it waits.
async fn accepted() -> (TcpStream, Accepted, Arc<Hub>, Accepting) {
    let patience = Patience {
        trust: Duration::from_secs(600),
        handover: Duration::from_secs(1_200),
    };
    let hub = Arc::new(Hub::new(patience, Streams::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut listener = Accepting::new(listener, "client-addr", 1, Gauge::noop());
    let (near, remote) = listener.next().await;
    let near = Accepted::new(near, (CONNECTION, remote), Some(Arc::clone(&hub)), None);
    let address = far.local_addr().unwrap().to_string();
    let connection = near.connect_info().direct(&address);
    assert_eq!(connection, Some(CONNECTION));
    // The stream broke, which says nothing: what the connection says is what there is to hear.
    drop(hub.register(OWNER, connection, true, Arc::new(Outbox::default())));
    hub.happened(&[Event {
        session: key(),
        kind: EventKind::OwnershipLost,
        instance: OWNER,
        epoch: Epoch(5),
    }]);
    (far, near, hub, listener)
}

fn waits(hub: &Arc<Hub>) -> bool {
    let wait = Wait {
        session: key(),
        asks: OWNER + 1,
        version: Version(6),
    };
    hub.due(wait).is_some()
}

#[tokio::test]
async fn the_far_end_ends_a_connection_by_closing_or_resetting_it() {
    for reset in [false, true] {
        let (mut far, mut near, hub, _) = accepted().await;
        far.write_all(b"last words").await.unwrap();
        let mut words = [0; 10];
        near.read_exact(&mut words).await.unwrap();
        assert!(waits(&hub), "it has only spoken");
        if reset {
            far.set_zero_linger().unwrap();
        }
        drop(far);
        // Either ends reading: with nothing, or with an error.
        let ended = near.read(&mut words).await;
        assert_eq!(ended.is_err(), reset, "{ended:?}");
        assert!(!waits(&hub), "reset: {reset}");
    }
}

#[tokio::test]
async fn what_this_end_does_says_nothing_of_the_far_one() {
    let (_far, mut near, hub, _) = accepted().await;
    near.shutdown().await.unwrap();
    assert!(waits(&hub));
    near.read_exact(&mut []).await.unwrap();
    assert!(waits(&hub), "nothing was read because nothing was asked for");
    drop(near);
    assert!(waits(&hub));
}

#[tokio::test]
async fn who_makes_way_for_another_says_nothing_of_the_far_end() {
    let (far, mut near, hub, mut listener) = accepted().await;
    let (_newcomer, _) = tokio::join!(TcpStream::connect(far.peer_addr().unwrap()), listener.next());
    let ended = near.read(&mut [0]).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(waits(&hub));
}

#[test]
fn nobody_stands_between_when_both_ends_see_one_address() {
    let origin = Origin {
        who: Who::default(),
        connection: CONNECTION,
        remote: "[::ffff:10.0.0.11]:40000".parse().unwrap(),
    };
    assert_eq!(origin.direct("10.0.0.11:40000"), Some(CONNECTION));
    assert_eq!(origin.direct("[::ffff:10.0.0.11]:40000"), Some(CONNECTION));
    for other in ["10.0.0.11:40001", "10.0.0.12:40000", "10.0.0.11", "n1:40000", ""] {
        assert_eq!(origin.direct(other), None, "{other:?}");
    }
}
