//! An authority of one's own, for who has none: it issues certificates with names of ours.
//!
//! Keys are of NIST P-256, which every end understands, the Java one too. Left out on purpose: where the files lie; lists of
//! revoked certificates.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::caller::Role;
use super::files::TlsError;

/// How long before now a certificate begins to hold: clocks differ.
const HOLDS_SINCE: Duration = Duration::from_secs(60 * 60);

/// An authority, with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its key, both in PEM.
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// For people; the common name.
    pub name: String,
    /// What its holder may do.
    pub roles: Vec<Role>,
    /// Host names and IP addresses at which its holder is reached.
    pub hosts: Vec<String>,
    /// How long it holds, from now.
    pub lifetime: Duration,
}

impl Authority {
    /// A new authority that holds from `now` on, and its key in PEM.
    ///
    /// # Errors
    /// No key can be drawn, or the name cannot stand in a certificate.
    pub fn create(name: &str, now: SystemTime, lifetime: Duration) -> Result<(Authority, String), TlsError> {
        let key = KeyPair::generate().map_err(|error| failed("draw a key", &error))?;
        let mut params = named(name, now, lifetime);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&key)
            .map_err(|error| failed("sign a certificate", &error))?
            .pem();
        let secret = key.serialize_pem();
        let issuer = Issuer::new(params, key);
        Ok((Authority { issuer, certificate }, secret))
    }

    /// An authority from its certificate and key, both in PEM.
    ///
    /// # Errors
    /// One of them is not what it has to be.
    pub fn load(certificate: &str, key: &str) -> Result<Authority, TlsError> {
        let key = KeyPair::from_pem(key).map_err(|error| failed("read the authority's key", &error))?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key)
            .map_err(|error| failed("read the authority's certificate", &error))?;
        Ok(Authority {
            issuer,
            certificate: certificate.to_owned(),
        })
    }

    /// Its own certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate that holds from `now` on.
    ///
    /// # Errors
    /// A name or a host cannot stand in a certificate, or no key can be drawn.
    pub fn issue(&self, wanted: &Wanted, now: SystemTime) -> Result<Issued, TlsError> {
        let mut params = named(&wanted.name, now, wanted.lifetime);
        for host in &wanted.hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(ascii(host)?),
            });
        }
        for role in &wanted.roles {
            let name = ascii(&role.to_string())?;
            params.subject_alt_names.push(SanType::URI(name));
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !wanted.hosts.is_empty() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().map_err(|error| failed("draw a key", &error))?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|error| failed("sign a certificate", &error))?;
        Ok(Issued {
            cert: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// What every certificate of ours begins with.
fn named(name: &str, now: SystemTime, lifetime: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(HOLDS_SINCE);
    params.not_after = epoch + (now + lifetime);
    params
}

fn ascii<T: TryFrom<String>>(text: &str) -> Result<T, TlsError> {
    T::try_from(text.to_owned()).map_err(|_| {
        TlsError(format!(
            "{text:?} cannot stand in a certificate: write a host name in ASCII, or an IP address"
        ))
    })
}

fn failed(what: &str, error: &rcgen::Error) -> TlsError {
    TlsError(format!("cannot {what}: {error}"))
}
