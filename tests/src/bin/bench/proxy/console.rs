//! What pages of the console cost requests: the same load on one proxy while nobody looks and while ten pages are open, in turns.
//!
//! The console gathers on the thread of operators; the threads that serve clients do nothing for it that they would not do anyway.
//! So their processor time alone counts here, and that of the operators' thread is told beside it. The proxy asks three store
//! nodes for what it shows, as on a site; they, the pages and the load have the other core.
//!
//! Invariants: each round is without, with, without: a drift of the machine meets both, and how far the two without differ says what
//! the ratio is worth · every page had a whole picture before a sample with pages begins, and goes on being told while it lasts.
//!
//! Left out on purpose: what browsers do with pictures; sessions in the store, which the proxy counts once in five seconds.

use std::io::{BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::calls::Calls;
use remora_tests::http::{Browser, Request};
use remora_tests::place::free_port;
use remora_tests::process::Process;
use remora_tests::stores::{StorePorts, Stores, loopback};
use remora_tests::table::Table;
use serde_json::{Value, json};

use super::contender::{Listens, Place, answers};
use super::form::{FORMS, Form};
use super::identity::Identity;
use super::rounds::{WARM_UP_SECONDS, median};
use super::{nginx, settings};
use crate::cpu::{Usage, ratio};
use crate::wrk::{Load, Wrk, installed};

/// The form: no thread that serves sleeps, so that their time per request is what a request costs.
const FORM: &str = "saturated";

/// Pages that are open: those of a busy night.
const PAGES: usize = 10;

/// Rounds, of three samples each: the median of so many tells a hundredth.
const ROUNDS: usize = 15;

/// Seconds of a sample: two or three pictures for each page.
const SECONDS: u64 = 3;

/// The most that ten pages may add to a request, as a ratio: what cannot be told from chance on a quiet machine.
const GOAL: f64 = 1.01;

/// How long a page waits for its first whole picture: an asking of the store fits ten times.
const WHOLE_WITHIN: Duration = Duration::from_secs(10);

/// What the threads are called that serve clients, and the one that serves operators.
const DATA: &str = "proxy-";
const CONTROL: &str = "remora-proxy";

/// Measures, and adds two rows; or says what is missing.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    if installed("nginx").is_none() || installed("wrk").is_none() {
        let missing = "nginx and wrk must be installed (tools/prerequisites bench)";
        table.row(["1 KiB GET beside the console", "", "", "", "", missing].map(String::from));
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let site = Site::start(directory.path())?;
    site.sample(WARM_UP_SECONDS)?;
    let rounds = (0..ROUNDS)
        .map(|_| Round::of(&site))
        .collect::<Result<Vec<_>>>()?;
    rows(table, &rounds);
    Ok(())
}

/// Samples that are neighbours in time.
struct Round {
    without: [Sample; 2],
    with: Sample,
}

impl Round {
    fn of(site: &Site) -> Result<Self> {
        let before = site.sample(SECONDS)?;
        let pages = Pages::open(site)?;
        let with = site.sample(SECONDS)?;
        pages.close()?;
        let after = site.sample(SECONDS)?;
        let without = [before, after];
        Ok(Self { without, with })
    }

    fn without(&self) -> f64 {
        let [before, after] = &self.without;
        f64::midpoint(before.cpu(), after.cpu())
    }

    /// Time of a request with pages, beside that without.
    fn costs(&self) -> f64 {
        self.with.cpu() / self.without()
    }

    /// The later without beside the earlier: by how much chance alone changes it.
    fn chance(&self) -> f64 {
        let [before, after] = &self.without;
        after.cpu() / before.cpu()
    }
}

/// One load, and what the threads used up for it.
struct Sample {
    load: Load,
    data: Usage,
    control: Usage,
}

impl Sample {
    /// Microseconds that the threads that serve clients took for an answer.
    fn cpu(&self) -> f64 {
        self.data.microseconds_each(self.load.answers)
    }

    /// Which part of a core the operators' thread had, in percent.
    fn control(&self) -> f64 {
        /// Nanoseconds of a hundredth of a second.
        const HUNDREDTH: u64 = 10_000_000;
        ratio(self.control.cpu_nanoseconds, SECONDS * HUNDREDTH)
    }
}

