//! What goes out on a stream next: everything that is ready, in messages that keep to the limit.
//!
//! Invariants: the welcome goes first and alone; replies and pushes keep their order; no message is larger than
//! [`MESSAGE_BYTES_MAX`]; a confirmation never overtakes a push that was there before it, since whoever reads it believes
//! its copies.
//!
//! Left out on purpose: waiting for more. A message takes what is there.

use std::collections::VecDeque;

use prost::Message;
use remora_proto::v1;

use super::bounds::MESSAGE_BYTES_MAX;

/// Bytes of replies after which a message is full. One more reply of the largest session still fits the limit only
/// when it goes alone, so a large one does.
const FULL_BYTES: usize = MESSAGE_BYTES_MAX / 4;

/// Pushes in one message: about 100 KiB.
const PUSHES_MAX: usize = 1_024;

/// News in one message: as many.
const NEWS_MAX: usize = PUSHES_MAX;

/// The next message of a stream as it fills.
pub(super) struct Parcel {
    welcome: Option<v1::Welcome>,
    /// Pushes that are due.
    pub(super) pushes: VecDeque<v1::Push>,
    /// News of watched sessions that are due.
    pub(super) news: VecDeque<v1::News>,
    /// The probe that is confirmed; 0 for none.
    pub(super) confirmed: u64,
}

impl Parcel {
    /// A parcel whose first message opens the stream.
    pub(super) fn welcome(welcome: v1::Welcome) -> Parcel {
        Parcel {
            welcome: Some(welcome),
            pushes: VecDeque::new(),
            news: VecDeque::new(),
            confirmed: 0,
        }
    }

    /// The next message, with as many of these replies as fit; none when nothing is due. Pushes go before the confirmation that follows them, and a
    /// confirmation only with the last of them.
    pub(super) fn take(&mut self, due: &mut VecDeque<v1::Reply>) -> Option<v1::ExchangeReply> {
        if let Some(welcome) = self.welcome.take() {
            return Some(v1::ExchangeReply {
                welcome: Some(welcome),
                ..v1::ExchangeReply::default()
            });
        }
        if due.is_empty() && self.pushes.is_empty() && self.news.is_empty() && self.confirmed == 0 {
            return None;
        }
        let pushes: Vec<v1::Push> = self.pushes.drain(..self.pushes.len().min(PUSHES_MAX)).collect();
        let news = self.news.drain(..self.news.len().min(NEWS_MAX)).collect();
        let replies = fitting(due);
        let confirmed = if self.pushes.is_empty() {
            std::mem::take(&mut self.confirmed)
        } else {
            0
        };
        Some(v1::ExchangeReply {
            welcome: None,
            replies,
            pushes,
            confirmed,
            news,
        })
    }
}

/// Takes out as many as fit into a message.
fn fitting(due: &mut VecDeque<v1::Reply>) -> Vec<v1::Reply> {
    let mut bytes = 0;
    let fitting = due.iter().take_while(|reply| {
        let own = reply.encoded_len();
        let fits = bytes == 0 || bytes + own <= FULL_BYTES;
        bytes += own;
        fits
    });
    let count = fitting.count();
    due.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn reply(serial: u64, bytes: usize) -> v1::Reply {
        let attribute = v1::Attribute {
            value: Bytes::from(vec![7; bytes]),
            ..v1::Attribute::default()
        };
        let session = v1::Session {
            attributes: vec![attribute],
            ..v1::Session::default()
        };
        let claim = v1::ClaimReply {
            outcome: Some(v1::claim_reply::Outcome::Claimed(session)),
        };
        v1::Reply {
            serial,
            answer: Some(v1::reply::Answer::Claim(claim)),
        }
    }

    fn empty() -> Parcel {
        let mut parcel = Parcel::welcome(v1::Welcome::default());
        assert!(
            parcel.take(&mut VecDeque::new()).unwrap().welcome.is_some(),
            "the first message is the welcome"
        );
        parcel
    }

    #[test]
    fn what_is_ready_goes_together() {
        let mut parcel = empty();
        let mut due = VecDeque::from([reply(1, 10), reply(2, 10)]);
        parcel.pushes.push_back(v1::Push::default());
        parcel.confirmed = 7;
        let message = parcel.take(&mut due).unwrap();
        assert_eq!(
            (message.replies.len(), message.pushes.len(), message.confirmed),
            (2, 1, 7)
        );
        assert!(parcel.take(&mut due).is_none());
    }

    #[test]
    fn no_message_grows_beyond_the_limit() {
        let mut parcel = empty();
        let mut due: VecDeque<_> = (0..40).map(|serial| reply(serial, 600 << 10)).collect();
        due.push_back(reply(40, 3 << 20));
        let mut serials = Vec::new();
        while let Some(message) = parcel.take(&mut due) {
            assert!(message.encoded_len() < MESSAGE_BYTES_MAX);
            serials.extend(message.replies.iter().map(|reply| reply.serial));
        }
        assert_eq!(serials, (0..=40).collect::<Vec<_>>());
    }

    #[test]
    fn a_confirmation_never_overtakes_a_push() {
        let mut parcel = empty();
        parcel
            .pushes
            .extend((0..=PUSHES_MAX).map(|_| v1::Push::default()));
        parcel.confirmed = 7;
        let mut none = VecDeque::new();
        assert_eq!(parcel.take(&mut none).unwrap().confirmed, 0);
        assert_eq!(parcel.take(&mut none).unwrap().confirmed, 7);
    }
}
