//! An answer, as a client reads it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
#[expect(
    clippy::disallowed_types,
    reason = "informational heads are told to a callback that any thread may call"
)]
use std::sync::{Arc, Mutex};
use std::task::Poll;

use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use hyper::{Method, Request, Response, StatusCode};

use super::super::beside::{First, Message};
use super::{FIELDS_MAX, Nothing, Rest, Wire, poll_content, rested, sorted};
use crate::Asked;

/// The answer in these bytes, behind the informational heads before it, and what became of the connection.
#[expect(
    clippy::disallowed_types,
    reason = "informational heads are told to a callback that any thread may call"
)]
pub(in super::super) fn answer(asked: Asked, bytes: &[u8], ends: bool) -> (Vec<Message>, Rest) {
    let moves = Rc::new(Cell::new(0));
    let wire = Wire {
        bytes: bytes.to_vec(),
        read: 0,
        answers: true,
        ends,
        moves: Rc::clone(&moves),
    };
    let informational = Arc::new(Mutex::new(Vec::new()));
    let mut request = Request::new(Nothing);
    if asked == Asked::Head {
        *request.method_mut() = Method::HEAD;
    }
    let told = Arc::clone(&informational);
    hyper::ext::on_informational(&mut request, move |head| {
        let mut message = message(head.status().as_u16(), sorted(head.headers()));
        message.is_whole = true;
        told.lock().unwrap().push(message);
    });

    let mut last = None;
    let rest = rested(exchange(wire, request, &mut last, &moves), &moves);
    let mut heard = std::mem::take(&mut *informational.lock().unwrap());
    heard.extend(last);
    (heard, rest.unwrap_or(Rest::Open))
}

/// Sends the request and reads the answer, and ends once the connection has.
async fn exchange(
    wire: Wire,
    request: Request<Nothing>,
    last: &mut Option<Message>,
    moves: &Cell<usize>,
) -> Rest {
    let handshake = Builder::new().max_headers(FIELDS_MAX).handshake(wire);
    let (mut sender, connection) = handshake.await.unwrap();
    let mut connection = pin!(connection);
    let mut response = pin!(sender.send_request(request));
    let (mut content, mut ended, mut answered) = (None::<Incoming>, None, false);
    poll_fn(move |context| {
        if ended.is_none()
            && let Poll::Ready(end) = connection.as_mut().poll(context)
        {
            ended = Some(if end.is_ok() { Rest::Closed } else { Rest::Failed });
            moves.set(moves.get() + 1);
        }
        if !answered && let Poll::Ready(read) = response.as_mut().poll(context) {
            moves.set(moves.get() + 1);
            answered = true;
            if let Ok(read) = read {
                let (message, body) = begun(read);
                *last = Some(message);
                content = Some(body);
            }
        }
        if let (Some(body), Some(message)) = (&mut content, last.as_mut())
            && poll_content(body, context, message, moves).is_ready()
        {
            content = None;
        }
        match ended {
            // What came before the end may still be on its way to us.
            Some(rest) if answered && content.is_none() => Poll::Ready(rest),
            _ => Poll::Pending,
        }
    })
    .await
}

fn begun(response: Response<Incoming>) -> (Message, Incoming) {
    let (head, body) = response.into_parts();
    let mut message = message(head.status.as_u16(), sorted(&head.headers));
    message.is_of_old = head.version == hyper::Version::HTTP_10;
    message.is_whole = head.status == StatusCode::SWITCHING_PROTOCOLS;
    (message, body)
}

fn message(status: u16, mut fields: Vec<(Vec<u8>, Vec<u8>)>) -> Message {
    if status < 200 || status == 204 {
        // Nothing frames these, and we drop what seems to.
        fields.retain(|(name, _)| name != b"content-length" && name != b"transfer-encoding");
    }
    Message {
        first: First::Answer(status),
        is_of_old: false,
        fields,
        content: Vec::new(),
        trailers: Vec::new(),
        is_whole: false,
    }
}
