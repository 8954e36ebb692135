//! From the path that the client asked for to a pool and the path on its upstream.
//!
//! The decision is made on a copy as a servlet container will read it: each segment cut at its first `;`, percent
//! decoded once, empty segments dropped, dot segments resolved. What is forwarded is the client's own bytes, with the
//! route's `path` replaced by the upstream's path.
//!
//! So that copy and original can never mean different things, a path is refused when it could: a dot segment with a
//! parameter (`..;`), an encoded slash, backslash or NUL, a bad escape, bytes that no URI has, a climb above the root
//! or out of the route that the undressed path would have matched. A route may let encoded slashes pass, for applications
//! that need them; then the path must stay in that route however a server reads them.

use std::borrow::Cow;

use crate::parts::InParts;

/// One line of the path table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathRoute {
    /// What the client asks for, whole segments: begins with a slash, ends without one; the root is empty.
    pub public: Box<str>,
    /// The same on the upstream; equal to `public` when the path stays as it is.
    pub internal: Box<str>,
    /// Its place in the configuration, by which the proxy keeps what else holds on it.
    pub position: usize,
    /// Position of the pool in [`UpstreamSet::pools`](crate::UpstreamSet::pools).
    pub pool: usize,
    /// Names of the hosts that it is for, in lower case; `*.` in front stands for any names. Empty: for all hosts.
    pub hosts: Vec<Box<str>>,
    /// What it does not serve, as in `public`; each is under it.
    pub except: Vec<Box<str>>,
    /// Whether a path may have an encoded slash, which passes as it is.
    pub encoded_slash: bool,
}

/// All path routes.
#[derive(Clone, Debug, Default)]
pub struct PathMap {
    /// Longest first.
    routes: Vec<PathRoute>,
    /// Longest on the upstream first; of two the first in the file.
    back: Vec<PathRoute>,
}

/// A target that a route serves.
#[derive(Debug, PartialEq, Eq)]
pub struct MappedPath<'a> {
    /// The route.
    pub route: &'a PathRoute,
    /// Path and query to send to the upstream; the client's own bytes when the path stays as it is.
    pub target: InParts<'a>,
}

/// How a route stands to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It serves it, unless a longer one does.
    Serves,
    /// Its path is another.
    OtherPath,
    /// It is for other hosts.
    OtherHost,
    /// It excepts this path.
    Excepted(&'a str),
}

/// Why a target is served by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// 404: no route has this path.
    NoRoute,
    /// 400: the path is malformed or ambiguous; a safe sentence says why.
    Refused(&'static str),
}

impl PathRoute {
    /// Whether it is for this host, a name without a port.
    fn fits(&self, host: &[u8]) -> bool {
        let is = |own: &str| match own.strip_prefix('*') {
            Some(domain) => host
                .len()
                .checked_sub(domain.len())
                .is_some_and(|at| at > 0 && host[at..].eq_ignore_ascii_case(domain.as_bytes())),
            None => host.eq_ignore_ascii_case(own.as_bytes()),
        };
        self.hosts.is_empty() || self.hosts.iter().any(|own| is(own))
    }

    /// How it stands to a request of a host; `under` says whether the request's path is a path or under it.
    fn standing(&self, host: &[u8], under: impl Fn(&str) -> bool) -> Standing<'_> {
        if !under(&self.public) {
            Standing::OtherPath
        } else if !self.fits(host) {
            Standing::OtherHost
        } else {
            let excepted = self.except.iter().find(|except| under(except));
            excepted.map_or(Standing::Serves, |except| Standing::Excepted(except))
        }
    }

    /// The public form of a path on the upstream, with whatever follows it; `None` when the path is not the route's.
    pub(crate) fn to_public<'a>(&'a self, internal: &'a [u8]) -> Option<InParts<'a>> {
        let rest = internal.strip_prefix(self.internal.as_bytes())?;
        let ends_segment = rest
            .first()
            .is_none_or(|byte| matches!(byte, b'/' | b';' | b'?' | b'#'));
        if !ends_segment || (internal.first() != Some(&b'/')) {
            return None;
        }
        Some(InParts::path(&self.public, rest))
    }

    fn map<'a>(&'a self, target: &'a [u8], prefix_end: usize) -> MappedPath<'a> {
        if self.public == self.internal {
            return MappedPath {
                route: self,
                target: InParts::whole(target),
            };
        }
        MappedPath {
            route: self,
            target: InParts::path(&self.internal, &target[prefix_end..]),
        }
    }
}

