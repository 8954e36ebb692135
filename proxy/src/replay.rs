//! A request body that can be sent again.
//!
//! What an attempt reads from the client is kept up to a limit; the next attempt gets the kept bytes first and then
//! what is still to come. A body that outgrew the limit goes on streaming, but [`Replay::can_repeat`] is false from
//! then on, unless no attempt has read from it.
//!
//! Invariants: a piece is either kept or passed on exactly once, so no attempt sees a body with a hole; one attempt
//! reads at a time; what is kept is a copy, so that many small pieces hold no more memory than their bytes, and no
//! buffer of the client's connection.
//!
//! Left out on purpose: spooling to disk. A large upload that fails half-way is the client's to repeat.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use remora_policy::may_trail;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::http::{Body, BodyError, Fields, Piece, Source};

/// The body of one request, over all its attempts. Costs nothing for a request without body.
pub(crate) struct Replay {
    /// When the exchange began.
    began: Instant,
    state: Option<Rc<RefCell<State>>>,
}

struct State {
    client: Body,
    kept: Vec<u8>,
    /// Bytes that may be kept.
    limit: usize,
    trailers: Option<Fields>,
    /// Whether new pieces are still kept.
    keeping: bool,
    /// Whether a piece was passed on without being kept.
    lost: bool,
    ended: bool,
    failed: Option<BodyError>,
    /// Since when the client has owed the next piece; none while it is not its turn.
    waiting: Option<Instant>,
    /// When a piece was last handed to an attempt.
    moved: Instant,
    /// Bytes that attempts have read and nobody has counted yet.
    read: u64,
}

impl Replay {
    /// Takes charge of a client's body; keeps at most `limit` bytes of it.
    #[must_use]
    pub(crate) fn new(body: Body, limit: usize) -> Self {
        let began = Instant::now();
        if body.is_end() {
            return Self { began, state: None };
        }
        let state = State {
            client: body,
            kept: Vec::new(),
            limit,
            trailers: None,
            keeping: true,
            lost: false,
            ended: false,
            failed: None,
            waiting: None,
            moved: began,
            read: 0,
        };
        Self {
            began,
            state: Some(Rc::new(RefCell::new(state))),
        }
    }

    /// The body for the next attempt, from its first byte. Only to be asked for while [`Replay::can_repeat`] holds.
    #[must_use]
    pub(crate) fn body(&self) -> Body {
        match &self.state {
            None => Body::empty(),
            Some(state) => {
                state.borrow_mut().waiting = None;
                Body::from_source(Rereading {
                    state: Rc::clone(state),
                    position: 0,
                    trailers_read: false,
                })
            }
        }
    }

    /// Whether another attempt would see the whole body.
    #[must_use]
    pub(crate) fn can_repeat(&self) -> bool {
        self.state.as_ref().is_none_or(|state| {
            let state = state.borrow();
            !state.lost && state.failed.is_none()
        })
    }

    /// Whether its length is not known in advance.
    #[must_use]
    pub(crate) fn is_streamed(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| state.borrow().client.remaining().is_none())
    }

    /// Whether the client has sent all of it.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.borrow().ended)
    }

    /// Why the client's side ended early, if it did.
    #[must_use]
    pub(crate) fn failure(&self) -> Option<BodyError> {
        self.state.as_ref().and_then(|state| state.borrow().failed)
    }

    /// Until when the client's next piece is waited for, if so long at most; none while the current attempt does not
    /// wait for one.
    #[must_use]
    pub(crate) fn piece_due(&self, limit: Duration) -> Option<Deadline> {
        let waiting = self.state.as_ref().and_then(|state| state.borrow().waiting);
        waiting.map(|since| Deadline::since(since, limit))
    }

    /// Until when the answer's head is waited for, over all attempts: so long after a piece last moved, or after the
    /// exchange began.
    #[must_use]
    pub(crate) fn answer_due(&self, limit: Duration) -> Deadline {
        let moved = self
            .state
            .as_ref()
            .map_or(self.began, |state| state.borrow().moved);
        Deadline::since(moved, limit)
    }

    /// How many bytes attempts have read since this was asked last.
    pub(crate) fn take_read(&self) -> u64 {
        self.state
            .as_ref()
            .map_or(0, |state| std::mem::take(&mut state.borrow_mut().read))
    }

    /// Stops keeping: no attempt will follow.
    pub(crate) fn forget(&self) {
        if let Some(state) = &self.state {
            state.borrow_mut().keeping = false;
        }
    }
}

