//! One request of a client and its answer, beside others on the same connection.
//!
//! Invariants: content is released to the client as an upstream takes it · of an answer no more is handed on than the client has
//! room for, and it is not over before the socket has taken it, so that whoever waits here waits for the client · small pieces are gathered, and the last leaves with the end · a
//! stream that is let go before its end is reset, and one whose answer broke off is reset as broken.
//!
//! A WebSocket is granted by a 2xx: what else an upstream answers of that kind would be taken for frames
//! ([`Stream::takes_for_grant`]).

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use remora_h1::{Fields, Head, Known, Length, Limits, Refusal};

use super::super::buffers::{BUFFER_BYTES, Buffers};
use super::super::framed::{Content, Fault};
use super::halves::{FromClient, ToClient};
use super::head;
use super::load::{Afoot, Load};
use super::pipe::Earnings;
use super::websocket::Nonce;

/// One stream.
pub(crate) struct Stream {
    request: Request<RecvStream>,
    respond: SendResponse<Load>,
    /// Where content goes, once the head of the answer has gone.
    send: Option<SendStream<Load>>,
    /// Given where a WebSocket is asked for.
    nonce: Option<Nonce>,
    length: Length,
    /// What came of the content and was not taken.
    data: Bytes,
    trailers: Fields,
    /// Whether all of the request has come.
    read: bool,
    /// Whether the client holds its content back.
    expects: bool,
    /// Bytes that the answer still lacks, where its length is known.
    left: Option<u64>,
    /// Content that waits for more; up to `gone` it has been handed on.
    gathered: Vec<u8>,
    gone: usize,
    ending: Ending,
    /// Whether the answer broke off.
    broken: bool,
    afoot: Rc<Afoot>,
    buffers: Rc<Buffers>,
    earnings: Earnings,
}

/// How an answer gets on.
enum Ending {
    /// More may come.
    Open,
    /// All of it is here, and perhaps fields behind it.
    Due(Option<HeaderMap>),
    /// Its end has gone.
    Over,
}

