//! Who may open the console: secrets that were given out, and the logins that were made of them. Pure: time and chance are
//! arguments.
//!
//! A *token* is a secret that an operator asked for; whoever brings it first, before its end, is logged in, and
//! it is good no more: what stays in a browser's history, a shell's or a mail opens nothing. A *login* is what a browser
//! has from then on: a secret in a cookie, and a word made of it that every change must repeat.
//!
//! Invariants: no secret is kept, only its digest, and digests are compared in the same time whether they differ early or late ·
//! a login gives the rights of its token or certificate, and ends no later · both are bounded, and the oldest makes way, one of the
//! same caller first.
//!
//! Left out on purpose: whether an action takes a right, and where secrets travel.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remora_process::tls::{Caller, Role};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Tokens that are good at a time: several for each operator of a large site.
const TOKENS_MAX: usize = 64;

/// Logins at a time, of everybody: each token gives one, and a browser with a certificate one.
const LOGINS_MAX: usize = 256;

/// Logins of one caller at a time: a browser on each of their machines, and no more than so much of what all can have.
const LOGINS_OF_ONE_MAX: usize = 8;

/// Wrong secrets that are written down one by one before they are counted only. 10: a person errs less often.
const FAILURES_MAX: u32 = 10;

/// How often one more is written down then.
const FAILURE_EVERY: Duration = Duration::from_secs(6);

/// How often people are told of one among what changed lately, which holds so many changes and no more.
const FAILURE_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Bytes of a secret: 256 bits, which nobody guesses.
const SECRET_BYTES: usize = 32;

/// A secret, drawn.
pub(super) struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// Of random bytes, which nobody else may know.
    pub(super) fn of(drawn: [u8; SECRET_BYTES]) -> Self {
        Self(drawn)
    }

    /// As it travels.
    pub(super) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.text())
    }
}

/// What is kept of a secret.
#[derive(Clone, Copy)]
struct SecretDigest([u8; SECRET_BYTES]);

