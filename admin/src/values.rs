//! An attribute's value as a session manager wrote it (FORMAT.md, "Attribute values"), for people and programs. Pure.
//!
//! What has a layout of ours becomes a JSON value; an object of the application is known by its class alone, an encrypted one by
//! the name of its key, and what cannot be read by its first bytes. Where a text holds the id of its own session, which an application
//! may have put there, it is left out, alone or between other letters; one that was written otherwise (in another alphabet, or with
//! letters right before it) is not known.
//!
//! Invariants: no byte sequence panics or makes more of itself than its length allows; nothing of the application is loaded.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde_json::{Map, Number, Value};

use crate::ids;
use remora_overview::kinds::{HEARS_ITS_END, JAVA, SEALED};

/// Values lie in each other so deep at most: what a session manager writes, and no more than a stack holds.
const DEPTH_MAX: usize = 33;

/// Bytes shown of what cannot be read: enough to tell what it may be.
const PREFIX_BYTES: usize = 16;

/// Bytes of a whole number that is shown in decimal digits: those of keys of 4,096 bits are, and the work stays small.
const DECIMAL_BYTES_MAX: usize = 512;

/// Places before or after the point up to which a decimal number is written out.
const PLACES_MAX: usize = 64;

/// Nanoseconds in a second.
const NANOS_IN_SECOND: i128 = 1_000_000_000;

/// What is shown in place of the id of the session.
const OWN_ID: &str = "(the session's id)";

/// A value; `own` tells whether a text is the id of the session.
pub(crate) fn read(tag: u32, bytes: &[u8], own: &dyn Fn(&str) -> bool) -> Value {
    let mut reader = Reader { rest: bytes, own };
    let read = match tag & !HEARS_ITS_END {
        JAVA => class(bytes).map(|class| format!("an object of {class}").into()),
        SEALED => key_name(bytes).map(|name| format!("encrypted with the key {name}").into()),
        tag => reader.value(tag, 0).filter(|_| reader.rest.is_empty()),
    };
    read.unwrap_or_else(|| unreadable(bytes))
}

fn unreadable(bytes: &[u8]) -> Value {
    let shown = &bytes[..bytes.len().min(PREFIX_BYTES)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("cannot be read: {}{more}", hexadecimal(shown)).into()
}

/// The class of the outermost object of a Java serialization stream; of an array, as Java writes it.
fn class(stream: &[u8]) -> Option<String> {
    let rest = stream.strip_prefix(&[0xac, 0xed, 0, 5])?;
    let (kind, rest) = rest.split_first()?;
    // TC_OBJECT, TC_ARRAY, TC_ENUM, each with a TC_CLASSDESC behind it; TC_STRING has none.
    let rest = match kind {
        0x73 | 0x75 | 0x7e => rest.strip_prefix(&[0x72])?,
        0x74 => return Some("java.lang.String".to_owned()),
        _ => return None,
    };
    let (length, rest) = rest.split_first_chunk()?;
    let name = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    String::from_utf8(name.to_vec()).ok()
}

/// The name of the key under which a value is encrypted.
fn key_name(sealed: &[u8]) -> Option<&str> {
    let (length, rest) = sealed.split_first()?;
    std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
}

/// What is left to read of a value.
struct Reader<'a> {
    rest: &'a [u8],
    own: &'a dyn Fn(&str) -> bool,
}

impl<'a> Reader<'a> {
    fn value(&mut self, tag: u32, depth: usize) -> Option<Value> {
        Some(match tag {
            0 if depth > 0 => Value::Null,
            1 | 23 => self.text()?.into(),
            2 => self.utf16()?.into(),
            3 => match self.fixed::<1>()? {
                [0] => false.into(),
                [1] => true.into(),
                _ => return None,
            },
            4 => i8::from_be_bytes(self.fixed()?).into(),
            5 => i16::from_be_bytes(self.fixed()?).into(),
            6 => String::from_utf16_lossy(&[u16::from_be_bytes(self.fixed()?)]).into(),
            7 => self.int()?.into(),
            8 => self.long()?.into(),
            // By its shortest digits: a wider type would show digits that nobody wrote.
            9 => float(&f32::from_be_bytes(self.fixed()?).to_string()),
            10 => float(&f64::from_be_bytes(self.fixed()?).to_string()),
            11 => self.whole()?.into(),
            12 => {
                let scale = self.int()?;
                decimal(&self.whole()?, scale).into()
            }
            13 => self.uuid()?.into(),
            14..=22 => self.time(tag)?.into(),
            24 => hexadecimal(self.block()?).into(),
            25 => {
                let class = self.text()?;
                format!("{class}.{}", self.text()?).into()
            }
            26..=31 => self.list(depth)?,
            32..=34 => self.map(depth)?,
            _ => return None,
        })
    }

