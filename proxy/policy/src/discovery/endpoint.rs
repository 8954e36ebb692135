//! Where an upstream is, as a URL says it.
//!
//! Invariant: what is read has a host and a port, and nothing beside them: no user, no path, no query.
//!
//! Left out on purpose: what a name means. It is looked up elsewhere.

use std::net::{IpAddr, Ipv6Addr};

/// Where an upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// Whether TLS is spoken there.
    pub secured: bool,
    /// A name, or an address, one of IPv6 in brackets.
    pub host: &'a str,
    /// The port, never 0.
    pub port: u16,
}

/// Why a URL is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEndpoint {
    /// It begins with neither `http://` nor `https://`.
    Scheme,
    /// It has no host, or more than host and port.
    Host,
    /// Its port is none.
    Port,
}

impl<'a> Endpoint<'a> {
    /// What a URL says. The slash behind the authority may be there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(url: &'a str) -> Result<Self, NoEndpoint> {
        let secured = url.strip_prefix("https://").map(|rest| (rest, true, "443"));
        let clear = || url.strip_prefix("http://").map(|rest| (rest, false, "80"));
        let (rest, secured, usual) = secured.or_else(clear).ok_or(NoEndpoint::Scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, usual),
        };
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let host_fits = bare(host).map_or_else(
            || !host.is_empty() && host.bytes().all(name),
            |address| address.parse::<Ipv6Addr>().is_ok(),
        );
        match port.parse::<u16>() {
            _ if !host_fits || authority.contains('/') => Err(NoEndpoint::Host),
            Ok(port) if port > 0 => Ok(Self { secured, host, port }),
            _ => Err(NoEndpoint::Port),
        }
    }

    /// The host, if it is an address. One in a form that only some programs read, as `010.0.0.1`, is a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match bare(self.host) {
            Some(address) => address.parse().map(IpAddr::V6).ok(),
            None => self.host.parse().ok(),
        }
    }
}

/// What stands in brackets.
fn bare(host: &str) -> Option<&str> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']'))
}
