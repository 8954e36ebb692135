//! Certificates of an authority that is drawn for a test, and clients that believe it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use remora_process::tls::{Authority, Role, Wanted};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ALL_VERSIONS, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, WantsVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::Client;
use super::process::{Config, Proxy};

/// How long the certificates hold. 36 h: a day and some.
const LIFETIME: Duration = Duration::from_secs(36 * 60 * 60);

/// How a client speaks TLS.
pub(crate) type Speaking = Arc<ClientConfig>;

/// An authority, and where its certificates lie.
pub(crate) struct Certificates {
    authority: Authority,
    directory: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn draw() -> Self {
        let (authority, _) = Authority::create("tests", now(), LIFETIME).expect("an authority");
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("authority.pem"), authority.certificate()).expect("a file");
        Self { authority, directory }
    }

    /// A file of them.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Issues a certificate for these hosts, as `name`.pem and `name`.key.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) {
        self.issue_at(name, hosts, now());
    }

    /// The same, as if it were that time.
    pub(crate) fn issue_at(&self, name: &str, hosts: &[&str], when: SystemTime) {
        self.issue_as(name, (hosts, &[]), when);
    }

    /// The same for somebody who has these roles.
    pub(crate) fn issue_for(&self, name: &str, roles: &[Role]) {
        self.issue_as(name, (&[], roles), now());
    }

    fn issue_as(&self, name: &str, (hosts, roles): (&[&str], &[Role]), when: SystemTime) {
        let wanted = Wanted {
            name: name.to_owned(),
            roles: roles.to_vec(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            lifetime: LIFETIME,
        };
        let issued = self.authority.issue(&wanted, when).expect("a certificate");
        std::fs::write(self.file(&format!("{name}.pem")), issued.cert).expect("a file");
        let key = self.file(&format!("{name}.key"));
        std::fs::write(&key, issued.key).expect("a file");
        readable_by(&key, 0o600);
    }

    /// The pair as it stands in a file of the proxy.
    pub(crate) fn pair(&self, name: &str) -> String {
        let (cert, key) = (
            self.file(&format!("{name}.pem")),
            self.file(&format!("{name}.key")),
        );
        format!("cert = {cert:?}, key = {key:?}")
    }

    /// A certificate as it was issued.
    pub(crate) fn der(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).expect("a certificate")
    }

    /// A certificate with its key.
    pub(crate) fn read(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key")));
        (self.der(name), key.expect("a key"))
    }

    /// A client that believes the authority; its connections resume each other.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.speaking(ALL_VERSIONS))
    }

    /// The same, for one that speaks this protocol alone.
    pub(crate) fn offering(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let mut config = self.speaking(ALL_VERSIONS);
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }

    /// A connection of such a client.
    pub(crate) async fn dial(
        &self,
        address: SocketAddr,
        host: &str,
        protocol: &[u8],
    ) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("no delay");
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let connector = TlsConnector::from(self.offering(protocol));
        connector.connect(name, stream).await.expect("TLS")
    }

    /// The same with these versions alone.
    pub(crate) fn speaking(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        builder(versions)
            .with_root_certificates(self.roots())
            .with_no_client_auth()
    }

    /// The same that shows one of the certificates.
    pub(crate) fn showing(&self, name: &str) -> ClientConfig {
        self.trusting_showing(self, name)
    }

    /// The same that shows one of another authority.
    pub(crate) fn trusting_showing(&self, other: &Self, name: &str) -> ClientConfig {
        let key = PrivateKeyDer::from_pem_file(other.file(&format!("{name}.key"))).expect("a key");
        builder(ALL_VERSIONS)
            .with_root_certificates(self.roots())
            .with_client_auth_cert(vec![other.der(name)], key)
            .expect("they fit")
    }

    /// Whom they are believed by.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.authority.certificate().as_bytes());
        roots.add(certificate.expect("PEM")).expect("an authority");
        roots
    }

    /// A client that takes what it is shown, and remembers nothing.
    pub(crate) fn trusting_any(&self) -> Arc<ClientConfig> {
        let config = builder(ALL_VERSIONS).dangerous();
        let config = config.with_custom_certificate_verifier(Arc::new(Credulous));
        Arc::new(config.with_no_client_auth())
    }
}

fn builder(versions: &[&'static SupportedProtocolVersion]) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(versions)
        .expect("versions that there are")
}

/// Believes every certificate: a test looks at it itself.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Sets who may read a file.
pub(crate) fn readable_by(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("a file of ours");
}

#[expect(clippy::disallowed_methods, reason = "certificates hold by the calendar")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// A proxy with one certificate for shop.test.
pub(crate) fn shop(config: &Config) -> (Certificates, Proxy) {
    let certificates = Certificates::draw();
    certificates.issue("shop", &["shop.test"]);
    let line = format!("tls = {{ {} }}", certificates.pair("shop"));
    let proxy = Proxy::start(&config.clone().listen(&line));
    (certificates, proxy)
}

/// A client of shop.test.
pub(crate) fn visit(proxy: &Proxy, config: &Arc<ClientConfig>) -> Client {
    proxy.client().secure(config, "shop.test").expect("a handshake")
}

/// How many connections were refused for this reason.
pub(crate) fn refused(proxy: &Proxy, reason: &str) -> f64 {
    let name = format!("remora_proxy_refused_connections_total{{reason=\"{reason}\"}}");
    proxy.figure(&name).unwrap_or(0.0)
}
