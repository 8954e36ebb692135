//! TLS at both ends, the same for every server and for the command line: who is believed, and who the other end is.
//!
//! One end has three files: the authorities that it trusts, its own certificate, and that one's key. [`Tls`] holds what they
//! say and reads them again when they change, so that certificates and authorities follow each other without a restart:
//! every new connection is made with the newest, and open ones go on. [`Secured`] is an accepted connection, [`Dial`] makes
//! one. A certificate's names of the form `remora://ROLE` say what its holder may do ([`Caller`]).
//!
//! Invariants: files that do not fit together are never taken over, what was read before stays, and that is said once for
//! each change; the other end's certificate is verified on every connection, none is resumed; no key ever reaches a log line.
//!
//! Left out on purpose: what a role may do; lists of revoked certificates, in whose place a certificate is issued for a short
//! time.

mod authority;
mod caller;
mod dial;
mod files;
mod holder;
mod pattern;
mod secured;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::gauge;
use rustls::{ClientConfig, ServerConfig};

pub use authority::{Authority, Issued, Wanted};
pub use caller::{Caller, Role, SCHEME, decoded, encoded};
pub use dial::Dial;
pub use files::{Door, Files, TlsError, authorities, certificates, now, private_key};
pub use holder::Holder;
pub use pattern::Pattern;
pub use secured::{Secured, Who, refusal};

use crate::figures::TLS_EXPIRES;
use files::Held;

/// How often the files are looked at: a new certificate is used within this.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// From how long before its end on a certificate is named in the log when it is read: a fortnight.
pub const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// One end of TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: Files,
    door: Door,
    held: ArcSwap<Held>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be read or used, or the certificate has expired; the sentence names it.
    pub fn load(files: Files, door: Door) -> Result<Tls, TlsError> {
        let held = files.read(door)?;
        let tls = Tls(Arc::new(Shared {
            files,
            door,
            held: ArcSwap::from_pointee(held),
        }));
        tls.tell();
        Ok(tls)
    }

    /// Whom the own certificate names.
    pub fn own(&self) -> Caller {
        self.0.held.load().own.clone()
    }

    /// Whether the own certificate is for this host.
    pub fn is_for(&self, host: &str) -> bool {
        let held = self.0.held.load();
        held.hosts.iter().any(|name| caller::is_host(name, host))
    }

    /// Reads the files again if they have changed, and says what came of it. Disk work.
    pub fn look_again(&self) {
        self.look_unless(None);
    }

    /// Looks at the files as long as it is polled, away from the calling thread.
    pub async fn keep_looking(self) {
        let mut refused = None;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let tls = self.clone();
            let looked = tokio::task::spawn_blocking(move || tls.look_unless(refused)).await;
            refused = looked.unwrap_or(None);
        }
    }

    /// Looks again, unless the files stand as they stood when they were refused; gives how they stand if they are refused.
    fn look_unless(&self, refused: Option<files::Stamps>) -> Option<files::Stamps> {
        let now = self.0.files.stamps();
        if now == self.0.held.load().stamps {
            return None;
        }
        if Some(now) == refused || !self.read_again() {
            return Some(now);
        }
        None
    }

    fn read_again(&self) -> bool {
        match self.0.files.read(self.0.door) {
            Ok(held) => {
                self.0.held.store(Arc::new(held));
                tracing::info!(certificate = %self.own(), "the TLS files have changed: new connections are made with them");
                self.tell();
                true
            }
            Err(error) => {
                tracing::error!(%error, "the TLS files have changed and are not taken over: what was read before stays");
                false
            }
        }
    }

    /// Shows when the certificate expires, and says so when that is soon.
    fn tell(&self) {
        let held = self.0.held.load();
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
        gauge!(TLS_EXPIRES).set(held.expires as f64);
        let left = Duration::from_secs(held.expires.saturating_sub(now()));
        if left < EXPIRES_SOON {
            let days = left.as_secs() / (24 * 60 * 60);
            tracing::warn!(days, certificate = %held.own, "this process's certificate expires soon: issue another");
        }
    }

    fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.held.load().server)
    }

    fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.held.load().client)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

#[cfg(test)]
mod tests;
