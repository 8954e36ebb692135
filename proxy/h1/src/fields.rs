//! The fields of one message: ordered, over one buffer that holds their lines as they are sent.
//!
//! Invariants: order is the order of arrival, and values of one name are never merged · names keep their case and compare
//! without it · the buffer is a start line, if its owner has one, and the fields' lines, each with its end: nothing else, and
//! nothing between them.
//!
//! Left out on purpose: any meaning of a field, and a hash index: heads have a dozen fields, and a scan is cheaper than
//! hashing each name.

use std::fmt;
use std::ops::Range;

use crate::known::Known;
use crate::line;
use crate::refusal::Refusal;

/// A piece of the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One field: where its line, its name and its value are. The name begins the line.
#[derive(Clone, Copy, Debug)]
struct Field {
    line: Span,
    name_end: usize,
    value: Span,
    known: Option<Known>,
}

/// An ordered list of fields.
#[derive(Clone, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    list: Vec<Field>,
    /// The known fields that are there, a bit for each.
    present: u16,
}

impl Fields {
    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All fields in order, as (name, value).
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + Clone {
        self.list.iter().map(|field| self.field(field))
    }

    /// Whether there is a field with this meaning.
    #[must_use]
    pub fn has(&self, known: Known) -> bool {
        self.present & known.bit() != 0
    }

    /// The first value with this meaning.
    #[must_use]
    pub fn first(&self, known: Known) -> Option<&[u8]> {
        self.all(known).next()
    }

    /// All values with this meaning, in order.
    pub fn all(&self, known: Known) -> impl Iterator<Item = &[u8]> + Clone {
        // Nothing is looked at where nothing is to be found.
        let list = if self.has(known) { &self.list[..] } else { &[] };
        list.iter()
            .filter(move |field| field.known == Some(known))
            .map(|field| self.at(field.value))
    }

    /// The first value of a name, for names that are not [`Known`].
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Adds a field behind all others.
    ///
    /// The caller vouches that the name is a token and that the value holds no CR, LF or NUL; what came from a reader does,
    /// and what is written by hand is a literal.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        let value_end = self.bytes.len();
        self.bytes.extend_from_slice(b"\r\n");
        let name_end = start + name.len();
        self.enlist(Field {
            line: Span {
                start,
                end: value_end + 2,
            },
            name_end,
            value: Span {
                start: name_end + 2,
                end: value_end,
            },
            known: Known::of(name),
        });
    }

    /// Adds fields of another list, from one position to before another, as they are: in one piece.
    pub fn copy(&mut self, from: &Self, positions: Range<usize>) {
        let Some(fields) = from.list.get(positions).filter(|fields| !fields.is_empty()) else {
            return;
        };
        let (first, last) = (fields[0].line.start, fields[fields.len() - 1].line.end);
        let to = self.bytes.len();
        self.bytes.extend_from_slice(&from.bytes[first..last]);
        let moved = |at: usize| at - first + to;
        for field in fields {
            self.enlist(Field {
                line: field.line.moved(moved),
                name_end: moved(field.name_end),
                value: field.value.moved(moved),
                known: field.known,
            });
        }
    }

    /// Keeps the fields (name, value) for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        if self.iter().all(|(name, value)| keep(name, value)) {
            return;
        }
        let mut kept = Self::default();
        let lines = self.list.first().map_or(0, |field| field.line.start);
        kept.bytes.extend_from_slice(&self.bytes[..lines]);
        for (position, field) in self.list.iter().enumerate() {
            let (name, value) = self.field(field);
            if keep(name, value) {
                kept.copy(self, position..position + 1);
            }
        }
        *self = kept;
    }

    /// Forgets everything, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.list.clear();
        self.present = 0;
    }

    /// All that is written of it, as it is sent.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds the line of a field as it came; answers nothing but why it is none.
    pub(crate) fn read(&mut self, whole: &[u8]) -> Result<(), Refusal> {
        let (name, begin, end) = line::split(line::trimmed(whole)?)?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(whole);
        self.enlist(Field {
            line: Span {
                start,
                end: self.bytes.len(),
            },
            name_end: start + name,
            value: Span {
                start: start + begin,
                end: start + end,
            },
            known: Known::of(&whole[..name]),
        });
        Ok(())
    }

    /// Writes bytes of a start line, which stands before the first field.
    pub(crate) fn start(&mut self, bytes: &[u8]) -> Span {
        debug_assert!(self.list.is_empty(), "a start line comes first");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: self.bytes.len(),
        }
    }

    /// The bytes of a span.
    pub(crate) fn at(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }

    fn enlist(&mut self, field: Field) {
        self.present |= field.known.map_or(0, Known::bit);
        self.list.push(field);
    }

    fn field(&self, field: &Field) -> (&[u8], &[u8]) {
        (
            &self.bytes[field.line.start..field.name_end],
            self.at(field.value),
        )
    }
}

impl Span {
    fn moved(self, by: impl Fn(usize) -> usize) -> Self {
        Self {
            start: by(self.start),
            end: by(self.end),
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (String::from_utf8_lossy(name), String::from_utf8_lossy(value))),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    #[test]
    fn names_compare_without_case_and_order_is_kept() {
        let fields = fields(&[("Cookie", "a=1"), ("X", "x"), ("cookie", "b=2")]);
        assert_eq!(fields.all(Known::Cookie).collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(fields.get("x"), Some(&b"x"[..]));
        assert_eq!(fields.get("xx"), None);
        assert!(!fields.has(Known::Host));
        assert_eq!(fields.wire(), b"Cookie: a=1\r\nX: x\r\ncookie: b=2\r\n");
    }

    #[test]
    fn a_run_of_fields_is_copied_as_it_came() {
        let mut from = Fields::default();
        for line in ["A:1\r\n", "HOST:  h \r\n", "b:\t2\r\n"] {
            from.read(line.as_bytes()).unwrap();
        }
        let mut to = fields(&[("first", "0")]);
        to.copy(&from, 1..3);
        to.copy(&from, 3..3);
        assert_eq!(to.wire(), b"first: 0\r\nHOST:  h \r\nb:\t2\r\n");
        assert_eq!(to.first(Known::Host), Some(&b"h"[..]));
        assert_eq!(to.get("b"), Some(&b"2"[..]));
    }

    #[test]
    fn what_is_not_kept_leaves_the_buffer() {
        let mut fields = fields(&[("a", "1"), ("Host", "h"), ("c", "3")]);
        fields.retain(|name, _| name != b"Host");
        assert_eq!(fields.wire(), b"a: 1\r\nc: 3\r\n");
        assert!(!fields.has(Known::Host));
    }
}
