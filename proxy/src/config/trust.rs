//! Peers whose forwarding fields are believed, by network. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Networks whose members are believed; nobody unless configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    /// The networks.
    pub(crate) networks: Vec<Network>,
}

impl Trust {
    /// Whether a peer is believed.
    #[must_use]
    pub(crate) fn includes(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.includes(peer))
    }
}

/// An address and the length of the prefix that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn includes(&self, peer: IpAddr) -> bool {
        match (self.address, peer) {
            (IpAddr::V4(address), IpAddr::V4(peer)) => {
                same_prefix(address.to_bits().into(), peer.to_bits().into(), 32 - self.prefix)
            }
            (IpAddr::V6(address), IpAddr::V6(peer)) => {
                same_prefix(address.to_bits(), peer.to_bits(), 128 - self.prefix)
            }
            _ => false,
        }
    }
}

/// Whether two addresses are the same but for their last `rest` bits.
fn same_prefix(one: u128, other: u128, rest: u32) -> bool {
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wrong = || {
            format!("`{text}` is not a network: write an address and a prefix length, as in \"10.0.0.0/8\"")
        };
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| wrong())?;
        if prefix > longest {
            Err(wrong())
        } else {
            Ok(Network { address, prefix })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
