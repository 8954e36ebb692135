//! Who is at the other end of a connection, and in which roles: what a certificate says in its names of the form
//! `remora://ROLE`.
//!
//! Left out on purpose: what a role may do, which each server decides; whether a certificate is to be believed, which was
//! decided before anybody reads it here.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pattern::Pattern;

/// What every name of a role begins with.
pub const SCHEME: &str = "remora://";

/// One of the roles of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The store node of this id.
    Peer(u64),
    /// Session managers of these applications.
    Adapter(Pattern),
    /// A proxy.
    Proxy,
    /// Whoever may look, and change nothing.
    Reader,
    /// An operator.
    Admin,
}

impl Role {
    /// A role by its name; none if it is no role of ours.
    pub fn parse(name: &str) -> Option<Role> {
        let said = name.strip_prefix(SCHEME)?;
        match said.split_once('/') {
            Some(("peer", id)) => id.parse().ok().filter(|id| *id > 0).map(Role::Peer),
            Some(("adapter", pattern)) => Some(Role::Adapter(Pattern::new(&decoded(pattern)?))),
            Some(_) => None,
            None => match said {
                "proxy" => Some(Role::Proxy),
                "reader" => Some(Role::Reader),
                "admin" => Some(Role::Admin),
                _ => None,
            },
        }
    }
}

impl fmt::Display for Role {
    /// The name that [`Role::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        match self {
            Role::Peer(id) => write!(f, "peer/{id}"),
            Role::Adapter(pattern) => write!(f, "adapter/{}", encoded(&pattern.to_string())),
            Role::Proxy => f.write_str("proxy"),
            Role::Reader => f.write_str("reader"),
            Role::Admin => f.write_str("admin"),
        }
    }
}

/// Whoever is at the other end of a connection. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For people: the certificate's common name.
    name: Arc<str>,
    /// Absent without TLS, where nobody is asked who he is and everybody may do everything.
    roles: Option<Arc<[Role]>>,
}

impl Caller {
    /// Somebody on a connection without TLS.
    pub fn anybody() -> Caller {
        Caller {
            name: Arc::from("anybody"),
            roles: None,
        }
    }

    /// Somebody of whom nothing is known: without a right.
    pub fn nobody() -> Caller {
        Caller::with_roles("nobody", Vec::new())
    }

    /// Somebody with a name and roles that are to be believed.
    pub fn with_roles(name: &str, roles: Vec<Role>) -> Caller {
        Caller {
            name: Arc::from(name),
            roles: Some(Arc::from(roles)),
        }
    }

    /// Whom a certificate names, which has been verified; without a role if it names none of ours.
    pub fn of(certificate: &CertificateDer<'_>) -> Caller {
        let Ok((_, read)) = X509Certificate::from_der(certificate) else {
            return Caller::with_roles("unreadable", Vec::new());
        };
        let subject = read.subject();
        let common = subject.iter_common_name().find_map(|name| name.as_str().ok());
        let names = read.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let roles = names.filter_map(|name| match name {
            GeneralName::URI(uri) => Role::parse(uri),
            _ => None,
        });
        Caller::with_roles(common.unwrap_or("unnamed"), roles.collect())
    }

    /// For people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The roles; none where nobody is asked.
    pub fn roles(&self) -> Option<&[Role]> {
        self.roles.as_deref()
    }

    /// Whether the caller has a role like this; everybody has where nobody is asked.
    pub fn is(&self, wanted: impl Fn(&Role) -> bool) -> bool {
        self.roles().is_none_or(|roles| roles.iter().any(wanted))
    }

    /// Why the caller may not do something, as a sentence; `names` are those in a certificate that give the right.
    pub fn lacks(&self, action: &str, names: &str) -> String {
        format!("the certificate of {self} gives no right to {action}: it takes one that names {names}")
    }

    /// Whether the caller may speak for an application's sessions.
    pub fn speaks_for(&self, application: &str) -> bool {
        self.is(|role| matches!(role, Role::Adapter(pattern) if pattern.matches(application)))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(roles) = self.roles() else {
            return f.write_str(&self.name);
        };
        let roles: Vec<String> = roles.iter().map(Role::to_string).collect();
        let roles = if roles.is_empty() {
            "no role".to_owned()
        } else {
            roles.join(", ")
        };
        write!(f, "{} ({roles})", self.name)
    }
}

/// For which hosts a certificate is: names, of which one may begin with `*.`, and addresses.
pub(super) fn hosts(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, read)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let names = read.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let hosts = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    hosts.collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Whether a name of a certificate is this host's, as a browser compares them.
pub(super) fn is_host(name: &str, host: &str) -> bool {
    let Some(domain) = name.strip_prefix("*.") else {
        return name.eq_ignore_ascii_case(host);
    };
    host.split_once('.')
        .is_some_and(|(first, rest)| !first.is_empty() && rest.eq_ignore_ascii_case(domain))
}

/// A text with everything that a URI's path cannot hold written as its bytes in hexadecimal (RFC 3986, 2.1).
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:*".contains(&byte);
    text.bytes().fold(String::new(), |mut written, byte| {
        if plain(byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
        written
    })
}

/// What [`encoded`] has written; none if it is not that.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte == b'%' {
            let mut digit = || char::from(left.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in [
            Role::Peer(3),
            Role::Adapter(Pattern::new("shop:www.example.com/cart##2")),
            Role::Adapter(Pattern::new("*:*/*##*")),
            Role::Adapter(Pattern::new("localhost/größe")),
            Role::Proxy,
            Role::Reader,
            Role::Admin,
        ] {
            assert_eq!(Role::parse(&role.to_string()), Some(role));
        }
        assert_eq!(
            Role::Adapter(Pattern::new("localhost/cart##2")).to_string(),
            "remora://adapter/localhost/cart%23%232"
        );
    }

    #[test]
    fn a_name_of_a_certificate_is_one_host_or_those_right_below_a_domain() {
        assert!(is_host("proxy.example", "PROXY.example") && is_host("*.example", "a.example"));
        for (name, host) in [
            ("proxy.example", "a.proxy.example"),
            ("*.example", "a.b.example"),
            ("*.example", "example"),
            ("*.example", ".example"),
        ] {
            assert!(!is_host(name, host), "{name} {host}");
        }
    }

    #[test]
    fn what_is_no_role_of_ours_gives_no_right() {
        for name in [
            "remora://peer/0",
            "remora://peer/x",
            "remora://peer",
            "remora://admin/1",
            "remora://root",
            "remora://adapter/%zz",
            "https://example.com/admin",
            "admin",
        ] {
            assert_eq!(Role::parse(name), None, "{name}");
        }
    }

    #[test]
    fn without_tls_nobody_is_asked_and_with_it_everybody() {
        assert!(Caller::anybody().is(|role| *role == Role::Admin));
        assert!(Caller::anybody().speaks_for("localhost/shop"));
        let shop = Caller::with_roles("t1", vec![Role::Adapter(Pattern::new("localhost/shop"))]);
        assert!(shop.speaks_for("localhost/shop"));
        assert!(!shop.speaks_for("localhost/bank"));
        assert!(!shop.is(|role| *role == Role::Admin));
        assert!(!Caller::with_roles("x", Vec::new()).speaks_for("localhost/shop"));
        assert_eq!(shop.to_string(), "t1 (remora://adapter/localhost/shop)");
    }
}
