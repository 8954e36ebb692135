//! What httpd decides, for a log of its: which ProxyPass takes a path, and which member a user sticks to.
//!
//! Its ways: of its ProxyPass lines the first that matches whole segments counts, of those in Locations the last, and these before the
//! others; the route is searched as mod_proxy_balancer does.
//!
//! What no rule takes, and what a `!` leaves to it, httpd answers itself.
//!
//! Left out on purpose: rewriting, and which files httpd has.

use super::draft::{Draft, Pass, Scope, Target};
use super::passes::Form;
use super::routes::has_routes;
use crate::replay::{Foreign, ForeignPath, ForeignPool, ForeignRule, ForeignSite, Going, Sticks, address_of};
use crate::site::Site;
use crate::source::Line;

/// All of it; the site is what was made of the same files.
pub(super) fn foreign(draft: &Draft, site: &Site, lines: &[Line]) -> Foreign {
    let names = draft.pool_names();
    let leads = |scope: &Scope| has_routes(scope) || scope.has_unread;
    // By its host alone a log does not say which of two servers took a request: the one that leads somewhere counts.
    let decides = |scope: &&Scope| {
        let mut others = draft.scopes.iter().filter(|other| leads(other));
        leads(scope) || scope.line.is_some() && !others.any(|other| other.names == scope.names)
    };
    let sites = draft.scopes.iter().filter(decides).map(|scope| {
        let (locations, others): (Vec<&Pass>, Vec<&Pass>) = {
            // Where all are sent to https before, none is reached.
            let reached = scope.passes.iter().filter(|_| has_routes(scope));
            reached.partition(|pass| pass.in_location)
        };
        let ordered = locations.into_iter().rev().chain(others);
        let rules = ordered.map(|pass| ForeignRule {
            hosts: Vec::new(),
            path: match pass.form {
                Form::Exact => ForeignPath::Is(pass.path.clone()),
                Form::Segments => ForeignPath::Whole(pass.path.clone()),
                Form::Begins => ForeignPath::Begins(pass.path.clone()),
            },
            going: match &pass.target {
                Target::Nowhere => Going::Nowhere,
                Target::Balancer(name, there) => names.get(name).map_or(Going::Nowhere, |pool| {
                    Going::Pool(pool.clone(), Some((pass.path.clone(), there.clone())))
                }),
            },
        });
        // What was not read may take any path, before any other.
        let unread = scope.has_unread.then(|| ForeignRule {
            hosts: Vec::new(),
            path: ForeignPath::Unknown,
            going: Going::Nowhere,
        });
        ForeignSite {
            hosts: scope.names.clone(),
            rules: unread.into_iter().chain(rules).collect(),
            first: true,
            ..ForeignSite::default()
        }
    });
    let pools = draft.balancers.iter().map(|balancer| {
        let name = names.get(&balancer.name).cloned().unwrap_or_default();
        let own = site.pools.iter().find(|pool| pool.name == name);
        let members = own.into_iter().flat_map(|pool| &pool.members);
        let sticky = balancer.params.iter().rfind(|param| param.key == "stickysession");
        ForeignPool {
            name,
            sticks: sticky.map_or(Sticks::Untold, |param| {
                let (cookie, parameter) = param
                    .value
                    .split_once('|')
                    .unwrap_or((&param.value, &param.value));
                Sticks::Httpd(cookie.to_owned(), parameter.to_owned())
            }),
            members: members
                .map(|member| (member.route.clone(), address_of(&member.url)))
                .collect(),
        }
    });
    let mut sites: Vec<ForeignSite> = sites.collect();
    if let [only] = sites.as_mut_slice() {
        // httpd answers there whatever host is asked for.
        only.hosts.clear();
    }
    Foreign {
        sites,
        pools: pools.collect(),
        formats: lines.iter().filter_map(format_in).collect(),
        ..Foreign::default()
    }
}

/// The text of a `LogFormat`, its quotes still escaped.
fn format_in(line: &Line) -> Option<String> {
    let (word, rest) = line.text.split_once(char::is_whitespace)?;
    let rest = rest
        .trim_start()
        .strip_prefix('"')
        .filter(|_| word.eq_ignore_ascii_case("LogFormat"))?;
    let mut escaped = false;
    let ends = |letter: char| {
        let is_end = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        is_end
    };
    rest.find(ends).map(|end| rest[..end].to_owned())
}