/// Whether a path that reads the same to everybody is `prefix` or under it.
fn is_plainly_under(path: &[u8], prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix.as_bytes());
    rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
}

/// Whether a path of these segments is `prefix` or under it.
fn is_under(path: &[&[u8]], prefix: &str) -> bool {
    let mut rest = path.iter();
    names(prefix).all(|name| rest.next().is_some_and(|segment| *segment == name.as_bytes()))
}

impl PathMap {
    /// A map of these routes, whatever their order. Of two with the same `public` the one that names hosts comes first;
    /// two that name the same are a fault that the configuration reports, and here the first one wins.
    #[must_use]
    pub fn new(mut routes: Vec<PathRoute>) -> PathMap {
        let mut back = routes.clone();
        back.sort_by_key(|route| std::cmp::Reverse(route.internal.len()));
        routes.sort_by_key(|route| (std::cmp::Reverse(route.public.len()), route.hosts.is_empty()));
        PathMap { routes, back }
    }

    /// The public form of a path on an upstream of this pool, with whatever follows it; none when no route publishes it on
    /// this host.
    pub(crate) fn to_public<'a>(
        &'a self,
        pool: usize,
        host: &[u8],
        internal: &'a [u8],
    ) -> Option<InParts<'a>> {
        let mut of_pool = self
            .back
            .iter()
            .filter(|route| route.pool == pool && route.fits(host));
        of_pool.find_map(|route| route.to_public(internal))
    }

    /// The routes, longest first.
    #[must_use]
    pub fn routes(&self) -> &[PathRoute] {
        &self.routes
    }

    /// The route of a request target in origin form (path and query) on a host, and the target on its upstream.
    ///
    /// # Errors
    /// The status to answer, with a sentence.
    pub fn map<'a>(&'a self, host: &[u8], target: &'a [u8]) -> Result<MappedPath<'a>, PathFault> {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
        if target.first() != Some(&b'/') {
            return Err(PathFault::Refused(
                "The request target must be a path that begins with a slash.",
            ));
        }
        if let Some(sentence) = forbidden_byte(target) {
            return Err(PathFault::Refused(sentence));
        }
        if is_plain(path) {
            self.map_plain(host, target, path)
        } else {
            self.map_dressed(host, target, path)
        }
    }

    /// How each route stands to a target that [`PathMap::map`] does not refuse, longest first: the first that serves it is the
    /// route that `map` finds.
    #[must_use]
    pub fn standings(&self, host: &[u8], target: &[u8]) -> Vec<(&PathRoute, Standing<'_>)> {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
        let segments = if is_plain(path) { None } else { segments(path).ok() };
        let names: Option<Vec<&[u8]>> = segments
            .as_ref()
            .map(|segments| segments.iter().map(|segment| &*segment.name).collect());
        let under = |prefix: &str| match &names {
            None => is_plainly_under(path, prefix),
            Some(names) => is_under(names, prefix),
        };
        let routes = self.routes.iter();
        routes.map(|route| (route, route.standing(host, under))).collect()
    }

    fn map_plain<'a>(
        &'a self,
        host: &[u8],
        target: &'a [u8],
        path: &[u8],
    ) -> Result<MappedPath<'a>, PathFault> {
        let serves = |route: &&PathRoute| {
            route.standing(host, |prefix| is_plainly_under(path, prefix)) == Standing::Serves
        };
        let route = self.routes.iter().find(serves).ok_or(PathFault::NoRoute)?;
        Ok(route.map(target, route.public.len()))
    }

    fn map_dressed<'a>(
        &'a self,
        host: &[u8],
        target: &'a [u8],
        path: &[u8],
    ) -> Result<MappedPath<'a>, PathFault> {
        let segments = segments(path).map_err(PathFault::Refused)?;
        let literal: Vec<&[u8]> = segments.iter().map(|segment| &*segment.name).collect();
        // As a server reads it that decodes encoded slashes; the same where there is none.
        let split: Vec<&[u8]> = literal
            .iter()
            .flat_map(|name| name.split(|byte| *byte == b'/'))
            .filter(|name| !name.is_empty())
            .collect();
        let resolved = resolve(&split).ok_or(PathFault::Refused("The path climbs above the root."))?;
        let route = self.longest(host, &literal);
        let encoded_slash = literal.iter().any(|name| name.contains(&b'/'));
        let stays =
            |route: &PathRoute| route.standing(host, |prefix| is_under(&split, prefix)) == Standing::Serves;
        if encoded_slash && !route.is_some_and(|route| route.encoded_slash && stays(route)) {
            return Err(PathFault::Refused("The path contains an encoded slash."));
        }
        if route != self.longest(host, &split) || route != self.longest(host, &resolved) {
            return Err(PathFault::Refused("The path leaves its route by dot segments."));
        }
        let route = route.ok_or(PathFault::NoRoute)?;
        let own = names(&route.public).count();
        if resolve(&split[own..]).is_none() {
            return Err(PathFault::Refused("The path leaves its route by dot segments."));
        }
        let prefix_end = own.checked_sub(1).map_or(0, |last| segments[last].name_end);
        Ok(route.map(target, prefix_end))
    }

    fn longest(&self, host: &[u8], path: &[&[u8]]) -> Option<&PathRoute> {
        let mut routes = self.routes.iter();
        routes.find(|route| route.standing(host, |prefix| is_under(path, prefix)) == Standing::Serves)
    }
}

