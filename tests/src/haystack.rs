//! Secrets, in the forms in which a program may write them down by accident, and the files in which to look for them.
//!
//! Ids are searched by their first twelve digits, so that a part of one is found, too. Left out: whatever is encrypted
//! or compressed; nothing that we write is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The shortest part of an id that counts as a leak, in digits: by chance no file holds it.
const ID_DIGITS: usize = 12;

/// The shortest part of an id's hash that counts as one, in digits: one more than logs show.
const HASH_DIGITS: usize = 9;

/// By so many bytes a place is told from one that cannot be the beginning of a secret.
const BEGINNING_BYTES: usize = 4;

/// Characters of base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct Needles {
    /// By their first bytes: the rest, and what it is.
    forms: HashMap<[u8; BEGINNING_BYTES], Vec<(Vec<u8>, String)>>,
}

impl Needles {
    /// A session id: with or without a route, in whole or in part, as text or as the bytes of its digits.
    pub fn add_id(&mut self, what: &str, id: &str) {
        let bare = id.split('.').next().unwrap_or(id);
        self.add_text(what, &bare[..ID_DIGITS.min(bare.len())]);
        self.add(&format!("the bytes of {what}"), &bytes_of_digits(bare));
        self.add_encoded(what, bare);
    }

    /// The hash of a session id, as far as no log is to show it.
    pub fn add_hash(&mut self, what: &str, id: &str) {
        let bare = id.split('.').next().unwrap_or(id);
        let hash = hex(&Sha256::digest(bare.as_bytes()));
        self.add_text(&format!("the hash of {what}"), &hash[..HASH_DIGITS]);
    }

    /// A password.
    pub fn add_password(&mut self, what: &str, password: &str) {
        self.add_text(what, password);
        self.add_encoded(what, password);
    }

    fn add_text(&mut self, what: &str, text: &str) {
        for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
            self.add(what, text.as_bytes());
            let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<_>>();
            self.add(&format!("{what} in UTF-16"), &wide(u16::to_be_bytes));
            self.add(&format!("{what} in UTF-16"), &wide(u16::to_le_bytes));
        }
    }

    /// Base64, wherever the text begins within three bytes.
    fn add_encoded(&mut self, what: &str, text: &str) {
        for before in 0..3 {
            let shifted = [vec![0; before], text.as_bytes().to_vec()].concat();
            let encoded = base64(&shifted);
            // The characters at both ends hold bits of what stands around.
            let inner = &encoded.as_bytes()[(before * 8).div_ceil(6)..shifted.len() * 8 / 6];
            self.add(&format!("{what} in base64"), inner);
        }
    }

    fn add(&mut self, what: &str, form: &[u8]) {
        let Some((beginning, rest)) = form.split_first_chunk::<BEGINNING_BYTES>() else {
            return;
        };
        let forms = self.forms.entry(*beginning).or_default();
        forms.push((rest.to_vec(), what.to_owned()));
    }

    /// What of it stands in some bytes.
    pub fn found(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for (at, beginning) in bytes.windows(BEGINNING_BYTES).enumerate() {
            // Stores write long runs of zeros; nothing searched for begins so.
            if beginning == [0; BEGINNING_BYTES] {
                continue;
            }
            for (rest, what) in self.forms.get(beginning).into_iter().flatten() {
                if bytes[at + BEGINNING_BYTES..].starts_with(rest) {
                    found.push(what);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// All files below a directory, whatever they are called.
///
/// # Errors
/// When a directory cannot be read.
pub fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The bytes that pairs of hexadecimal digits stand for.
fn bytes_of_digits(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64, as logins without a page send it.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*group.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let digit = ALPHABET[bits >> (18 - 6 * at) & 63];
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_everybody() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"Ma"), "TWE=");
        assert_eq!(base64(b"light w"), "bGlnaHQgdw==");
    }

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        let id = "0123456789ABCDEF0123456789ABCDEF";
        let mut needles = Needles::default();
        needles.add_id("id", &format!("{id}.n1"));
        needles.add_hash("id", id);
        needles.add_password("password", "known-to-mary-alone");
        let wide: Vec<u8> = id.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cases = [
            (id.as_bytes().to_vec(), "id"),
            (id[..14].to_lowercase().into_bytes(), "id"),
            (wide, "id in UTF-16"),
            (bytes_of_digits(id), "the bytes of id"),
            (
                base64(format!("JSESSIONID={id}").as_bytes()).into_bytes(),
                "id in base64",
            ),
            (hex(&Sha256::digest(id)).into_bytes(), "the hash of id"),
            (b"mary:known-to-mary-alone".to_vec(), "password"),
            (
                base64(b"mary:known-to-mary-alone").into_bytes(),
                "password in base64",
            ),
        ];
        for (bytes, what) in cases {
            for before in 0..3 {
                let around = [vec![0; 7], vec![b'x'; before], bytes.clone(), vec![0; 7]].concat();
                assert_eq!(needles.found(&around), [what], "{what}, {before}");
            }
        }
        assert!(
            needles
                .found(b"01234567 is what people may see of an id's hash")
                .is_empty()
        );
    }
}
