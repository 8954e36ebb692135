//! Series: a name, labels, and what a page of figures says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};

use super::query::Selection;

/// What names a series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The metric.
    pub metric: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Series {
    /// Reads a series as it is written everywhere: `name{label="value",...}`, the braces only where there are labels.
    ///
    /// # Errors
    /// It is written otherwise.
    pub fn read(text: &str) -> Result<Self> {
        let (metric, labels) = text.split_once('{').unwrap_or((text, "}"));
        let labels = labels
            .trim_end()
            .strip_suffix('}')
            .context("a brace is missing")?;
        // Values of this program have no quotes and no backslashes; the path of a context may have anything else.
        let parts: Vec<&str> = labels.split('"').collect();
        let labels = parts.chunks(2).filter(|part| part.len() == 2).map(|part| {
            let name = part[0].trim_start_matches([',', ' ']).trim_end_matches('=');
            (name.to_owned(), part[1].to_owned())
        });
        Ok(Self {
            metric: metric.trim().to_owned(),
            labels: labels.collect(),
        })
    }

    /// Names of its labels.
    pub fn label_names(&self) -> BTreeSet<&str> {
        self.labels.keys().map(String::as_str).collect()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"));
        write!(f, "{}{{{}}}", self.metric, labels.collect::<Vec<_>>().join(","))
    }
}

/// What a scrape of some targets found.
#[derive(Clone, Debug, Default)]
pub struct Scrape(pub BTreeMap<Series, String>);

impl Scrape {
    /// Adds a page of figures, as Prometheus does: each series gets the labels of its target, and there is `up`.
    ///
    /// # Errors
    /// A line of the page cannot be read.
    pub fn add(&mut self, job: &str, instance: &str, page: &str) -> Result<()> {
        let mut target = |mut series: Series, value: &str| {
            for (name, value) in [("job", job), ("instance", instance)] {
                series.labels.insert(name.to_owned(), value.to_owned());
            }
            self.0.insert(series, value.to_owned());
        };
        for line in page
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (series, value) = line
                .rsplit_once(' ')
                .with_context(|| format!("no value: {line}"))?;
            target(Series::read(series)?, value);
        }
        target(Series::read("up")?, "1");
        Ok(())
    }

    /// Series of a metric.
    pub fn of(&self, metric: &str) -> Vec<&Series> {
        self.0.keys().filter(|series| series.metric == metric).collect()
    }

    /// What of a selection is not here: the metric, a label, or a value.
    pub fn lacks(&self, wanted: &Selection) -> Vec<String> {
        let found = self.of(&wanted.metric);
        if found.is_empty() {
            return vec![format!("nobody shows {}", wanted.metric)];
        }
        let mut lacking = Vec::new();
        for (label, values) in &wanted.labels {
            let here: BTreeSet<&str> = found
                .iter()
                .filter_map(|series| Some(series.labels.get(label)?.as_str()))
                .collect();
            if here.is_empty() {
                lacking.push(format!("{} has no label {label}", wanted.metric));
            }
            let unknown = values
                .iter()
                .filter(|value| !here.iter().any(|here| fits(here, value)));
            lacking.extend(unknown.map(|value| format!("{} is never {label}={value:?}", wanted.metric)));
        }
        lacking
    }
}

fn fits(value: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(begin) => value.starts_with(begin),
        None => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::read;
    use super::*;

    #[test]
    fn what_a_query_asks_for_and_nobody_shows_is_named() {
        let mut scrape = Scrape::default();
        let page = "# HELP a Something.\na{b=\"/shop, 2\",c=\"d\"} 1\na{b=\"/\",c=\"e\"} NaN\n\nf 2.5\n";
        scrape.add("remora-store", "store1", page).unwrap();
        let lacks = |query: &str| {
            let selections = read(query).unwrap().selections;
            selections
                .iter()
                .flat_map(|wanted| scrape.lacks(wanted))
                .collect::<Vec<_>>()
        };
        let nothing: [&str; 0] = [];
        assert_eq!(
            lacks("a{c=~\"d|e\",job=~\"remora-.+\",b!=\"x\"} + f + up"),
            nothing
        );
        assert_eq!(lacks("a{c=\"x\"}"), ["a is never c=\"x\""]);
        assert_eq!(lacks("f{c!=\"x\"}"), ["f has no label c"]);
        assert_eq!(lacks("ff"), ["nobody shows ff"]);
        let first = scrape.of("a")[1];
        assert_eq!(
            first.to_string(),
            "a{b=\"/shop, 2\",c=\"d\",instance=\"store1\",job=\"remora-store\"}"
        );
        assert_eq!(Series::read(&first.to_string()).unwrap(), *first);
    }
}
