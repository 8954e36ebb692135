//! What an nginx location is for: a beginning, a whole path, an expression, and which paths of ours an expression means.
//!
//! Invariant: an expression that is not understood is no path, and is told of as that.
//!
//! Left out on purpose: running expressions. A route is chosen by its path.

use super::tree::Statement;
use crate::paths::is_plain;
use crate::replay::ForeignPath;

/// What a location is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matched {
    Prefix(String),
    Exact(String),
    /// A regular expression that means these paths and what is below them.
    Paths(Vec<String>),
    /// Any other.
    Expression,
    /// Reached by its name from within.
    Named,
}

impl Matched {
    pub(super) fn of(location: &Statement) -> Matched {
        let (mark, what) = match location.arguments.as_slice() {
            [mark, what] => (mark.as_str(), what.as_str()),
            [what] => {
                let end = what.len() - what.trim_start_matches(['=', '~', '^', '*']).len();
                let end = if what.starts_with(['=', '~']) || what.starts_with("^~") {
                    end
                } else {
                    0
                };
                // A caret behind `~` belongs to the expression.
                let end = if what.starts_with("~^") {
                    1
                } else if what.starts_with("~*^") {
                    2
                } else {
                    end
                };
                what.split_at(end)
            }
            _ => ("~", ""),
        };
        match mark {
            "=" => Matched::Exact(what.to_owned()),
            "~" | "~*" => paths_in(what).map_or(Matched::Expression, Matched::Paths),
            _ if what.starts_with('@') => Matched::Named,
            _ => Matched::Prefix(what.to_owned()),
        }
    }

    /// The paths of routes that stand for it.
    pub(super) fn paths(&self) -> Vec<String> {
        match self {
            Matched::Prefix(path) | Matched::Exact(path) => vec![trimmed(path)],
            Matched::Paths(paths) => paths.clone(),
            Matched::Expression | Matched::Named => Vec::new(),
        }
    }
}

/// A path without the slash at its end, or the root.
pub(super) fn trimmed(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        "/".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// The expression of a location.
pub(super) fn expression_of(location: &Statement) -> &str {
    match location.arguments.as_slice() {
        [what] => what.trim_start_matches(['~', '*']),
        _ => location.argument(1),
    }
}

/// The paths that an expression like `^/(a|b)/` means.
fn paths_in(expression: &str) -> Option<Vec<String>> {
    let path = expression.strip_prefix('^')?;
    let ends = [
        "(/|$)", "(/.*)?$", "(.*)$", "/(.*)$", "/(.*)", "/.*$", "/.*", "/?$", "/", "(?:/|$)",
    ];
    let path = ends.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-_~".contains(&byte))
    };
    let paths: Vec<String> = match path.split_once('(') {
        Some((before, rest)) => {
            let (names, behind) = rest.trim_start_matches("?:").split_once(')')?;
            let (spared, behind) = match behind.strip_prefix('?') {
                Some(behind) => (Some(""), behind),
                None => (None, behind),
            };
            spared
                .into_iter()
                .chain(names.split('|'))
                .map(|name| format!("{before}{name}{}", behind.trim_end_matches('/')))
                .collect()
        }
        None => vec![path.to_owned()],
    };
    let is_path = |path: &String| path.len() > 1 && plain(path) && is_plain(path);
    paths.iter().all(is_path).then_some(paths)
}

/// What nginx asks of a path for a location.
pub(super) fn asked_by(location: &Statement, matched: &Matched) -> ForeignPath {
    match matched {
        Matched::Exact(path) => ForeignPath::Is(path.clone()),
        Matched::Prefix(path) if location.argument(0).starts_with("^~") => {
            ForeignPath::BeginsForGood(path.clone())
        }
        Matched::Prefix(path) => ForeignPath::Begins(path.clone()),
        Matched::Paths(paths) => ForeignPath::Under(paths.clone()),
        _ => endings_in(location.arguments.last().map_or("", String::as_str))
            .map_or(ForeignPath::Unknown, ForeignPath::Ends),
    }
}

/// The endings that an expression like `\\.(png|jpg)$` means.
pub(super) fn endings_in(expression: &str) -> Option<Vec<String>> {
    let rest = expression
        .trim_start_matches(['~', '*'])
        .strip_prefix("\\.")?
        .strip_suffix('$')?;
    let names = rest
        .strip_prefix("(?:")
        .or(rest.strip_prefix('('))
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(rest);
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    names
        .split('|')
        .map(|name| plain(name).then(|| format!(".{name}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_that_means_paths_is_those_paths() {
        let paths = |text| paths_in(text).map(|paths| paths.join(" "));
        assert_eq!(paths("^/(old|legacy)/").as_deref(), Some("/old /legacy"));
        assert_eq!(paths("^/shop(/|$)").as_deref(), Some("/shop"));
        assert_eq!(paths("^/adm(in)?/").as_deref(), Some("/adm /admin"));
        assert_eq!(paths("^/a/(?:b|c)/(.*)$").as_deref(), Some("/a/b /a/c"));
        assert_eq!(
            endings_in("\\.(png|jpg)$"),
            Some(vec![".png".to_owned(), ".jpg".to_owned()])
        );
        assert_eq!(endings_in("\\.php$"), Some(vec![".php".to_owned()]));
        assert_eq!(endings_in("^/a\\.b$"), None);
        for none in ["\\.php$", "^/", "^/[a-z]+/", "/a", "^/(a|b"] {
            assert_eq!(paths(none), None, "{none}");
        }
    }

    #[test]
    fn a_location_is_read_with_its_mark() {
        let of = |words: &[&str]| {
            let (tree, _) =
                super::super::tree::parse(&"a".into(), &format!("location {} {{}}", words.join(" ")));
            Matched::of(&tree[0])
        };
        assert_eq!(of(&["/a/"]), Matched::Prefix("/a/".to_owned()));
        assert_eq!(of(&["^~", "/a"]), Matched::Prefix("/a".to_owned()));
        assert_eq!(of(&["=/a"]), Matched::Exact("/a".to_owned()));
        assert_eq!(of(&["~^/a/"]), Matched::Paths(vec!["/a".to_owned()]));
        assert_eq!(of(&["~*", "\\.png$"]), Matched::Expression);
        assert_eq!(of(&["@x"]), Matched::Named);
    }
}
