//! What a certificate says of its holder to whoever serves with it: the names that it is for, and when it ends.
//!
//! Left out on purpose: whether it is to be believed, and names that are no host's.

use std::net::IpAddr;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{TlsError, unreadable};

/// The holder of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Host names in small letters, `*.` in front of those that stand for all below one, then IP addresses; in the order of the
    /// certificate.
    pub hosts: Vec<String>,
    /// For people: the first host, else the common name.
    pub name: String,
    /// When the certificate begins to hold, in seconds since 1970.
    pub begins: u64,
    /// When it expires, in seconds since 1970.
    pub expires: u64,
}

impl Holder {
    /// The holder of the first certificate of a chain; `path` is where it was read.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(path: &Path, chain: &[CertificateDer<'_>]) -> Result<Holder, TlsError> {
        let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let (_, read) =
            X509Certificate::from_der(first).map_err(|error| unreadable(path, "a certificate", &error))?;
        let names = read.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let hosts: Vec<String> = names.filter_map(host).collect();
        let common = || {
            read.subject()
                .iter_common_name()
                .find_map(|name| name.as_str().ok())
        };
        let name = match hosts.first() {
            Some(host) => host.clone(),
            None => common().unwrap_or("unnamed").to_owned(),
        };
        let seconds = |timestamp: i64| u64::try_from(timestamp).unwrap_or(0);
        Ok(Holder {
            hosts,
            name,
            begins: seconds(read.validity().not_before.timestamp()),
            expires: seconds(read.validity().not_after.timestamp()),
        })
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
