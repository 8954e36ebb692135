//! What operators wish, as the proxy keeps it over its own end: text of lines, the first of which names the format.
//!
//! Invariants: one form, sorted, held by `formats/proxy/wishes.txt` · what is not understood is refused whole: a wish that
//! was misread would send users to a Tomcat that somebody has just opened.
//!
//! Left out on purpose: where it is kept, and what a wish does.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The first line: the format and its version.
const FIRST: &str = "remora-proxy wishes 1";

/// The routes that are to be drained, as they are written.
#[must_use]
pub fn write_wishes(drained: &BTreeSet<Arc<str>>) -> String {
    let lines = drained.iter().map(|route| format!("drain {route}\n"));
    std::iter::once(format!("{FIRST}\n")).chain(lines).collect()
}

/// The routes that are to be drained, as they were written.
///
/// # Errors
/// A sentence on the line that is not understood.
pub fn read_wishes(text: &str) -> Result<BTreeSet<Arc<str>>, String> {
    let mut lines = text.lines();
    match lines.next() {
        Some(FIRST) => {}
        first => {
            return Err(format!(
                "it begins with `{}` and not with `{FIRST}`",
                first.unwrap_or_default()
            ));
        }
    }
    if !text.ends_with('\n') {
        return Err("its last line has no end".to_owned());
    }
    lines
        .map(|line| {
            let route = line.strip_prefix("drain ").filter(|route| !route.is_empty());
            route.map(Arc::from).ok_or_else(|| format!("`{line}` is no wish"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../../../formats/proxy/wishes.txt");

    #[test]
    fn the_fixture_is_read_and_written() {
        let wishes = read_wishes(FIXTURE).unwrap();
        let routes: Vec<&str> = wishes.iter().map(|route| &**route).collect();
        assert_eq!(routes, ["n1", "shop-2.blue"]);
        assert_eq!(write_wishes(&wishes), FIXTURE);
        assert_eq!(read_wishes(&write_wishes(&BTreeSet::new())), Ok(BTreeSet::new()));
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for wrong in ["", "remora-proxy wishes 2\n", &FIXTURE[..FIXTURE.len() - 1]] {
            assert!(read_wishes(wrong).is_err(), "{wrong}");
        }
        for line in ["drain ", "finish n1", ""] {
            assert!(read_wishes(&format!("{FIXTURE}{line}\n")).is_err(), "{line}");
        }
    }
}
