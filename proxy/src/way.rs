//! Which way a request goes, as far as its head alone decides: over TLS first, to which pool and under which path there, and
//! whether that pool is served at the moment.
//!
//! Invariant: clients and operators who ask why (`control`) are answered by the same functions.
//!
//! Left out on purpose: which member of the pool serves it (`remora_policy::pick`).

use remora_policy::{ClientView, MappedPath, PathFault, ToHttps};

use crate::answer::OwnAnswer;
use crate::directory::Snapshot;

/// A way that some route of the file has.
pub(crate) struct Way<'a> {
    /// The route, and the target on its upstream.
    pub(crate) mapped: MappedPath<'a>,
    /// What is answered in the pool's place; none where it serves.
    pub(crate) instead: Option<OwnAnswer>,
}

impl<'a> Way<'a> {
    /// The way of a client that asks for this path and query.
    ///
    /// # Errors
    /// No route has one: what is answered.
    pub(crate) fn find(
        snapshot: &'a Snapshot,
        client: &ClientView<'_>,
        asked: &'a [u8],
    ) -> Result<Self, OwnAnswer> {
        let found = snapshot.paths.map(client.host_name(), asked);
        let mapped = found.map_err(|fault| match fault {
            PathFault::NoRoute => OwnAnswer::no_route(),
            PathFault::Refused(sentence) => OwnAnswer::bad_path(sentence),
        })?;
        let notice = snapshot.notice(mapped.route.pool, client.address);
        Ok(Self {
            mapped,
            instead: notice.map(|_| OwnAnswer::maintenance()),
        })
    }
}

/// The answer to a client that has to come over TLS, its address in `to`; none where it is served.
pub(crate) fn to_https(
    redirect: Option<&ToHttps>,
    client: &ClientView<'_>,
    (method, asked): (&str, &[u8]),
    to: &mut Vec<u8>,
) -> Option<OwnAnswer> {
    let redirect = redirect.filter(|redirect| redirect.covers(client, asked))?;
    Some(match redirect.write(client, asked, to) {
        true => OwnAnswer::moved(matches!(method, "GET" | "HEAD")),
        false => OwnAnswer::no_host(),
    })
}
