//! The body of an answer on its way to the client, watched until its end.
//!
//! Invariants: a body that breaks or stalls ends with an error, and so the client's connection is cut, but not before
//! the head and what came of the body have left: a client that sees nothing at all may send its request again; the
//! exchange counts as in flight, and is told to the access log, until this value is dropped, whatever the reason.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use remora_policy::{Cause, Failure, Phase, may_trail};
use tokio::time::Sleep;

use super::story::Story;
use super::visit::Visit;
use crate::http::{Body, BodyError, Piece, Source};

/// A body, the longest pause between two of its pieces, and what is told when it ends.
pub(super) struct Delivery {
    body: Body,
    idle: Duration,
    /// Runs only while the sender is silent.
    silence: Option<Pin<Box<Sleep>>>,
    ended: bool,
    /// Why the body ended early; told to the sender one turn after it was found.
    failed: Option<BodyError>,
    visit: Rc<Visit>,
    story: Story,
}

impl Delivery {
    pub(super) fn new(body: Body, idle: Duration, visit: Rc<Visit>, story: Story) -> Self {
        Self {
            body,
            idle,
            silence: None,
            ended: false,
            failed: None,
            visit,
            story,
        }
    }

    fn watch_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        self.silence
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)))
            .as_mut()
            .poll(context)
    }
}

impl Source for Delivery {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>> {
        if let Some(error) = self.failed {
            return Poll::Ready(Some(Err(error)));
        }
        let mut polled = match self.body.poll_piece(context) {
            Poll::Pending => match self.watch_silence(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => Some(Err(BodyError::Stalled)),
            },
            Poll::Ready(piece) => {
                self.silence = None;
                piece
            }
        };
        match &mut polled {
            Some(Ok(Piece::Data(data))) => self.story.sent(data.len()),
            Some(Err(error)) => {
                self.failed = Some(*error);
                let failure = broken_off(*error);
                if let Some(upstream) = self.story.upstream() {
                    self.visit.observe(upstream, Err(&failure));
                }
                self.story.cut(&failure);
                // The sender flushes when it finds nothing to send.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Ok(Piece::Trailers(fields))) => {
                fields.retain(|name, _| may_trail(name));
                self.ended = true;
            }
            None => self.ended = true,
        }
        Poll::Ready(polled)
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }

    fn is_end(&self) -> bool {
        self.body.is_end()
    }
}

/// A failure after the head had been passed on.
fn broken_off(error: BodyError) -> Failure {
    let cause = match error {
        BodyError::Broken => Cause::Broken,
        BodyError::Malformed => Cause::Malformed,
        BodyError::Stalled => Cause::TimedOut,
    };
    Failure::new(Phase::Passing, cause)
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.failed.is_none() && (self.ended || self.body.is_end()) {
            self.story.complete();
        }
    }
}
