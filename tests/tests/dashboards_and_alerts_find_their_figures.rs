//! Beside the promises: what alerts and dashboards of packaging/monitoring ask for is what a site shows.
//!
//! Shown: three store nodes, a proxy and a Tomcat speak TLS, and Prometheus' exporter shows the Tomcat's attributes as the file for
//! operators tells it. They are scraped before anybody came, after a user has shopped, and while the store is away. Whatever an
//! alert asks for, and each series that its test makes up, is there from the first scrape on, with these labels and values (but for
//! what says that a Tomcat has lost the store). Every query of a dashboard finds something in the scrapes: Prometheus' own tool
//! evaluates it over them. Labels by which queries group, and that names of series show, are labels of what they ask for. The
//! dashboards are of a form that Grafana takes.
//! Left out on purpose: how the dashboards look. Whether an alert fires at the right moment; `alerts_say_what_to_do` tests that.
//! Broken once to see it fail: a metric misspelt in an alert, in its test and in a panel; a label misspelt in a legend; the
//! exporter's rule of the store's state; two panels at one place.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use remora_tests::certificates::Certificates;
use remora_tests::http::Browser;
use remora_tests::monitoring::dashboard::{DASHBOARDS, dashboard};
use remora_tests::monitoring::query::{Query, read};
use remora_tests::monitoring::rules::{Rule, rules, tests};
use remora_tests::monitoring::series::{Scrape, Series};
use remora_tests::monitoring::{directory, promtool};
use remora_tests::place::{free_port, repository};
use remora_tests::probe::Signals;
use remora_tests::proxy::{Proxy, Sticky, configuration};
use remora_tests::stores::{StorePorts, Stores, loopback};
use remora_tests::tomcat::{
    Application, EXPORTER, QUICK_START, Tomcat, TomcatPlan, Version, exporter_option,
};
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::{SOON, START};
use remora_tests::{Outcome, wait_for, wait_until};

/// Labels whose values are names of a site, and not words of a program.
const NAMES: [&str; 13] = [
    "instance",
    "peer",
    "url",
    "pool",
    "route",
    "name",
    "listen",
    "hash",
    "host",
    "context",
    "connector",
    "le",
    "version",
];

/// So many bytes of log make a table image: fewer than a sign-in.
const SNAPSHOT_BYTES: &str = "1000";

/// A site, and what it is scraped at.
struct Site {
    stores: Stores,
    tomcat: Tomcat,
    proxy: Proxy,
    exporter: SocketAddr,
}

impl Site {
    fn start(directory: &Path) -> Result<Self> {
        let certificates = Certificates::make(&directory.join("certs"))?;
        let ports: Vec<StorePorts> = (0..3).map(|_| StorePorts::free()).collect::<Result<_>>()?;
        let flags = ["--snapshot-bytes".to_owned(), SNAPSHOT_BYTES.to_owned()];
        let stores = Stores::start_with(directory, &ports, &flags, false, Some(certificates.clone()))?;
        let exporter = free_port()?;
        let plan = TomcatPlan {
            version: Version::V10,
            node: "n1".to_owned(),
            jvm_route: true,
            port: free_port()?,
            store: Some(stores.client_list()),
            manager: certificates.attributes("adapter"),
            replication: None,
            behind_front: false,
            applications: vec![Application::Shop, Application::Probe],
            java_options: format!("{QUICK_START} {}", exporter_option(exporter)?),
            signals: Signals::new(&directory.join("signals"))?
                .directory()
                .to_path_buf(),
        };
        let tomcat = Tomcat::start(directory, plan)?;
        let proxy = proxy(directory, tomcat.address(), &certificates)?;
        stores.wait_ready()?;
        tomcat.wait_ready()?;
        proxy.wait_ready()?;
        proxy.wait_health("n1", "up")?;
        let exporter = loopback(exporter);
        Ok(Self {
            stores,
            tomcat,
            proxy,
            exporter,
        })
    }

    /// What Prometheus would find now, with the labels that it adds.
    fn scrape(&self) -> Result<Scrape> {
        let mut scrape = Scrape::default();
        for id in self.stores.ids() {
            let node = self.stores.node(id).context("a store")?;
            scrape.add(
                "remora-store",
                &format!("store{id}"),
                &page(loopback(node.ports.ops))?,
            )?;
        }
        scrape.add("remora-proxy", "proxy1", &page(self.proxy.control)?)?;
        scrape.add("remora-tomcat", "tomcat1", &page(self.exporter)?)?;
        Ok(scrape)
    }

