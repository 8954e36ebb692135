//! How many sessions the Tomcat behind an upstream owns: one judgement, for whoever shows that. Pure.
//!
//! The store counts by the names that Tomcats say of themselves, and a proxy has its upstreams by the routes of its file: nothing
//! makes the two the same.
//!
//! Invariant: none are counted only for a name that somebody has announced. Of any other a count says nothing: its Tomcat has
//! another name, or keeps its sessions without us, and a drain that shows 0 would look finished while its users are there.
//!
//! Left out on purpose: the count, which is the store's.

use remora_proto::v1::UpstreamStatus;
use remora_proto::v1::list_servers_reply::Server;

use crate::site::name;

/// What is known of the sessions that an upstream owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    /// So many.
    Sessions(u64),
    /// Nobody has counted, or the store does not say who is there.
    Uncounted,
    /// The count says nothing of it: why, and what to do, in a sentence.
    Nameless(String),
}

impl Owned {
    /// How many; nothing where that is not known.
    pub fn sessions(&self) -> Option<u64> {
        match self {
            Owned::Sessions(sessions) => Some(*sessions),
            Owned::Uncounted | Owned::Nameless(_) => None,
        }
    }

    /// Why it cannot be known.
    pub fn into_reason(self) -> Option<String> {
        match self {
            Owned::Nameless(why) => Some(why),
            Owned::Sessions(_) | Owned::Uncounted => None,
        }
    }
}

/// What a count by an upstream's route says of it, beside who is announced; nothing where either is not known.
pub fn owned(upstream: &UpstreamStatus, counted: Option<u64>, announced: Option<&[Server]>) -> Owned {
    let route = upstream.route.as_str();
    match (counted, announced) {
        (Some(sessions), _) if sessions > 0 => Owned::Sessions(sessions),
        (None, _) | (_, None) => Owned::Uncounted,
        (Some(_), Some(announced)) if is_announced(route, announced) => Owned::Sessions(0),
        (Some(_), Some(announced)) => Owned::Nameless(match other_name(upstream, announced) {
            Some(other) => misnamed(upstream, other),
            None => format!(
                "no Tomcat of this name has announced itself: give its <Manager> node=\"{route}\"; one without a <Manager> of ours \
                 keeps its sessions to itself"
            ),
        }),
    }
}

/// Whether somebody has announced himself by this name.
pub fn is_announced(route: &str, announced: &[Server]) -> bool {
    announced.iter().any(|server| name(server) == route)
}

/// How the Tomcat at an upstream's address calls itself, where nobody has the name of its route.
pub fn other_name<'a>(upstream: &UpstreamStatus, announced: &'a [Server]) -> Option<&'a str> {
    if is_announced(&upstream.route, announced) {
        return None;
    }
    let place = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
    let own = place(&upstream.url);
    let there = announced
        .iter()
        .find(|server| !own.is_empty() && place(&server.url) == own);
    there.map(name)
}

/// That an upstream's Tomcat has another name, and what to do.
pub fn misnamed(upstream: &UpstreamStatus, other: &str) -> String {
    let UpstreamStatus { url, route, .. } = upstream;
    format!(
        "the Tomcat at {url} calls itself {other}, not {route}: give its <Manager> node=\"{route}\", or the proxy's member \
         route = \"{other}\""
    )
}

#[cfg(test)]
mod tests {
    use remora_proto::v1::Owner;

    use super::*;

    fn upstream(route: &str) -> UpstreamStatus {
        UpstreamStatus {
            route: route.into(),
            url: "http://10.0.0.1:8080".into(),
            ..UpstreamStatus::default()
        }
    }

    fn server(name: &str, url: &str) -> Server {
        Server {
            server: Some(Owner {
                node: name.into(),
                ..Owner::default()
            }),
            url: url.into(),
            ..Server::default()
        }
    }

    #[test]
    fn none_are_counted_only_for_a_name_that_is_announced() {
        let announced = [server("n1", "http://10.0.0.1:8080"), server("n2", "")];
        let announced = Some(&announced[..]);
        assert_eq!(owned(&upstream("n1"), Some(0), announced), Owned::Sessions(0));
        assert_eq!(owned(&upstream("n1"), None, announced), Owned::Uncounted);
        assert_eq!(owned(&upstream("n1"), Some(0), None), Owned::Uncounted);
        // Of one that is gone for good, which nobody has taken over yet.
        assert_eq!(owned(&upstream("n9"), Some(3), announced), Owned::Sessions(3));
        let unknown = owned(&upstream("n9"), Some(0), Some(&[]));
        assert_eq!(unknown.sessions(), None);
        let why = unknown.into_reason().unwrap();
        assert!(
            why.contains("no Tomcat of this name has announced itself") && why.contains("node=\"n9\""),
            "{why}"
        );
    }

    #[test]
    fn whoever_has_another_name_at_the_same_address_is_named() {
        let announced = [server("blue", "HTTP://10.0.0.1:8080/")];
        let why = owned(&upstream("n1"), Some(0), Some(&announced)).into_reason();
        assert_eq!(
            why.as_deref(),
            Some(
                "the Tomcat at http://10.0.0.1:8080 calls itself blue, not n1: give its <Manager> node=\"n1\", or the proxy's member \
                 route = \"blue\""
            )
        );
        assert_eq!(other_name(&upstream("blue"), &announced), None, "it has its name");
        let nowhere = UpstreamStatus::default();
        assert_eq!(
            other_name(&nowhere, &[server("n2", "")]),
            None,
            "nobody says where"
        );
    }
}
