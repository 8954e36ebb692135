//! What goes out on a stream next: everything that is ready, in messages that keep to the limit.
//!
//! Invariants: the welcome goes first and alone; replies and pushes keep their order; no message is larger than
//! [`MESSAGE_BYTES_MAX`]; a confirmation never overtakes a push that was there before it, since whoever reads it believes
//! its copies.
//!
//! Offers of expired sessions, which are whole records and for which nobody waits, only fill what room is left.
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
    /// Offers of expired sessions that are due.
    pub(super) offers: VecDeque<v1::Push>,
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
            offers: VecDeque::new(),
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
        let quiet = self.pushes.is_empty() && self.news.is_empty() && self.confirmed == 0;
        if due.is_empty() && quiet && self.offers.is_empty() {
            return None;
        }
        let mut pushes: Vec<v1::Push> = self.pushes.drain(..self.pushes.len().min(PUSHES_MAX)).collect();
        let news = self.news.drain(..self.news.len().min(NEWS_MAX)).collect();
        let (replies, bytes) = fitting(due, 0);
        pushes.extend(fitting(&mut self.offers, bytes).0);
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

/// Takes out as many as fit into a message that has so many bytes already; gives how many it has then.
fn fitting<M: Message>(due: &mut VecDeque<M>, before: usize) -> (Vec<M>, usize) {
    let mut bytes = before;
    let mut count = 0;
    while let Some(next) = due.get(count) {
        let own = next.encoded_len();
        if bytes > 0 && bytes + own > FULL_BYTES {
            break;
        }
        (bytes, count) = (bytes + own, count + 1);
    }
    (due.drain(..count).collect(), bytes)
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
    fn offers_fill_what_room_the_replies_leave() {
        let mut parcel = empty();
        let offer = |bytes: usize| v1::Push {
            record: Some(v1::Session {
                attributes: vec![v1::Attribute {
                    value: Bytes::from(vec![7; bytes]),
                    ..v1::Attribute::default()
                }],
                ..v1::Session::default()
            }),
            ..v1::Push::default()
        };
        parcel
            .offers
            .extend([offer(2 << 10), offer(3 << 20), offer(3 << 20)]);
        let mut due = VecDeque::from([reply(1, 10), reply(2, 3 << 20)]);
        let mut sizes = Vec::new();
        while let Some(message) = parcel.take(&mut due) {
            assert!(message.encoded_len() < MESSAGE_BYTES_MAX);
            sizes.push((message.replies.len(), message.pushes.len()));
        }
        assert_eq!(sizes, [(1, 1), (1, 0), (0, 1), (0, 1)]);
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
