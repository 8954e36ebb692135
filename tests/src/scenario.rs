//! Scenarios of requests, each with a little program of session operations, read from scripts.
//!
//! A script is text. `== NAME` begins a scenario; `each: A B` above it makes one of it for each word, put in for `{}`.
//! A line `> PROGRAM` is a request of the program's servlet, one that begins with `&` is sent together with the one above
//! it, and `wait N ms` lets time pass for limits that count it. Words in brackets before the program change the
//! request: a method, a path below the application, `who=NAME` for another browser, `cookie=none`, `cookie=FIELD` in
//! place of what the browser holds, `before=PAIR` for a cookie ahead of it, `body=FORM`. `{id}` is the session id that
//! the browser holds. The operations themselves are the application's words and checked there.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::http::{Answer, Browser, Request, encode};
use crate::wait::{SOON, wait_until};

/// The cookie of the session.
const COOKIE: &str = "JSESSIONID";

/// Longest body that a transcript shows, in bytes: a screen. Of longer ones it says the length and both ends.
const BODY_SHOWN_BYTES_MAX: usize = 4000;

/// Session ids have this many digits.
const ID_DIGITS: usize = 32;

/// Runs so far, so that no run hears the listeners of another.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, unlike all others.
    pub name: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Requests that are sent together.
    Together(Vec<Ask>),
    Wait(Duration),
}

#[derive(Clone, Debug)]
struct Ask {
    method: String,
    path: String,
    who: String,
    cookie: Option<String>,
    before: Option<String>,
    body: Option<String>,
    program: String,
}

/// Reads a script.
///
/// # Errors
/// With the line that is no part of the grammar.
pub fn read(script: &str) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    for line in script.lines().map(str::trim_end) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if (line.starts_with("each: ") || line.starts_with("== ")) && !lines.is_empty() {
            scenarios.extend(expand(&lines, &words)?);
            (words, lines) = (Vec::new(), Vec::new());
        }
        match line.strip_prefix("each: ") {
            Some(more) => words.extend(more.split(' ').filter(|word| !word.is_empty())),
            None => lines.push(line),
        }
    }
    scenarios.extend(expand(&lines, &words)?);
    Ok(scenarios)
}

fn expand(lines: &[&str], words: &[&str]) -> Result<Vec<Scenario>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    if words.is_empty() {
        return Ok(vec![scenario(&lines.join("\n"))?]);
    }
    let with = |word: &&str| scenario(&lines.join("\n").replace("{}", word));
    words.iter().map(with).collect()
}

fn scenario(text: &str) -> Result<Scenario> {
    let mut lines = text.lines();
    let first = lines.next().context("a scenario has a name")?;
    let name = first
        .strip_prefix("== ")
        .with_context(|| format!("stands before any scenario: {first}"))?;
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        if let Some(text) = line.strip_prefix("> ") {
            steps.push(Step::Together(vec![ask(text)?]));
        } else if let (Some(text), Some(Step::Together(asks))) = (line.strip_prefix("& "), steps.last_mut()) {
            asks.push(ask(text)?);
        } else if let Some(millis) = line
            .strip_prefix("wait ")
            .and_then(|rest| rest.strip_suffix(" ms"))
        {
            steps.push(Step::Wait(Duration::from_millis(millis.parse()?)));
        } else {
            bail!("{name}: not a line of a scenario: {line}");
        }
    }
    ensure!(!steps.is_empty(), "{name}: asks nothing");
    Ok(Scenario {
        name: name.to_owned(),
        steps,
    })
}

fn ask(text: &str) -> Result<Ask> {
    let mut ask = Ask {
        method: "GET".to_owned(),
        path: "/run".to_owned(),
        who: String::new(),
        cookie: None,
        before: None,
        body: None,
        program: text.to_owned(),
    };
    let Some((words, program)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return Ok(ask);
    };
    program.trim().clone_into(&mut ask.program);
    for word in words.split(' ') {
        match word.split_once('=') {
            _ if word.starts_with('/') => word.clone_into(&mut ask.path),
            Some(("who", who)) => who.clone_into(&mut ask.who),
            Some(("cookie", cookie)) => ask.cookie = Some(cookie.to_owned()),
            Some(("before", pair)) => ask.before = Some(pair.to_owned()),
            Some(("body", body)) => ask.body = Some(body.to_owned()),
            None => word.clone_into(&mut ask.method),
            Some(_) => bail!("not a word about a request: {word}"),
        }
    }
    Ok(ask)
}