fn rows(table: &mut Table, rounds: &[Round]) {
    let without: Vec<&Sample> = rounds.iter().flat_map(|round| &round.without).collect();
    let with: Vec<&Sample> = rounds.iter().map(|round| &round.with).collect();
    let said = median(rounds.iter().map(Round::costs));
    let verdict = if said < GOAL { "kept" } else { "missed" };
    let beside = format!(
        "CPU / without: {said:.4} ({}); without / without: {:.4} ({}); goal: below {GOAL}, {verdict}",
        spread(rounds.iter().map(Round::costs)),
        median(rounds.iter().map(Round::chance)),
        spread(rounds.iter().map(Round::chance)),
    );
    row(table, "nobody looks", &without, "");
    row(
        table,
        &format!("{PAGES} pages of the console open"),
        &with,
        &beside,
    );
}

fn row(table: &mut Table, what: &str, samples: &[&Sample], remark: &str) {
    let of = |value: fn(&Sample) -> f64| median(samples.iter().copied().map(value));
    let control = format!("operators' thread {:.2} % of a core", of(Sample::control));
    let remarks: Vec<&str> = [remark, &control]
        .into_iter()
        .filter(|said| !said.is_empty())
        .collect();
    table.row([
        format!("proxied 1 KiB GET, {what}"),
        "remora-proxy, threads that serve".into(),
        format!("{:.0}/s", of(|sample| sample.load.rate)),
        format!("{:.3} us", of(Sample::cpu)),
        format!("{:.3}", of(|sample| sample.data.sleeps_each(sample.load.answers))),
        remarks.join("; "),
    ]);
}

/// The middle half of these, which an odd round does not widen.
fn spread(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values.get(values.len() * part / 4).copied().unwrap_or_default();
    format!("half of the rounds {:.4} to {:.4}", at(1), at(3))
}

/// A proxy, what it passes requests to, and the store that its console shows.
struct Site {
    form: &'static Form,
    clear: SocketAddr,
    proxy: Process,
    /// Somebody who is logged in to the console.
    browser: Browser,
    _backends: Vec<Process>,
    _stores: Stores,
}

impl Site {
    fn start(directory: &Path) -> Result<Self> {
        let form = FORMS.iter().find(|form| form.name == FORM);
        let form = form.context("there is that form")?;
        let stores = three_stores(directory, form.load)?;
        let backend = loopback(free_port()?);
        let backends = nginx::backends(directory, backend, form.backends)?;
        answers(backend)?;
        let (clear, control) = (loopback(free_port()?), loopback(free_port()?));
        let listens = Listens {
            clear,
            secured: loopback(free_port()?),
        };
        let place = Place {
            directory,
            backend,
            threads: form.threads,
            cores: form.proxy,
            clients: form.clients,
            identity: &Identity::draw(directory)?,
        };
        let asked = stores.client_addresses();
        let asked: Vec<String> = asked.iter().map(|address| format!("\"{address}\"")).collect();
        let console = format!("console = {{ store = [{}] }}\n", asked.join(", "));
        let proxy = settings::ours(place, listens, (control, &console))?;
        answers(clear).with_context(|| proxy.tail())?;
        Ok(Self {
            form,
            clear,
            browser: logged_in(control)?,
            proxy,
            _backends: backends,
            _stores: stores,
        })
    }

    fn sample(&self, seconds: u64) -> Result<Sample> {
        let wrk = Wrk {
            threads: self.form.threads,
            cores: self.form.load,
            ..Wrk::new(seconds, self.form.clients)
        };
        let pid = self.proxy.id();
        let data = || Usage::of_threads(pid, |name| name.starts_with(DATA));
        let control = || Usage::of_threads(pid, |name| name == CONTROL);
        let (data_before, control_before) = (data()?, control()?);
        let load = wrk.load(&format!("http://{}/page", self.clear))?;
        let (data, control) = (data()?.since(data_before), control()?.since(control_before));
        ensure!(
            data.cpu_nanoseconds > 0 && control.cpu_nanoseconds > 0,
            "the threads of the proxy are not called {DATA}N and {CONTROL}"
        );
        Ok(Sample { load, data, control })
    }
}

