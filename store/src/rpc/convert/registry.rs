//! Requests about the registry as commands of the table: what servers say of themselves, and what operators ask.
//!
//! What a wish says is the proxies' own; here it is only bounded, and its name and author are such as people can read.

use std::sync::Arc;

use remora_proto::v1;
use remora_table::{Announcement, Command, Proposal, Version, Wish};

use super::super::status::malformed;
use super::{Conversion, NODE_BYTES_MAX, application};

/// Longest address of an application server, in bytes (registry.proto).
const URL_BYTES_MAX: usize = 256;
/// Most applications that one server announces (registry.proto).
const APPLICATIONS_MAX: usize = 256;
/// Longest name of how a session manager runs, in bytes (registry.proto).
const MODE_BYTES_MAX: usize = 32;
/// Longest version of a session manager's jar, in bytes (registry.proto).
const SOFTWARE_BYTES_MAX: usize = 64;
/// Longest name of what a wish is of, in bytes (registry.proto).
const WISH_OF_BYTES_MAX: usize = 160;
/// Longest wish, in bytes (registry.proto): a page of 64 KiB for people, and what is said beside it.
const WISH_BYTES_MAX: usize = 72 << 10;
/// Longest name of who wishes, in bytes (registry.proto).
const WHO_BYTES_MAX: usize = 128;

/// Enter an application server.
pub(in super::super) fn announce(ask: v1::AnnounceRequest) -> Conversion<Proposal> {
    let (asker, serial) = super::caller(ask.caller.as_ref())?;
    if asker.node.is_empty() {
        return Err(malformed(
            "caller.node is empty: it is the name under which the server is entered",
        ));
    }
    if ask.url.is_empty() || ask.url.len() > URL_BYTES_MAX {
        return Err(malformed(format!(
            "url has {} bytes: it must have 1 to {URL_BYTES_MAX}",
            ask.url.len()
        )));
    }
    let announced = ask.applications.len().max(ask.unprotected.len());
    let announced = announced.max(ask.listened.len());
    if announced > APPLICATIONS_MAX {
        return Err(malformed(format!(
            "{announced} applications are announced: {APPLICATIONS_MAX} are allowed"
        )));
    }
    let named = |names: &[String]| {
        let each = names.iter();
        each.map(|name| application(name)).collect::<Conversion<Vec<_>>>()
    };
    let (applications, unprotected) = (named(&ask.applications)?, named(&ask.unprotected)?);
    let listened = named(&ask.listened)?;
    if ask.mode.len() > MODE_BYTES_MAX || ask.version.len() > SOFTWARE_BYTES_MAX {
        return Err(malformed(format!(
            "mode has {} bytes and version {}: {MODE_BYTES_MAX} and {SOFTWARE_BYTES_MAX} are allowed",
            ask.mode.len(),
            ask.version.len()
        )));
    }
    let command = Command::Announce(Announcement {
        url: Arc::from(ask.url),
        applications,
        mode: Arc::from(ask.mode),
        software: Arc::from(ask.version),
        threads: ask.threads,
        unprotected,
        listened,
    });
    Ok(Proposal {
        request_id: Some(asker.request_id(serial)?),
        node: asker.node,
        command,
    })
}

/// Take an application server out.
pub(in super::super) fn retire(ask: &v1::RetireRequest) -> Conversion<Proposal> {
    let (asker, serial) = super::caller(ask.caller.as_ref())?;
    Ok(Proposal {
        request_id: Some(asker.request_id(serial)?),
        node: asker.node,
        command: Command::Retire,
    })
}

/// Take out an application server that will not do it itself.
pub(in super::super) fn retire_node(ask: &v1::RetireNodeRequest) -> Conversion<Proposal> {
    if ask.node.is_empty() || ask.node.len() > NODE_BYTES_MAX {
        return Err(malformed(format!(
            "node has {} bytes: it must have 1 to {NODE_BYTES_MAX}",
            ask.node.len()
        )));
    }
    Ok(of_an_operator(Command::RetireNode {
        node: Arc::from(&*ask.node),
        instance: (ask.instance != 0).then_some(ask.instance),
    }))
}

