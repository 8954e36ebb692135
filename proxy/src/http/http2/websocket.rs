//! A WebSocket over one stream (RFC 8441), as an upstream is asked for it in HTTP/1.1 (RFC 6455).
//!
//! Over HTTP/2 there is no key and no proof of it: a CONNECT says `websocket`, and 200 grants it. Towards the upstream the key is
//! ours, and its proof is checked here, because nobody else can.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use remora_h1::{Fields, Known};
use sha1::{Digest, Sha1};

/// What a key is followed by in its proof (RFC 6455 section 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes that are drawn for a key (RFC 6455 section 4.1).
const KEY_BYTES: usize = 16;

/// What the upstream must prove that it has seen.
pub(super) struct Nonce(String);

impl Nonce {
    /// One that nobody can foresee.
    pub(super) fn draw() -> Self {
        Self(STANDARD.encode(rand::random::<[u8; KEY_BYTES]>()))
    }

    /// Whether a field of this name would stand beside ours, or announce content where none follows.
    pub(super) fn replaces(name: &str) -> bool {
        matches!(
            name,
            "sec-websocket-key" | "upgrade" | "connection" | "content-length"
        )
    }

    /// Adds what asks for it.
    pub(super) fn ask(&self, fields: &mut Fields) {
        fields.push(b"upgrade", b"websocket");
        fields.push(b"connection", b"upgrade");
        fields.push(b"sec-websocket-key", self.0.as_bytes());
    }

    /// Whether a 101 with these fields proves that it was understood.
    pub(super) fn is_proven(&self, fields: &Fields) -> bool {
        let proof = Sha1::new().chain_update(&self.0).chain_update(MAGIC).finalize();
        fields.get("sec-websocket-accept") == Some(STANDARD.encode(proof).as_bytes())
    }

    /// Takes out of the 101 what has no meaning over HTTP/2.
    pub(super) fn strip(fields: &mut Fields) {
        fields.retain(|name, _| {
            !name.eq_ignore_ascii_case(b"sec-websocket-accept")
                && !matches!(Known::of(name), Some(Known::ContentLength))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_standard() {
        let key = Nonce("dGhlIHNhbXBsZSBub25jZQ==".to_owned());
        let mut fields = Fields::default();
        assert!(!key.is_proven(&fields));
        fields.push(b"Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(key.is_proven(&fields) && !Nonce::draw().is_proven(&fields));
        Nonce::strip(&mut fields);
        assert!(fields.is_empty());
    }
}
