//! How many clients are connected from each address, over all threads.
//!
//! Of IPv6 a network of /64 counts as one address: that is what one household or machine is given. Counted when a
//! connection comes and when it ends, never by a request.
//!
//! Who is over the bound is told so before the connection is closed: a person behind a crowded address sees a sentence
//! instead of a broken page. It costs two system calls, and no task and no memory, so it is no gift to who means ill.
//!
//! Left out on purpose: who is not counted. That is known where clients are let in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use super::securing::turn_away;
use super::seldom::Seldom;

/// How often the log says that an address has too many. 10 s: soon enough for who looks into it, and no flood.
const SAY_CROWDED: Duration = Duration::from_secs(10);
/// The part of an IPv6 address that counts.
const NETWORK: u128 = !0 << 64;
/// What a client is told that is turned away.
const CROWDED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 86\r\n\
    Cache-Control: no-store\r\n\
    Retry-After: 1\r\n\
    Connection: close\r\n\
    \r\n\
    503 There are too many connections from this address. Please close some and try again.";

/// The counts.
pub(super) struct Addresses {
    counts: Mutex<HashMap<IpAddr, usize>>,
    crowded: Seldom,
}

/// One client among those of its address, if it is counted at all, until it is dropped.
pub(super) struct Resident(Option<(Arc<Addresses>, IpAddr)>);

impl Addresses {
    /// Nobody is connected.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            crowded: Seldom::every(SAY_CROWDED),
        })
    }

    /// A client of this address; none if `most` are connected from there.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Resident> {
        let network = network(address);
        let mut counts = self.counts();
        let count = counts.entry(network).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Resident(Some((Arc::clone(self), network))))
    }

    /// Whether it is time to tell that an address has too many.
    pub(super) fn is_time_to_tell(&self) -> bool {
        self.crowded.is_time()
    }

    fn leave(&self, network: IpAddr) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resident {
    /// A client that is not counted.
    pub(super) fn uncounted() -> Self {
        Self(None)
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        if let Some((addresses, network)) = self.0.take() {
            addresses.leave(network);
        }
    }
}

/// What of an address is counted.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        address => address,
    }
}

/// Tells a client that its address has too many connections.
pub(super) fn tell(stream: &TcpStream) {
    turn_away(stream, CROWDED);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_counted_until_its_clients_leave() {
        let addresses = Addresses::new();
        let enter = |text: &str| addresses.enter(address(text), 2);
        let (first, second) = (enter("192.0.2.1"), enter("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some(), "the same address");
        assert!(enter("192.0.2.1").is_none() && enter("192.0.2.2").is_some());
        drop(first);
        let third = enter("192.0.2.1");
        assert!(third.is_some() && enter("192.0.2.1").is_none());
        drop((second, third, Resident::uncounted()));
        assert!(addresses.counts().is_empty(), "nothing is kept");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let addresses = Addresses::new();
        let enter = |text: &str| addresses.enter(address(text), 1);
        let _one = enter("2001:db8::1").unwrap();
        assert!(enter("2001:db8::ffff:0:0:1").is_none());
        assert!(enter("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn what_is_told_is_as_long_as_it_says() {
        let text = String::from_utf8(CROWDED.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
