//! From the messages of one stream to whole views.
//!
//! Invariants: a view is whole or it is nothing · what a store may make this process hold is bounded · whatever a store of ours never
//! says ends the stream with a sentence, and changes nothing.

use prost::Message;
use remora_policy::View;
use remora_proto::v1::FollowReply;

use super::convert;

/// Bytes of a view, as said. 16 MiB: thousands of Tomcats, and the wishes that a store takes eight times.
const VIEW_BYTES: usize = 16 * 1024 * 1024;

/// Servers of a view. 4,096: four times what a store takes.
const SERVERS: usize = 4_096;

/// What a message comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// The rest of a view is under way.
    More,
    /// The view that was told last stands.
    Stands,
    /// A view.
    Whole(View),
}

/// The messages of one stream.
#[derive(Default)]
pub(super) struct Parts {
    begun: Option<View>,
    /// Of what has begun.
    bytes: usize,
    /// Whether a view was told on this stream.
    told: bool,
}

impl Parts {
    /// Takes the next message.
    ///
    /// # Errors
    /// A sentence: the store says what it must not.
    pub(super) fn take(&mut self, reply: FollowReply) -> Result<Told, String> {
        if reply.stands {
            return match (self.told, self.begun.is_some()) {
                (true, false) => Ok(Told::Stands),
                _ => Err("it says that a view stands which it did not tell".to_owned()),
            };
        }
        self.bytes += reply.encoded_len();
        if self.bytes > VIEW_BYTES {
            return Err(format!("it tells a view of more than {VIEW_BYTES} bytes"));
        }
        let more = reply.more;
        let mut view = match self.begun.take() {
            None => convert::begun(&reply)?,
            Some(begun) if (&*begun.cluster, begun.version) == (reply.cluster.as_str(), reply.version) => {
                begun
            }
            Some(_) => return Err("it begins a view in the middle of another".to_owned()),
        };
        if view.servers.len() + reply.servers.len() > SERVERS {
            return Err(format!("it tells a view of more than {SERVERS} servers"));
        }
        convert::add(reply, &mut view);
        if more {
            self.begun = Some(view);
            return Ok(Told::More);
        }
        self.bytes = 0;
        self.told = true;
        Ok(Told::Whole(view))
    }
}

#[cfg(test)]
mod tests {
    use remora_proto::v1::{Owner, follow_reply};

    use super::*;

    fn part(version: u64, node: &str, more: bool) -> FollowReply {
        FollowReply {
            cluster: "c1".to_owned(),
            version,
            more,
            servers: vec![follow_reply::Server {
                server: Some(Owner {
                    node: node.to_owned(),
                    instance: 7,
                }),
                url: "http://10.0.0.1:8080".to_owned(),
                ..follow_reply::Server::default()
            }],
            ..FollowReply::default()
        }
    }

    fn stands() -> FollowReply {
        FollowReply {
            stands: true,
            ..FollowReply::default()
        }
    }

    #[test]
    fn parts_become_one_view() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(part(3, "n1", true)), Ok(Told::More));
        let Ok(Told::Whole(view)) = parts.take(part(3, "n2", false)) else {
            panic!("it is whole");
        };
        assert_eq!((&*view.cluster, view.version), ("c1", 3));
        let nodes: Vec<&str> = view.servers.iter().map(|server| &*server.node).collect();
        assert_eq!(nodes, ["n1", "n2"]);
        assert_eq!(parts.take(stands()), Ok(Told::Stands));
        assert!(matches!(parts.take(part(4, "n1", false)), Ok(Told::Whole(_))));
    }

    #[test]
    fn what_a_store_never_says_is_no_view() {
        assert!(Parts::default().take(stands()).is_err(), "of nothing");
        for second in [stands(), part(4, "n2", false)] {
            let mut parts = Parts::default();
            assert_eq!(parts.take(part(3, "n1", true)), Ok(Told::More));
            assert!(parts.take(second).is_err(), "in the middle");
        }
        let nameless = FollowReply {
            cluster: String::new(),
            ..part(3, "n1", false)
        };
        assert!(Parts::default().take(nameless).is_err(), "of no cluster");
        let mut parts = Parts::default();
        let large = FollowReply {
            wishes: vec![remora_proto::v1::Wish {
                said: vec![b'x'; VIEW_BYTES / 2].into(),
                ..remora_proto::v1::Wish::default()
            }],
            ..part(3, "n1", true)
        };
        assert_eq!(parts.take(large.clone()), Ok(Told::More));
        assert!(parts.take(large).is_err(), "too large");
        let mut parts = Parts::default();
        let mut many = part(3, "n1", true);
        many.servers = vec![many.servers[0].clone(); SERVERS];
        assert_eq!(parts.take(many), Ok(Told::More));
        assert!(parts.take(part(3, "n2", false)).is_err(), "too many servers");
    }
}
