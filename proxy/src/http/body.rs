//! The body of a message, one type for both directions and for all its origins.
//!
//! Contract for whoever polls: pieces come in order, trailers at most once and last, `None` or an error ends the body;
//! [`Body::is_end`] may be true before `None` was seen, and [`Body::remaining`] is exact when it answers: the far side
//! chooses its framing by both. A body that is dropped before its end takes the connection that it came from with it.
//!
//! Left out on purpose: collecting a body into memory. Only `replay.rs` keeps bytes, and it has a limit.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::convert::{fields_from, fields_into};
use super::fields::Fields;

/// One piece of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes of content, never empty.
    Data(Bytes),
    /// The fields behind the content.
    Trailers(Fields),
}

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// The sender's connection broke.
    #[error("the connection broke in the middle of the body")]
    Broken,
    /// The sender's framing was wrong.
    #[error("the body is framed wrongly")]
    Malformed,
    /// The sender was silent for longer than the idle limit.
    #[error("the body stalled")]
    Stalled,
}

/// A body made of another body: what `replay.rs` and `exchange.rs` wrap around one.
pub(crate) trait Source {
    /// The next piece, under the contract in the preface.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>>;

    /// How many bytes are still to come, if that is known.
    fn remaining(&self) -> Option<u64>;

    /// Whether it is already known that nothing more comes.
    fn is_end(&self) -> bool;
}

/// A message body.
pub(crate) struct Body(Content);

enum Content {
    Empty,
    Whole(Bytes),
    Client(Incoming),
    Source(Box<dyn Source>),
}

impl Body {
    /// A body without content.
    #[must_use]
    pub(crate) fn empty() -> Self {
        Self(Content::Empty)
    }

    /// A body of these bytes.
    #[must_use]
    pub(crate) fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self(Content::Whole(bytes))
        }
    }

    /// A body that another part of the program produces.
    #[must_use]
    pub(crate) fn from_source(source: impl Source + 'static) -> Self {
        Self(Content::Source(Box::new(source)))
    }

    pub(super) fn from_client(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            Self::empty()
        } else {
            Self(Content::Client(incoming))
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// [`BodyError`] when the body ends early; nothing more comes after it.
    pub(crate) async fn next(&mut self) -> Option<Result<Piece, BodyError>> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    /// The next piece, for wrappers.
    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>> {
        match &mut self.0 {
            Content::Empty => Poll::Ready(None),
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Content::Empty;
                Poll::Ready(Some(Ok(Piece::Data(bytes))))
            }
            Content::Client(incoming) => poll_incoming(incoming, context),
            Content::Source(source) => source.poll_piece(context),
        }
    }

    /// How many bytes are still to come, if that is known.
    #[must_use]
    pub(crate) fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Content::Empty => Some(0),
            Content::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Content::Client(incoming) => incoming.size_hint().exact(),
            Content::Source(source) => source.remaining(),
        }
    }

    /// Whether it is already known that nothing more comes.
    #[must_use]
    pub(crate) fn is_end(&self) -> bool {
        match &self.0 {
            Content::Empty => true,
            Content::Whole(_) => false,
            Content::Client(incoming) => incoming.is_end_stream(),
            Content::Source(source) => source.is_end(),
        }
    }
}

/// The next piece of a body that hyper reads.
pub(super) fn poll_incoming(
    incoming: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Piece, BodyError>>> {
    loop {
        let frame = match Pin::new(&mut *incoming).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(body_error(&error)))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Poll::Ready(Some(Ok(Piece::Data(data)))),
            Err(other) => {
                if let Ok(trailers) = other.into_trailers() {
                    return Poll::Ready(Some(Ok(Piece::Trailers(fields_from(&trailers)))));
                }
            }
        }
    }
}

/// hyper's decoder reports wrong framing as invalid input or data, and a connection that ended as what ended it.
fn body_error(error: &hyper::Error) -> BodyError {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => BodyError::Malformed,
        _ => BodyError::Broken,
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_piece(context).map(|piece| {
            piece.map(|piece| {
                piece.map(|piece| match piece {
                    Piece::Data(data) => Frame::data(data),
                    Piece::Trailers(fields) => Frame::trailers(fields_into(fields)),
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Body")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
