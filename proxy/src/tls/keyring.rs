//! The certificates of a listener with their keys, and who is shown which.
//!
//! A certificate is for the names that it says itself. Of several for one name the first whose key the client can verify is
//! shown, so that one of an elliptic curve and one of RSA may stand side by side. A name that is written out comes before one
//! with a star, which stands for one label; a client that asks for another name, or for none, is shown the first of all.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remora_process::tls::{Holder, TlsError, authorities, certificates, private_key};
use rustls::crypto::aws_lc_rs;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use super::EXPIRES_SOON;

/// The bits of a file's mode that let everybody read it.
const READ_BY_ALL: u32 = 0o004;
/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// Certificates with their keys, as they were read, and who is believed of those that clients show. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Keyring {
    identities: Arc<[Identity]>,
    verifier: Option<Verifier>,
}

/// Verifies certificates of clients.
type Verifier = Arc<dyn ClientCertVerifier>;

/// One certificate.
pub(crate) struct Identity {
    file: PathBuf,
    holder: Holder,
    shown: Arc<CertifiedKey>,
    /// Where its key lies, if everybody may read that.
    exposed: Option<PathBuf>,
}

impl Identity {
    /// Reads a certificate, with those between it and its authority behind it, and its key.
    ///
    /// # Errors
    /// A file cannot be read or used, or they do not fit together; the sentence names it.
    pub(crate) fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(cert)?;
        let holder = Holder::of(cert, &chain)?;
        let secret = private_key(key)?;
        let shown = CertifiedKey::from_der(chain, secret, &aws_lc_rs::default_provider());
        let shown = shown.map_err(|error| {
            let (cert, key) = (cert.display(), key.display());
            TlsError(format!("{cert} and {key} do not fit together: {error}"))
        })?;
        let mode = std::fs::metadata(key).map(|seen| seen.permissions().mode());
        let exposed = mode.is_ok_and(|mode| mode & READ_BY_ALL != 0);
        Ok(Self {
            file: cert.to_owned(),
            holder,
            shown: Arc::new(shown),
            exposed: exposed.then(|| key.to_owned()),
        })
    }

    /// What is not well with it, as sentences.
    fn doubts(&self, now: u64) -> Vec<String> {
        let (file, holder) = (self.file.display(), &self.holder);
        let mut doubts = Vec::from_iter(end_doubt(&self.file, holder, "browsers", now));
        if holder.begins > now {
            doubts.push(format!(
                "the certificate in {file} does not hold yet: is the clock right?"
            ));
        }
        if holder.hosts.is_empty() {
            doubts.push(format!(
                "the certificate in {file} names no host: browsers refuse it, a common name alone is not enough"
            ));
        }
        if let Some(key) = &self.exposed {
            let key = key.display();
            doubts.push(format!(
                "everybody on this machine can read {key}: let its owner alone read it"
            ));
        }
        doubts
    }
}

/// A sentence if it has ended or soon will; `readers` are who refuse it then.
pub(super) fn end_doubt(file: &Path, holder: &Holder, readers: &str, now: u64) -> Option<String> {
    let (file, left) = (file.display(), holder.expires.saturating_sub(now));
    if left == 0 {
        let sentence = format!("the certificate in {file} has expired: {readers} refuse it");
        return Some(sentence);
    }
    let days = left / DAY;
    (left < EXPIRES_SOON.as_secs())
        .then(|| format!("the certificate in {file} expires in {days} days: renew it"))
}

impl Keyring {
    /// With these; the first is shown to whoever asks for none of their names.
    pub(crate) fn of(identities: Vec<Identity>, verifier: Option<Verifier>) -> Self {
        Self {
            identities: identities.into(),
            verifier,
        }
    }

    /// Who verifies what clients show; none where they are not asked.
    pub(super) fn verifier(&self) -> Option<Verifier> {
        self.verifier.clone()
    }

    /// Whom the certificates name.
    pub(crate) fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.identities.iter().map(|identity| &identity.holder)
    }

    /// What is not well with them, as sentences; what nobody can use is a fault and is not here.
    pub(crate) fn doubts(&self, now: u64) -> Vec<String> {
        self.identities
            .iter()
            .flat_map(|identity| identity.doubts(now))
            .collect()
    }

    /// Who is shown which; where it is strict, nobody is shown one for a name that it does not have.
    pub(super) fn resolver(&self, strict: bool) -> Arc<dyn ResolvesServerCert> {
        let mut names = Names::default();
        for identity in &*self.identities {
            for host in &identity.holder.hosts {
                let shown = Arc::clone(&identity.shown);
                names.by_host.entry(host.clone()).or_default().push(shown);
            }
        }
        if !strict {
            names.otherwise = self
                .identities
                .first()
                .map(|identity| Arc::clone(&identity.shown));
        }
        Arc::new(names)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.holders()).finish()
    }
}

/// Who verifies certificates of clients by the authorities in a file.
///
/// # Errors
/// The file cannot be read or used; the sentence names it.
pub(crate) fn client_verifier(authority: &Path, required: bool) -> Result<Verifier, TlsError> {
    let roots = Arc::new(authorities(authority)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, aws_lc_rs::default_provider().into());
    let verifier = match required {
        true => verifier,
        false => verifier.allow_unauthenticated(),
    };
    let unusable = |error| TlsError(format!("{} cannot be used: {error}", authority.display()));
    verifier.build().map_err(unusable)
}

/// Certificates by the names that clients ask for.
#[derive(Debug, Default)]
struct Names {
    by_host: HashMap<String, Vec<Arc<CertifiedKey>>>,
    otherwise: Option<Arc<CertifiedKey>>,
}

impl Names {
    fn find(&self, host: &str) -> Option<&[Arc<CertifiedKey>]> {
        let below_star = || {
            let (_, parent) = host.split_once('.')?;
            self.by_host.get(&format!("*.{parent}"))
        };
        self.by_host.get(host).or_else(below_star).map(Vec::as_slice)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives it in small letters.
        let Some(named) = hello.server_name().and_then(|host| self.find(host)) else {
            return self.otherwise.clone();
        };
        let verifies =
            |shown: &&Arc<CertifiedKey>| shown.key.choose_scheme(hello.signature_schemes()).is_some();
        named.iter().find(verifies).or_else(|| named.first()).cloned()
    }
}
