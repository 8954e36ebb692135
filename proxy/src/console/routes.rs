//! From a request to what answers it. What every request must be stands here once, before anything is done: `guarded` for all,
//! and the two ways in which a handler learns who asks (`Looking`, `Operating`), so that none can forget it.
//!
//! Invariant: a handler that changes something takes an `Operating`, or is the login itself.
//!
//! Left out on purpose: what is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use remora_process::audit;
use remora_process::tls::{Caller, Tls};
use serde::de::DeserializeOwned;

use super::answer::{self, Refusal};
use super::guard::{OwnNames, Said, host_and_port};
use super::logins::Login;
use super::{Console, PATH, assets, entering, live, sessions, wishing};
use crate::control::{Control, FarEnd};

/// Bytes of a request's body: a filter, or a token.
const BODY_BYTES: usize = 16 * 1024;

/// Signs of a path in the log: more than any of the console's has.
const PATH_SAID_MAX: usize = 64;

/// What every change must repeat stands here.
const CSRF: &str = "x-remora-csrf";

/// The cookie's name; behind it stands the port, because browsers keep the cookies of all ports of a host together.
const COOKIE: &str = "remora-console-";

/// Cookies of that name that are looked at: there is one, and those that another program of the host may have set.
const COOKIES_MAX: usize = 8;

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub(super) struct ConsoleDesk {
    pub(super) console: Console,
    pub(super) control: Control,
    tls: Option<Tls>,
}

impl ConsoleDesk {
    /// Whether TLS is spoken with browsers.
    pub(super) fn is_secured(&self) -> bool {
        self.tls.is_some()
    }
}

/// The console on the control address, with TLS or without.
pub(crate) fn router(console: Console, control: Control, tls: Option<Tls>) -> Router {
    let desk = ConsoleDesk {
        console,
        control,
        tls,
    };
    let api = Router::new()
        .route("/login", post(entering::login))
        .route("/me", get(entering::me))
        .route("/logout", post(entering::logout))
        .route("/live", get(live::live))
        .route("/lately", get(live::lately))
        .route("/sessions", get(sessions::list))
        .route("/session", get(sessions::show))
        .route("/sessions/kill", post(sessions::kill))
        .route("/upstreams/drain", post(wishing::drain))
        .route("/upstreams/undrain", post(wishing::undrain))
        .route("/upstreams/set", post(wishing::set))
        .route("/upstreams/foresee", post(wishing::foresee))
        .fallback(|| async { Refusal::absent("there is no such page") });
    let pages = Router::new()
        .route("/console", get(|| async { Redirect::permanent(PATH) }))
        .route("/console/", get(|| async { assets::page() }))
        .route(
            "/console/{*name}",
            get(|Path(name): Path<String>| async move { assets::asset(&name) }),
        )
        .nest("/console/api", api);
    pages
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(desk.clone(), guarded))
        .with_state(desk)
}

/// Lets through what the console's own page asks, and puts on every answer what stands on all.
async fn guarded(State(desk): State<ConsoleDesk>, request: Request, next: Next) -> Response {
    let response = match admitted(&desk, &request) {
        Ok(()) => answer::explained(next.run(request).await),
        Err(refusal) => {
            if *request.method() != Method::GET {
                let path: String = request.uri().path().chars().take(PATH_SAID_MAX).collect();
                let remote = request.extensions().get::<FarEnd>().map(|far_end| far_end.remote);
                desk.console
                    .refused(&format!("Console at {path}"), refusal.sentence(), remote);
            }
            refusal.into_response()
        }
    };
    answer::secured(response)
}

