//! Beside the promises: an alert of packaging/monitoring fires when it should and not before, and says what to do.
//!
//! Shown: Prometheus' own tool takes the rules, the example of its configuration, and the tests of the rules, of which each alert
//! has one that sees it silent and firing. Each alert has a severity, says in a sentence what is wrong, and names a command of
//! ours that the programs know, with its flags. docs/monitoring.md says of each what the file says, under the heading that the
//! alert points to.
//! Left out on purpose: whether a site shows such figures; `dashboards_and_alerts_find_their_figures` asks one.
//! Broken once to see it fail: the test of an alert taken out; a number in a query (promtool names the test); a verb in a description;
//! a word on the page.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use remora_process::catalogue;
use remora_tests::Outcome;
use remora_tests::monitoring::promtool;
use remora_tests::monitoring::rules::{Rule, TESTS, Test, alerts, tests};
use remora_tests::place::{program, repository};

/// How urgent an alert may be.
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

/// Where the runbook is.
const PAGE: &str = "docs/monitoring.md";

#[test]
fn prometheus_takes_the_rules_and_its_configuration() -> Outcome {
    promtool(&["check", "rules", "alerts.yml"])?;
    promtool(&["check", "config", "prometheus.yml"])?;
    Ok(())
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() -> Outcome {
    promtool(&[&["test", "rules"], &TESTS[..]].concat())?;
    let mut seen: BTreeMap<String, Vec<Test>> = BTreeMap::new();
    for test in tests()? {
        seen.entry(test.name.clone()).or_default().push(test);
    }
    for alert in alerts()? {
        let name = alert.name();
        let tests = seen.remove(name).with_context(|| format!("{name} has no test"))?;
        for test in tests {
            let asked = &test.promql_expr_test;
            let of_it = format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}}");
            ensure!(
                asked.iter().all(|asked| asked.expr == of_it),
                "{name}: its test asks something else"
            );
            let fires: Vec<bool> = asked.iter().map(|asked| !asked.exp_samples.is_empty()).collect();
            ensure!(
                fires == [false, true],
                "{name}: its test sees it silent, then firing"
            );
        }
    }
    ensure!(seen.is_empty(), "tests of no alert: {:?}", seen.keys());
    Ok(())
}

#[test]
fn each_alert_says_what_is_wrong_and_what_to_do() -> Outcome {
    let mut names = BTreeSet::new();
    for alert in alerts()? {
        let name = alert.name().to_owned();
        let severity = alert.labels.get("severity").map_or("", String::as_str);
        ensure!(SEVERITIES.contains(&severity), "{name}: severity {severity:?}");
        ensure!(
            alert.says("summary").ends_with('.'),
            "{name}: its summary is no sentence"
        );
        let page = format!("{PAGE}#{}", name.to_lowercase());
        ensure!(
            alert.says("runbook_url") == page,
            "{name} does not point to {page}"
        );
        let commands: Vec<&str> = commands(alert.says("description")).collect();
        ensure!(!commands.is_empty(), "{name} names no command");
        for command in commands {
            is_known(command).with_context(|| format!("{name} names `{command}`"))?;
        }
        ensure!(names.insert(name.clone()), "two alerts are called {name}");
    }
    Ok(())
}

/// What stands in back quotes and begins with a program of ours.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|quoted| quoted.starts_with("remora ") || quoted.starts_with("remora-proxy "))
}

/// Whether the program knows all the words and flags: asked for help behind them, it gives that, and complains about none.
fn is_known(command: &str) -> Outcome {
    // Nodes have numbers; any other placeholder may be a name.
    let mut words = command
        .split_whitespace()
        .map(|word| if word == "ID" { "1" } else { word });
    let output = Command::new(program(words.next().unwrap_or_default())?)
        .args(words)
        .arg("--help")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it is not known: {said}");
    let help = String::from_utf8_lossy(&output.stdout);
    // Up to what stands for something of the site.
    let is_word = |word: &&str| {
        let mut letters = word.chars();
        !word.starts_with('-') && letters.all(|letter| letter.is_ascii_lowercase() || letter == '-')
    };
    let verb = command.split_whitespace().take_while(is_word);
    let verb = verb.collect::<Vec<_>>().join(" ");
    ensure!(
        help.contains(&format!("Usage: {verb}")),
        "its words are not all known: {help}"
    );
    Ok(())
}

#[test]
fn the_page_says_of_each_alert_what_the_file_says() -> Outcome {
    let sections: Vec<String> = alerts()?.iter().map(section).collect::<Result<_>>()?;
    let held = catalogue::holds(&repository().join(PAGE), "alerts", &sections.concat())?;
    ensure!(held, "{PAGE} differs: write it anew, with UPDATE_GOLDENFILES=1");
    Ok(())
}

/// The section of an alert.
fn section(alert: &Rule) -> Result<String> {
    let when = match &alert.holds {
        Some(time) => format!("after {time}"),
        None => "at once".to_owned(),
    };
    let severity = alert.labels.get("severity").context("a severity")?;
    Ok(format!(
        "### {}\n\n**{severity}**, {when}. {}\n\n{}\n\n```\n{}\n```\n\n",
        alert.name(),
        plain(alert.says("summary"))?,
        alert.says("description"),
        alert.expr,
    ))
}

/// A text without what Prometheus puts in: in its place the name of the label, or "so much".
fn plain(text: &str) -> Result<String> {
    let mut parts = text.split("{{");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (put_in, after) = part.split_once("}}").context("braces that are not closed")?;
        match put_in.trim() {
            value if value.starts_with("$value") => plain.push('N'),
            label if label.starts_with("$labels.") => {
                plain.push_str(&label["$labels.".len()..].to_uppercase());
            }
            "." => plain.push_str("NAME"),
            _ => {}
        }
        plain.push_str(after);
    }
    Ok(plain)
}
