//! The proxy beside other proxies: what a request costs each of them, in the forms that [`form`] lists, and what an idle
//! connection takes of their memory; and what pages of the console cost requests ([`console`]).
//!
//! What these figures say and what they hide. A request costs its proxy some 20 microseconds, of which three quarters are the
//! kernel's. A proxy that is quick enough sleeps between requests, and a sleep with its wake costs a third of a request: where
//! load and backend share the other core (`project`) a quicker proxy sleeps more often, which hides about half of what it
//! gained. Where the backend shares the proxy's core (`saturated`) nobody sleeps, and the time per request says how many a
//! core can carry. So both are measured, and sleeps stand in each table.
//!
//! Invariants: contenders of a form meet the same backend, the same load and the same cores, and take turns, so that a noisy
//! minute meets all of them · ratios are taken within a round.
//!
//! Left out on purpose: resumed handshakes, which wrk does not make; TLS towards the backend.

pub(crate) mod console;
mod contender;
mod form;
mod identity;
mod idle;
mod nginx;
mod rounds;
mod settings;

use anyhow::{Context, Result, bail};
use remora_tests::place::repository;

use crate::say;
use crate::wrk::installed;
use contender::Contender;
use form::FORMS;
use remora_tests::table::Table;
use rounds::Summary;

/// Columns of a form's table. The two ratios are of processor time, to nginx without and with its access log.
const COLUMNS: [&str; 11] = [
    "who",
    "CPU each",
    "least to most",
    "user",
    "kernel",
    "/ nginx",
    "/ nginx, log",
    "rate",
    "sleeps each",
    "p50",
    "p99",
];

/// Measures nginx and ours in the first form, for the one table of `make bench`, or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    /// As long as the other rows of that table.
    const SECONDS: u64 = 6;
    /// Enough to see by their spread whether they can be trusted.
    const ROUNDS: usize = 3;
    let what = "proxied 1 KiB GET";
    if installed("nginx").is_none() || installed("wrk").is_none() {
        let missing = "nginx and wrk must be installed (tools/prerequisites bench)";
        table.row([what, "", "", "", "", missing].map(String::from));
        return Ok(());
    }
    let pair = [Contender::NginxLogging, Contender::Ours];
    let form = FORMS.first().context("there is a form")?;
    for summary in rounds::measure(form, &pair, ROUNDS, SECONDS)? {
        table.row([
            what.into(),
            summary.who.name().into(),
            format!("{:.0}/s", summary.rate),
            format!("{:.1} us", summary.cpu),
            format!("{:.2}", summary.sleeps),
            format!("{}, CPU {}", summary.latency(), summary.spread()),
        ]);
    }
    Ok(())
}

/// Measures all contenders in all forms, and prints a table of each form: `make bench-proxy`.
///
/// `FORMS` and `WITH` name some of them, `ROUNDS` and `MEASURE_SECONDS` say how long.
///
/// # Errors
/// When something named is not known or not there, or a contender fails.
pub(crate) fn measure_all() -> Result<()> {
    let contenders = chosen("WITH", &Contender::ALL, |contender| contender.word())?;
    let names: Vec<&str> = FORMS.iter().map(|form| form.name).chain([idle::NAME]).collect();
    let names = chosen("FORMS", &names, |name| name)?;
    let (rounds, seconds) = (number("ROUNDS", 3)?, number("MEASURE_SECONDS", 4)?);
    for load in ["wrk", "h2load"] {
        if installed(load).is_none() {
            bail!("{load} must be installed (tools/prerequisites bench-proxy)");
        }
    }
    say(&versions(&contenders)?)?;
    let measured = names.len() * contenders.len() * rounds * usize::try_from(seconds)?;
    say(&format!(
        "{rounds} rounds of {seconds} s each, after a second of warming up; medians of the rounds, ratios within a round; \
         about {} min in all",
        (measured + measured / 4).div_ceil(60)
    ))?;
    for form in FORMS.iter().filter(|form| names.contains(&form.name)) {
        let summaries = rounds::measure(form, &contenders, rounds, seconds)
            .with_context(|| format!("the form `{}`", form.name))?;
        say(&format!("\n### {}: {}\n", form.name, form.says))?;
        print(&summaries)?;
    }
    if names.contains(&idle::NAME) {
        idle::measure(&contenders)?;
    }
    Ok(())
}

fn print(summaries: &[Summary]) -> Result<()> {
    let mut table = Table::of(COLUMNS);
    for summary in summaries {
        let ratio = |of: Option<f64>| of.map_or("-".into(), |ratio| format!("{ratio:.2}"));
        table.row([
            summary.who.name().into(),
            format!("{:.1} us", summary.cpu),
            summary.spread(),
            format!("{:.1}", summary.cpu * summary.own_part),
            format!("{:.1}", summary.cpu * (1.0 - summary.own_part)),
            ratio(summary.beside_nginx),
            ratio(summary.beside_logging),
            format!("{:.0}/s", summary.rate),
            format!("{:.3}", summary.sleeps),
            format!("{:.2} ms", summary.half / 1e3),
            format!("{:.2} ms", summary.most / 1e3),
        ]);
    }
    say(&table.to_string())
}

/// Those whose words a variable lists; all, where it lists none.
fn chosen<T: Copy>(variable: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Result<Vec<T>> {
    let listed = std::env::var(variable).unwrap_or_default();
    let listed: Vec<&str> = listed
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    let known: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    if let Some(unknown) = listed.iter().find(|word| !known.contains(word)) {
        bail!("{variable}={unknown}: there are only {}", known.join(", "));
    }
    let wanted = |one: &T| listed.is_empty() || listed.contains(&word(*one));
    Ok(all.iter().copied().filter(wanted).collect())
}

fn number<T: std::str::FromStr>(variable: &str, usual: T) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{variable}={text} is no number")),
        Err(_) => Ok(usual),
    }
}

/// Who is measured, each with its version, and on what.
fn versions(contenders: &[Contender]) -> Result<String> {
    let mut named: Vec<String> = Vec::new();
    for contender in contenders {
        let version = contender.version()?;
        if !named.contains(&version) {
            named.push(version);
        }
    }
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .unwrap_or("a system without a name")
        .trim_matches('"');
    Ok(format!(
        "on {system} (nginx, HAProxy, httpd and wrk are its packages), {} cores: {}",
        std::thread::available_parallelism()?,
        named.join(", ")
    ))
}

/// The version of a package in a lock file of cargo, below the repository's root.
fn locked_version(lock: &str, package: &str) -> Result<String> {
    let text = std::fs::read_to_string(repository().join(lock)).with_context(|| lock.to_owned())?;
    let mut lines = text
        .lines()
        .skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    let version = version.with_context(|| format!("{lock} names no {package}"))?;
    Ok(version.trim_matches('"').to_owned())
}