impl Stream {
    pub(super) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Load>,
        (earnings, buffers): (Earnings, Rc<Buffers>),
    ) -> Self {
        let nonce = head::is_websocket(&request).then(Nonce::draw);
        Self {
            read: nonce.is_some() || request.body().is_end_stream(),
            request,
            respond,
            send: None,
            nonce,
            length: Length::None,
            data: Bytes::new(),
            trailers: Fields::default(),
            expects: false,
            left: None,
            gathered: Vec::new(),
            gone: 0,
            ending: Ending::Open,
            broken: false,
            afoot: Rc::default(),
            buffers,
            earnings,
        }
    }

    /// The head of the request, into one that is empty, with the help of a buffer; a refusal if it is none that we take.
    pub(crate) fn request(
        &mut self,
        head: &mut Head,
        scratch: &mut Vec<u8>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let said = head::read(&self.request, self.nonce.as_ref(), (head, scratch), limits)?;
        self.length = match said {
            // Beyond what was said it ends with its last frame.
            Length::None if !self.read => Length::Chunked,
            said => said,
        };
        self.expects = !self.read && head.fields.has(Known::Expect);
        Ok(())
    }

    pub(crate) fn length(&self) -> Length {
        self.length
    }

    pub(crate) fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<Content<'_>> {
        while self.data.is_empty() && !self.read {
            let body = self.request.body_mut();
            match ready!(body.poll_data(context)) {
                Some(Ok(data)) => self.data = data,
                Some(Err(_)) => return Poll::Ready(Content::Fault(Fault::Broken)),
                None => match ready!(body.poll_trailers(context)) {
                    Ok(trailers) => {
                        self.read = true;
                        if let Some(trailers) = trailers {
                            head::read_trailers(&trailers, &mut self.trailers);
                            return Poll::Ready(Content::Trailers(&mut self.trailers));
                        }
                    }
                    Err(_) => return Poll::Ready(Content::Fault(Fault::Broken)),
                },
            }
        }
        Poll::Ready(match self.data.is_empty() {
            true => Content::End,
            false => Content::Data(&self.data),
        })
    }

    pub(crate) fn take(&mut self, bytes: usize) {
        self.expects = false;
        self.data.advance(bytes);
        // A stream that is over needs no room.
        let _over = self.request.body_mut().flow_control().release_capacity(bytes);
    }

    pub(crate) fn expects(&self) -> bool {
        self.expects
    }

    pub(crate) fn go_ahead(&mut self) {
        if std::mem::take(&mut self.expects) {
            self.inform(&Head::response(100));
        }
    }

    pub(crate) fn inform(&mut self, head: &Head) {
        let response = head::answer(head.status(), &head.fields, Length::None);
        // Nobody is owed it; that the client has left is seen elsewhere.
        let _left = self.respond.send_informational(response);
    }

    pub(crate) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.send {
            None => self.respond.poll_reset(context),
            Some(send) => send.poll_reset(context),
        };
        // A connection that ended is an error here.
        reset.map(|_| ())
    }

    pub(crate) fn answer(&mut self, head: &Head, length: Length) {
        let bare = matches!(length, Length::None | Length::Known(0));
        self.left = match length {
            Length::Known(bytes) => Some(bytes),
            _ => None,
        };
        self.respond(head::answer(head.status(), &head.fields, length), bare);
    }

    fn respond(&mut self, response: Response<()>, bare: bool) {
        // That the client has left is seen by whoever sends or waits.
        self.send = self.respond.send_response(response, bare).ok();
        if bare {
            self.ending = Ending::Over;
        }
    }

    pub(crate) fn is_understood(&self, head: &Head) -> bool {
        let nonce = self.nonce.as_ref();
        nonce.is_some_and(|nonce| nonce.is_proven(&head.fields))
    }

    /// Whether the client would take an answer with this status for a WebSocket.
    pub(crate) fn takes_for_grant(&self, status: u16) -> bool {
        self.nonce.is_some() && matches!(status, 200..=299)
    }

    /// Grants a WebSocket.
    pub(crate) fn switch(&mut self, head: &Head) {
        let mut fields = head.fields.clone();
        Nonce::strip(&mut fields);
        self.respond(head::answer(200, &fields, Length::None), false);
    }

    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let left = self
            .left
            .map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let most = data.len().min(left);
        if most == 0 || !matches!(self.ending, Ending::Open) {
            return Poll::Ready(Err(ErrorKind::InvalidData.into()));
        }
        if self.gathered.len() == BUFFER_BYTES {
            ready!(self.poll_emit(context))?;
        }
        if self.gathered.capacity() == 0 {
            self.gathered = self.buffers.take();
        }
        let taken = most.min(BUFFER_BYTES - self.gathered.len());
        self.gathered.extend_from_slice(&data[..taken]);
        if let Some(left) = &mut self.left {
            *left -= u64::try_from(taken).unwrap_or(*left);
        }
        Poll::Ready(Ok(taken))
    }

    pub(crate) fn end(&mut self, trailers: Option<&Fields>) {
        if !matches!(self.ending, Ending::Open) {
            return;
        }
        if self.left.is_some_and(|left| left > 0) {
            return self.cut();
        }
        let trailers = trailers.filter(|trailers| !trailers.is_empty());
        self.ending = Ending::Due(trailers.map(head::map));
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_emit(context))?;
        if let Ending::Due(trailers) = &mut self.ending {
            let trailers = trailers.take();
            self.ending = Ending::Over;
            let send = self.send.as_mut().ok_or(ErrorKind::BrokenPipe)?;
            match trailers {
                Some(trailers) => send.send_trailers(trailers),
                None => send.send_data(Load::new(Vec::new(), &self.buffers, &self.afoot), true),
            }
            .map_err(broken)?;
        }
        self.afoot.poll_none(context)
    }

    /// Hands what was gathered on, as far as the client has room; with its end where that is here.
    fn poll_emit(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.gone < self.gathered.len() {
            let send = self.send.as_mut().ok_or(ErrorKind::BrokenPipe)?;
            ready!(self.afoot.poll_room(context));
            let rest = self.gathered.len() - self.gone;
            let room = ready!(poll_room(send, rest, context))?;
            let piece = if room == self.gathered.len() {
                std::mem::take(&mut self.gathered)
            } else {
                let mut piece = self.buffers.take();
                piece.extend_from_slice(&self.gathered[self.gone..self.gone + room]);
                self.gone += room;
                piece
            };
            let last = room == rest && matches!(self.ending, Ending::Due(None));
            self.earnings.borrow_mut().sent(room);
            let sent = send.send_data(Load::new(piece, &self.buffers, &self.afoot), last);
            sent.map_err(broken)?;
            if last {
                self.ending = Ending::Over;
            }
        }
        self.gathered.clear();
        self.gone = 0;
        Poll::Ready(Ok(()))
    }

    pub(crate) fn cut(&mut self) {
        self.broken = true;
    }

    pub(crate) fn reset(&mut self) {
        self.respond.send_reset(Reason::CANCEL);
    }

    /// The exchange is over. What was written of an answer that broke off leaves before its reset, as far as the kernel takes it:
    /// a client that sees nothing at all may send its request again.
    pub(crate) async fn close(mut self) {
        if self.broken {
            tokio::task::yield_now().await;
            self.respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }

    /// Both directions of a WebSocket.
    pub(in super::super) fn halves(&mut self) -> (FromClient<'_>, ToClient<'_>) {
        let from = FromClient::new(self.request.body_mut());
        (
            from,
            ToClient::new(self.send.as_mut(), &self.buffers, (&self.afoot, &self.earnings)),
        )
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.buffers.give(std::mem::take(&mut self.gathered));
    }
}

/// How many of so many bytes the client has room for, never none.
pub(super) fn poll_room(
    send: &mut SendStream<Load>,
    bytes: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    send.reserve_capacity(bytes);
    while send.capacity() == 0 {
        match ready!(send.poll_capacity(context)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
        }
    }
    Poll::Ready(Ok(send.capacity().min(bytes)))
}

/// The stream or its connection is over.
pub(super) fn broken(error: h2::Error) -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, error)
}
