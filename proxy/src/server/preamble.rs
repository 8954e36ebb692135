//! Reads the PROXY header in front of a connection, and not a byte of what follows it.
//!
//! The bytes are looked at before they are taken: those of a header that is incomplete all belong to it, and of a complete
//! one it is known how many do. So whoever serves the connection next needs to know nothing of it.
//!
//! Invariant: a connection that brings no whole header in time is refused, never served as if the balancer were its
//! client.

use std::net::IpAddr;
use std::time::Duration;

use remora_policy::{PREAMBLE_BYTES_MAX, Preamble};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// How long a balancer may take. It sends the header with its first packet; 3 s let that be lost once and sent again, and
/// are too short to hold up a stop.
const WITHIN: Duration = Duration::from_secs(3);

/// The client's address, none when the balancer speaks for itself; or why the connection is refused.
pub(super) async fn read(stream: &mut TcpStream) -> Result<Option<IpAddr>, &'static str> {
    match tokio::time::timeout(WITHIN, read_whole(stream)).await {
        Ok(read) => read,
        Err(_) => Err("no whole PROXY header in time"),
    }
}

async fn read_whole(stream: &mut TcpStream) -> Result<Option<IpAddr>, &'static str> {
    let mut bytes = vec![0; PREAMBLE_BYTES_MAX];
    let mut taken = 0;
    loop {
        let seen = match stream.peek(&mut bytes[taken..]).await {
            Ok(0) | Err(_) => return Err("closed within the PROXY header"),
            Ok(seen) => seen,
        };
        let (belong, client) = match Preamble::read(&bytes[..taken + seen]) {
            Preamble::Incomplete => (seen, None),
            Preamble::Complete { length, client } => (length - taken, Some(client)),
            Preamble::Refused(why) => return Err(why),
        };
        let belonging = &mut bytes[taken..taken + belong];
        if stream.read_exact(belonging).await.is_err() {
            return Err("closed within the PROXY header");
        }
        if let Some(client) = client {
            return Ok(client);
        }
        taken += belong;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_header_in_two_packets_is_read_to_its_end_and_no_further() {
        let version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x09\x09\x09\x09\x0a\0\0\x01\0\x50\0\x50";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for header in [&b"PROXY TCP4 9.9.9.9 10.0.0.1 1 80\r\n"[..], version_2] {
            for split in 1..header.len() {
                let mut balancer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                balancer.write_all(&header[..split]).await.unwrap();
                stream.readable().await.unwrap();
                {
                    let mut reading = pin!(read(&mut stream));
                    assert!(poll!(&mut reading).is_pending(), "split at {split}");
                    let rest = [&header[split..], b"GET"].concat();
                    balancer.write_all(&rest).await.unwrap();
                    balancer.shutdown().await.unwrap();
                    assert_eq!(
                        reading.await,
                        Ok(Some(IpAddr::from([9, 9, 9, 9]))),
                        "split at {split}"
                    );
                }
                let mut behind = [0; 3];
                stream.read_exact(&mut behind).await.unwrap();
                assert_eq!(&behind, b"GET", "split at {split}");
            }
        }
    }
}