/// The segment names of a route's path.
fn names(public: &str) -> impl Iterator<Item = &str> {
    public.split('/').filter(|name| !name.is_empty())
}

/// Whether the path reads the same to everybody: no escape, parameter, empty segment or dot segment.
fn is_plain(path: &[u8]) -> bool {
    let dressed = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    !path.iter().any(|byte| matches!(byte, b'%' | b';')) && !path.windows(2).any(dressed)
}

fn forbidden_byte(target: &[u8]) -> Option<&'static str> {
    target.iter().find_map(|byte| match byte {
        b'#' => Some("The request target contains a fragment (#)."),
        b'\\' => Some("The request target contains a backslash."),
        byte if !byte.is_ascii_graphic() => Some("The request target contains a byte that no URI has."),
        _ => None,
    })
}

/// One segment that is not empty.
struct Segment<'a> {
    /// Without parameters, percent decoded once.
    name: Cow<'a, [u8]>,
    /// Where the name ends in the path.
    name_end: usize,
}

fn segments(path: &[u8]) -> Result<Vec<Segment<'_>>, &'static str> {
    let mut segments = Vec::new();
    let mut start = 0;
    for whole in path.split(|byte| *byte == b'/') {
        let raw = whole.split(|byte| *byte == b';').next().unwrap_or(whole);
        let name = decode(raw)?;
        if raw.len() < whole.len() && is_dots(&name) {
            return Err("The path contains a dot segment with a parameter.");
        }
        if !name.is_empty() {
            segments.push(Segment {
                name,
                name_end: start + raw.len(),
            });
        }
        start += whole.len() + 1;
    }
    Ok(segments)
}

fn is_dots(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

/// The names that are left when dot segments are resolved; `None` when they climb above the start.
fn resolve<'a>(names: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let mut resolved = Vec::with_capacity(names.len());
    for name in names {
        match *name {
            b"." => {}
            b".." => drop(resolved.pop()?),
            name => resolved.push(name),
        }
    }
    Some(resolved)
}

/// A segment with its percent escapes decoded, once.
fn decode(raw: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    if !raw.contains(&b'%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            decoded.push(first);
            rest = after;
            continue;
        }
        let digits = after
            .first_chunk::<2>()
            .ok_or("The path contains a broken percent escape.")?;
        match hexadecimal(*digits).ok_or("The path contains a broken percent escape.")? {
            b'\\' => return Err("The path contains an encoded backslash."),
            0 => return Err("The path contains an encoded NUL."),
            byte => decoded.push(byte),
        }
        rest = &after[2..];
    }
    Ok(Cow::Owned(decoded))
}

fn hexadecimal(digits: [u8; 2]) -> Option<u8> {
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    Some(value(digits[0])? * 16 + value(digits[1])?)
}

#[cfg(test)]
mod tests;