    fn element(&mut self, depth: usize) -> Option<Value> {
        let [tag] = self.fixed()?;
        self.value(tag.into(), depth + 1)
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let count = self.count(depth)?;
        let elements: Option<Vec<Value>> = (0..count).map(|_| self.element(depth)).collect();
        elements.map(Value::Array)
    }

    /// An object where all keys are texts, else a list of pairs.
    fn map(&mut self, depth: usize) -> Option<Value> {
        let count = self.count(depth)?;
        let entries = (0..count).map(|_| Some((self.element(depth)?, self.element(depth)?)));
        let entries: Vec<(Value, Value)> = entries.collect::<Option<_>>()?;
        let texts = entries.iter().filter(|(key, _)| key.is_string()).count();
        let pairs = entries.iter().cloned();
        let object: Map<String, Value> = pairs
            .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), value))
            .collect();
        if texts == entries.len() && object.len() == entries.len() {
            return Some(Value::Object(object));
        }
        let pairs = entries
            .into_iter()
            .map(|(key, value)| Value::Array(vec![key, value]));
        Some(Value::Array(pairs.collect()))
    }

    /// How many elements follow; each takes a byte at least.
    fn count(&mut self, depth: usize) -> Option<usize> {
        let count = self.varint()?;
        (count <= self.rest.len() && depth < DEPTH_MAX).then_some(count)
    }

    fn time(&mut self, tag: u32) -> Option<String> {
        Some(match tag {
            14 => {
                let since = self.long()?;
                let moment = Timestamp::from_millisecond(since);
                moment.map_or_else(|_| format!("{since} ms since 1970"), |moment| moment.to_string())
            }
            15 => {
                let (seconds, nanos) = (self.long()?, self.int()?);
                let moment = Timestamp::new(seconds, nanos);
                moment.map_or_else(|_| format!("{seconds} s since 1970"), |moment| moment.to_string())
            }
            16 => self.date()?,
            17 => self.clock()?,
            21 => {
                let (seconds, nanos) = (self.long()?, self.int()?);
                format!(
                    "{}s",
                    in_billionths(i128::from(seconds) * NANOS_IN_SECOND + i128::from(nanos))
                )
            }
            22 => format!("P{}Y{}M{}D", self.int()?, self.int()?, self.int()?),
            _ => {
                let local = format!("{}T{}", self.date()?, self.clock()?);
                match tag {
                    18 => local,
                    19 => format!("{local}{}", offset(self.int()?)),
                    _ => format!("{local}{}[{}]", offset(self.int()?), self.text()?),
                }
            }
        })
    }

    fn date(&mut self) -> Option<String> {
        let days = self.long()?;
        let span = Span::new().try_days(days);
        let date = span.and_then(|span| Date::constant(1970, 1, 1).checked_add(span));
        Some(date.map_or_else(|_| format!("day {days} since 1970"), |date| date.to_string()))
    }

    fn clock(&mut self) -> Option<String> {
        let nanos = i128::from(self.long()?);
        let seconds = nanos / NANOS_IN_SECOND;
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        let rest = nanos - (hours * 3_600 + minutes * 60) * NANOS_IN_SECOND;
        let seconds = in_billionths(rest);
        let lead = if rest < 10 * NANOS_IN_SECOND { "0" } else { "" };
        (nanos >= 0).then(|| format!("{hours:02}:{minutes:02}:{lead}{seconds}"))
    }

    fn uuid(&mut self) -> Option<String> {
        let digits = hexadecimal(&self.fixed::<16>()?);
        let parts = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ];
        Some(parts.join("-"))
    }

    /// A whole number of any length, in decimal digits; in hexadecimal ones if it is very long.
    fn whole(&mut self) -> Option<String> {
        let bytes = self.block()?;
        let negative = bytes.first()? & 0x80 != 0;
        if bytes.len() > DECIMAL_BYTES_MAX {
            return Some(format!("0x{}", hexadecimal(bytes)));
        }
        let mut magnitude = bytes.to_vec();
        if negative {
            magnitude.iter_mut().for_each(|byte| *byte = !*byte);
            // One more, as two's complement has it; what overflows here was 0, which is not negative.
            for byte in magnitude.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
        let sign = if negative { "-" } else { "" };
        Some(format!("{sign}{}", decimal_digits(magnitude)))
    }

    fn text(&mut self) -> Option<String> {
        let text = std::str::from_utf8(self.block()?).ok()?;
        Some(without_own_id(text, self.own))
    }

    /// UTF-16 with surrogates that stand alone, which nothing else can show.
    fn utf16(&mut self) -> Option<String> {
        let block = self.block()?;
        let units = block
            .chunks_exact(2)
            .map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
        let text = String::from_utf16_lossy(&units.collect::<Vec<u16>>());
        block
            .len()
            .is_multiple_of(2)
            .then(|| without_own_id(&text, self.own))
    }

    /// A length, and so many bytes.
    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        let (block, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(block)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut number = 0_u64;
        for at in 0..5 {
            let [byte] = self.fixed()?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    fn int(&mut self) -> Option<i32> {
        self.fixed().map(i32::from_be_bytes)
    }

    fn long(&mut self) -> Option<i64> {
        self.fixed().map(i64::from_be_bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }
}

/// A number where JSON has one, else its word: Java's NaN and infinities.
fn float(text: &str) -> Value {
    let number = text.parse().ok().and_then(Number::from_f64);
    number.map_or_else(|| text.replace("inf", "Infinity").into(), Value::Number)
}

/// The digits of a whole number by its bytes, highest first.
fn decimal_digits(mut bytes: Vec<u8>) -> String {
    let mut digits = Vec::new();
    while bytes.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u16;
        for byte in &mut bytes {
            let number = rest << 8 | u16::from(*byte);
            // Below 256, since the rest is below 10.
            *byte = (number / 10).to_le_bytes()[0];
            rest = number % 10;
        }
        digits.push(char::from(b'0' + rest.to_le_bytes()[0]));
    }
    if digits.is_empty() {
        digits.push('0');
    }
    digits.iter().rev().collect()
}

/// A whole number times ten to the power of minus the scale.
fn decimal(whole: &str, scale: i32) -> String {
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |digits| ("-", digits));
    match usize::try_from(scale) {
        Ok(0) => whole.to_owned(),
        Ok(places) if places <= PLACES_MAX && !digits.starts_with("0x") => {
            let digits = format!("{digits:0>width$}", width = places + 1);
            let (before, behind) = digits.split_at(digits.len() - places);
            format!("{sign}{before}.{behind}")
        }
        _ => format!("{whole}E{}", -i64::from(scale)),
    }
}

/// Seconds, with as many places as are needed.
fn in_billionths(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (nanos.abs() / NANOS_IN_SECOND, nanos.abs() % NANOS_IN_SECOND);
    if rest == 0 {
        return format!("{sign}{seconds}");
    }
    let places = format!("{rest:09}");
    format!("{sign}{seconds}.{}", places.trim_end_matches('0'))
}

fn offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if rest == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{rest:02}")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text without the id of its own session.
pub(crate) fn without_own_id(text: &str, own: &dyn Fn(&str) -> bool) -> String {
    let may_be = |character: char| u8::try_from(character).is_ok_and(ids::is_of_id);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(may_be) {
        let (before, behind) = rest.split_at(begin);
        let end = behind.find(|character| !may_be(character));
        let (word, behind) = behind.split_at(end.unwrap_or(behind.len()));
        shown.push_str(before);
        let escapes = if before.ends_with('%') { escapes(word) } else { 0 };
        without_own_in_word(&mut shown, word, escapes, own);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// How much at the beginning of a word behind a percent sign is of its escape, which may be escaped itself: `3D` or `253D`.
fn escapes(word: &str) -> usize {
    let mut length = 0;
    while word[length..].starts_with("25") {
        length += 2;
    }
    let digits = word.as_bytes().get(length..length + 2);
    let is_escape = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    length + if is_escape { 2 } else { 0 }
}

/// Adds a word without the id: it may be all of it, or all behind its escapes, or what stands between hyphens and underscores, which
/// an id may have itself. So it is looked for from each of these to the next and to the end, and from the beginning to each: few
/// hashes, however long the word is.
fn without_own_in_word(shown: &mut String, word: &str, escapes: usize, own: &dyn Fn(&str) -> bool) {
    let is_own = |part: &str| ids::is_bare(part) && own(part);
    if is_own(word) {
        return shown.push_str(OWN_ID);
    }
    let (escape, word) = word.split_at(escapes);
    shown.push_str(escape);
    let mut begin = 0;
    while begin < word.len() {
        let rest = &word[begin..];
        let ends = rest.match_indices(['-', '_']).map(|(at, _)| at);
        let ends = ends.take(if begin == 0 { usize::MAX } else { 1 });
        let mut ends = ends.chain([rest.len()]);
        if let Some(end) = ends.find(|end| is_own(&rest[..*end])) {
            shown.push_str(OWN_ID);
            begin += end;
        }
        // What is no id goes as it is, with what parts it from the next.
        let rest = &word[begin..];
        let next = rest.find(['-', '_']).map_or(rest.len(), |at| at + 1);
        shown.push_str(&rest[..next]);
        begin += next;
    }
}

#[cfg(test)]
mod tests;
