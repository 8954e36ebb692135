//! The console: the site in a browser, on the control address. Whoever looks sees what `remora status` and `remora top` see, made
//! by the same crate (`remora_overview`); whoever operates asks for what the command line asks for, done by the same functions
//! (`control`).
//!
//! | module | does |
//! |---|---|
//! | `logins`, `guard` | who may, and whether it is the console's own page that asks; pure |
//! | `routes`, `answer`, `assets` | from a request to what answers it; what stands on every answer; the pages |
//! | `entering`, `wishing`, `sessions`, `live` | logging in and out; wishes; sessions; what pages are told each second |
//! | `sampling`, `watching`, `history` | what is gathered while somebody looks |
//!
//! Invariants: nothing of this runs on a thread that serves clients, and nothing at all while nobody looks · all pages are told one
//! picture, made and written once; a slow one is told the next and keeps none waiting · who is not logged in gets the pages, in
//! which there is no secret · every change asks for the right, the origin and the login's word, and is in the books.
//!
//! Left out on purpose: values of attributes, which no browser needs to hold; certificates and users of its own.

mod answer;
mod assets;
mod entering;
mod guard;
mod history;
mod live;
mod logins;
mod routes;
mod sampling;
mod sessions;
mod watching;
mod wishing;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use rand::RngExt;
use remora_overview::client::{Reach, Store};
use remora_overview::picture::Users;
use remora_process::audit;
use remora_process::exit::Failure;
use remora_process::tls::{Caller, Dial, Door, Role, Tls};
use tokio::sync::watch;

use crate::chronicle::Sort;
use crate::config::Config;
use crate::control::Control;
use crate::directory::unix_now;
use answer::Refusal;
use history::Histories;
use live::OpenPages;
use logins::{Logins, Secret};

pub(crate) use routes::router;

/// How long a token is good unless it is said: a working day.
const TOKEN_DEFAULT: Duration = Duration::from_secs(8 * 60 * 60);

/// The longest that one may be good: whoever needs it longer has a certificate.
const TOKEN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest: below that it is over before it is typed.
const TOKEN_MIN: Duration = Duration::from_secs(1);

/// How long a login by certificate holds; the browser shows it again.
const CERTIFIED_FOR: Duration = Duration::from_secs(12 * 60 * 60);

/// Where the console is on the control address.
pub(crate) const PATH: &str = "/console/";

/// The console of this proxy; clones share it.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    /// Where the control address is.
    bound: SocketAddr,
    /// Whom the store is asked as; none where only this proxy is shown.
    store: Option<Reach>,
    /// The files by which the store is asked.
    tls: Option<Tls>,
    logins: Mutex<Logins>,
    histories: Mutex<Histories>,
    users: Mutex<Option<Users>>,
    /// The last picture, as pages are told it.
    picture: watch::Sender<Option<Bytes>>,
    /// Which pages look.
    pages: watch::Sender<OpenPages>,
    /// Whether nobody is told anything any more.
    over: watch::Sender<bool>,
    began: Instant,
}

/// A token, once.
pub(crate) struct Issued {
    /// The token.
    pub(crate) token: String,
    /// For how long it is good.
    pub(crate) lasts: Duration,
}

impl Console {
    /// The console that a file asks for; none where it is off.
    ///
    /// # Errors
    /// The files by which it asks the store cannot be used.
    pub fn open(config: &Config) -> Result<Option<Console>, Failure> {
        let Some(wanted) = &config.console else {
            return Ok(None);
        };
        let store = wanted.store.as_ref();
        let files = store.and_then(|store| store.tls.clone());
        let tls = files.map(|files| Tls::load(files, Door::Certified)).transpose();
        let tls = tls.map_err(|error| Failure::Usage(format!("control.console.tls: {error}")))?;
        // A proxy's own role gives no right to look: then the store is not shown, rather than as one that refuses.
        let may_look = tls.as_ref().is_none_or(|tls| logins::may_look(&tls.own()));
        let store = store.filter(|_| may_look || !wanted.by_discovery);
        let store = store.map(|store| Reach {
            addresses: store
                .addresses
                .iter()
                .map(|address| address.to_string())
                .collect(),
            dial: Dial::new(tls.clone()),
        });
        Ok(Some(Self::new(config.control, store, tls)))
    }

