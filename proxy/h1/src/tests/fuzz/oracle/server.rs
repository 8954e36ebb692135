//! Requests, as a server reads them that answers each at once when it is whole.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};

use super::super::beside::{First, Message};
use super::{FIELDS_MAX, Nothing, Rest, Wire, poll_content, rested, sorted};

/// The requests in these bytes, the last of which may be in the middle, and what became of the connection.
pub(in super::super) fn requests(bytes: &[u8]) -> (Vec<Message>, Rest) {
    let moves = Rc::new(Cell::new(0));
    let wire = Wire {
        bytes: bytes.to_vec(),
        read: 0,
        answers: false,
        ends: false,
        moves: Rc::clone(&moves),
    };
    let heard = Rc::new(RefCell::new(Vec::new()));
    let served = {
        let (heard, moves) = (Rc::clone(&heard), Rc::clone(&moves));
        service_fn(move |request: Request<Incoming>| {
            let (heard, moves) = (Rc::clone(&heard), Rc::clone(&moves));
            heard.borrow_mut().push(message(&request));
            let at = heard.borrow().len() - 1;
            let mut content = request.into_body();
            async move {
                poll_fn(|context| poll_content(&mut content, context, &mut heard.borrow_mut()[at], &moves))
                    .await;
                Ok::<_, Infallible>(Response::new(Nothing))
            }
        })
    };
    let connection = Builder::new()
        .auto_date_header(false)
        .max_headers(FIELDS_MAX)
        .serve_connection(wire, served);
    let rest = match rested(connection, &moves) {
        None => Rest::Open,
        Some(Ok(())) => Rest::Closed,
        Some(Err(_)) => Rest::Failed,
    };
    let heard = heard.take();
    (heard, rest)
}

fn message(request: &Request<Incoming>) -> Message {
    let target = request.uri();
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    Message {
        first: First::Request {
            method: request.method().to_string(),
            authority: target.authority().map(|host| host.as_str().as_bytes().to_vec()),
            path: path.as_bytes().to_vec(),
        },
        is_of_old: request.version() == hyper::Version::HTTP_10,
        fields: sorted(request.headers()),
        content: Vec::new(),
        trailers: Vec::new(),
        is_whole: false,
    }
}