    /// A user comes, shops and leaves; another asks for what is not there; every node writes an image.
    fn lives(&self) -> Outcome {
        let mut user = Visitor::new(self.proxy.address);
        user.sign_in("ada", "lovelace")?;
        for item in ["mask", "lamp", "shark"] {
            user.add(item)?;
        }
        let missing = Browser::new(self.proxy.address).get("/nowhere")?;
        ensure!(
            missing.status == 404,
            "a path that is not there: {}",
            told(&missing)
        );
        ensure!(user.sign_out()?, "she signs out");
        wait_until("every node has written an image", SOON, || {
            let written = |series: &&Series| {
                series
                    .labels
                    .get("ending")
                    .is_some_and(|ending| ending == "written")
            };
            self.scrape().is_ok_and(|scrape| {
                let images = scrape.of("remora_store_snapshots_total");
                images
                    .into_iter()
                    .filter(written)
                    .all(|series| scrape.0[series] != "0")
            })
        })?;
        Ok(())
    }

    fn tails(&self) -> String {
        [self.stores.tails(), self.proxy.tail(), self.tomcat.tail()].join("\n")
    }
}

/// A proxy that shows certificates to users and to Tomcats, and its figures in clear.
fn proxy(directory: &Path, tomcat: SocketAddr, certificates: &Certificates) -> Result<Proxy> {
    let ports = (free_port()?, free_port()?);
    let members = [("n1".to_owned(), tomcat)];
    let (users, control) = (loopback(ports.0), loopback(ports.1));
    let mut text = configuration(users, control, Sticky::SessionSuffix, &members, None);
    let own = certificates.files("proxy");
    write!(
        text,
        "\n[[listen]]\nbind = \"{}\"\ntls = {{ cert = {:?}, key = {:?} }}\n\n[pool.secured]\n\
         tls = {{ authority = {:?}, cert = {:?}, key = {:?} }}\n\n[[pool.secured.member]]\nurl = \"https://127.0.0.1:{}\"\n\
         route = \"n2\"\n\n[[route]]\npath = \"/secured\"\nto = \"secured\"\n",
        loopback(free_port()?),
        own.cert,
        own.key,
        own.authority,
        own.cert,
        own.key,
        free_port()?,
    )?;
    Proxy::start_with(directory, ports, &text, None)
}

fn page(address: SocketAddr) -> Result<String> {
    let answer = Browser::new(address).get("/metrics")?;
    ensure!(answer.status == 200, "figures at {address}: {}", told(&answer));
    Ok(answer.text())
}

#[test]
fn a_site_shows_what_alerts_and_dashboards_ask_for() -> Outcome {
    let directory = tempfile::tempdir()?;
    let mut site = Site::start(directory.path())?;
    show_all(&mut site, directory.path())
        .map_err(|error| error.context(format!("it does not; last words:\n{}", site.tails())))
}

fn show_all(site: &mut Site, directory: &Path) -> Outcome {
    // A node that has just become ready sets its gauges within a second, and the exporter asks when it is asked.
    let first = wait_for("all alerts find their figures from the start", SOON, || {
        site.scrape()
            .ok()
            .filter(|scrape| faults_of_alerts(scrape).is_ok_and(|faults| faults.is_empty()))
    });
    let first = match first {
        Ok(first) => first,
        Err(error) => return Err(error.context(faults_of_alerts(&site.scrape()?)?.join("\n"))),
    };
    site.lives()?;
    let second = site.scrape()?;
    dashboards_find(&first, &second, directory)?;
    for id in site.stores.ids() {
        site.stores.kill(id)?;
    }
    let away = || {
        let mut scrape = second.clone();
        scrape
            .add("remora-tomcat", "tomcat1", &page(site.exporter).ok()?)
            .ok()?;
        let states = scrape.of("remora_tomcat_store_state");
        let is_away = |series: &&Series| series.labels["state"] == "AWAY";
        states.iter().any(is_away).then_some(scrape)
    };
    let away = wait_for("the Tomcat shows that it lost the store", START, away)?;
    let faults = faults_of_tests(&away)?;
    ensure!(
        faults.is_empty(),
        "tests of alerts make up series:\n{}",
        faults.join("\n")
    );
    Ok(())
}

/// What rules ask for and a scrape lacks, and labels that they name and nothing has.
fn faults_of_alerts(scrape: &Scrape) -> Result<Vec<String>> {
    let rules = rules()?;
    let mut faults = Vec::new();
    for rule in &rules {
        let query = read(&behind(&rule.expr, &rules))?;
        let whose = |fault: String| {
            format!(
                "{}{}: {fault}",
                rule.name(),
                rule.record.as_deref().unwrap_or_default()
            )
        };
        for wanted in &query.selections {
            faults.extend(scrape.lacks(wanted).into_iter().map(whose));
        }
        let shown = [rule.says("summary"), rule.says("description")].concat();
        let shown = shown.split("$labels.").skip(1).map(first_word);
        faults.extend(strange_labels(&query, shown, scrape).into_iter().map(whose));
    }
    Ok(faults)
}

/// A query with the queries of what is recorded in the place of their names.
fn behind(query: &str, rules: &[Rule]) -> String {
    let mut query = query.to_owned();
    for rule in rules {
        if let Some(record) = &rule.record {
            query = query.replace(record.as_str(), &format!("({})", rule.expr));
        }
    }
    query
}