impl SecretDigest {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    fn is(&self, other: &SecretDigest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A browser that is logged in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Login {
    /// Who it is for, with the rights that they have here.
    pub(super) caller: Caller,
    /// When it ends, by this process's time.
    pub(super) until: Duration,
    /// Whether it is of a certificate: then only whoever shows that one has it.
    pub(super) by_certificate: bool,
    /// What every change must repeat.
    csrf: SecretDigest,
    cookie: SecretDigest,
}

/// What a browser gets once, when it is logged in.
pub(super) struct Granted {
    /// The login.
    pub(super) login: Arc<Login>,
    /// What goes into the cookie.
    pub(super) cookie: String,
    /// What every change must repeat.
    pub(super) csrf: String,
}

impl Login {
    /// Whether it may change something.
    pub(super) fn operates(&self) -> bool {
        self.caller.is(|role| *role == Role::Admin)
    }

    /// Whether a change brings what it must.
    pub(super) fn repeats(&self, csrf: &str) -> bool {
        self.csrf.is(&SecretDigest::of(csrf))
    }
}

/// What every change must repeat that comes with this cookie. Made of it, so that all pages of a browser have the same; a page
/// knows it, and cannot make the cookie of it.
pub(super) fn csrf_of(cookie: &str) -> String {
    let digest = SecretDigest::of(&format!("remora console, for changes: {cookie}"));
    URL_SAFE_NO_PAD.encode(digest.0)
}

/// Whether somebody may look at all, by their certificate.
pub(super) fn may_look(caller: &Caller) -> bool {
    caller.is(|role| matches!(role, Role::Reader | Role::Admin))
}

struct Token {
    digest: SecretDigest,
    caller: Caller,
    until: Duration,
}

/// Everybody who is or may be logged in.
#[derive(Default)]
pub(super) struct Logins {
    tokens: Vec<Token>,
    logins: Vec<Arc<Login>>,
    failures: Failures,
}

impl Logins {
    /// A token is good from now on, with the rights of this caller.
    pub(super) fn issue(&mut self, secret: &Secret, caller: Caller, now: Duration, until: Duration) {
        self.tokens.retain(|token| token.until > now);
        if self.tokens.len() == TOKENS_MAX {
            self.tokens.remove(0);
        }
        let digest = secret.digest();
        self.tokens.push(Token {
            digest,
            caller,
            until,
        });
    }

    /// Logs somebody in who brings a token, if it is good; `drawn` becomes the login's secret.
    pub(super) fn by_token(&mut self, token: &str, now: Duration, drawn: &Secret) -> Option<Granted> {
        let digest = SecretDigest::of(token);
        // All are compared, so that no answer tells how many came before.
        let good = self
            .tokens
            .iter()
            .enumerate()
            .fold(None, |found, (place, token)| {
                let is_it = token.digest.is(&digest) && token.until > now;
                if is_it { Some(place) } else { found }
            });
        let Token { caller, until, .. } = self.tokens.remove(good?);
        Some(self.grant((caller, until, false), now, drawn))
    }

    /// Logs somebody in whose certificate was seen.
    pub(super) fn by_certificate(
        &mut self,
        caller: &Caller,
        (now, until): (Duration, Duration),
        drawn: &Secret,
    ) -> Granted {
        self.grant((caller.clone(), until, true), now, drawn)
    }

    fn grant(
        &mut self,
        (caller, until, by_certificate): (Caller, Duration, bool),
        now: Duration,
        drawn: &Secret,
    ) -> Granted {
        let cookie = drawn.text();
        let csrf = csrf_of(&cookie);
        self.logins.retain(|login| login.until > now);
        let is_theirs = |login: &Arc<Login>| login.caller.name() == caller.name();
        let theirs = self.logins.iter().filter(|login| is_theirs(login)).count();
        let oldest = if theirs >= LOGINS_OF_ONE_MAX {
            self.logins.iter().position(is_theirs)
        } else {
            (self.logins.len() >= LOGINS_MAX).then_some(0)
        };
        if let Some(oldest) = oldest {
            self.logins.remove(oldest);
        }
        let login = Arc::new(Login {
            caller,
            until,
            by_certificate,
            csrf: SecretDigest::of(&csrf),
            cookie: SecretDigest::of(&cookie),
        });
        self.logins.push(Arc::clone(&login));
        Granted { login, cookie, csrf }
    }

    /// Whose login a cookie is, seen on a connection of this caller.
    pub(super) fn find(&self, cookie: &str, seen: &Caller, now: Duration) -> Option<Arc<Login>> {
        let digest = SecretDigest::of(cookie);
        let found = self.logins.iter().find(|login| login.cookie.is(&digest))?;
        let holds = found.until > now && (!found.by_certificate || found.caller == *seen);
        holds.then(|| Arc::clone(found))
    }

    /// A login ends.
    pub(super) fn close(&mut self, login: &Login) {
        self.logins.retain(|known| !known.cookie.is(&login.cookie));
    }

    /// Somebody brought what is not good, or what no page of ours sends. How many others did since that was last said, if it is to be said now.
    pub(super) fn failed(&mut self, now: Duration) -> Option<u64> {
        self.failures.count(now)
    }

    /// Whether people are told of it, too.
    pub(super) fn is_news(&mut self, now: Duration) -> bool {
        let before = self.failures.told;
        let is_news = before.is_none_or(|before| now.saturating_sub(before) >= FAILURE_TOLD_EVERY);
        if is_news {
            self.failures.told = Some(now);
        }
        is_news
    }
}

/// How often a wrong secret is written down: whoever guesses fills no log. None is good the sooner for it, so none is
/// refused unread: that would keep out whoever brings a good one.
#[derive(Default)]
struct Failures {
    /// Those that were written down and are not forgotten.
    said: u32,
    /// When one was forgotten last.
    since: Duration,
    unsaid: u64,
    /// When people were told last.
    told: Option<Duration>,
}

impl Failures {
    fn count(&mut self, now: Duration) -> Option<u64> {
        while self.said > 0 && now.saturating_sub(self.since) >= FAILURE_EVERY {
            self.said -= 1;
            self.since += FAILURE_EVERY;
        }
        if self.said == 0 {
            self.since = now;
        }
        if self.said >= FAILURES_MAX {
            self.unsaid += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests;
