//! TLS towards upstreams: whom we believe, who we say we are, and what is said when it does not come about.
//!
//! Invariants: an upstream's certificate is verified on every full handshake, for its name and by the authorities of its pool alone,
//! and no key turns that off: an authority of one's own is a command (`remora certs`), and a proxy that sends passwords to whoever
//! answers is worse than one in clear that says so · all threads and checks share one configuration, and with it the tickets by which
//! connections resume · files that are read anew and say something else make another way: a connection serves no exchange by a way
//! that it was not made by ([`Link::is_by`](crate::http::Link::is_by)), and resumes nothing from before.
//!
//! Left out on purpose: how long it may take (`http`); the system's authorities, which would vouch for every host of the world.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use remora_process::tls::{Holder, TlsError, authorities, certificates, private_key};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::keyring::end_doubt;
use crate::server::Seldom;

/// How often it is said that TLS with one upstream does not come about: each of its requests and checks would say it. A minute.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The files of one pool, as they are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutwardFiles {
    /// The authorities that its members' certificates are from.
    pub(crate) authority: PathBuf,
    /// Our own certificate and its key, where members ask for one.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
}

/// What is in them, for all members of the pool.
pub(crate) type OutwardShared = Arc<OutwardRead>;

/// What connections are made with, and what that was made of.
pub(crate) struct OutwardRead {
    client: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
    own: Option<OwnCertificate>,
}

impl OutwardRead {
    /// The certificate that members are shown.
    pub(crate) fn own(&self) -> Option<&OwnCertificate> {
        self.own.as_ref()
    }

    fn chain(&self) -> Option<&[CertificateDer<'static>]> {
        self.own.as_ref().map(|own| &*own.chain)
    }
}

impl std::fmt::Debug for OutwardRead {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OutwardRead").finish_non_exhaustive()
    }
}

/// The certificate that members are shown.
pub(crate) struct OwnCertificate {
    file: PathBuf,
    /// Its key fits it, so where this is the same the key is.
    chain: Vec<CertificateDer<'static>>,
    /// Whom it names, and when it ends.
    pub(crate) holder: Holder,
}

impl OwnCertificate {
    fn read(file: &Path) -> Result<Self, TlsError> {
        let chain = certificates(file)?;
        Ok(Self {
            file: file.to_owned(),
            holder: Holder::of(file, &chain)?,
            chain,
        })
    }

    /// A sentence if it has ended or soon will.
    pub(crate) fn doubt(&self, now: u64) -> Option<String> {
        end_doubt(&self.file, &self.holder, "members of the pool", now)
    }
}

impl OutwardFiles {
    /// What is in them.
    ///
    /// # Errors
    /// One cannot be read or used, or they do not fit together; the sentence names it.
    pub(crate) fn read(&self) -> Result<OutwardShared, TlsError> {
        let roots = Arc::new(authorities(&self.authority)?);
        let builder = builder(&roots);
        let Some((cert, key)) = &self.own else {
            return Ok(read(builder.with_no_client_auth(), roots, None));
        };
        let own = OwnCertificate::read(cert)?;
        let config = builder.with_client_auth_cert(own.chain.clone(), private_key(key)?);
        let config = config.map_err(|error| {
            let (cert, key) = (cert.display(), key.display());
            TlsError(format!("{cert} and {key} do not fit together: {error}"))
        })?;
        Ok(read(config, roots, Some(own)))
    }

    /// What believes nobody, where no file is to be read.
    pub(crate) fn unread() -> OutwardShared {
        let roots = Arc::new(RootCertStore::empty());
        read(builder(&roots).with_no_client_auth(), roots, None)
    }
}

fn builder(
    roots: &Arc<RootCertStore>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
        .with_root_certificates(Arc::clone(roots))
}

fn read(mut client: ClientConfig, roots: Arc<RootCertStore>, own: Option<OwnCertificate>) -> OutwardShared {
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(OutwardRead {
        client: Arc::new(client),
        roots,
        own,
    })
}

/// The way to one upstream.
pub(crate) struct Outward {
    config: OutwardShared,
    name: ServerName<'static>,
    said: Seldom,
}

impl Outward {
    /// To whoever proves to have this name, a host's or an address.
    ///
    /// # Errors
    /// It can be no name.
    pub(crate) fn new(config: &OutwardShared, name: &str) -> Result<Self, TlsError> {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| TlsError(format!("`{name}` can be no name in a certificate")))?;
        Ok(Self {
            config: Arc::clone(config),
            name,
            said: Seldom::every(SAID_EVERY),
        })
    }

    /// Whether the files say the same, and the same name has to be proved: then the connections of one are as good as the other's.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let (one, two) = (&*self.config, &*other.config);
        self.name == other.name && one.roots.roots == two.roots.roots && one.chain() == two.chain()
    }

    /// The certificate that is shown there.
    pub(crate) fn own(&self) -> Option<&OwnCertificate> {
        self.config.own.as_ref()
    }

    /// Secures a connection that was made.
    ///
    /// # Errors
    /// It broke, or nobody proved to have the name; then the error holds one of rustls.
    pub(crate) async fn secure(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::clone(&self.config.client));
        let secured = connector.connect(self.name.clone(), stream).await;
        secured.map(TlsStream::from)
    }

    /// Says why it did not come about, and what to do.
    pub(crate) fn tell(&self, authority: &str, error: &rustls::Error) {
        if !self.said.is_time() {
            return;
        }
        let name = self.name.to_str();
        match error {
            rustls::Error::InvalidCertificate(why) => tracing::warn!(
                url = %format_args!("https://{authority}"), %name, ?why,
                "an upstream's certificate is not accepted, and nothing is sent there: give it one for this name that an authority \
                 in the pool's tls.authority has issued, or say with tls.name which name its certificate has"
            ),
            why => tracing::warn!(
                url = %format_args!("https://{authority}"), %name, %why,
                "TLS with an upstream does not come about, and nothing is sent there: does it speak TLS there, and does it want a \
                 certificate of ours (tls.cert and tls.key of the pool)?"
            ),
        }
    }
}

impl std::fmt::Debug for Outward {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Outward")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
