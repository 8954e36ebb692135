//! TLS in front of a scripted upstream, as its Tomcat would speak it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncWriteExt, copy, copy_bidirectional, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::tls::Certificates;
use super::upstream::Upstream;

/// What was seen of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Shaken {
    /// The name that was asked for.
    pub(crate) name: Option<String>,
    pub(crate) protocol: Option<Vec<u8>>,
    /// Whether a certificate was shown.
    pub(crate) certified: bool,
    pub(crate) resumed: bool,
}

/// An address that speaks TLS; what is said there goes to the upstream in clear.
pub(crate) struct Secured {
    pub(crate) address: SocketAddr,
    reached: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Shaken>>>,
    cuts: Arc<AtomicBool>,
}

impl Secured {
    /// With a certificate of these; `clients` are those who issued a client's, where it needs one.
    pub(crate) fn start(
        upstream: &Upstream,
        (certificates, name): (&Certificates, &str),
        clients: Option<&Certificates>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("both versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(clients.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.expect("an authority"))
            }
        };
        let (cert, key) = certificates.read(name);
        let mut config = builder.with_single_cert(vec![cert], key).expect("a pair");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a socket of ours");
        let (seen, cuts) = (Arc::<Mutex<Vec<Shaken>>>::default(), Arc::<AtomicBool>::default());
        let (plain, noted, cut) = (upstream.address, Arc::clone(&seen), Arc::clone(&cuts));
        let reached = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&reached);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a socket");
                while let Ok((stream, _)) = listener.accept().await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let (acceptor, noted, cut) = (acceptor.clone(), Arc::clone(&noted), Arc::clone(&cut));
                    tokio::spawn(carry(stream, acceptor, plain, noted, cut));
                }
            });
        });
        Self {
            address,
            reached,
            seen,
            cuts,
        }
    }

    /// How many connections were made, whatever became of them.
    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }

    /// All handshakes that came about, those of checks among them.
    pub(crate) fn seen(&self) -> Vec<Shaken> {
        self.seen.lock().expect("no test has failed").clone()
    }

    /// From now on connections end without a word of TLS.
    pub(crate) fn cut(&self) {
        self.cuts.store(true, Ordering::SeqCst);
    }
}

async fn carry(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    plain: SocketAddr,
    seen: Arc<Mutex<Vec<Shaken>>>,
    cuts: Arc<AtomicBool>,
) {
    let Ok(mut secured) = acceptor.accept(stream).await else {
        return;
    };
    let session = secured.get_ref().1;
    seen.lock().expect("no test has failed").push(Shaken {
        name: session.server_name().map(str::to_owned),
        protocol: session.alpn_protocol().map(<[u8]>::to_vec),
        certified: session.peer_certificates().is_some(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    });
    let Ok(mut inside) = TcpStream::connect(plain).await else {
        return;
    };
    if !cuts.load(Ordering::SeqCst) {
        let _ended = copy_bidirectional(&mut secured, &mut inside).await;
        return;
    }
    let ((mut from, mut to), (mut answers, mut asks)) = (split(secured), inside.split());
    tokio::select! {
        _ = copy(&mut from, &mut asks) => {}
        _ = copy(&mut answers, &mut to) => {
            let _sent = to.flush().await;
        }
    }
}
