//! Dashboards of Grafana: panels with their places and queries.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::directory;

/// Names of the files, without their ending.
pub const DASHBOARDS: [&str; 3] = ["store", "proxy", "tomcats"];

/// Columns of a dashboard.
const COLUMNS: u32 = 24;

/// A dashboard.
#[derive(Debug, Deserialize)]
pub struct Dashboard {
    /// For people.
    pub title: String,
    /// By which links find it.
    pub uid: String,
    /// Of the form that it is written in.
    #[serde(rename = "schemaVersion")]
    pub schema: u32,
    /// In their order.
    pub panels: Vec<Panel>,
    /// What is asked of whoever looks.
    pub templating: Templating,
}

/// Variables.
#[derive(Debug, Deserialize)]
pub struct Templating {
    /// In their order.
    pub list: Vec<Variable>,
}

/// A variable.
#[derive(Debug, Deserialize)]
pub struct Variable {
    /// As queries write it behind a `$`.
    pub name: String,
    /// What it is: a source of data, or what a query finds.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it finds; a name for a source of data, a structure for a query.
    #[serde(default)]
    pub query: Value,
}

/// A panel, or the heading of a row.
#[derive(Debug, Deserialize)]
pub struct Panel {
    /// By which links find it.
    pub id: u32,
    /// `row` for a heading.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub title: String,
    /// What it shows, for people.
    #[serde(default)]
    pub description: String,
    /// Where it is.
    #[serde(rename = "gridPos")]
    pub place: Place,
    /// What is asked for it.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Where it is asked.
    #[serde(default)]
    pub datasource: Value,
    /// How values are shown.
    #[serde(rename = "fieldConfig", default)]
    pub fields: Value,
}

/// Where a panel is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Place {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

/// A query of a panel.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// The query.
    pub expr: String,
    /// How its series are called, with labels in double braces.
    #[serde(rename = "legendFormat", default)]
    pub legend: String,
}

/// Reads one.
///
/// # Errors
/// It cannot be read.
pub fn dashboard(name: &str) -> Result<Dashboard> {
    let path = directory().join(format!("grafana/{name}.json"));
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("understand {}", path.display()))
}

impl Place {
    fn overlaps(self, other: Self) -> bool {
        let apart = self.x + self.w <= other.x || other.x + other.w <= self.x;
        !apart && self.y < other.y + other.h && other.y < self.y + self.h
    }
}

impl Dashboard {
    /// Queries of all panels and of the variables, with the names of their series; the variables are put in, for whatever there is.
    pub fn queries(&self) -> Vec<(String, String)> {
        let targets = self.panels.iter().flat_map(|panel| &panel.targets);
        let mut queries: Vec<_> = targets
            .map(|target| (self.filled(&target.expr), target.legend.clone()))
            .collect();
        for variable in self
            .templating
            .list
            .iter()
            .filter(|variable| variable.kind == "query")
        {
            let asked = variable.query["query"].as_str().unwrap_or_default();
            let values = asked
                .strip_prefix("label_values(")
                .and_then(|asked| asked.strip_suffix(')'));
            if let Some((series, label)) = values.and_then(|values| values.rsplit_once(',')) {
                queries.push((self.filled(series), format!("{{{{{}}}}}", label.trim())));
            }
        }
        queries
    }

    fn filled(&self, query: &str) -> String {
        let mut filled = query.replace("$__rate_interval", "5m");
        for variable in &self.templating.list {
            filled = filled.replace(&format!("${}", variable.name), ".+");
        }
        filled
    }

    /// Whether it is as it should be, as far as it can be seen without Grafana.
    ///
    /// # Errors
    /// What is not.
    pub fn is_well_made(&self) -> Result<()> {
        // What Grafana 10 writes; later ones read it, too.
        ensure!(self.schema == 39, "{}: another schemaVersion", self.title);
        let kinds: Vec<_> = self
            .templating
            .list
            .iter()
            .map(|variable| variable.kind.as_str())
            .collect();
        ensure!(
            kinds.first() == Some(&"datasource"),
            "{}: no variable for the source",
            self.title
        );
        let mut ids = BTreeSet::new();
        for (at, panel) in self.panels.iter().enumerate() {
            panel
                .is_well_made()
                .with_context(|| format!("{}, panel {} ({})", self.title, panel.id, panel.title))?;
            ensure!(
                ids.insert(panel.id),
                "{}: two panels have the id {}",
                self.title,
                panel.id
            );
            let overlaps = |other: &&Panel| other.place.overlaps(panel.place);
            if let Some(other) = self.panels[..at].iter().find(overlaps) {
                ensure!(false, "{}: {} lies over {}", self.title, panel.title, other.title);
            }
        }
        Ok(())
    }
}

impl Panel {
    fn is_well_made(&self) -> Result<()> {
        ensure!(!self.title.is_empty(), "it has no title");
        ensure!(
            self.place.w > 0 && self.place.x + self.place.w <= COLUMNS,
            "it is too wide"
        );
        if self.kind == "row" {
            return Ok(());
        }
        ensure!(self.description.ends_with('.'), "it has no description");
        ensure!(!self.targets.is_empty(), "it asks nothing");
        ensure!(
            self.datasource["uid"] == "${source}",
            "it does not ask the source that was chosen"
        );
        let unit = self.fields["defaults"]["unit"].as_str().unwrap_or_default();
        ensure!(!unit.is_empty(), "it has no unit");
        let chosen = |target: &&Target| !target.expr.contains("job=~\"$job\"");
        if let Some(target) = self.targets.iter().find(chosen) {
            ensure!(false, "it asks beyond the job that was chosen: {}", target.expr);
        }
        Ok(())
    }
}
