//! Which announced servers are members of a pool, and why others are not. `scripts/discovery.script` tells the cases.
//!
//! Invariants: who is chosen is at an address that is allowed, and connections are made to that address: a name is looked up once,
//! and every address that it means must be allowed · whom the file has is the file's: by route, and by address · of two at one
//! address the one that announced itself last is there · the order is that of the names.
//!
//! Left out on purpose: a refusal is no verdict on a Tomcat, and says nothing of its health.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::endpoint::Endpoint;
use super::view::{Announced, View};
use crate::route::can_be_route;

/// How a pool selects.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    /// What one of a server's applications must be like, with `*` for anything; all servers where it is absent.
    pub applications: Option<&'a str>,
    /// Whether members are reached by TLS: all of them, or none.
    pub secured: bool,
    /// Whether somebody may be a member at this address.
    pub allows: &'a dyn Fn(IpAddr) -> bool,
    /// What a name means: nothing while that is not known, no address where it means none.
    pub means: &'a dyn Fn(&str) -> Option<Vec<IpAddr>>,
    /// Those that the file has.
    pub taken: &'a [Taken<'a>],
}

/// A member that the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// Its route.
    pub route: &'a str,
    /// `host:port`.
    pub authority: &'a str,
}

/// A server that is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its route.
    pub route: Arc<str>,
    /// The instance that announced itself.
    pub instance: u64,
    /// Where to connect: an address and a port.
    pub authority: Arc<str>,
    /// What it calls its host, which its certificate has to have.
    pub host: Arc<str>,
    /// Whether TLS is spoken there.
    pub secured: bool,
    /// Its request threads, if that is known.
    pub threads: Option<u32>,
}

/// A server that is none although it is meant for the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its node name.
    pub node: Arc<str>,
    /// Where it says that it is.
    pub url: Arc<str>,
    /// Why.
    pub why: Refusal,
}

/// Why an announced server is no member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its name cannot stand in a cookie.
    NoRoute,
    /// Its URL is none of http or https with a host and a port alone.
    NoEndpoint,
    /// It speaks TLS, and the pool does not say whom to believe.
    NoTls,
    /// It speaks in clear, and the pool's members speak TLS.
    InClear,
    /// This is not an address that is allowed.
    Outside(IpAddr),
    /// Its host is being looked up.
    Awaited,
    /// Its host means no address.
    NotFound,
    /// Its host can be no name in a certificate.
    NoName,
    /// The file has a member of another route at its address.
    InFile(Arc<str>),
    /// Another server announced itself there since.
    Replaced(Arc<str>),
}

impl Refusal {
    /// Whether it is worth a word of its own: a lookup that has only begun is not.
    #[must_use]
    pub fn is_final(&self) -> bool {
        *self != Refusal::Awaited
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoRoute => f.write_str("its name cannot stand in a cookie"),
            Refusal::NoEndpoint => f.write_str("its URL is not http://HOST:PORT or https://HOST:PORT"),
            Refusal::NoTls => f.write_str("it speaks TLS, and the pool has no tls.authority"),
            Refusal::InClear => f.write_str("it speaks in clear, and the pool has tls"),
            Refusal::Outside(address) => write!(f, "{address} is outside discovery.allow"),
            Refusal::Awaited => f.write_str("its host is being looked up"),
            Refusal::NoName => f.write_str("its host can be no name in a certificate"),
            Refusal::NotFound => f.write_str("its host is not found"),
            Refusal::InFile(route) => write!(f, "the file has {route} at its address"),
            Refusal::Replaced(node) => write!(f, "{node} announced itself at its address since"),
        }
    }
}

