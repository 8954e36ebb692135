//! From what a browser sends to the key under which the store knows the session. Pure.
//!
//! The id is a credential. A verb about sessions lets only its hash leave this program, made as the session managers make it
//! (SessionIds.java), and takes it from standard input alone, since it looks for a session that lives. `explain` sends to the proxies
//! what a browser would send, and takes it from the command line too, with a warning: what it is asked about may be made up, as
//! somebody tries things out. No sentence repeats what was given.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Shortest bare id that a session manager takes, in characters.
const BARE_CHARS_MIN: usize = 8;

/// Longest bare id that a session manager takes, in characters.
const BARE_CHARS_MAX: usize = 128;

/// Bytes of the hash that make the key.
const KEY_BYTES: usize = 16;

/// Shortest secret that a session manager takes, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// Bytes of a key in a file of `encryptionKeys`.
const FILE_KEY_BYTES: usize = 32;

/// What goes before a cookie in a head.
const FIELDS: [&str; 2] = ["cookie:", "set-cookie:"];

/// The bare id in an id, with or without its route.
pub(crate) fn of_id(text: &str) -> Result<&str, &'static str> {
    let bare = text.trim().split('.').next().unwrap_or_default();
    if is_bare(bare) {
        Ok(bare)
    } else {
        Err("that is no session id: it has 8 to 128 letters, digits, \"-\" or \"_\" up to its first dot")
    }
}

/// What was pasted of a browser's head, without the name of its field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pasted<'a> {
    /// Cookies with their names.
    Cookies(&'a str),
    /// The value of one.
    Value(&'a str),
}

/// Reads what was pasted, however it spells the field.
pub(crate) fn pasted(text: &str) -> Pasted<'_> {
    let mut text = text.trim();
    for field in FIELDS {
        if text
            .get(..field.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(field))
        {
            text = text[field.len()..].trim_start();
        }
    }
    if text.contains('=') {
        Pasted::Cookies(text)
    } else {
        Pasted::Value(unquoted(text))
    }
}

/// The bare id in a cookie: its value alone, NAME=VALUE, or a whole field with other cookies beside it.
pub(crate) fn of_cookie<'a>(text: &'a str, name: &str) -> Result<&'a str, &'static str> {
    let cookies = match pasted(text) {
        Pasted::Cookies(cookies) => cookies,
        Pasted::Value(value) => return of_id(value),
    };
    let cookies = cookies.split(';').filter_map(|cookie| cookie.split_once('='));
    let mut ours = cookies.filter(|(called, _)| called.trim() == name);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => of_id(unquoted(value.trim())),
        (None, _) => Err("no cookie of that name is in it: say what yours is called with --cookie-name"),
        _ => Err("several cookies of that name are in it: give the value of one"),
    }
}

fn unquoted(value: &str) -> &str {
    let within = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    within.unwrap_or(value)
}

/// Whether it can be a bare id.
pub(crate) fn is_bare(text: &str) -> bool {
    (BARE_CHARS_MIN..=BARE_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_of_id)
}

/// Whether a bare id may have this character.
pub(crate) fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The key of a bare id.
pub(crate) fn key(bare_id: &str, secret: Option<&[u8]>) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    match secret {
        None => {
            let hash = digest::digest(&digest::SHA256, bare_id.as_bytes());
            key.copy_from_slice(&hash.as_ref()[..KEY_BYTES]);
        }
        Some(secret) => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let hash = hmac::sign(&secret, bare_id.as_bytes());
            key.copy_from_slice(&hash.as_ref()[..KEY_BYTES]);
        }
    }
    key
}

/// The secret under which ids are hashed, from the text of a session manager's `keyFile` or `encryptionKeys`.
pub(crate) fn secret(text: &str) -> Result<Vec<u8>, &'static str> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let lines: Vec<Vec<&str>> = lines
        .map(|line| line.split_whitespace().collect())
        .filter(|words: &Vec<&str>| !words.is_empty())
        .collect();
    let is_key = |word: &str| {
        STANDARD
            .decode(word)
            .ok()
            .filter(|key| key.len() == FILE_KEY_BYTES)
    };
    let named = lines.iter().map(|words| match words.as_slice() {
        ["plaintext", "accepted"] => Some((*"plaintext").to_owned()),
        [name, key] if is_key(key).is_some() => Some((*name).to_owned()),
        _ => None,
    });
    if let Some(named) = named
        .collect::<Option<Vec<String>>>()
        .filter(|named| !named.is_empty())
    {
        let at = named.iter().position(|name| name == "ids");
        let ids = at.and_then(|at| is_key(lines[at][1]));
        return ids
            .ok_or("names no key for ids: Tomcats with it hash ids without a secret, so leave it away");
    }
    let secret = text.trim().as_bytes().to_vec();
    if secret.len() < SECRET_BYTES_MIN {
        return Err("holds less than 16 bytes, which is no secret that a Tomcat takes");
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789ABCDEF0123456789ABCDEF";

    fn digits(key: &[u8]) -> String {
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn an_id_is_found_in_whatever_was_copied() {
        let cookies = [
            format!("{ID}.n1\n"),
            format!("\"{ID}.n1\""),
            format!("JSESSIONID={ID}"),
            format!("Cookie: theme=dark; JSESSIONID={ID}.n1; lang=de"),
            format!("set-cookie: JSESSIONID={ID}.n1; Path=/shop; HttpOnly"),
        ];
        for cookie in &cookies {
            assert_eq!(of_cookie(cookie, "JSESSIONID"), Ok(ID), "{cookie}");
        }
        assert_eq!(of_id(&format!(" {ID}.a.b ")), Ok(ID));
        for wrong in [
            "",
            "short",
            "sp ace in it",
            "theme=dark",
            "JSESSIONID=x; a=b",
            "JSESSIONID=aaaaaaaa; JSESSIONID=bbbbbbbb",
        ] {
            let said = of_cookie(wrong, "JSESSIONID").unwrap_err();
            assert!(wrong.len() < 8 || !said.contains(wrong), "it may be a credential");
        }
    }

    #[test]
    fn a_key_is_what_session_managers_make_of_an_id() {
        // As in SessionIdsTest.java.
        assert_eq!(digits(&key(ID, None)), "cd6c1f7d1dc6717d6371d2647910ca71");
        // printf 0123456789ABCDEF0123456789ABCDEF | openssl dgst -sha256 -hmac "a secret of 16 bytes or more"
        let secret = b"a secret of 16 bytes or more";
        assert_eq!(digits(&key(ID, Some(secret))), "4d4e3bec5a8486ce6ea17d53c9aae608");
    }

    #[test]
    fn a_secret_is_read_from_either_file_of_a_tomcat() {
        assert_eq!(secret("0123456789abcdef\n"), Ok(b"0123456789abcdef".to_vec()));
        assert!(secret("short").is_err());
        let (one, other) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let both = format!("# of the shop\nk1 {one} # first\n\nids {other}\nplaintext accepted\n");
        assert_eq!(secret(&both), Ok(vec![2; 32]));
        assert!(
            secret(&format!("k1 {one}\n"))
                .unwrap_err()
                .contains("no key for ids")
        );
    }
}
