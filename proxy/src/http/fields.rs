//! The fields of one message head: ordered, over one buffer.
//!
//! Invariants: order is the order of arrival, and values of one name are never merged; names compare without regard to
//! case; a removed field leaves its bytes in the buffer, which lives for one message only.
//!
//! Left out on purpose: any meaning of a field (see `remora_policy` and `strict.rs`), and a hash index: heads have a
//! dozen fields, and a scan over spans is cheaper than hashing each name.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// A piece of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

/// One field: where its name and its value are.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// An ordered list of fields, with room in the same buffer for the start line of the head that owns it.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

impl Fields {
    /// An empty list with room for `bytes` bytes of names and values and for `fields` fields.
    #[must_use]
    pub(crate) fn with_capacity(bytes: usize, fields: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            fields: Vec::with_capacity(fields),
        }
    }

    /// How many fields there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// All fields in order, as (name, value).
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + Clone {
        self.fields
            .iter()
            .map(|field| (self.at(field.name), self.at(field.value)))
    }

    /// The first value of `name`.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether there is a field of that name.
    #[must_use]
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All values of `name`, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Adds a field behind all others.
    ///
    /// The caller vouches that the name is a token and that the value holds no CR, LF or NUL; what came from a parser
    /// does, and what is written by hand is a literal.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        let name = self.store(name);
        let value = self.store(value);
        self.fields.push(Field { name, value });
    }

    /// Keeps the fields (name, value) for which `keep` says so.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        self.fields
            .retain(|field| keep(&bytes[field.name.range()], &bytes[field.value.range()]));
    }

    /// Bytes of all names and values, as a measure of the head's size.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Keeps bytes that belong to the head's start line.
    pub(super) fn store(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: self.bytes.len(),
        }
    }

    /// The buffer as shared bytes, and where names and values are in it, in order: for a sender that slices instead of
    /// copying.
    pub(super) fn into_shared(self) -> (Bytes, impl Iterator<Item = (Range<usize>, Range<usize>)>) {
        let ranges = self
            .fields
            .into_iter()
            .map(|field| (field.name.range(), field.value.range()));
        (Bytes::from(self.bytes), ranges)
    }

    /// The bytes of a span handed out by [`Fields::store`].
    pub(super) fn at(&self, span: Span) -> &[u8] {
        &self.bytes[span.range()]
    }
}

impl Span {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
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
        let fields = fields(&[("Cookie", "a=1"), ("Host", "x"), ("cookie", "b=2")]);
        assert_eq!(fields.all("COOKIE").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(fields.get("host"), Some(&b"x"[..]));
        assert_eq!(fields.get("hos"), None);
    }
}
