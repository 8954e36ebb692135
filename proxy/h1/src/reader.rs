//! One side of a connection, from bytes to events.
//!
//! The caller hands in all bytes that it holds; the reader takes from their front what it has understood. What is left behind
//! the last event is of the next message, or of a tunnel. A line that has not come whole stays with the caller, so a head is
//! read line by line as it comes, and a fault is found with the line that has it.
//!
//! Invariants: after [`Event::Refuse`] there is nothing but that refusal · [`Event::Data`] is never empty · a request's reader
//! reads no head before [`Reader::next`] was called for it: requests that came early wait.

use crate::chunks::{Chunks, Piece};
use crate::fields::Fields;
use crate::framing::{self, Asked, Length};
use crate::head::Head;
use crate::line;
use crate::refusal::{
    CHUNK, FIELDS_TOO_MANY, HEAD_TOO_LARGE, INFORMATIONAL, REQUEST_LINE, Refusal, STATUS_LINE, SWITCHED,
    TARGET_TOO_LONG, TRAILERS,
};
use crate::strict;

/// Informational heads before one answer. 16: an application at work says so a few times.
const INFORMATIONAL_MAX: u8 = 16;
/// Bytes of the fields behind content, and how many there may be. 8 KiB and 64: sums and signatures.
const TRAILER_BYTES: usize = 8 * 1024;
const TRAILER_FIELDS: usize = 64;

/// Bounds on a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, line ends included.
    pub head_bytes: usize,
    /// Fields of a head.
    pub fields: usize,
    /// Bytes of a request's target.
    pub target_bytes: usize,
}

/// What the bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// Nothing yet: more bytes are needed.
    NeedMore,
    /// The head is in the caller's hands; how its content ends is [`Reader::length`].
    Head,
    /// So is an informational head; another head follows.
    Informational,
    /// The next bytes of the content.
    Data(&'b [u8]),
    /// The fields behind the content are in the caller's hands.
    Trailers,
    /// The message is whole.
    End,
    /// The message is whole, and what follows is no HTTP any more.
    Upgrade,
    /// The bytes are no message that we take.
    Refuse(Refusal),
}

/// What the end of the connection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// Nothing: no byte of a message had come.
    Between,
    /// The message is whole, because its end is that of the connection.
    Whole,
    /// The message is cut.
    Cut,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a head, which [`Reader::next`] asks for.
    Resting,
    /// Within a head; `seen` bytes of it. Begun: bytes of it came, or a head that it follows. Started: its first line is read.
    Head {
        seen: usize,
        begun: bool,
        started: bool,
    },
    Known(u64),
    Chunked(Chunks),
    /// Within the fields behind chunks.
    Trailers {
        seen: usize,
    },
    TrailersRead,
    UntilClose,
    Switched,
    Refused(Refusal),
}

/// Reads the messages of one side of a connection.
#[derive(Clone, Debug)]
pub struct Reader {
    limits: Limits,
    /// Of a response's reader; none reads requests.
    asked: Option<Asked>,
    state: State,
    length: Length,
    keeps: bool,
    informational: u8,
}

impl Reader {
    /// Reads requests.
    #[must_use]
    pub fn of_requests(limits: Limits) -> Self {
        Self {
            limits,
            asked: None,
            state: State::Resting,
            length: Length::None,
            keeps: true,
            informational: 0,
        }
    }

    /// Reads responses.
    #[must_use]
    pub fn of_responses(limits: Limits) -> Self {
        Self {
            asked: Some(Asked::Plain),
            ..Self::of_requests(limits)
        }
    }

    /// The next request may be read.
    pub fn next(&mut self) {
        if matches!(self.state, State::Resting) {
            self.state = State::Head {
                seen: 0,
                begun: false,
                started: false,
            };
            self.informational = 0;
        }
    }

    /// The next response may be read: the answer to what was asked.
    pub fn next_answer(&mut self, asked: Asked) {
        self.asked = Some(asked);
        self.next();
    }

    /// How the content of the current message ends; of the last one, between two.
    #[must_use]
    pub fn length(&self) -> Length {
        self.length
    }

