//! What the console answers, and what stands on every answer.
//!
//! Invariant: no answer can be put into another site's page, run what another site sent, be kept, or be taken for another type.
//!
//! Left out on purpose: what is in an answer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use remora_overview::Failure;
use serde::Serialize;

use crate::control::Refused;

/// The type of all that is not a page's file.
const JSON: &str = "application/json";

/// What a browser may do with a page of ours: run and draw what came from here, and ask here. Nothing else, and in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// Why something is not answered, in a sentence.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    sentence: String,
}

impl Refusal {
    fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { status, sentence }
    }

    /// The request makes no sense.
    pub(super) fn wrong(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// Nobody is logged in.
    pub(super) fn unknown() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "log in first: `remora console token` gives a token",
        )
    }

    /// The token is not good.
    pub(super) fn not_good() -> Self {
        let sentence = "this token is not good, or no more: `remora console token` gives another";
        Self::new(StatusCode::UNAUTHORIZED, sentence)
    }

    /// They may not.
    pub(super) fn forbidden(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, sentence)
    }

    /// It is not there.
    pub(super) fn absent(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    /// Not now.
    pub(super) fn away(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
    }

    /// The sentence.
    pub(super) fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Wrong(_) => StatusCode::BAD_REQUEST,
            Refused::Unknown(_) => StatusCode::NOT_FOUND,
            Refused::Against(_) => StatusCode::CONFLICT,
            Refused::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Broken(_) => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, refused.sentence())
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match &failure {
            Failure::Missing(_) => StatusCode::NOT_FOUND,
            Failure::Against(_) => StatusCode::CONFLICT,
            Failure::Usage(_) => StatusCode::BAD_REQUEST,
            Failure::Refused(_) | Failure::Older(_) => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, failure.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.sentence }).to_string();
        (self.status, [(header::CONTENT_TYPE, JSON)], body).into_response()
    }
}

/// An answer as JSON.
pub(super) fn json(told: &impl Serialize) -> Response {
    match serde_json::to_string(told) {
        Ok(body) => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(error) => {
            Refusal::new(StatusCode::BAD_GATEWAY, format!("it cannot be said: {error}")).into_response()
        }
    }
}

/// The same answer, with a sentence where what refused it has none of ours: no such method, too large a body, no such page.
pub(super) fn explained(response: Response) -> Response {
    let json = HeaderValue::from_static(JSON);
    let is_told = response.headers().get(header::CONTENT_TYPE) == Some(&json);
    let status = response.status();
    if is_told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let sentence = match status {
        StatusCode::NOT_FOUND => "there is no such page",
        StatusCode::METHOD_NOT_ALLOWED => "this page is not asked in this way",
        StatusCode::PAYLOAD_TOO_LARGE => "more is said than any page of the console says",
        _ => "this is not understood",
    };
    let (mut head, _) = response.into_parts();
    let told = Refusal::new(status, sentence).into_response();
    // Which methods there are stays.
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, json);
    Response::from_parts(head, told.into_body())
}

/// Puts on an answer what stands on every one.
pub(super) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let said = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    headers.extend(said.map(|(name, value)| (Some(name), value)));
    response
}
