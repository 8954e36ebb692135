//! A certificate of the bench's own, the same for all who are measured.
//!
//! Its key is of NIST P-256, which is what sites have today and the cheapest to sign with. Left out on purpose: a chain. Each would
//! send the same bytes more.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use remora_process::tls::{Authority, TlsError, Wanted};

/// How long it holds: longer than any bench.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Its files, in PEM.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(super) both: PathBuf,
}

impl Identity {
    /// Draws one for the loopback, into this directory.
    ///
    /// # Errors
    /// When a key cannot be drawn, or a file cannot be written.
    pub(super) fn draw(directory: &Path) -> Result<Self> {
        let said = |error: TlsError| anyhow!("{error}");
        #[expect(clippy::disallowed_methods, reason = "certificates hold by the calendar")]
        let now = SystemTime::now();
        let (authority, _key) = Authority::create("bench", now, LIFETIME).map_err(said)?;
        let wanted = Wanted {
            name: "bench".into(),
            roles: Vec::new(),
            hosts: vec!["127.0.0.1".into(), "localhost".into()],
            lifetime: LIFETIME,
        };
        let issued = authority.issue(&wanted, now).map_err(said)?;
        let [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map(|name| directory.join(name));
        std::fs::write(&cert, &issued.cert)?;
        std::fs::write(&key, &issued.key)?;
        std::fs::write(&both, [issued.cert, issued.key].concat())?;
        Ok(Self { cert, key, both })
    }
}