fn admitted(desk: &ConsoleDesk, request: &Request) -> Result<(), Refusal> {
    let (uri, headers) = (request.uri(), request.headers());
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let said = Said {
        // HTTP/2 says it in the target.
        authority: uri
            .authority()
            .map(|authority| authority.as_str())
            .or(text(header::HOST)),
        origin: text(header::ORIGIN),
        fetch_site: text(header::HeaderName::from_static("sec-fetch-site")),
        content_type: text(header::CONTENT_TYPE),
    };
    let certified = |host: &str| desk.tls.as_ref().is_some_and(|tls| tls.is_for(host));
    let names = OwnNames {
        bound: desk.console.0.bound.ip(),
        secured: desk.tls.is_some(),
        certified: &certified,
    };
    names.host(&said)?;
    if uri.path().starts_with("/console/api/") {
        names.site(&said)?;
    }
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => names.change(&said),
    }
}

/// Somebody at a browser: what they show.
pub(super) struct Shown {
    /// Whom the connection knows.
    pub(super) caller: Caller,
    /// Where it comes from.
    pub(super) remote: Option<SocketAddr>,
    /// The cookie's name at this port.
    pub(super) cookie_name: String,
    /// The cookies of that name that it brings: one of another path or host may stand before ours.
    pub(super) cookies: Vec<String>,
}

impl Shown {
    fn of(parts: &Parts) -> Self {
        let far_end = parts.extensions.get::<FarEnd>();
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let (_, port) = authority.or(host).and_then(host_and_port).unwrap_or_default();
        let cookie_name = format!("{COOKIE}{}", port.unwrap_or_default());
        let cookies = parts.headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|line| line.to_str().ok());
        let pairs = cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let cookies = pairs
            .filter(|(name, _)| *name == cookie_name)
            .map(|(_, value)| value.to_owned())
            .take(COOKIES_MAX)
            .collect();
        Self {
            caller: far_end.map_or_else(Caller::nobody, FarEnd::caller),
            remote: far_end.map(|far_end| far_end.remote),
            cookie_name,
            cookies,
        }
    }

    /// The login that one of the cookies is of.
    pub(super) fn login(&self, console: &Console) -> Option<Arc<Login>> {
        self.logged_in(console).map(|(login, _)| login)
    }

    /// The same, with its cookie.
    pub(super) fn logged_in(&self, console: &Console) -> Option<(Arc<Login>, &str)> {
        let (logins, now) = (console.logins(), console.now());
        let mut cookies = self.cookies.iter();
        cookies.find_map(|cookie| Some((logins.find(cookie, &self.caller, now)?, cookie.as_str())))
    }
}

impl FromRequestParts<ConsoleDesk> for Shown {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &ConsoleDesk) -> Result<Self, Refusal> {
        Ok(Self::of(parts))
    }
}

/// Whoever is logged in.
pub(super) struct Looking(pub(super) Arc<Login>);

impl FromRequestParts<ConsoleDesk> for Looking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &ConsoleDesk) -> Result<Self, Refusal> {
        let login = Shown::of(parts)
            .login(&desk.console)
            .ok_or_else(Refusal::unknown)?;
        let csrf = parts.headers.get(CSRF).and_then(|csrf| csrf.to_str().ok());
        if parts.method == Method::POST && !csrf.is_some_and(|csrf| login.repeats(csrf)) {
            let sentence = format!(
                "the page of {} does not say {CSRF} as it should: load it again",
                login.caller
            );
            audit::refused(&format!("Console{}", parts.uri.path()), &sentence);
            return Err(Refusal::forbidden(sentence));
        }
        Ok(Self(login))
    }
}

/// Whoever is logged in and may change something.
pub(super) struct Operating(pub(super) Arc<Login>);

impl FromRequestParts<ConsoleDesk> for Operating {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &ConsoleDesk) -> Result<Self, Refusal> {
        let Looking(login) = Looking::from_request_parts(parts, desk).await?;
        if login.operates() {
            return Ok(Self(login));
        }
        let sentence = format!("{} may look, and change nothing", login.caller);
        audit::refused(&format!("Console{}", parts.uri.path()), &sentence);
        Err(Refusal::forbidden(sentence))
    }
}

/// What a request says in JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::wrong(format!("this is not understood: {error}")))
}
