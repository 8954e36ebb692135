//! What our proxy does with a request of a log: the routes and the look-up of remora-policy itself, over a site that was imported.
//!
//! Left out on purpose: health. All members are up here, as nobody knows what was when the log was written.

use remora_policy::{PathMap, PathRoute, RouteKey, Standing, Sticky};

use super::foreign::{Asked, Outcome, Who};
use crate::site::{Site, Stickiness};

/// Our proxy with a site.
pub(super) struct Ours {
    map: PathMap,
    pools: Vec<OurPool>,
}

struct OurPool {
    sticky: Sticky,
    /// Route and address of each member.
    members: Vec<(String, String)>,
}

/// A path as `PathRoute` has it: without its last slash, the root empty.
fn trimmed(path: &str) -> Box<str> {
    path.trim_end_matches('/').into()
}

impl Ours {
    pub(super) fn of(site: &Site) -> Ours {
        let pools = site.pools.iter().map(|pool| OurPool {
            sticky: match &pool.sticky {
                Stickiness::Off => Sticky::off(),
                Stickiness::Session(names) => Sticky::new(names, None),
                Stickiness::RouteCookie(cookie) => Sticky::new(
                    cookie.session.as_deref().unwrap_or("JSESSIONID"),
                    Some(&cookie.name),
                ),
            },
            members: pool
                .members
                .iter()
                .map(|member| (member.route.clone(), address_of(&member.url)))
                .collect(),
        });
        let routes = site.routes.iter().enumerate().filter_map(|(position, route)| {
            let public = trimmed(&route.path);
            let internal = route.to.as_deref().map_or_else(|| public.clone(), trimmed);
            Some(PathRoute {
                public,
                internal,
                position,
                pool: site.pools.iter().position(|pool| pool.name == route.pool)?,
                hosts: route
                    .hosts
                    .iter()
                    .map(|host| host.to_ascii_lowercase().into())
                    .collect(),
                except: route.except.iter().map(|path| trimmed(path)).collect(),
                encoded_slash: route.encoded_slash,
            })
        });
        Ours {
            map: PathMap::new(routes.collect()),
            pools: pools.collect(),
        }
    }

    /// Whether a route of some hosts might take a request before the one that takes it on all others.
    fn hosts_decide(&self, asked: &Asked<'_>) -> bool {
        let standings = self.map.standings(b"", asked.target.as_bytes());
        let first = standings
            .iter()
            .find(|(_, standing)| matches!(standing, Standing::Serves | Standing::OtherHost));
        first.is_some_and(|(_, standing)| *standing == Standing::OtherHost)
    }

    pub(super) fn decide(&self, asked: &Asked<'_>) -> Outcome {
        if asked.host.is_none() && self.hosts_decide(asked) {
            return Outcome::Untold("the log does not name the host, and hosts decide");
        }
        let Ok(mapped) = self
            .map
            .map(asked.host.unwrap_or_default().as_bytes(), asked.target.as_bytes())
        else {
            return Outcome::Nowhere;
        };
        let pool = &self.pools[mapped.route.pool];
        Outcome::Goes {
            pool: pool.members.iter().map(|(_, address)| address.clone()).collect(),
            path: String::from_utf8_lossy(&mapped.target.parts().concat()).into_owned(),
            who: pool.who(asked),
        }
    }
}

impl OurPool {
    fn who(&self, asked: &Asked<'_>) -> Who {
        let cookies = asked.cookies.map(str::as_bytes);
        let key = RouteKey::read(&self.sticky, asked.target.as_bytes(), cookies.into_iter());
        let own = self
            .members
            .iter()
            .find(|(route, _)| key.route == Some(route.as_bytes()));
        match own {
            Some((_, address)) => Who::Member(address.clone()),
            None if asked.cookies.is_none() => Who::NotInTheLog,
            None => Who::Anybody,
        }
    }
}

/// The address in a member's URL.
pub(crate) fn address_of(url: &str) -> String {
    url.split_once("://")
        .map_or(url, |(_, address)| address)
        .trim_end_matches('/')
        .to_owned()
}
