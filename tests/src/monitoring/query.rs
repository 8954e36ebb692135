//! What a query in Prometheus' language asks for: names of metrics, the labels by which it selects, and those by which it groups.
//!
//! A scan for words, not a parser: promtool has judged the query before, and what it means is asked of promtool, too. A parser
//! would bring two dozen crates for what is here. Left out on purpose: subqueries, `@`, and patterns of labels other than words
//! with `|` between them and `.+` behind; a query that has them is refused, so that nothing is overlooked.

use anyhow::{Context, Result, bail};

/// Words that are no metric where no parenthesis follows.
const WORDS: [&str; 16] = [
    "and", "or", "unless", "bool", "offset", "inf", "nan", "sum", "min", "max", "avg", "count", "topk",
    "bottomk", "stddev", "group",
];

/// Words with labels behind them in parentheses.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Each selection of series, in their order.
    pub selections: Vec<Selection>,
    /// Labels by which it groups or joins.
    pub grouped: Vec<String>,
}

/// A metric and the labels that its series must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The name.
    pub metric: String,
    /// Names of labels with the values that each must be found with; a value that ends in `*` stands for all that begin so. None
    /// for a condition that says what a value is not.
    pub labels: Vec<(String, Vec<String>)>,
}

/// Reads a query.
///
/// # Errors
/// It has something that is not looked for here.
pub fn read(query: &str) -> Result<Query> {
    scan(query).with_context(|| format!("in the query {query}"))
}

fn scan(query: &str) -> Result<Query> {
    let mut found = Query::default();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let (word, after) = word(rest);
        if word.is_empty() {
            rest = match first {
                '"' => string(rest)?.1,
                '[' => until(rest, ']')?.1,
                '@' | '\'' | '`' | '{' => bail!("{first:?} is not looked for"),
                _ => &rest[first.len_utf8()..],
            };
            continue;
        }
        let next = after.trim_start();
        rest = after;
        if first.is_ascii_digit() {
            continue;
        }
        if GROUPINGS.contains(&word) {
            let (labels, after) = until(next, ')')?;
            let labels = labels.trim_start_matches('(').split(',').map(str::trim);
            found
                .grouped
                .extend(labels.filter(|label| !label.is_empty()).map(str::to_owned));
            rest = after;
        } else if !next.starts_with('(') && !WORDS.contains(&word.to_lowercase().as_str()) {
            let mut labels = Vec::new();
            if let Some(conditions) = next.strip_prefix('{') {
                rest = self::labels(conditions, &mut labels)?;
            }
            let metric = word.to_owned();
            found.selections.push(Selection { metric, labels });
        }
    }
    Ok(found)
}

/// The word that a text begins with, numbers and durations among them; and what follows.
fn word(text: &str) -> (&str, &str) {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.split_at(text.find(|letter| !is_part(letter)).unwrap_or(text.len()))
}

/// What stands before a letter, and what behind it.
fn until(text: &str, end: char) -> Result<(&str, &str)> {
    text.split_once(end)
        .with_context(|| format!("{end:?} is missing"))
}

/// What stands in the quotes that a text begins with, and what follows them.
fn string(text: &str) -> Result<(&str, &str)> {
    let inner = text.strip_prefix('"').context("a value stands in quotes")?;
    let (value, after) = until(inner, '"')?;
    if value.contains('\\') {
        bail!("a backslash is not looked for");
    }
    Ok((value, after))
}

/// Conditions, up to the brace that ends them; gives what follows.
fn labels<'t>(text: &'t str, found: &mut Vec<(String, Vec<String>)>) -> Result<&'t str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ',', '\n']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (label, after) = word(rest);
        let value = after.trim_start_matches(['=', '!', '~']);
        let operator = &after[..after.len() - value.len()];
        let (value, after) = string(value.trim_start())?;
        let values = match operator {
            "=" => vec![value.to_owned()],
            "=~" => value.split('|').map(alternative).collect::<Result<_>>()?,
            "!=" | "!~" => Vec::new(),
            other => bail!("{other:?} compares nothing"),
        };
        found.push((label.to_owned(), values));
        rest = after;
    }
}

/// One of the words of a pattern.
fn alternative(pattern: &str) -> Result<String> {
    let (begin, any) = match pattern.strip_suffix(".+") {
        Some(begin) => (begin, "*"),
        None => (pattern, ""),
    };
    if begin.contains(|letter: char| ".*+?()[]^$".contains(letter)) {
        bail!("the pattern {pattern} is not looked for");
    }
    Ok(format!("{begin}{any}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(metric: &str, labels: &[(&str, &[&str])]) -> Selection {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let labels = labels
            .iter()
            .map(|(name, values)| ((*name).to_owned(), owned(values)));
        Selection {
            metric: metric.to_owned(),
            labels: labels.collect(),
        }
    }

    #[test]
    fn metrics_and_labels_are_found_and_functions_are_none() {
        let query = read(
            "histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{x=\"1\", y=~\"p|q.+\"}[5m]))) > 2 * 2 ^ 20 \
             or on (z) b:c{w!=\"v\"} unless max without(pool) (d offset 1h) == bool 1e3",
        );
        let query = query.unwrap();
        let expected = [
            selection("a_bucket", &[("x", &["1"]), ("y", &["p", "q*"])]),
            selection("b:c", &[("w", &[])]),
            selection("d", &[]),
        ];
        assert_eq!(query.selections, expected);
        assert_eq!(query.grouped, ["job", "le", "z", "pool"]);
    }

    #[test]
    fn what_is_not_looked_for_is_refused() {
        for query in [
            "a{b=~\"c.*d\"}",
            "a @ 5",
            "{b=\"c\"}",
            "a{b=\"c\\n\"}",
            "a{b=c}",
            "rate(a[5m)",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
