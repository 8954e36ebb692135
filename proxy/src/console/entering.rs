//! Logging in and out.
//!
//! Left out on purpose: what a login is worth (`logins`).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use remora_process::audit;
use serde::{Deserialize, Serialize};

use super::answer::{self, Refusal};
use super::logins::{Granted, Login, csrf_of, may_look};
use super::routes::{ConsoleDesk, Looking, Shown, read};
use super::{CERTIFIED_FOR, Console, drawn, tell_login};

/// What is said to log in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entering {
    token: String,
}

/// Who is logged in, as their page is told.
#[derive(Serialize)]
struct Me<'a> {
    name: &'a str,
    rights: &'static str,
    csrf: String,
    until: Option<u64>,
    store: bool,
}

/// Logs in with a token.
pub(super) async fn login(
    State(desk): State<ConsoleDesk>,
    shown: Shown,
    body: Bytes,
) -> Result<Response, Refusal> {
    let console = &desk.console;
    let Entering { token } = read(&body)?;
    let (secret, now) = (drawn(), console.now());
    let granted = console.logins().by_token(token.trim(), now, &secret);
    let Some(granted) = granted else {
        console.refused("Console/Login", "a token that is not good", shown.remote);
        if console.logins().is_news(now) {
            tell_login(&desk.control, "a token that is not good was tried", &shown.caller);
        }
        return Err(Refusal::not_good());
    };
    Ok(entered(&desk, &shown, granted, "by a token"))
}

/// Who is logged in; logs in whoever shows a certificate that gives the right.
pub(super) async fn me(State(desk): State<ConsoleDesk>, shown: Shown) -> Result<Response, Refusal> {
    let console = &desk.console;
    if let Some((login, cookie)) = shown.logged_in(console) {
        return Ok(answer::json(&told(console, &login, csrf_of(cookie))));
    }
    // Where nobody is asked who he is, everybody has every role, and a token is needed.
    if shown.caller.roles().is_none() || !may_look(&shown.caller) {
        return Err(Refusal::unknown());
    }
    let now = console.now();
    let granted = console
        .logins()
        .by_certificate(&shown.caller, (now, now + CERTIFIED_FOR), &drawn());
    Ok(entered(&desk, &shown, granted, "by a certificate"))
}

/// Logs out.
pub(super) async fn logout(
    State(desk): State<ConsoleDesk>,
    shown: Shown,
    Looking(login): Looking,
) -> Result<Response, Refusal> {
    desk.console.logins().close(&login);
    audit::done(&login.caller, "Console/Logout", "the console is closed");
    let cookie = cookie(&desk, &shown, "", "; Max-Age=0")?;
    Ok((
        [(header::SET_COOKIE, cookie)],
        answer::json(&serde_json::json!({})),
    )
        .into_response())
}

/// A browser is logged in from now on.
fn entered(desk: &ConsoleDesk, shown: &Shown, granted: Granted, how: &str) -> Response {
    let Granted {
        login,
        cookie: secret,
        csrf,
    } = granted;
    audit::done(&login.caller, "Console/Login", how);
    tell_login(
        &desk.control,
        &format!("the console is opened {how}"),
        &login.caller,
    );
    let me = answer::json(&told(&desk.console, &login, csrf));
    match cookie(desk, shown, &secret, "") {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], me).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn cookie(desk: &ConsoleDesk, shown: &Shown, value: &str, more: &str) -> Result<HeaderValue, Refusal> {
    let secure = if desk.is_secured() { "; Secure" } else { "" };
    let line = format!(
        "{}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}{more}",
        shown.cookie_name
    );
    HeaderValue::try_from(line).map_err(|_| Refusal::wrong("the host is no header's value"))
}

fn told<'a>(console: &Console, login: &'a Arc<Login>, csrf: String) -> Me<'a> {
    Me {
        name: login.caller.name(),
        rights: if login.operates() { "operate" } else { "look" },
        csrf,
        until: (!login.by_certificate).then(|| console.unix(login.until)),
        store: console.0.store.is_some(),
    }
}
