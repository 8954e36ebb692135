//! Paths as a route can have them.
//!
//! Left out on purpose: what the proxy says of one that it cannot have. Readers say that beside the line that it comes from.

/// Whether a route can have this path: from a slash on, plain, without empty or dot segments.
pub(crate) fn is_plain(path: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(&byte);
    let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    path.starts_with('/') && !path.contains("//") && !dots && path.bytes().all(letter)
}
