//! Addresses that are believed, by network: peers whose forwarding fields hold, and balancers that speak for their
//! clients. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use remora_policy::ForwardingHeader;

/// Peers whose forwarding fields are believed, and which fields those are; nobody unless configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Who is believed.
    pub(crate) networks: Networks,
    /// Where the chain of addresses stands.
    pub(crate) header: ForwardingHeader,
}

/// Some networks; none includes nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub(super) Vec<Network>);

impl Networks {
    /// Whether nobody is in them.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them has this address.
    #[must_use]
    pub(crate) fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        match &networks[..] {
            [] => f.write_str("nobody"),
            networks => f.write_str(&networks.join(", ")),
        }
    }
}

/// An address and the length of the prefix that counts; an address alone means itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network(IpNet);

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