impl Scenario {
    /// Runs it, each step at the next of `nodes`, and gives what users and listeners saw: session ids by number, no dates.
    ///
    /// # Errors
    /// When a Tomcat does not tell what listeners heard outside requests.
    pub fn run(&self, nodes: &[SocketAddr]) -> Result<String> {
        let run = Run {
            tag: format!("{} {}", self.name, RUNS.fetch_add(1, Ordering::Relaxed)),
            connections: Mutex::default(),
        };
        let mut browsers = BTreeMap::new();
        let mut transcript = String::new();
        let mut turns = nodes.iter().cycle();
        for step in &self.steps {
            match step {
                Step::Wait(span) => wait_until("time passed", *span + SOON, since(*span)).map(drop)?,
                Step::Together(asks) => {
                    let node = *turns.next().context("there is a node")?;
                    transcript.push_str(&run.together(asks, node, &mut browsers));
                }
            }
        }
        let mut remains = Vec::new();
        for node in nodes {
            let path = format!("/program/run?p=remains&scenario={}", encode(&run.tag));
            let text = Browser::new(*node).get(&path)?.text();
            remains.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
        remains.sort();
        if !remains.is_empty() {
            transcript.push_str(&format!("> outside any request\n{}\n", remains.join("\n")));
        }
        Ok(numbered(&transcript.replace(&encode(&run.tag), "SCENARIO")))
    }
}

/// One run of a scenario: its name for the application, and open connections by where they lead.
struct Run {
    tag: String,
    connections: Mutex<Vec<(SocketAddr, TcpStream)>>,
}

impl Run {
    /// Sends requests together and tells them in the order of the script.
    fn together<'a>(
        &self,
        asks: &'a [Ask],
        node: SocketAddr,
        browsers: &mut BTreeMap<&'a str, Browser>,
    ) -> String {
        let mut windows = Vec::new();
        for ask in asks {
            let browser = browsers.entry(&ask.who).or_insert_with(|| Browser::new(node));
            windows.push((ask, browser.at(node)));
        }
        let answers: Vec<Result<(Answer, Browser)>> = std::thread::scope(|scope| {
            let sent: Vec<_> = windows
                .into_iter()
                .map(|(ask, browser)| scope.spawn(move || self.send(ask, browser)))
                .collect();
            let ended = sent.into_iter().map(|sent| match sent.join() {
                Ok(answer) => answer,
                Err(_) => bail!("a client panicked"),
            });
            ended.collect()
        });
        let mut told = String::new();
        for (ask, answer) in asks.iter().zip(answers) {
            told.push_str(&format!("> {} {} {}\n", ask.method, ask.path, ask.program));
            let Ok((answer, browser)) = answer else {
                told.push_str("no answer\n");
                continue;
            };
            if answer.field("set-cookie").is_some() {
                browsers.insert(&ask.who, browser);
            }
            told.push_str(&tell(&answer));
        }
        told
    }

