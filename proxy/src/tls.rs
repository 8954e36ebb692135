//! TLS towards clients: which certificate is shown to whom, and the one state that all threads share.
//!
//! A listener's [`Gate`] has the server configuration that its connections are made with. All threads share it, and listeners
//! whose settings are alike share the key of its tickets, so that a client that comes back to another thread or address resumes.
//! What is read anew (SIGHUP) takes the place of what was there as a whole; the tickets stay good, and open connections go on.
//!
//! Invariants: what is read together fits together, or nothing of it is taken · data before the end of the handshake (0-RTT) is
//! never taken: it could be sent twice.
//!
//! Left out on purpose: how long a handshake may take (`server`); TLS to upstreams and at the control address.

mod keyring;
mod shake;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics::gauge;
use remora_process::exit::Failure;
use remora_process::tls::{EXPIRES_SOON, now};
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::config::{ListenConfig, TlsConfig};
use crate::metrics::CERTIFICATE_EXPIRES;
pub(crate) use keyring::{Identity, Keyring};
pub(crate) use shake::{PROTOCOLS, Protocol, Unsecured, shake};

/// The versions that clients may speak, and the one that they must where an owner says so.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// What seals the tickets with which clients resume.
type Tickets = Arc<dyn ProducesTickets>;

/// What the connections of a listener are secured with.
pub(crate) struct Gate {
    current: ArcSwap<ServerConfig>,
    tickets: Tickets,
}

impl Gate {
    fn new(tls: &TlsConfig, tickets: Tickets) -> Self {
        Self {
            current: ArcSwap::from(server(tls, &tickets)),
            tickets,
        }
    }

    /// What a new connection is made with.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// New connections are made with this.
    fn renew(&self, tls: &TlsConfig) {
        self.current.store(server(tls, &self.tickets));
    }
}

fn server(tls: &TlsConfig, tickets: &Tickets) -> Arc<ServerConfig> {
    let versions = match tls.settings.newest_only {
        true => &VERSIONS[..1],
        false => &VERSIONS[..],
    };
    let builder = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions");
    let mut config = builder
        .with_no_client_auth()
        .with_cert_resolver(tls.keyring.resolver(tls.settings.strict_sni));
    config.alpn_protocols = PROTOCOLS.iter().map(|(_, name)| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::clone(tickets);
    Arc::new(config)
}

/// The gates of all listeners that have one.
pub struct Gates(Vec<(SocketAddr, Arc<Gate>)>);

impl Gates {
    /// One for each listener that ends TLS.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn open(listeners: &[ListenConfig]) -> Result<Self, Failure> {
        let failed = |error| Failure::Runtime(format!("cannot draw a key for tickets: {error}"));
        let mut gates = Vec::new();
        let mut alike: Vec<(&TlsConfig, Tickets)> = Vec::new();
        for listener in listeners {
            let Some(tls) = &listener.tls else { continue };
            let known = alike.iter().find(|(other, _)| *other == tls);
            let tickets = match known {
                Some((_, tickets)) => Arc::clone(tickets),
                None => aws_lc_rs::Ticketer::new().map_err(failed)?,
            };
            alike.push((tls, Arc::clone(&tickets)));
            gates.push((listener.address, Arc::new(Gate::new(tls, tickets))));
        }
        tell(listeners);
        Ok(Self(gates))
    }

    /// That of a listener.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<Arc<Gate>> {
        let found = self.0.iter().find(|(at, _)| *at == address);
        found.map(|(_, gate)| Arc::clone(gate))
    }

    /// Takes over what was read anew, at listeners that were there before.
    pub fn renew(&self, listeners: &[ListenConfig]) {
        for listener in listeners {
            if let (Some(gate), Some(tls)) = (self.at(listener.address), &listener.tls) {
                gate.renew(tls);
            }
        }
        tell(listeners);
    }
}

/// Shows when certificates expire, and says what is not well with them.
fn tell(listeners: &[ListenConfig]) {
    let now = now();
    for listener in listeners {
        let Some(tls) = &listener.tls else { continue };
        for doubt in tls.keyring.doubts(now) {
            tracing::warn!(listen = %listener.address, "{doubt}");
        }
        for holder in tls.keyring.holders() {
            let (listen, name) = (listener.address.to_string(), holder.name.clone());
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
            gauge!(CERTIFICATE_EXPIRES, "listen" => listen, "name" => name).set(holder.expires as f64);
        }
    }
}
