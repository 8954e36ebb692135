//! Wishes of upstreams: from what a page says to what the command line would have said.
//!
//! Left out on purpose: what a wish does, and its line in the books (`control`).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use remora_proto::v1::foresee_request::Wish;
use remora_proto::v1::{DrainMode, DrainReply, DrainRequest, ForeseeRequest, SetRequest};
use serde::Deserialize;

use super::answer::{self, Refusal};
use super::routes::{ConsoleDesk, Looking, Operating, read};

/// A drain as a page says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draining {
    route: String,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    deadline_seconds: Option<u64>,
    #[serde(default)]
    careful: bool,
}

impl Draining {
    fn request(self) -> Result<DrainRequest, Refusal> {
        let mode = match self.mode.as_deref() {
            None | Some("move") => DrainMode::Move,
            Some("finish") => DrainMode::Finish,
            Some(other) => return Err(Refusal::wrong(format!("mode is move or finish, not `{other}`"))),
        };
        Ok(DrainRequest {
            route: self.route,
            mode: mode.into(),
            deadline_seconds: self.deadline_seconds.unwrap_or_default(),
            careful: self.careful,
            ..DrainRequest::default()
        })
    }
}

/// A state or a weight as a page says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    route: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    weight: Option<u32>,
    #[serde(default)]
    reset: bool,
    #[serde(default)]
    careful: bool,
}

/// A route alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Routed {
    route: String,
}

/// Users leave.
pub(super) async fn drain(
    State(desk): State<ConsoleDesk>,
    Operating(login): Operating,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request = read::<Draining>(&body)?.request()?;
    let reply = desk.control.drain(login.caller.clone(), request).await?;
    Ok(done(&reply))
}

/// They stay.
pub(super) async fn undrain(
    State(desk): State<ConsoleDesk>,
    Operating(login): Operating,
    body: Bytes,
) -> Result<Response, Refusal> {
    let Routed { route } = read(&body)?;
    let request = DrainRequest {
        route,
        ..DrainRequest::default()
    };
    let reply = desk.control.undrain(login.caller.clone(), request).await?;
    Ok(done(&reply))
}

/// Another state or weight.
pub(super) async fn set(
    State(desk): State<ConsoleDesk>,
    Operating(login): Operating,
    body: Bytes,
) -> Result<Response, Refusal> {
    let Setting {
        route,
        state,
        weight,
        reset,
        careful,
    } = read(&body)?;
    let request = SetRequest {
        route,
        state,
        weight,
        reset,
        careful,
        ..SetRequest::default()
    };
    let reply = desk.control.set(login.caller.clone(), request).await?;
    Ok(done(&reply))
}

/// What a drain would take from whom.
pub(super) async fn foresee(
    State(desk): State<ConsoleDesk>,
    _: Looking,
    body: Bytes,
) -> Result<Response, Refusal> {
    let Routed { route } = read(&body)?;
    let drain = DrainRequest {
        route,
        ..DrainRequest::default()
    };
    let request = ForeseeRequest {
        wish: Some(Wish::Drain(drain)),
    };
    let emptied = desk.control.foresee(request)?.emptied;
    Ok(answer::json(&serde_json::json!({ "emptied": emptied })))
}

fn done(reply: &DrainReply) -> Response {
    answer::json(&serde_json::json!({
        "shared": reply.shared,
        "ends_with_process": reply.ends_with_process,
    }))
}
