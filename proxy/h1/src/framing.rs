//! How the end of a message is known (RFC 9112 section 6.3), and whether its connection goes on after it.
//!
//! A message whose framing can be read in two ways is refused in both directions. Where a response has no content by rule,
//! what its fields say about a length is not believed, and a 204 or an informational head loses it.

use crate::head::{Head, Version};
use crate::known::Known;
use crate::refusal::{ENCODING, ENCODING_OF_OLD, LENGTH, LENGTH_AND_ENCODING, Refusal};

/// How long a message's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is none, by rule: nothing is said about it.
    None,
    /// So many bytes.
    Known(u64),
    /// Chunks, until the last.
    Chunked,
    /// Everything until the connection ends.
    UntilClose,
}

/// What was asked, as far as it decides how an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A request like most.
    Plain,
    /// HEAD: the answer has no content.
    Head,
    /// A change of protocol: a 101 may come.
    Upgrade,
}

/// How long a request's content is.
pub(crate) fn of_request(head: &Head) -> Result<Length, Refusal> {
    Ok(of_fields(head)?.unwrap_or(Length::None))
}

/// How long a response's content is.
pub(crate) fn of_response(head: &mut Head, asked: Asked) -> Result<Length, Refusal> {
    let bare = matches!(head.status(), 100..=199 | 204 | 304) || asked == Asked::Head;
    let length = of_fields(head)?;
    if head.status() == 204 || head.status() < 200 {
        // Forbidden there (RFC 9110 section 8.6, RFC 9112 section 6.1), and somebody might believe it.
        head.fields.retain(|name, _| {
            !matches!(
                Known::of(name),
                Some(Known::ContentLength | Known::TransferEncoding)
            )
        });
    }
    Ok(match length {
        _ if bare => Length::None,
        Some(length) => length,
        None => Length::UntilClose,
    })
}

fn of_fields(head: &Head) -> Result<Option<Length>, Refusal> {
    let fields = &head.fields;
    if fields.has(Known::TransferEncoding) {
        if fields.has(Known::ContentLength) {
            return Err(LENGTH_AND_ENCODING);
        }
        if head.version() == Version::Http10 {
            return Err(ENCODING_OF_OLD);
        }
        let mut encodings = fields.all(Known::TransferEncoding);
        let is_chunked = encodings
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case(b"chunked"));
        return match is_chunked && encodings.next().is_none() {
            true => Ok(Some(Length::Chunked)),
            false => Err(ENCODING),
        };
    }
    let mut lengths = fields.all(Known::ContentLength);
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(length), None) => number(length)
            .map(|length| Some(Length::Known(length)))
            .ok_or(LENGTH),
        (Some(_), Some(_)) => Err(LENGTH),
    }
}

/// Digits and nothing else, of a number that 64 bits hold.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether the sender of this head wants its connection to go on.
pub(crate) fn keeps(head: &Head) -> bool {
    let says = |word: &[u8]| {
        head.fields
            .all(Known::Connection)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|own| own.trim_ascii().eq_ignore_ascii_case(word))
    };
    match head.version() {
        _ if says(b"close") => false,
        Version::Http11 | Version::Http2 => true,
        Version::Http10 => says(b"keep-alive"),
    }
}
