//! Who stays and who makes way, over sockets of the loopback.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn accepting(most: usize) -> (Accepting, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut accepting = Accepting::new(listener, "client-addr", most, Gauge::noop());
    let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    Arc::get_mut(&mut accepting.open).unwrap().began = long_ago;
    (accepting, address)
}

/// Both ends of a connection that is accepted.
async fn joined(accepting: &mut Accepting, address: SocketAddr) -> (TcpStream, Connection) {
    let far = TcpStream::connect(address).await.unwrap();
    let (near, remote) = accepting.next().await;
    assert_eq!(remote, far.local_addr().unwrap());
    (far, near)
}

/// The same, and the far end has said something.
async fn speaking(accepting: &mut Accepting, address: SocketAddr) -> (TcpStream, Connection) {
    let (mut far, mut near) = joined(accepting, address).await;
    far.write_all(b"x").await.unwrap();
    near.read_exact(&mut [0]).await.unwrap();
    (far, near)
}

async fn made_way(near: &mut Connection) -> bool {
    let waits = tokio::time::timeout(Duration::from_millis(20), near.read_u8()).await;
    matches!(waits, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut)
}

#[tokio::test]
async fn whoever_never_spoke_makes_way_first_and_whoever_is_live_never() {
    let (mut accepting, address) = accepting(3).await;
    let (_live, mut live) = speaking(&mut accepting, address).await;
    let (_silent, silent) = speaking(&mut accepting, address).await;
    let (mut mute, mut never_spoke) = joined(&mut accepting, address).await;
    silent.seat.heard_ms.store(1, Ordering::Relaxed);

    // A reader that waits already is woken.
    let reads = tokio::spawn(async move { never_spoke.read_u8().await.unwrap_err().kind() });
    let (_first, _first_here) = speaking(&mut accepting, address).await;
    assert_eq!(reads.await.unwrap(), io::ErrorKind::TimedOut);
    assert_eq!(mute.read(&mut [0]).await.unwrap(), 0, "its far end sees the end");
    let mut silent = silent;
    assert!(!made_way(&mut silent).await);

    let (_second, mut second) = speaking(&mut accepting, address).await;
    assert!(made_way(&mut silent).await);
    assert!(!made_way(&mut live).await && !made_way(&mut second).await);
}

#[tokio::test]
async fn a_newcomer_is_ended_where_all_others_live_and_comes_in_when_one_leaves() {
    let (mut accepting, address) = accepting(1).await;
    let (far, near) = speaking(&mut accepting, address).await;
    let mut turned_away = TcpStream::connect(address).await.unwrap();
    let mut nothing = [0];
    let ended = tokio::select! {
        read = turned_away.read(&mut nothing) => read,
        _ = accepting.next() => panic!("it was accepted"),
    };
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    drop((far, near));
    joined(&mut accepting, address).await;
}

#[test]
fn only_what_ails_one_connection_is_no_reason_to_pause() {
    let no_descriptors = io::Error::from_raw_os_error(24);
    assert!(!is_of_one_connection(&no_descriptors), "{no_descriptors}");
    assert!(is_of_one_connection(&io::ErrorKind::ConnectionAborted.into()));
}