fn first_word(text: &str) -> &str {
    let is_end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
    text.split(is_end).next().unwrap_or_default()
}

/// Labels by which a query groups and that no series has which it asks for, and labels that are shown and not left.
fn strange_labels<'q>(
    query: &'q Query,
    shown: impl Iterator<Item = &'q str>,
    scrape: &Scrape,
) -> Vec<String> {
    let asked = query
        .selections
        .iter()
        .flat_map(|wanted| scrape.of(&wanted.metric));
    let known: BTreeSet<&str> = asked.flat_map(Series::label_names).collect();
    let grouped = query.grouped.iter().map(String::as_str);
    let mut strange: Vec<String> = grouped
        .clone()
        .filter(|label| !known.contains(label))
        .map(|label| format!("it groups by {label}, which nothing has"))
        .collect();
    let left: BTreeSet<&str> = if query.grouped.is_empty() {
        known
    } else {
        grouped.collect()
    };
    let missing = shown.filter(|label| !left.contains(label));
    strange.extend(missing.map(|label| format!("it shows the label {label}, which is not there")));
    strange
}

/// Series that tests of alerts make up and that no site shows.
fn faults_of_tests(scrape: &Scrape) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for test in tests()? {
        for input in &test.input_series {
            let made = Series::read(&input.series)?;
            let real = scrape.of(&made.metric);
            let alike = |series: &&Series| series.label_names() == made.label_names();
            let words = made
                .labels
                .iter()
                .filter(|(label, _)| !NAMES.contains(&label.as_str()));
            let is_word = |(label, value): &(&String, &String)| {
                real.iter()
                    .any(|series| series.labels.get(*label) == Some(*value))
            };
            if !real.iter().any(alike) || !words.clone().all(|word| is_word(&word)) {
                faults.push(format!("{}: {made}", test.name));
            }
        }
    }
    Ok(faults)
}

/// Each query of each dashboard finds something over two scrapes that lie some minutes apart.
fn dashboards_find(first: &Scrape, second: &Scrape, aside: &Path) -> Outcome {
    let mut asked = String::new();
    let mut faults = Vec::new();
    for name in DASHBOARDS {
        for (text, legend) in dashboard(name)?.queries() {
            let query = read(&text)?;
            let shown = legend
                .split("{{")
                .skip(1)
                .map(|part| first_word(part.trim_start()));
            let missing = query.selections.iter().flat_map(|wanted| second.lacks(wanted));
            let strange = missing.chain(strange_labels(&query, shown, second));
            faults.extend(strange.map(|fault| format!("{name}: {fault}: {text}")));
            // 1 if it finds anything; nothing, and no 0, if it does not.
            let anything = serde_json::to_string(&format!("count({text}) >= bool 1"))?;
            writeln!(
                asked,
                "      - {{ expr: {anything}, eval_time: 8m, exp_samples: [{{ labels: '{{}}', value: 1 }}] }}"
            )?;
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    let file = aside.join("scrapes.test.yml");
    let rules = directory().join("alerts.yml");
    let series = input(first, second)?;
    std::fs::write(
        &file,
        format!(
            "rule_files: [{rules:?}]\nevaluation_interval: 1m\ntests:\n  - interval: 15s\n    input_series:\n{series}    \
             promql_expr_test:\n{asked}"
        ),
    )?;
    promtool(&["test", "rules", file.to_str().context("a path in UTF-8")?])?;
    Ok(())
}

/// Two scrapes as series of promtool: five minutes of the first, then the second.
fn input(first: &Scrape, second: &Scrape) -> Result<String> {
    let mut series = String::new();
    let all: BTreeSet<&Series> = first.0.keys().chain(second.0.keys()).collect();
    for one in all {
        let value = |scrape: &Scrape| match scrape.0.get(one).map(|value| value.parse::<f64>()) {
            Some(Ok(value)) if value.is_finite() => format!("{value}"),
            _ => "_".to_owned(),
        };
        let values = format!("{}x20 {}x20", value(first), value(second));
        writeln!(
            series,
            "      - {{ series: {}, values: '{values}' }}",
            serde_json::to_string(&one.to_string())?
        )?;
    }
    Ok(series)
}

#[test]
fn dashboards_are_well_made() -> Outcome {
    let mut uids = BTreeSet::new();
    for name in DASHBOARDS {
        let dashboard = dashboard(name)?;
        dashboard.is_well_made()?;
        ensure!(uids.insert(dashboard.uid), "{name} has the uid of another");
    }
    Ok(())
}

#[test]
fn the_page_names_the_exporter_that_was_tried() -> Outcome {
    let page = std::fs::read_to_string(repository().join("docs/monitoring.md"))?;
    ensure!(
        page.contains(&format!("tried at {EXPORTER})")),
        "docs/monitoring.md names another exporter"
    );
    Ok(())
}