impl Selection<'_> {
    /// The members among these servers by route, and those that are refused.
    #[must_use]
    pub fn of(&self, view: &View) -> (Vec<Chosen>, Vec<Refused>) {
        let mut servers: Vec<&Announced> = self.meant(view).collect();
        servers.sort_by_key(|server| (server.carried, Reverse(server.version)));
        let in_file = self.taken.iter();
        let in_file = in_file.map(|taken| (taken.authority, Refusal::InFile(taken.route.into())));
        // Who is at an address, as whoever comes later is told.
        let mut held: BTreeMap<Arc<str>, Refusal> =
            in_file.map(|(authority, why)| (authority.into(), why)).collect();
        let (mut chosen, mut refused): (Vec<Chosen>, Vec<Refused>) = (Vec::new(), Vec::new());
        for server in servers {
            match self.member(server, &held) {
                Ok(member) => {
                    let why = Refusal::Replaced(Arc::clone(&member.route));
                    held.insert(Arc::clone(&member.authority), why);
                    chosen.push(member);
                }
                Err(why) => refused.push(Refused {
                    node: Arc::clone(&server.node),
                    url: Arc::clone(&server.url),
                    why,
                }),
            }
        }
        chosen.sort_by(|one, other| one.route.cmp(&other.route));
        refused.sort_by(|one, other| one.node.cmp(&other.node));
        (chosen, refused)
    }

    /// The names that have to be looked up, of servers that may be members.
    #[must_use]
    pub fn hosts(&self, view: &View) -> BTreeSet<Arc<str>> {
        let endpoints = self.meant(view).filter_map(|server| self.endpoint(server).ok());
        let names = endpoints.filter(|endpoint| endpoint.address().is_none());
        names.map(|endpoint| endpoint.host.into()).collect()
    }

    /// Those that are for this pool, and not the file's.
    fn meant<'v>(&self, view: &'v View) -> impl Iterator<Item = &'v Announced> {
        let taken: BTreeSet<&str> = self.taken.iter().map(|taken| taken.route).collect();
        let servers = view.servers.iter();
        servers.filter(move |server| !taken.contains(&*server.node) && self.fits(server))
    }

    /// Whether it has an application of those that are meant.
    fn fits(&self, server: &Announced) -> bool {
        let mut applications = server.applications.iter();
        self.applications.is_none_or(|pattern| {
            applications.any(|application| {
                let unversioned = application
                    .split_once("##")
                    .map_or(&**application, |(name, _)| name);
                is_like(pattern, unversioned)
            })
        })
    }

    /// Where it is, if somebody may be a member there for all that its URL says.
    fn endpoint<'v>(&self, server: &'v Announced) -> Result<Endpoint<'v>, Refusal> {
        if !can_be_route(&server.node) {
            return Err(Refusal::NoRoute);
        }
        let endpoint = Endpoint::read(&server.url).map_err(|_| Refusal::NoEndpoint)?;
        match (endpoint.secured, self.secured) {
            (true, false) => Err(Refusal::NoTls),
            (false, true) => Err(Refusal::InClear),
            _ => Ok(endpoint),
        }
    }

    /// The member that it is beside those who hold their addresses.
    fn member(&self, server: &Announced, held: &BTreeMap<Arc<str>, Refusal>) -> Result<Chosen, Refusal> {
        let endpoint = self.endpoint(server)?;
        let address = self.address(&endpoint)?;
        let authority = SocketAddr::new(address, endpoint.port).to_string();
        if let Some(why) = held.get(&*authority) {
            return Err(why.clone());
        }
        Ok(Chosen {
            route: Arc::clone(&server.node),
            instance: server.instance,
            authority: authority.into(),
            host: endpoint.host.into(),
            secured: endpoint.secured,
            threads: (server.threads > 0).then_some(server.threads),
        })
    }

    /// The address where to connect.
    fn address(&self, endpoint: &Endpoint<'_>) -> Result<IpAddr, Refusal> {
        let addresses = match endpoint.address() {
            Some(address) => vec![address.to_canonical()],
            None => (self.means)(endpoint.host).ok_or(Refusal::Awaited)?,
        };
        let outside = |address: &&IpAddr| !is_somebody(**address) || !(self.allows)(**address);
        if let Some(outside) = addresses.iter().find(outside) {
            return Err(Refusal::Outside(*outside));
        }
        addresses.first().copied().ok_or(Refusal::NotFound)
    }
}

/// Whether one host can be at an address: a connect to 0.0.0.0 goes to the proxy's own machine, whatever it is taken for.
fn is_somebody(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

/// Whether a text is like a pattern, in which `*` stands for anything, nothing too.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = text.split_once(part) else {
            return false;
        };
        text = behind;
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, like) in [
            ("*", "", true),
            ("*/shop", "localhost/shop", true),
            ("*/shop", "localhost/shop/x", false),
            ("localhost/shop", "localhost/shop", true),
            ("localhost/shop", "localhost/shop2", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }
}
