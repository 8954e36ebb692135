//! Bytes, fed piece by piece, and the account of all that was read from them.
//!
//! Invariants held of every reading, whatever the bytes: a piece of content is never empty · an event takes bytes or moves on, so
//! there are no more of them than bytes and a few · what was refused stays refused and takes nothing · who needs more was
//! given no line whole.

use crate::{Asked, AtEnd, Event, Fields, Head, Length, Limits, Reader, Refusal, Version};

/// Which side of a connection is read, and within what bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    /// Of an answer: what was asked.
    pub(super) asked: Option<Asked>,
    pub(super) limits: Limits,
}

/// The bounds of the scripts unless they say otherwise: the proxy's own for clients.
pub(super) const LIMITS: Limits = Limits {
    head_bytes: 16 * 1024,
    fields: 100,
    target_bytes: 8 * 1024,
};

/// Names and values in order.
pub(super) type List = Vec<(Vec<u8>, Vec<u8>)>;

/// A head as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) version: Version,
    pub(super) method: String,
    pub(super) target: Vec<u8>,
    pub(super) status: u16,
    pub(super) reason: Vec<u8>,
    pub(super) fields: List,
}

/// What was read, in order. Content in pieces is joined: how it is cut up is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Head(Start, Length),
    Informational(Start),
    Content(Vec<u8>),
    Trailers(List),
    /// A message is whole; whether the connection goes on.
    End(bool),
    Upgrade(Start),
    Refused(Refusal),
    /// The bytes ended first.
    Ended(AtEnd),
}

/// All that came of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// What was told, and how many bytes had been taken by then.
    pub(super) told: Vec<(Told, usize)>,
    /// How many bytes were taken; the rest is somebody else's.
    pub(super) taken: usize,
}

impl Account {
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.told.iter().find_map(|(told, _)| match told {
            Told::Refused(refusal) => Some(*refusal),
            _ => None,
        })
    }
}

impl Side {
    pub(super) fn requests() -> Self {
        Self {
            asked: None,
            limits: LIMITS,
        }
    }

    pub(super) fn answer(asked: Asked) -> Self {
        Self {
            asked: Some(asked),
            limits: LIMITS,
        }
    }

    /// Reads bytes that come in these pieces, and then end: requests as long as their connection goes on, of answers one.
    pub(super) fn read<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Account {
        let mut reading = Reading::new(self);
        for piece in pieces {
            reading.held.extend_from_slice(piece);
            if !reading.is_over {
                reading.go_on();
            }
        }
        reading.end();
        Account {
            told: reading.told,
            taken: reading.taken,
        }
    }
}

/// A reading under way.
struct Reading {
    reader: Reader,
    head: Head,
    held: Vec<u8>,
    told: Vec<(Told, usize)>,
    taken: usize,
    of_answers: bool,
    is_over: bool,
}

impl Reading {
    fn new(side: &Side) -> Self {
        let mut reader = match side.asked {
            None => Reader::of_requests(side.limits),
            Some(_) => Reader::of_responses(side.limits),
        };
        match side.asked {
            None => reader.next(),
            Some(asked) => reader.next_answer(asked),
        }
        Self {
            reader,
            head: Head::default(),
            held: Vec::new(),
            told: Vec::new(),
            taken: 0,
            of_answers: side.asked.is_some(),
            is_over: false,
        }
    }

    /// Feeds what is held until more is needed or nothing more is to be read.
    fn go_on(&mut self) {
        let mut events = 3 * self.held.len() + 8;
        while !self.is_over {
            let before = self.held.len();
            let mut input = &self.held[..];
            let event = self.reader.feed(&mut input, &mut self.head);
            let (left, told) = (input.len(), self.told(event));
            self.held.drain(..before - left);
            self.taken += before - left;
            let Some(told) = told else {
                return;
            };
            self.note(told);
            events -= 1;
            assert!(events > 0, "events without end");
        }
    }

    /// What an event says; none when it asks for more.
    fn told(&self, event: Event<'_>) -> Option<Told> {
        Some(match event {
            Event::NeedMore => return None,
            Event::Head => Told::Head(start(&self.head), self.reader.length()),
            Event::Informational => Told::Informational(start(&self.head)),
            Event::Data(data) => {
                assert!(!data.is_empty(), "content of no bytes");
                Told::Content(data.to_vec())
            }
            Event::Trailers => Told::Trailers(list(&self.head.fields)),
            Event::End => Told::End(self.reader.keeps()),
            Event::Upgrade => Told::Upgrade(start(&self.head)),
            Event::Refuse(refusal) => Told::Refused(refusal),
        })
    }

    fn note(&mut self, told: Told) {
        match &told {
            Told::Head(..) | Told::Informational(_) | Told::Trailers(_) => self.head.clear(),
            Told::End(keeps) => {
                assert!(self.reader.is_resting(), "a whole message and no rest");
                self.is_over = self.of_answers || !keeps;
                self.head.clear();
                if !self.is_over {
                    self.reader.next();
                }
            }
            Told::Upgrade(_) => self.is_over = true,
            Told::Refused(refusal) => {
                self.is_over = true;
                let mut more = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
                let again = self.reader.feed(&mut more, &mut self.head);
                assert_eq!(again, Event::Refuse(*refusal), "a refusal was forgotten");
                assert_eq!(more.len(), 27, "bytes were taken after a refusal");
                assert!(!self.reader.keeps(), "a refused connection goes on");
            }
            Told::Content(_) | Told::Ended(_) => {}
        }
        match (self.told.last_mut(), told) {
            (Some((Told::Content(known), at)), Told::Content(more)) => {
                known.extend(more);
                *at = self.taken;
            }
            (_, told) => self.told.push((told, self.taken)),
        }
    }

    fn end(&mut self) {
        if !self.is_over {
            self.note(Told::Ended(self.reader.at_end()));
        }
    }
}

fn start(head: &Head) -> Start {
    Start {
        version: head.version(),
        method: head.method().to_owned(),
        target: head.target().to_vec(),
        status: head.status(),
        reason: head.reason().to_vec(),
        fields: list(&head.fields),
    }
}

/// The fields of a list as values of their own.
pub(super) fn list(fields: &Fields) -> List {
    fields
        .iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}