/// Three nodes on these cores, ready.
fn three_stores(directory: &Path, cores: &str) -> Result<Stores> {
    let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
    let mut stores = Stores::start(directory, &ports)?;
    stores.wait_ready()?;
    for id in stores.ids() {
        let pid = stores.process(id)?.id().to_string();
        let moved = Command::new("taskset")
            .args(["-a", "-c", "-p", cores, &pid])
            .output();
        let moved = moved.context("start taskset")?;
        ensure!(moved.status.success(), "store {id} was not moved to core {cores}");
    }
    Ok(stores)
}

/// Somebody who is logged in to the console there, by a token.
fn logged_in(control: SocketAddr) -> Result<Browser> {
    let token = Calls::new(&[control], 1)?.console_token()?;
    let mut browser = Browser::new(control);
    let fields = [
        ("Origin", "http://localhost"),
        ("Content-Type", "application/json"),
    ];
    let login = Request {
        method: "POST".into(),
        path: "/console/api/login".into(),
        fields: fields.map(|(name, value)| (name.into(), value.into())).into(),
        body: Some(json!({ "token": token }).to_string().into_bytes()),
    };
    let answer = browser.send(&login)?;
    ensure!(answer.status == 200, "no login: {}", answer.text());
    Ok(browser)
}

/// Pages that follow the site.
struct Pages(Vec<Page>);

/// One: its connection, and who reads it until it is shut.
type Page = (TcpStream, JoinHandle<Result<u64>>);

impl Pages {
    /// Opens them, and waits until each was told a whole picture.
    fn open(site: &Site) -> Result<Self> {
        let (whole, seen) = sync_channel(PAGES);
        let open = |_| {
            let stream = site.browser.open(&Request::get("/console/api/live"))?;
            let (reader, whole) = (stream.try_clone()?, whole.clone());
            Ok((stream, std::thread::spawn(move || look(reader, &whole))))
        };
        let pages = (0..PAGES).map(open).collect::<Result<_>>()?;
        wait_whole(&seen)?;
        Ok(Self(pages))
    }

    /// Closes them.
    ///
    /// # Errors
    /// When one of them was not told of the site all the time.
    fn close(self) -> Result<()> {
        for (stream, reader) in self.0 {
            stream.shutdown(Shutdown::Both)?;
            let told = reader.join().ok().context("a page that looked")??;
            ensure!(told >= SECONDS, "a page was told {told} pictures in {SECONDS} s");
        }
        Ok(())
    }
}

fn wait_whole(seen: &Receiver<()>) -> Result<()> {
    for _ in 0..PAGES {
        seen.recv_timeout(WHOLE_WITHIN)
            .context("a page was told no whole picture")?;
    }
    Ok(())
}

/// Reads what a page is told until its connection is shut; how many whole pictures that were.
fn look(stream: TcpStream, whole: &SyncSender<()>) -> Result<u64> {
    let (mut told, mut event) = (0, String::new());
    for line in BufReader::new(stream).lines() {
        let line = line.context("a page of the console")?;
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event);
        }
        let data = line.strip_prefix("data: ").filter(|_| event == "site");
        if data.is_some_and(is_whole) {
            told += 1;
            if told == 1 {
                whole.send(())?;
            }
        }
    }
    Ok(told)
}

/// Whether a picture has the store with all its nodes.
fn is_whole(picture: &str) -> bool {
    let picture: Value = serde_json::from_str(picture).unwrap_or_default();
    let nodes = picture["store"]["nodes"].as_array();
    nodes.is_some_and(|nodes| nodes.len() == 3 && nodes.iter().all(|node| node["reachable"] == true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_without_a_node_is_not_whole() {
        let picture = |nodes: &[bool]| {
            let nodes: Vec<Value> = nodes
                .iter()
                .map(|reachable| json!({ "reachable": reachable }))
                .collect();
            is_whole(&json!({ "store": { "nodes": nodes } }).to_string())
        };
        assert!(picture(&[true; 3]));
        assert!(!picture(&[true; 2]) && !picture(&[true, false, true]));
        assert!(!is_whole(r#"{"store":null}"#) && !is_whole("{\"sto"));
    }

    #[test]
    fn the_middle_half_leaves_odd_rounds_out() {
        assert_eq!(
            spread([9.0, 1.0, 2.0, 3.0, 4.0].into_iter()),
            "half of the rounds 2.0000 to 4.0000"
        );
    }
}