    fn new(bound: SocketAddr, store: Option<Reach>, tls: Option<Tls>) -> Console {
        Console(Arc::new(Inner {
            bound,
            store,
            tls,
            logins: Mutex::default(),
            histories: Mutex::default(),
            users: Mutex::default(),
            picture: watch::Sender::new(None),
            pages: watch::Sender::default(),
            over: watch::Sender::new(false),
            began: Instant::now(),
        }))
    }

    /// A token with which a browser has the rights of whoever asks for it, an operator, or to look alone.
    pub(crate) fn issue(
        &self,
        caller: &Caller,
        read_only: bool,
        asked: Option<Duration>,
    ) -> Result<Issued, String> {
        let lasts = asked.unwrap_or(TOKEN_DEFAULT);
        if !(TOKEN_MIN..=TOKEN_MAX).contains(&lasts) {
            return Err(format!(
                "a token is good for {} to {} s",
                TOKEN_MIN.as_secs(),
                TOKEN_MAX.as_secs()
            ));
        }
        let role = if read_only { Role::Reader } else { Role::Admin };
        let name = format!("console token of {}", caller.name());
        let (secret, now) = (drawn(), self.now());
        let bearer = Caller::with_roles(&name, vec![role]);
        self.logins().issue(&secret, bearer, now, now + lasts);
        Ok(Issued {
            token: secret.text(),
            lasts,
        })
    }

    /// Gathers what pages are told, while one looks, and keeps the files in view by which the store is asked. Never ends.
    pub(crate) async fn run(&self, control: &Control) {
        let looking = async {
            match self.0.tls.clone() {
                Some(tls) => tls.keep_looking().await,
                None => std::future::pending().await,
            }
        };
        // What is gathered is large, and most of the time there is nothing of it.
        tokio::join!(looking, Box::pin(self.keep_sampling(control)));
    }

    /// Pages are told nothing any more: they come back, to whoever answers then.
    pub(crate) fn end(&self) {
        self.0.over.send_replace(true);
    }

    /// The store, if it is known.
    fn store(&self) -> Result<Store, Refusal> {
        let Some(reach) = &self.0.store else {
            let sentence = "this console asks no store: name it as store in [control.console]";
            return Err(Refusal::absent(sentence));
        };
        Ok(Store::new(reach)?)
    }

    /// Writes down that somebody unknown was refused, unless that happens often.
    fn refused(&self, action: &str, why: &str, remote: Option<SocketAddr>) {
        let Some(others) = self.logins().failed(self.now()) else {
            return;
        };
        let from = remote.map_or_else(String::new, |remote| format!(" from {remote}"));
        let sentence = format!("{why}{from}; {others} more since one was written down last");
        audit::refused(action, &sentence);
    }

    /// This process's time, by which logins end.
    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// A moment of it as seconds since 1970.
    fn unix(&self, moment: Duration) -> u64 {
        unix_now() + moment.saturating_sub(self.now()).as_secs()
    }

    fn logins(&self) -> MutexGuard<'_, Logins> {
        // A panic elsewhere cannot have left them half changed: what is added is added last.
        self.0.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn histories(&self) -> MutexGuard<'_, Histories> {
        self.0.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, Option<Users>> {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells people of somebody who comes or fails to.
fn tell_login(control: &Control, what: &str, caller: &Caller) {
    control.tell(Sort::Login, "", what, caller);
}

/// A secret that nobody else knows.
fn drawn() -> Secret {
    Secret::of(rand::rng().random())
}
