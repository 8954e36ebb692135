//! The books: a line for everything that operators do, and for what somebody had no right to. Servers write them as log lines of
//! one target, so that `RUST_LOG=audit=info` leaves nothing else.
//!
//! Left out on purpose: who may do what, and where it is decided.

use std::fmt;
use std::sync::Arc;

use crate::tls::{Caller, decoded};

/// The target of these lines.
const TARGET: &str = "audit";

/// Longest name of somebody for whom another asks, in bytes: as long as the names of certificates are.
const BEHALF_BYTES_MAX: usize = 128;

/// Who stands in the books: a caller, and for whom it says that it asks, such as a proxy for whoever is signed in at its console.
/// The caller's right decides; the rest is written down, and never believed.
#[derive(Clone, Debug)]
pub struct Asker {
    caller: Caller,
    behalf: Option<Arc<str>>,
}

impl Asker {
    /// A caller who says to ask for somebody, percent-encoded where that is not plain; what nobody could read is left out.
    pub fn new(caller: &Caller, behalf: Option<&str>) -> Asker {
        let readable = |name: &String| {
            let plain = |sign: char| sign.is_alphanumeric() || sign.is_ascii_graphic() || sign == ' ';
            (1..=BEHALF_BYTES_MAX).contains(&name.len()) && name.chars().all(plain)
        };
        let behalf = behalf.map(|said| decoded(said).unwrap_or_else(|| said.to_owned()));
        Asker {
            caller: caller.clone(),
            // The name ends where the line goes on with a comma.
            behalf: behalf
                .filter(readable)
                .map(|name| Arc::from(name.replace(',', ";"))),
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.behalf {
            None => self.caller.fmt(f),
            Some(name) => write!(f, "for {name}, as {} says", self.caller),
        }
    }
}

/// Somebody had no right to what they asked; the sentence names them.
pub fn refused(action: &str, why: &str) {
    tracing::warn!(target: TARGET, action, "audit: refused: {why}");
}

/// An operator's wish was followed; `did` says how.
pub fn done(caller: &impl fmt::Display, action: &str, did: &str) {
    tracing::info!(target: TARGET, %caller, action, did, "audit: done");
}

/// An operator's wish was not followed, though they had the right.
pub fn failed(caller: &impl fmt::Display, action: &str, why: &str) {
    tracing::info!(target: TARGET, %caller, action, why, "audit: failed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Role;

    #[test]
    fn whoever_asks_for_somebody_stands_in_the_books_beside_the_name() {
        let proxy = Caller::with_roles("p1", vec![Role::Proxy]);
        let line = |behalf| Asker::new(&proxy, behalf).to_string();
        let alone = "p1 (remora://proxy)";
        assert_eq!(line(None), alone);
        assert_eq!(line(Some("ada")), format!("for ada, as {alone} says"));
        assert_eq!(
            line(Some("Ada%20Gr%C3%B6%C3%9Fe")),
            format!("for Ada Größe, as {alone} says")
        );
        let forged = "ada, as root (remora://admin) says";
        assert_eq!(
            line(Some(forged)),
            format!("for ada; as root (remora://admin) says, as {alone} says"),
            "only one comma ends a name"
        );
        let long = "x".repeat(BEHALF_BYTES_MAX + 1);
        for unreadable in ["", "a%0Ab", "a\nb", "%E2%80%AEada", long.as_str()] {
            assert_eq!(line(Some(unreadable)), alone, "{unreadable:?}");
        }
    }
}
