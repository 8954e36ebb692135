//! Which applications a certificate stands for.
//!
//! An application is written `namespace:host/path##version`, where all but the host may be missing. A pattern is written the
//! same way, and each of its four parts is compared with the same part of the application. `*` stands for any text within
//! its part, none included; a part that is missing means that it has to be missing.

use std::fmt;

/// A pattern of applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Every application, as a pattern: any text in each of the four parts, because a part that is missing would have to be.
    pub const EVERY: &str = "*:*/*##*";

    /// A pattern as it is written.
    pub fn new(text: &str) -> Pattern {
        Pattern(text.to_owned())
    }

    /// Whether the pattern stands for an application.
    pub fn matches(&self, application: &str) -> bool {
        let pairs = parts(&self.0).into_iter().zip(parts(application));
        pairs.into_iter().all(|(pattern, text)| is_like(pattern, text))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Namespace, host, path and version, each empty where it is missing.
fn parts(text: &str) -> [&str; 4] {
    let (text, version) = text.split_once("##").unwrap_or((text, ""));
    let (before, path) = text.split_once('/').unwrap_or((text, ""));
    let (namespace, host) = before.split_once(':').unwrap_or(("", before));
    [namespace, host, path, version]
}

/// Whether a text is what a pattern says, in which `*` stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    // What stands between two stars is taken where it comes first: that leaves the most for what follows.
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, behind)) = left.split_once(piece) else {
            return false;
        };
        left = behind;
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_part() {
        for (pattern, application, expected) in [
            ("localhost/shop", "localhost/shop", true),
            ("localhost/shop", "localhost/shop2", false),
            ("localhost/shop", "localhost/shop##2", false),
            ("localhost/shop##*", "localhost/shop##2", true),
            ("localhost/shop##*", "localhost/shop", true),
            ("localhost/*", "localhost", true),
            ("localhost/*", "localhost/shop/api", true),
            ("localhost/*", "localhost/shop##2", false),
            ("localhost/*", "a:localhost/shop", false),
            ("localhost", "localhost", true),
            ("localhost", "localhost/shop", false),
            ("*.example.com/shop", "www.example.com/shop", true),
            ("*.example.com/shop", "www.example.org/x.example.com/shop", false),
            ("shop:*/*", "shop:localhost/cart", true),
            ("shop:*/*", "localhost/cart", false),
            ("*", "localhost", true),
            ("*", "localhost/cart", false),
            ("a*b*c/x", "a1b2b3c/x", true),
            ("a*b*c/x", "a1c/x", false),
            ("a*a/x", "a/x", false),
            (Pattern::EVERY, "localhost", true),
            (Pattern::EVERY, "shop:localhost/cart##2", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(application),
                expected,
                "{pattern} {application}"
            );
        }
    }
}
