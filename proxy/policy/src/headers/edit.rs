//! What becomes of a field.

use std::borrow::Cow;

/// What becomes of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldEdit {
    /// It passes as it is.
    Keep,
    /// It passes as it is, and sends the client to an upstream's own address, which no route publishes.
    Unpublished,
    /// It does not pass.
    Drop,
    /// Its value is replaced.
    Replace(Vec<u8>),
}

/// A field to add: name in lower case, value.
pub(super) type AddedField<'a> = (&'static [u8], Cow<'a, [u8]>);
