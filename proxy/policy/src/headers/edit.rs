//! What becomes of a field.

/// What becomes of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldEdit {
    /// It passes as it is.
    Keep,
    /// It passes as it is, and sends the client to an upstream's own address, which no route publishes.
    Unpublished,
    /// It does not pass.
    Drop,
    /// Its value is replaced by what was written for it.
    Replace,
}
