//! Between our heads and hyper's.
//!
//! Invariants: what a client sent goes out again in its order and with its bytes; names go out in lower case, which is
//! what hyper keeps. A field that hyper refuses to send is left out, never altered; the parsers on our two sides let
//! none of that kind in.

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::{request, response};
use hyper::{Method, Request, Response, StatusCode, Uri};

use super::fields::Fields;
use super::head::{RequestHead, ResponseHead, Version};

/// Room for the fields that we add ourselves, so that the buffer grows once at most.
const ROOM: usize = 256;

pub(super) fn fields_from(map: &HeaderMap) -> Fields {
    let size: usize = map
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let mut fields = Fields::with_capacity(size + ROOM, map.len() + 8);
    for (name, value) in map {
        fields.push(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}

pub(super) fn fields_into(fields: Fields) -> HeaderMap {
    into_map(fields).1
}

/// The map's values are slices of the buffer, which is answered too.
fn into_map(fields: Fields) -> (Bytes, HeaderMap) {
    let mut map = HeaderMap::with_capacity(fields.len());
    let (buffer, ranges) = fields.into_shared();
    for (name, value) in ranges {
        let name = HeaderName::from_bytes(&buffer[name]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(buffer.slice(value))) {
            map.append(name, value);
        }
    }
    (buffer, map)
}

pub(super) fn request_head(parts: &request::Parts) -> RequestHead {
    let fields = fields_from(&parts.headers);
    let method = parts.method.as_str();
    let version = version(parts.version);
    match parts.uri.path_and_query() {
        Some(target) if parts.uri.authority().is_none() => {
            RequestHead::with_fields(method, target.as_str().as_bytes(), version, fields)
        }
        _ => RequestHead::with_fields(method, parts.uri.to_string().as_bytes(), version, fields),
    }
}

pub(super) fn response_head(parts: &response::Parts) -> ResponseHead {
    ResponseHead {
        status: parts.status.as_u16(),
        fields: fields_from(&parts.headers),
    }
}

/// None when hyper refuses the method or the target.
pub(super) fn into_request<B>(head: RequestHead, body: B) -> Option<Request<B>> {
    let (method, target) = head.line();
    let (buffer, map) = into_map(head.fields);
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(&buffer[method]).ok()?;
    *request.uri_mut() = Uri::from_maybe_shared(buffer.slice(target)).ok()?;
    *request.headers_mut() = map;
    Some(request)
}

pub(super) fn into_response<B>(head: ResponseHead, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = fields_into(head.fields);
    response
}

fn version(version: hyper::Version) -> Version {
    if version == hyper::Version::HTTP_10 {
        Version::Http10
    } else {
        Version::Http11
    }
}
