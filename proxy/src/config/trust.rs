//! Peers whose forwarding fields are believed, by network. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

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
        self.networks.iter().any(|network| network.0.contains(&peer))
    }
}

/// An address and the length of the prefix that counts; an address alone means itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    /// The address is read by the standard library: ipnet's own parser takes `010.0.0.0`, which other programs read as
    /// 8.0.0.0.
    fn from_str(text: &str) -> Result<Network, String> {
        let network = || match text.split_once('/') {
            Some((address, prefix)) => IpNet::new(address.parse().ok()?, prefix.parse().ok()?).ok(),
            None => text.parse::<IpAddr>().ok().map(IpNet::from),
        };
        network().map(Network).ok_or_else(|| {
            format!("`{text}` is not a network: write an address and a prefix length, as in \"10.0.0.0/8\"")
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
