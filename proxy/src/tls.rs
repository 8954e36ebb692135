//! TLS towards clients: which certificate is shown to whom, and the one state that all threads share. TLS towards upstreams is
//! `outward`.
//!
//! A listener's [`Gate`] has the server configuration that its connections are made with. All threads share it, and listeners
//! whose settings are alike share the key of its tickets, so that a client that comes back to another thread or address resumes.
//! What is read anew (SIGHUP) takes the place of what was there as a whole; the tickets stay good, and open connections go on.
//!
//! Invariants: what is read together fits together, or nothing of it is taken · a gate that asks for client certificates gives and
//! takes no ticket: each is verified anew, and nobody comes in by a ticket of a gate that asks for none · data before the end of the handshake (0-RTT) is
//! never taken: it could be sent twice.
//!
//! Left out on purpose: how long a handshake may take (`server`, `http`); TLS at the control address.

mod keyring;
mod outward;
mod shake;
mod told;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use remora_process::exit::Failure;
use remora_process::tls::{EXPIRES_SOON, now};
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::config::{ListenConfig, TlsConfig, ToldCertificate};
use crate::directory::Directory;
pub(crate) use keyring::{Identity, Keyring, client_verifier};
pub(crate) use outward::{Outward, OutwardFiles, OutwardShared, OwnCertificate};
pub(crate) use shake::{PROTOCOLS, Protocol, Unsecured, shake};
pub(crate) use told::SecuredFields;

/// The versions that clients may speak, and the one that they must where an owner says so.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// How often the log says what is not well with certificates. A day: time enough for whoever renews them.
const TELL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What seals the tickets with which clients resume.
type Tickets = Arc<dyn ProducesTickets>;

/// What the connections of a listener are secured with.
pub(crate) struct Gate {
    current: ArcSwap<Made>,
    tickets: Tickets,
}

/// What a connection is made with.
pub(crate) struct Made {
    server: Arc<ServerConfig>,
    /// What upstreams are told of it.
    told: ToldCertificate,
    /// What it was made of.
    keyring: Keyring,
}

impl Gate {
    fn new(tls: &TlsConfig, tickets: Tickets) -> Self {
        Self {
            current: ArcSwap::from_pointee(made(tls, &tickets)),
            tickets,
        }
    }

    /// What a new connection is made with.
    pub(crate) fn current(&self) -> Arc<Made> {
        self.current.load_full()
    }

    /// New connections are made with this.
    fn renew(&self, tls: &TlsConfig) {
        self.current.store(Arc::new(made(tls, &self.tickets)));
    }
}

fn made(tls: &TlsConfig, tickets: &Tickets) -> Made {
    let versions = match tls.settings.newest_only {
        true => &VERSIONS[..1],
        false => &VERSIONS[..],
    };
    let builder = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions");
    let builder = match tls.keyring.verifier() {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_cert_resolver(tls.keyring.resolver(tls.settings.strict_sni));
    let offered = |protocol| tls.settings.http2 || protocol != Protocol::Http2;
    let protocols = PROTOCOLS.iter().filter(|(protocol, _)| offered(*protocol));
    config.alpn_protocols = protocols.map(|(_, name)| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    let clients = tls.settings.clients.as_ref();
    match clients {
        None => config.ticketer = Arc::clone(tickets),
        Some(_) => config.send_tls13_tickets = 0,
    }
    Made {
        server: Arc::new(config),
        told: clients.map(|clients| clients.told).unwrap_or_default(),
        keyring: tls.keyring.clone(),
    }
}

/// The gates of all listeners that have one. Cheap to clone.
#[derive(Clone)]
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
    }

    /// When the certificates end that clients are shown, by the listener and their names. Of several with one name it is the first
    /// end, which is the first of which a client hears.
    pub(crate) fn ends(&self) -> BTreeMap<(SocketAddr, String), u64> {
        let mut ends = BTreeMap::new();
        for (address, gate) in &self.0 {
            for holder in gate.current().keyring.holders() {
                let first = ends
                    .entry((*address, holder.name.clone()))
                    .or_insert(holder.expires);
                *first = holder.expires.min(*first);
            }
        }
        ends
    }

    /// Says every day what is not well with the certificates, for as long as it is polled.
    pub async fn keep_telling(self, directory: Directory) {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            self.tell(&directory);
        }
    }

    /// Says what is not well with the certificates that clients are shown, and with those that members are.
    pub fn tell(&self, directory: &Directory) {
        let now = now();
        for (address, gate) in &self.0 {
            for doubt in gate.current().keyring.doubts(now) {
                tracing::warn!(listen = %address, "{doubt}");
            }
        }
        for (pool, own) in directory.current().snapshot.own_certificates() {
            if let Some(doubt) = own.doubt(now) {
                tracing::warn!(pool = &*pool.name, "{doubt}");
            }
        }
    }
}
