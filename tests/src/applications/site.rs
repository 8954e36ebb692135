//! One user's way through an application: the pages, what is checked on them, and where the requests go.
//!
//! A check that fails ends nothing: the user goes on as far as the pages allow, so that one fault does not hide others.
//! An answer that does not come is a page without text. Every request goes to the next of the doors, redirects too.

use std::net::SocketAddr;

use crate::http::{Answer, Browser, Request, resolve};

/// More redirects than any of these applications needs.
const REDIRECTS_MAX: usize = 6;

/// How much of a page is told when a check fails, in characters: its facts stand at the start.
const TOLD_MAX: usize = 240;

/// What was expected of a page, and whether it held.
#[derive(Clone, Debug)]
pub struct Check {
    /// What a user would say.
    pub what: &'static str,
    /// Whether it held.
    pub passed: bool,
    /// The page, if not.
    pub told: String,
}

/// A user of one application.
pub struct Site<'a> {
    browser: Browser,
    /// Where requests go in turn.
    doors: Vec<SocketAddr>,
    turn: usize,
    /// What happens in the middle, and where requests go afterwards.
    misfortune: Option<(Misfortune<'a>, Vec<SocketAddr>)>,
    path: String,
    answer: Option<Answer>,
    checks: Vec<Check>,
}

/// What happens in the middle of a script.
pub type Misfortune<'a> = Box<dyn FnOnce() + 'a>;

impl<'a> Site<'a> {
    /// A user without cookies whose requests go to these addresses in turn.
    pub fn new(first: SocketAddr, others: &[SocketAddr]) -> Self {
        let doors = [&[first], others].concat();
        Self {
            browser: Browser::new(first),
            doors,
            turn: 0,
            misfortune: None,
            path: String::new(),
            answer: None,
            checks: Vec::new(),
        }
    }

    /// The same, but something happens in the middle, and from then on requests go to `refuge`.
    #[must_use]
    pub fn struck_by(mut self, misfortune: Misfortune<'a>, refuge: SocketAddr) -> Self {
        self.misfortune = Some((misfortune, vec![refuge]));
        self
    }

    /// All that was checked.
    pub fn checks(self) -> Vec<Check> {
        self.checks
    }

    pub(super) fn get(&mut self, path: &str) {
        self.send(&Request::get(path));
        self.follow();
    }

    pub(super) fn post(&mut self, path: &str, form: &[(&str, &str)]) {
        self.send(&Request::form(path, form));
        self.follow();
    }

    /// Sends one request and follows nothing.
    pub(super) fn send(&mut self, request: &Request) {
        self.browser = self.browser.at(self.doors[self.turn % self.doors.len()]);
        self.turn += 1;
        self.path.clone_from(&request.path);
        self.answer = self.browser.send(request).ok();
    }

    /// Goes where the last answer sent the user.
    pub(super) fn follow(&mut self) {
        for _ in 0..REDIRECTS_MAX {
            let answer = self.answer.as_ref();
            let redirect = answer.filter(|answer| matches!(answer.status, 301..=303 | 307));
            let Some(location) = redirect.and_then(|answer| answer.field("location")) else {
                return;
            };
            let next = resolve(&self.path, location);
            self.send(&Request::get(&next));
        }
    }

    /// Here the misfortune strikes, if one was asked for.
    pub(super) fn misfortune(&mut self) {
        if let Some((strike, refuge)) = self.misfortune.take() {
            strike();
            self.doors = refuge;
        }
    }

    pub(super) fn check(&mut self, what: &'static str, passed: bool) {
        let told = if passed { String::new() } else { self.told() };
        self.checks.push(Check { what, passed, told });
    }

    pub(super) fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }

    /// Where the user is, with the query.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn text(&self) -> String {
        self.answer.as_ref().map(Answer::text).unwrap_or_default()
    }

    /// The attribute `data-NAME` of the page; nothing if there is none.
    pub(super) fn datum(&self, name: &str) -> String {
        self.between(&format!("data-{name}=\""), "\"")
    }

    /// The value of the hidden field of that name, which frameworks write with its name first.
    pub(super) fn hidden(&self, name: &str) -> String {
        let text = self.text();
        let field = text
            .split('<')
            .find(|tag| tag.contains(&format!("name=\"{name}\"")));
        let value = field.and_then(|tag| tag.split_once("value=\""));
        value.map_or_else(String::new, |(_, rest)| {
            rest.split('"').next().unwrap_or("").to_owned()
        })
    }

    /// What stands between two pieces of the page; nothing if they do not stand there.
    pub(super) fn between(&self, before: &str, after: &str) -> String {
        let text = self.text();
        let found = text
            .split_once(before)
            .and_then(|(_, rest)| rest.split_once(after));
        found.map_or_else(String::new, |(value, _)| value.trim().to_owned())
    }

    fn told(&self) -> String {
        let text = self.text();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page: String = words.chars().take(TOLD_MAX).collect();
        match self.status() {
            0 => format!("{}: no answer", self.path),
            status => format!("{}: {status} {page}", self.path),
        }
    }
}