    fn send(&self, ask: &Ask, mut browser: Browser) -> Result<(Answer, Browser)> {
        let id = browser.cookie(COOKIE).unwrap_or("none").to_owned();
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        let path = format!(
            "/program{path}?p={}&scenario={}&{query}",
            encode(&ask.program.replace("{id}", &id)),
            encode(&self.tag)
        );
        let mut request = Request::get(&path.replace("{id}", &id));
        ask.method.clone_into(&mut request.method);
        if let Some(body) = &ask.body {
            let form = ("Content-Type", "application/x-www-form-urlencoded");
            request.fields.push((form.0.to_owned(), form.1.to_owned()));
            request.body = Some(body.clone().into_bytes());
        }
        if ask.cookie.is_none() && ask.before.is_none() {
            let answer = self.exchange(&mut browser, &request)?;
            return Ok((answer, browser));
        }
        let held = match ask.cookie.as_deref() {
            Some("none") => Vec::new(),
            Some(field) => vec![field.replace("{id}", &id)],
            None => vec![format!("{COOKIE}={id}")],
        };
        let pairs = [ask.before.iter().cloned().collect(), held].concat();
        if !pairs.is_empty() {
            request.fields.push(("Cookie".to_owned(), pairs.join("; ")));
        }
        let mut other = Browser::new(browser.origin());
        let answer = self.exchange(&mut other, &request)?;
        if let Some(given) = other.cookie(COOKIE) {
            browser.set_cookie(COOKIE, given, "/program");
        }
        Ok((answer, browser))
    }

    /// Sends over a connection that nobody else uses now.
    fn exchange(&self, browser: &mut Browser, request: &Request) -> Result<Answer> {
        let node = browser.origin();
        let mut idle = self.connections();
        let at = idle.iter().position(|(to, _)| *to == node);
        let mut kept = at.map(|at| idle.swap_remove(at).1);
        drop(idle);
        let answer = browser.send_kept(request, &mut kept)?;
        self.connections()
            .extend(kept.map(|connection| (node, connection)));
        Ok(answer)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<(SocketAddr, TcpStream)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(span: Duration) -> impl FnMut() -> bool {
    let started = Instant::now();
    move || started.elapsed() >= span
}

/// An answer as a transcript has it.
fn tell(answer: &Answer) -> String {
    let mut told = format!("{}", answer.status);
    for (name, value) in &answer.fields {
        // Which requests ask to keep their connection is the client's affair.
        if name != "date" && name != "keep-alive" && value != "keep-alive" {
            told.push_str(&format!(" | {name}: {value}"));
        }
    }
    let text = answer.text();
    told.push('\n');
    if text.len() > BODY_SHOWN_BYTES_MAX {
        let first: String = text.chars().take(BODY_SHOWN_BYTES_MAX / 4).collect();
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        told.push_str(&format!("{} bytes: {first} .. {last:?}\n", text.len()));
    } else {
        told.push_str(text.trim_end());
        told.push('\n');
    }
    if !answer.complete {
        told.push_str("the answer was cut\n");
    }
    told
}

/// Session ids replaced by numbers, in the order in which they occur.
fn numbered(transcript: &str) -> String {
    let is_digit = |character: char| character.is_ascii_digit() || ('A'..='F').contains(&character);
    let mut ids: Vec<&str> = Vec::new();
    let mut rest = transcript;
    while let Some(start) = rest.find(is_digit) {
        let run = &rest[start..];
        let end = run.find(|character| !is_digit(character)).unwrap_or(run.len());
        if end == ID_DIGITS && !ids.contains(&&run[..end]) {
            ids.push(&run[..end]);
        }
        rest = &run[end..];
    }
    let mut text = transcript.to_owned();
    for (number, id) in (1..).zip(&ids) {
        text = text.replace(id, &format!("ID{number}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_word_by_word() {
        let script =
            "# of two\neach: a b\n== with {}\n> set v {}\n> [POST /x who=eve] get v\n& names\nwait 20 ms\n";
        let scenarios = read(script).unwrap();
        assert_eq!(scenarios.len(), 2);
        assert_eq!(scenarios[1].name, "with b");
        let Step::Together(asks) = &scenarios[1].steps[1] else {
            panic!("requests come second");
        };
        assert_eq!((asks[0].method.as_str(), asks[0].path.as_str()), ("POST", "/x"));
        assert_eq!((asks[0].who.as_str(), asks[0].program.as_str()), ("eve", "get v"));
        assert_eq!(asks[1].program, "names");
        assert!(read("== x\nnot a line").is_err());
    }

    #[test]
    fn ids_are_numbered_as_they_occur() {
        let (one, other) = ("A".repeat(32), "0".repeat(32));
        assert_eq!(numbered(&format!("{one} {other} {one} ABC")), "ID1 ID2 ID1 ABC");
    }
}