/// The body as one attempt reads it.
struct Rereading {
    state: Rc<RefCell<State>>,
    /// How many kept bytes this attempt has read.
    position: usize,
    trailers_read: bool,
}

impl Source for Rereading {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>> {
        let state = &mut *self.state.borrow_mut();
        if let Some(kept) = state.kept.get(self.position..).filter(|kept| !kept.is_empty()) {
            let piece = Piece::Data(Bytes::copy_from_slice(kept));
            state.read += bytes_of(kept);
            self.position = state.kept.len();
            return Poll::Ready(Some(Ok(piece)));
        }
        if let Some(error) = state.failed {
            return Poll::Ready(Some(Err(error)));
        }
        if state.ended {
            let trailers = state.trailers.clone().filter(|_| !self.trailers_read);
            self.trailers_read = true;
            return Poll::Ready(trailers.map(|fields| Ok(Piece::Trailers(fields))));
        }
        let mut polled = state.client.poll_piece(context);
        if polled.is_pending() {
            state.waiting.get_or_insert_with(Instant::now);
            return Poll::Pending;
        }
        state.waiting = None;
        state.moved = Instant::now();
        if let Poll::Ready(Some(Ok(Piece::Trailers(fields)))) = &mut polled {
            fields.retain(|name, _| may_trail(name));
        }
        if let Poll::Ready(piece) = &polled {
            state.note(piece.as_ref());
            self.position = state.kept.len();
            self.trailers_read = state.trailers.is_some();
        }
        polled
    }

    fn remaining(&self) -> Option<u64> {
        let state = self.state.borrow();
        let kept = state.kept.len().saturating_sub(self.position);
        Some(state.client.remaining()? + u64::try_from(kept).ok()?)
    }

    fn is_end(&self) -> bool {
        let state = self.state.borrow();
        let trailers_read = state.trailers.is_none() || self.trailers_read;
        self.position >= state.kept.len() && trailers_read && (state.ended || state.client.is_end())
    }
}

impl State {
    /// Remembers what the client sent.
    fn note(&mut self, piece: Option<&Result<Piece, BodyError>>) {
        match piece {
            None => self.ended = true,
            Some(Err(error)) => self.failed = Some(*error),
            Some(Ok(Piece::Trailers(fields))) => {
                self.trailers = Some(fields.clone());
                self.ended = true;
            }
            Some(Ok(Piece::Data(data))) => {
                self.read += bytes_of(data);
                self.ended = self.client.is_end();
                if self.keeping && self.kept.len() + data.len() <= self.limit {
                    self.kept.extend_from_slice(data);
                } else {
                    self.keeping = false;
                    self.lost = true;
                    self.kept = Vec::new();
                }
            }
        }
    }
}

