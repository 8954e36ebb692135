//! Files of TLS, read into what rustls works with: certificates, keys and authorities alone, for whoever puts them together,
//! and the three of one end of ours.
//!
//! Invariant: of one end, what is read together fits together, or nothing of it is taken: the key is that of the certificate, and
//! both ends trust the same authorities.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;

use super::caller::{self, Caller};
use super::holder::Holder;
use crate::files;

/// Where the three files lie, each in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Certificates of the authorities that are trusted; several while one follows another.
    pub authority: PathBuf,
    /// The own certificate, with those between it and the authority behind it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why the files cannot be used, as a sentence that names the one that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

/// Who may come to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Whoever shows a certificate of the authority, over HTTP/2.
    Certified,
    /// Anybody over HTTP/2 or HTTP/1.1; who shows a certificate has its roles, and others none.
    Open,
}

/// What is made of the files.
pub(super) struct Held {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
    /// Whom the own certificate names.
    pub(super) own: Caller,
    /// For which hosts it is.
    pub(super) hosts: Vec<String>,
    /// When it expires, in seconds since 1970.
    pub(super) expires: u64,
    /// How the files stood when they were read.
    pub(super) stamps: Stamps,
}

/// How the files stand: when each was written last, and its length in bytes.
pub(super) type Stamps = [Option<(SystemTime, u64)>; 3];

impl Files {
    /// All three files, in the order of the fields, or none.
    ///
    /// # Errors
    /// Some are named and some are not: the names of those that are not, as keys and flags end in them.
    pub fn all_or_none(files: [Option<PathBuf>; 3]) -> Result<Option<Files>, Vec<&'static str>> {
        match files {
            [None, None, None] => Ok(None),
            [Some(authority), Some(cert), Some(key)] => Ok(Some(Files { authority, cert, key })),
            some => {
                let named = ["authority", "cert", "key"].into_iter().zip(some);
                Err(named
                    .filter_map(|(name, file)| file.is_none().then_some(name))
                    .collect())
            }
        }
    }

    /// How the files stand now; a file that is missing has no stamp.
    pub(super) fn stamps(&self) -> Stamps {
        [&self.authority, &self.cert, &self.key].map(|path| {
            let seen = fs::metadata(path).ok()?;
            Some((seen.modified().ok()?, seen.len()))
        })
    }

    /// Reads all three.
    pub(super) fn read(&self, door: Door) -> Result<Held, TlsError> {
        // Before the files: what is written while they are read is read again.
        let stamps = self.stamps();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(authorities(&self.authority)?);
        let chain = certificates(&self.cert)?;
        let (own, expires) = look(&self.cert, &chain)?;
        let hosts = chain.first().map(caller::hosts).unwrap_or_default();
        let key = private_key(&self.key)?;
        let misfit = |error: rustls::Error| {
            TlsError(format!(
                "{} and {} do not fit together: {error}",
                self.cert.display(),
                self.key.display()
            ))
        };
        let server = server(&provider, &roots, door, (chain.clone(), key.clone_key())).map_err(misfit)?;
        let client = client(&provider, &roots, (chain, key)).map_err(misfit)?;
        Ok(Held {
            server: Arc::new(server),
            client: Arc::new(client),
            own,
            hosts,
            expires,
            stamps,
        })
    }
}

/// A chain of certificates and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn server(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    door: Door,
    (chain, key): Identity,
) -> Result<ServerConfig, rustls::Error> {
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
    let clients = match door {
        Door::Certified => clients,
        Door::Open => clients.allow_unauthenticated(),
    };
    let clients = clients
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = match door {
        Door::Certified => vec![b"h2".to_vec()],
        Door::Open => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    // Connections live long, so resumption saves little; and whoever resumes shows no certificate that could have expired.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    (chain, key): Identity,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots))
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The certificates in a file, in their order; at least one.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = bytes(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let read = read.map_err(|error| unreadable(path, "a certificate", &error))?;
    if read.is_empty() {
        return Err(TlsError(format!(
            "{} holds no certificate in PEM",
            path.display()
        )));
    }
    Ok(read)
}

/// The authorities in a file; at least one.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unreadable(path, "an authority's certificate", &error))?;
    }
    Ok(roots)
}

/// The private key in a file, the first if there are several.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = bytes(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| unreadable(path, "a private key", &error))
}

/// Whom the first certificate names, and when it expires.
fn look(path: &Path, chain: &[CertificateDer<'_>]) -> Result<(Caller, u64), TlsError> {
    let expires = Holder::of(path, chain)?.expires;
    if expires <= now() {
        return Err(TlsError(format!(
            "the certificate in {} has expired: issue another",
            path.display()
        )));
    }
    let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
    Ok((Caller::of(&first.into()), expires))
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "certificates expire by the calendar, and what this says only people read"
)]
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = files::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|error| unread(path, &error))?;
    Ok(bytes)
}

/// Whoever checks a configuration is often not whoever serves with it.
pub(super) fn unread(path: &Path, error: &io::Error) -> TlsError {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            "; it is read as the user that the server runs as: run this as that user, who has to be able to"
        }
        _ => "",
    };
    TlsError(format!("cannot read {}: {error}{advice}", path.display()))
}

pub(super) fn unreadable(path: &Path, what: &str, error: &dyn std::fmt::Display) -> TlsError {
    TlsError(format!("{} is not {what} in PEM: {error}", path.display()))
}
