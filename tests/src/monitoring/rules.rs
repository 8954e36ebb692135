//! `alerts.yml` and its tests, as Prometheus reads them; what is asked of no other program is dropped.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::directory;

/// A file of rules.
#[derive(Debug, Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// A rule: an alert, or what is recorded for others.
#[derive(Debug, Deserialize)]
pub struct Rule {
    /// The name of an alert.
    pub alert: Option<String>,
    /// The name of what is recorded.
    pub record: Option<String>,
    /// The query.
    pub expr: String,
    /// How long it has to hold; at once if that is not said.
    #[serde(rename = "for")]
    pub holds: Option<String>,
    /// What is added to the alert's labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What people read.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Rule {
    /// A text that people read; empty if there is none.
    pub fn says(&self, annotation: &str) -> &str {
        self.annotations.get(annotation).map_or("", String::as_str)
    }

    /// The name of the alert; empty for what is recorded.
    pub fn name(&self) -> &str {
        self.alert.as_deref().unwrap_or_default()
    }
}

/// All rules, in the file's order.
///
/// # Errors
/// The file cannot be read.
pub fn rules() -> Result<Vec<Rule>> {
    let file: Rules = yaml("alerts.yml")?;
    Ok(file.groups.into_iter().flat_map(|group| group.rules).collect())
}

/// The alerts among them.
///
/// # Errors
/// The file cannot be read.
pub fn alerts() -> Result<Vec<Rule>> {
    let mut rules = rules()?;
    rules.retain(|rule| rule.alert.is_some());
    Ok(rules)
}

#[derive(Debug, Deserialize)]
struct Tests {
    tests: Vec<Test>,
}

/// A test of an alert.
#[derive(Debug, Deserialize)]
pub struct Test {
    /// Which alert it is of.
    pub name: String,
    /// What Prometheus is to have seen.
    pub input_series: Vec<Input>,
    /// What is asked then.
    pub promql_expr_test: Vec<Asked>,
}

/// A series of a test.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// Its name and labels.
    pub series: String,
}

/// A question of a test, and what is expected.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// The query.
    pub expr: String,
    /// What it finds; nothing unless said.
    #[serde(default)]
    pub exp_samples: Vec<Sample>,
}

/// Something that is expected.
#[derive(Debug, Deserialize)]
pub struct Sample {
    /// Its name and labels.
    pub labels: String,
}

/// Files of tests.
pub const TESTS: [&str; 2] = ["alerts.test.yml", "alerts.long.test.yml"];

/// All tests.
///
/// # Errors
/// A file cannot be read.
pub fn tests() -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for file in TESTS {
        tests.extend(yaml::<Tests>(file)?.tests);
    }
    Ok(tests)
}

fn yaml<T: DeserializeOwned>(name: &str) -> Result<T> {
    let path = directory().join(name);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("understand {}", path.display()))
}