fn bytes_of(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Replay")
            .field("can_repeat", &self.can_repeat())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::task::Waker;

    /// A client that sends these pieces and then ends, waits or breaks.
    struct Script(VecDeque<Option<Result<Piece, BodyError>>>);

    impl Source for Script {
        fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>> {
            self.0.pop_front().map_or(Poll::Pending, Poll::Ready)
        }
        fn remaining(&self) -> Option<u64> {
            None
        }
        fn is_end(&self) -> bool {
            false
        }
    }

    fn data(bytes: &[u8]) -> Option<Result<Piece, BodyError>> {
        Some(Ok(Piece::Data(Bytes::copy_from_slice(bytes))))
    }

    // Small, so that a test can exceed it.
    const LIMIT: usize = 1024;

    fn replay(pieces: Vec<Option<Result<Piece, BodyError>>>) -> Replay {
        Replay::new(Body::from_source(Script(pieces.into())), LIMIT)
    }

    /// Reads until the body ends, waits or fails; the number of pieces is limited by `limit`.
    fn read(body: &mut Body, limit: usize) -> String {
        let mut context = Context::from_waker(Waker::noop());
        let mut text = String::new();
        for _ in 0..limit {
            match body.poll_piece(&mut context) {
                Poll::Pending => return text + "...",
                Poll::Ready(None) => return text + "$",
                Poll::Ready(Some(Err(_))) => return text + "!",
                Poll::Ready(Some(Ok(Piece::Data(data)))) => text.push_str(&String::from_utf8_lossy(&data)),
                Poll::Ready(Some(Ok(Piece::Trailers(fields)))) => text = format!("{text}+{}", fields.len()),
            }
        }
        text
    }

    #[test]
    fn a_second_attempt_sees_the_body_from_its_first_byte() {
        let mut trailers = Fields::default();
        trailers.push(b"sum", b"1");
        let replay = replay(vec![
            data(b"ab"),
            data(b"cd"),
            Some(Ok(Piece::Trailers(trailers))),
            None,
        ]);
        assert_eq!(read(&mut replay.body(), 1), "ab");
        assert!(replay.can_repeat() && !replay.is_complete());
        assert_eq!(read(&mut replay.body(), 9), "abcd+1$");
        assert!(replay.is_complete());
        assert_eq!(read(&mut replay.body(), 9), "abcd+1$");
    }

    #[test]
    fn a_body_that_outgrew_the_limit_streams_on_and_cannot_be_repeated() {
        let half = vec![b'x'; LIMIT / 2 + 1];
        let replay = replay(vec![data(&half), data(&half), data(b"end"), None]);
        let mut first = replay.body();
        read(&mut first, 1);
        assert!(replay.can_repeat());
        let rest = read(&mut first, 9);
        assert!(rest.ends_with("xend$") && rest.len() == half.len() + 4);
        assert!(!replay.can_repeat());
    }

    #[test]
    fn many_small_pieces_are_kept_as_their_bytes() {
        let replay = replay((0..LIMIT).map(|_| data(b"x")).chain([None]).collect());
        assert_eq!(read(&mut replay.body(), LIMIT + 1).len(), LIMIT + 1);
        let state = replay.state.as_ref().expect("a body").borrow();
        assert!(state.kept.capacity() <= 2 * LIMIT, "{}", state.kept.capacity());
        drop(state);
        assert_eq!(
            read(&mut replay.body(), 2).len(),
            LIMIT + 1,
            "as one piece, and the end"
        );
    }

    #[test]
    fn a_reader_that_is_behind_loses_nothing_when_keeping_stops() {
        let replay = replay(vec![data(b"ab"), data(b"cd"), None]);
        assert_eq!(read(&mut replay.body(), 1), "ab");
        let mut second = replay.body();
        replay.forget();
        assert_eq!(read(&mut second, 9), "abcd$");
    }

    #[test]
    fn a_broken_client_is_never_repeated() {
        let replay = replay(vec![data(b"ab"), Some(Err(BodyError::Broken))]);
        assert_eq!(read(&mut replay.body(), 9), "ab!");
        assert!(!replay.can_repeat());
        assert_eq!(replay.failure(), Some(BodyError::Broken));
    }

    #[test]
    fn it_says_that_it_waits_for_the_client() {
        let replay = replay(vec![data(b"ab")]);
        assert_eq!(replay.piece_due(Duration::ZERO), None);
        assert_eq!(read(&mut replay.body(), 9), "ab...");
        assert!(replay.piece_due(Duration::ZERO).is_some_and(Deadline::has_passed));
    }
}