/// Keep a wish.
pub(in super::super) fn wish(ask: v1::WishRequest) -> Conversion<Proposal> {
    let wish = ask
        .wish
        .ok_or_else(|| malformed("wish is missing: say what is wished"))?;
    let named = wish.of.strip_prefix("route ").or(wish.of.strip_prefix("pool "));
    if named.is_none_or(str::is_empty) || !is_readable(&wish.of, WISH_OF_BYTES_MAX) {
        return Err(malformed(format!(
            "wish.of must be \"route NAME\" or \"pool NAME\", at most {WISH_OF_BYTES_MAX} bytes without control characters"
        )));
    }
    if !is_readable(&wish.who, WHO_BYTES_MAX) {
        return Err(malformed(format!(
            "wish.who may have {WHO_BYTES_MAX} bytes without control characters"
        )));
    }
    if wish.said.len() > WISH_BYTES_MAX {
        return Err(malformed(format!(
            "wish.said has {} bytes: {WISH_BYTES_MAX} are allowed",
            wish.said.len()
        )));
    }
    Ok(of_an_operator(Command::Wish {
        wish: Wish {
            of: Arc::from(wish.of),
            said: wish.said,
            who: Arc::from(wish.who),
            at_ms: wish.at_ms,
            version: Version(0),
        },
        base: ask.base.map(Version),
    }))
}

/// Whether people can read a text in a line of a log.
fn is_readable(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.chars().any(char::is_control)
}

/// It has no id: the table knows a repeat by what it says.
fn of_an_operator(command: Command) -> Proposal {
    Proposal {
        request_id: None,
        node: Arc::from(""),
        command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(of: &str, said: usize, who: &str) -> v1::WishRequest {
        v1::WishRequest {
            wish: Some(v1::Wish {
                of: of.to_owned(),
                said: vec![b'x'; said].into(),
                who: who.to_owned(),
                at_ms: 5,
                version: 9,
            }),
            base: Some(3),
        }
    }

    #[test]
    fn a_wish_is_of_a_route_or_a_pool_and_no_larger_than_a_page() {
        let proposal = wish(wished("route n1", 72 << 10, "ada")).unwrap();
        let Command::Wish { wish: kept, base } = proposal.command else {
            panic!("{proposal:?}")
        };
        assert_eq!((kept.version, base), (Version(0), Some(Version(3))));
        assert!(wish(wished("pool shop", 0, "")).is_ok());
        let long = format!("route {}", "n".repeat(155));
        for (request, wrong) in [
            (wished("n1", 1, "ada"), "wish.of must be"),
            (wished("route ", 1, "ada"), "wish.of must be"),
            (wished("pool a\nb", 1, "ada"), "wish.of must be"),
            (wished(&long, 1, "ada"), "wish.of must be"),
            (
                wished("route n1", (72 << 10) + 1, "ada"),
                "wish.said has 73729 bytes",
            ),
            (
                wished("route n1", 1, &"a".repeat(129)),
                "wish.who may have 128 bytes",
            ),
            (wished("route n1", 1, "a\u{1b}b"), "wish.who may have 128 bytes"),
            (v1::WishRequest::default(), "wish is missing"),
        ] {
            let refusal = wish(request).unwrap_err();
            assert!(refusal.message.starts_with(wrong), "{}", refusal.message);
        }
    }

    #[test]
    fn an_operator_names_a_node_and_may_name_the_instance() {
        let named = |node: &str, instance| {
            let node = node.to_owned();
            retire_node(&v1::RetireNodeRequest { node, instance })
        };
        for (said, meant) in [(0, None), (7, Some(7))] {
            let Ok(Proposal {
                command: Command::RetireNode { instance, .. },
                ..
            }) = named("n1", said)
            else {
                panic!("{said}")
            };
            assert_eq!(instance, meant);
        }
        for node in [String::new(), "n".repeat(65)] {
            let refusal = named(&node, 0).unwrap_err();
            assert!(
                refusal.message.contains("it must have 1 to 64"),
                "{}",
                refusal.message
            );
        }
    }
}
