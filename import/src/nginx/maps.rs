//! nginx's maps: the ones that find a route, choose a Tomcat's upstream or turn a connection into a WebSocket, and all others.
//!
//! Left out on purpose: running them. What a map of another kind decides is not known here, and said.

use super::NginxReader;
use super::tree::Statement;

/// What a map reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MapSource {
    /// A cookie, by its name as nginx has it.
    Cookie(String),
    /// The URI, where a parameter of that name is looked for.
    Uri(String),
    /// Anything else.
    Other,
}

/// A map that chooses an upstream by the route in a cookie.
#[derive(Clone, Debug)]
pub(super) struct Owners<'t> {
    /// The variable, with its `$`.
    pub(super) variable: &'t str,
    /// The cookie, by its name as nginx has it.
    pub(super) cookie: String,
    /// The upstream of users without a route.
    pub(super) default: &'t str,
    /// Upstreams of one Tomcat each.
    pub(super) single: Vec<&'t str>,
}

/// What `map` names in front of its values, none of which are.
const SETTINGS: &[&str] = &["hostnames", "volatile"];

impl<'t> NginxReader<'t> {
    pub(super) fn read_maps(&mut self) {
        for map in self.maps.clone() {
            if let Some(owners) = self.owners_of(map) {
                let why = format!(
                    "the route behind the dot of the session's id chooses the member of pool `{}`, without a map",
                    owners.default
                );
                self.map_told(map, true, &why);
                self.owners.push(owners);
            } else if map.argument(0) == "$http_upgrade" {
                let why = "WebSockets pass by themselves, and nothing else leaves HTTP";
                self.map_told(map, true, why);
            } else if self.is_route_map(map) {
                let why = "the route is what stands behind the first dot of the session's id, as with names without dots here; no map is \
                           needed for it";
                self.map_told(map, true, why);
            } else {
                let why = "the proxy has no maps: what depends on this variable is told of where it is used";
                self.map_told(map, false, why);
            }
        }
    }

    fn map_told(&mut self, map: &Statement, same: bool, why: &str) {
        for statement in std::iter::once(map).chain(map.inside()) {
            if same {
                self.report.same(&statement.line, why);
            } else {
                self.report.unsupported(&statement.line, why);
            }
        }
    }

    /// The map that makes a variable.
    pub(super) fn map_of(&self, variable: &str) -> Option<&'t Statement> {
        self.maps.iter().find(|map| map.argument(1) == variable).copied()
    }

    /// What a variable reads in the end.
    pub(super) fn source_of(&self, variable: &str) -> MapSource {
        if let Some(name) = variable.strip_prefix("$cookie_") {
            return MapSource::Cookie(name.to_owned());
        }
        if let Some(name) = variable.strip_prefix("$arg_") {
            return MapSource::Uri(name.to_owned());
        }
        let Some(map) = self.map_of(variable) else {
            return MapSource::Other;
        };
        let read = map.argument(0);
        match read.strip_prefix("$cookie_") {
            Some(name) => MapSource::Cookie(name.to_owned()),
            None if matches!(read, "$request_uri" | "$uri" | "$args") => {
                let keys = map.inside().iter().map(|entry| entry.name.as_str());
                let named = keys.filter_map(parameter_in).next();
                named.map_or(MapSource::Other, |name| MapSource::Uri(name.to_owned()))
            }
            None => MapSource::Other,
        }
    }

    /// Whether an upstream is stuck to by the map's variable.
    fn is_route_map(&self, map: &Statement) -> bool {
        let sticky = self.upstreams.iter().flat_map(|upstream| upstream.inside());
        let mut sticky = sticky.filter(|own| own.name == "sticky" && own.argument(0) == "route");
        sticky.any(|own| own.has(map.argument(1))) && self.source_of(map.argument(1)) != MapSource::Other
    }

    /// The map as one that chooses an upstream by the route in a cookie, if it is one.
    fn owners_of(&mut self, map: &'t Statement) -> Option<Owners<'t>> {
        let cookie = map.argument(0).strip_prefix("$cookie_")?.to_owned();
        let entries = map
            .inside()
            .iter()
            .filter(|entry| !SETTINGS.contains(&entry.name.as_str()));
        let (mut default, mut found) = (None, Vec::new());
        for entry in entries {
            let upstream = self.upstream(entry.argument(0))?;
            if entry.name == "default" {
                default = Some(upstream.argument(0));
                continue;
            }
            let mut servers = upstream
                .inside()
                .iter()
                .filter(|own| own.name == "server" && !own.has("backup"));
            let address = servers.next()?.argument(0).to_owned();
            if servers.next().is_some() {
                return None;
            }
            found.push((address, route_in(&entry.name)?.to_owned(), upstream.argument(0)));
        }
        let default = default?;
        for (address, route, _) in &found {
            self.routes.insert(address.clone(), route.clone());
        }
        Some(Owners {
            variable: map.argument(1),
            cookie,
            default,
            single: found.into_iter().map(|(_, _, upstream)| upstream).collect(),
        })
    }
}

/// The route that a key like `~\.n1$` is for.
fn route_in(key: &str) -> Option<&str> {
    let expression = key.strip_prefix('~')?.trim_start_matches('*').strip_suffix('$')?;
    let (_, route) = expression.rsplit_once("\\.")?;
    route
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        .then_some(route)
}

/// The name of the parameter that a key like `~jsessionid=.+\.(?P<route>\w+)$` looks for.
fn parameter_in(key: &str) -> Option<&str> {
    let (before, _) = key.split_once('=')?;
    let name = before
        .rsplit(|letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter))
        .next()?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_looks_for_is_read_from_it() {
        assert_eq!(route_in("~\\.n1$"), Some("n1"));
        assert_eq!(route_in("~*^.+\\.tomcat_2$"), Some("tomcat_2"));
        assert_eq!(route_in("~.+\\.(?P<route>\\w+)$"), None);
        assert_eq!(route_in("n1"), None);
        assert_eq!(
            parameter_in("~jsessionid=.+\\.(?P<route>\\w+)$"),
            Some("jsessionid")
        );
        assert_eq!(parameter_in("~*;sid=[^.]+\\.(.*)"), Some("sid"));
        assert_eq!(parameter_in("~.+"), None);
    }
}