    /// Whether the sender wants the connection to go on after the current message.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether the last message is whole and no other has begun.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        matches!(self.state, State::Resting)
    }

    /// What the input says next. Heads, and the fields behind content, are written to `head`, which the caller has cleared
    /// since the last.
    pub fn feed<'b>(&mut self, input: &mut &'b [u8], head: &mut Head) -> Event<'b> {
        match self.read(input, head) {
            Ok(event) => event,
            Err(refusal) => {
                self.state = State::Refused(refusal);
                self.keeps = false;
                Event::Refuse(refusal)
            }
        }
    }

    /// What it means that no more bytes come, now that all were fed.
    #[must_use]
    pub fn at_end(&self) -> AtEnd {
        match self.state {
            State::Resting | State::Switched => AtEnd::Between,
            State::Head { begun: false, .. } => AtEnd::Between,
            State::UntilClose => AtEnd::Whole,
            _ => AtEnd::Cut,
        }
    }

    fn read<'b>(&mut self, input: &mut &'b [u8], head: &mut Head) -> Result<Event<'b>, Refusal> {
        match &mut self.state {
            State::Resting | State::Switched => Ok(Event::NeedMore),
            State::Refused(refusal) => Ok(Event::Refuse(*refusal)),
            State::Head { .. } => self.read_head(input, head),
            State::Known(0) | State::TrailersRead => {
                self.state = State::Resting;
                Ok(Event::End)
            }
            State::Known(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= u64::try_from(here).unwrap_or(*left);
                Ok(take(input, here))
            }
            State::UntilClose => {
                let all = input.len();
                Ok(take(input, all))
            }
            State::Chunked(chunks) => match chunks.next(input)? {
                Piece::NeedMore => Ok(Event::NeedMore),
                Piece::Data(data) => Ok(Event::Data(data)),
                Piece::Last => {
                    head.clear();
                    self.state = State::Trailers { seen: 0 };
                    self.read_trailers(input, &mut head.fields)
                }
            },
            State::Trailers { .. } => self.read_trailers(input, &mut head.fields),
        }
    }

    fn read_head<'b>(&mut self, input: &mut &'b [u8], head: &mut Head) -> Result<Event<'b>, Refusal> {
        let State::Head { seen, begun, started } = &mut self.state else {
            return Ok(Event::NeedMore);
        };
        loop {
            if !*started && !begins_well(self.asked.is_none(), input) {
                return Err(not_a_head(self.asked.is_none()));
            }
            let Some(whole) = line::cut(input) else {
                *begun |= !input.is_empty();
                let most = self.limits.head_bytes - *seen;
                return if input.len() > most {
                    Err(too_large(self.asked.is_none(), *started))
                } else {
                    Ok(Event::NeedMore)
                };
            };
            *seen += whole.len();
            if *seen > self.limits.head_bytes {
                return Err(too_large(self.asked.is_none(), *started));
            }
            let line = line::trimmed(whole)?;
            if *started && line.is_empty() {
                return self.head_is_whole(head);
            }
            if *started {
                if head.fields.len() == self.limits.fields {
                    return Err(FIELDS_TOO_MANY);
                }
                head.fields.read(whole)?;
            } else if line.is_empty() && self.asked.is_none() && *seen == whole.len() {
                // Behind a body some clients send a line end that belongs to nothing (RFC 9112 section 2.2).
                *begun = false;
            } else {
                match self.asked {
                    None => head.read_request(line)?,
                    Some(_) => head.read_response(line)?,
                }
                (*begun, *started) = (true, true);
            }
        }
    }

    fn head_is_whole<'b>(&mut self, head: &mut Head) -> Result<Event<'b>, Refusal> {
        let Some(asked) = self.asked else {
            strict::check(head, self.limits.target_bytes)?;
            self.keeps = framing::keeps(head);
            self.content(framing::of_request(head)?);
            return Ok(Event::Head);
        };
        let length = framing::of_response(head, asked)?;
        match head.status() {
            101 if asked == Asked::Upgrade => {
                self.state = State::Switched;
                self.length = Length::None;
                self.keeps = false;
                Ok(Event::Upgrade)
            }
            101 => Err(SWITCHED),
            100..=199 if self.informational == INFORMATIONAL_MAX => Err(INFORMATIONAL),
            100..=199 => {
                self.informational += 1;
                self.state = State::Head {
                    seen: 0,
                    begun: true,
                    started: false,
                };
                Ok(Event::Informational)
            }
            _ => {
                self.keeps = framing::keeps(head) && length != Length::UntilClose;
                self.content(length);
                Ok(Event::Head)
            }
        }
    }

    fn content(&mut self, length: Length) {
        self.length = length;
        self.state = match length {
            Length::None => State::Known(0),
            Length::Known(bytes) => State::Known(bytes),
            Length::Chunked => State::Chunked(Chunks::new()),
            Length::UntilClose => State::UntilClose,
        };
    }

    fn read_trailers<'b>(&mut self, input: &mut &'b [u8], fields: &mut Fields) -> Result<Event<'b>, Refusal> {
        let State::Trailers { seen } = &mut self.state else {
            return Ok(Event::NeedMore);
        };
        loop {
            let Some(whole) = line::cut(input) else {
                return if input.len() > TRAILER_BYTES - *seen {
                    Err(TRAILERS)
                } else {
                    Ok(Event::NeedMore)
                };
            };
            *seen += whole.len();
            if *seen > TRAILER_BYTES {
                return Err(TRAILERS);
            }
            if !line::trimmed(whole)?.is_empty() {
                if fields.len() == TRAILER_FIELDS {
                    return Err(TRAILERS);
                }
                fields.read(whole).map_err(|_| CHUNK)?;
                continue;
            }
            self.state = State::TrailersRead;
            if !fields.is_empty() {
                return Ok(Event::Trailers);
            }
            self.state = State::Resting;
            return Ok(Event::End);
        }
    }
}

/// The first bytes of content.
fn take<'b>(input: &mut &'b [u8], bytes: usize) -> Event<'b> {
    if bytes == 0 {
        return Event::NeedMore;
    }
    let (data, rest) = input.split_at(bytes);
    *input = rest;
    Event::Data(data)
}

/// Whether these can be the first bytes of a head: who speaks TLS or anything else to us must not wait for a line end that
/// never comes.
fn begins_well(request: bool, input: &[u8]) -> bool {
    let protocol = b"HTTP/";
    let here = input.len().min(protocol.len());
    match input.first() {
        None => true,
        Some(b'\r' | b'\n') => request,
        Some(first) if request => line::is_token(*first),
        Some(_) => input[..here] == protocol[..here],
    }
}

fn not_a_head(request: bool) -> Refusal {
    if request { REQUEST_LINE } else { STATUS_LINE }
}

fn too_large(request: bool, started: bool) -> Refusal {
    if request && !started {
        TARGET_TOO_LONG
    } else {
        HEAD_TOO_LARGE
    }
}
