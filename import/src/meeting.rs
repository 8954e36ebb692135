//! Routes that meet: one path on hosts that may be the same, and paths that one server's rules close while another's lead there.
//!
//! Our routes are of all listeners, and what a route excepts goes to the next longest; so a closed path is excepted from each route
//! whose hosts may be the same.
//!
//! Invariants: a path that a reader has excepted on a host is reached there by no route of other hosts · nothing is left out or closed
//! without an entry in the report.
//!
//! Left out on purpose: which listener a request came by. Where that decided, the closed path is closed on all.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::Report;
use crate::settle::tell;
use crate::site::{FieldRules, Route, Site};

/// A path that leads nowhere, and the hosts for which it does; no hosts: all.
struct Closed {
    path: String,
    hosts: Vec<String>,
}

/// A path is routed once on a host, to a pool that has members, and what is closed stays closed.
pub(crate) fn routes(site: &mut Site, report: &mut Report) {
    let served: BTreeSet<&str> = site
        .pools
        .iter()
        .filter(|pool| !pool.members.is_empty())
        .map(|pool| &*pool.name)
        .collect();
    let closed = closed(&site.routes);
    let mut kept: Vec<Route> = Vec::new();
    // Where those of a path stand.
    let mut of_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for mut route in std::mem::take(&mut site.routes) {
        if !served.contains(&*route.pool) {
            tell(
                report,
                &route.origin,
                "no member of that name is in these files: no route is written",
            );
            continue;
        }
        if !stays(&mut route, &closed, report) {
            continue;
        }
        let alike = of_path.entry(route.path.clone()).or_default();
        let is_twin = |other: &Route| {
            let shared = other.hosts.iter().any(|host| route.hosts.contains(host));
            shared || (other.hosts.is_empty() && route.hosts.is_empty())
        };
        let twin = alike.iter().copied().find(|at| is_twin(&kept[*at]));
        match twin {
            Some(at) => merge(&mut kept[at], &route, report),
            None => {
                alike.push(kept.len());
                kept.push(route);
            }
        }
    }
    site.routes = kept;
}

fn closed(routes: &[Route]) -> Vec<Closed> {
    let of = |route: &Route| {
        let hosts = route.hosts.clone();
        let one = move |path: &String| Closed {
            path: path.clone(),
            hosts: hosts.clone(),
        };
        route.except.iter().map(one).collect::<Vec<_>>()
    };
    routes.iter().flat_map(of).collect()
}

/// Closes on a route what is closed on its hosts; whether anything is left of it.
fn stays(route: &mut Route, closed: &[Closed], report: &mut Report) -> bool {
    for Closed { path, hosts } in closed.iter().filter(|one| may_meet(&one.hosts, &route.hosts)) {
        if is_at_or_below(&route.path, path) {
            // A longer path of the same hosts is what the same server leads on.
            let is_longer = !is_at_or_below(path, &route.path);
            if is_longer && *hosts == route.hosts {
                continue;
            }
            let why = format!(
                "`{path}` is closed by other rules of these files, on hosts that may be the same: no route is written, so that it stays closed"
            );
            report_at(report, route, &why);
            return false;
        }
        let is_known = route.except.iter().any(|own| is_at_or_below(path, own));
        if is_at_or_below(path, &route.path) && !is_known {
            route.except.push(path.clone());
            let why = format!(
                "`{path}` is closed by other rules of these files, on hosts that may be the same; routes are of all listeners, so that it is \
                 closed on this one, too (`except`)"
            );
            tell(report, &route.origin, &why);
        }
    }
    true
}

fn report_at(report: &mut Report, route: &Route, why: &str) {
    if let Some(line) = route.origin.lines.last() {
        report.unsupported(line, why);
    }
}

/// Makes one route of two for a path: the first counts, and what the second would do otherwise is told.
fn merge(other: &mut Route, route: &Route, report: &mut Report) {
    if (&other.pool, &other.to, &other.hosts) != (&route.pool, &route.to, &route.hosts) {
        tell(
            report,
            &route.origin,
            "this path is routed before on the same host, and that one counts: left out",
        );
        return;
    }
    for line in &route.origin.lines {
        other.origin.add(line);
    }
    let times = |route: &Route| (route.connect, route.response, route.idle);
    if times(other) != times(route) {
        tell(
            report,
            &route.origin,
            "this path is routed before on the same hosts, and the times there count, here as well",
        );
    }
    if other.encoded_slash != route.encoded_slash {
        other.encoded_slash = false;
        tell(
            report,
            &route.origin,
            "this path is routed twice on the same hosts, and one of the two takes no encoded slashes: neither does the one that is written",
        );
    }
    for (own, others) in [
        (&other.headers.request, &route.headers.request),
        (&other.headers.response, &route.headers.response),
    ] {
        fields(own, others, report);
    }
}

/// Tells of rules for fields that one of two routes has.
fn fields(own: &FieldRules, others: &FieldRules, report: &mut Report) {
    let sets = |rules: &FieldRules, name: &str, value: &str| {
        let is = |(one, held, _): &(String, String, _)| one == name && held == value;
        rules.set.iter().any(is)
    };
    let unsets = |rules: &FieldRules, name: &str| rules.unset.iter().any(|(one, _)| one == name);
    let lost =
        "this path is routed before on the same hosts, where this rule for a field is not: it is not written";
    let gained = "this path is routed again on the same hosts, where this rule for a field was not: it holds there as well";
    for (one, two, why) in [(others, own, lost), (own, others, gained)] {
        for (_, _, line) in one.set.iter().filter(|(name, value, _)| !sets(two, name, value)) {
            report.differs(line, why);
        }
        for (_, line) in one.unset.iter().filter(|(name, _)| !unsets(two, name)) {
            report.differs(line, why);
        }
    }
}

/// Whether a path is another, or below it.
pub(crate) fn is_at_or_below(path: &str, above: &str) -> bool {
    let (path, above) = (path.trim_end_matches('/'), above.trim_end_matches('/'));
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a host can be among both; none: all hosts.
pub(crate) fn may_meet(one: &[String], other: &[String]) -> bool {
    let below = |wide: &str, host: &str| {
        wide.strip_prefix('*')
            .is_some_and(|domain| host.ends_with(domain))
    };
    let meet = |one: &String, other: &String| {
        let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
        one == other || below(&one, &other) || below(&other, &one)
    };
    let pairs = || one.iter().any(|host| other.iter().any(|own| meet(host, own)));
    one.is_empty() || other.is_empty() || pairs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Class;
    use crate::site::{Member, Origin, Pool};
    use crate::source::{Line, Place};

    fn route(number: usize, path: &str, hosts: &[&str], except: &[&str]) -> Route {
        let place = Place {
            file: "a".into(),
            line: number,
        };
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Route {
            path: path.to_owned(),
            pool: "a".to_owned(),
            hosts: texts(hosts),
            except: texts(except),
            origin: Origin::of(&Line {
                place,
                text: path.to_owned(),
            }),
            ..Route::default()
        }
    }

    fn settled(all: Vec<Route>) -> (String, usize) {
        let pool = Pool {
            name: "a".to_owned(),
            members: vec![Member::default()],
            ..Pool::default()
        };
        let mut site = Site {
            pools: vec![pool],
            routes: all,
            ..Site::default()
        };
        let mut report = Report::default();
        routes(&mut site, &mut report);
        let shown = |route: &Route| {
            format!(
                "{}[{}]-{}",
                route.path,
                route.hosts.join(" "),
                route.except.join(" ")
            )
        };
        let told = report.of(Class::Differs).len() + report.of(Class::Unsupported).len();
        (site.routes.iter().map(shown).collect::<Vec<_>>().join(", "), told)
    }

    #[test]
    fn what_one_server_closes_no_other_opens() {
        let all = vec![
            route(1, "/", &["a.test"], &["/adm"]),
            route(2, "/", &[], &[]),
            route(3, "/", &["*.test"], &[]),
            route(4, "/", &["b.other"], &[]),
        ];
        let expected = "/[a.test]-/adm, /[]-/adm, /[*.test]-/adm, /[b.other]-";
        assert_eq!(settled(all), (expected.to_owned(), 2));
        let all = vec![
            route(1, "/", &["a.test"], &["/adm"]),
            route(2, "/adm/x", &[], &[]),
            route(3, "/adm", &["a.test"], &[]),
            route(4, "/adm/y", &["a.test"], &[]),
        ];
        let expected = "/[a.test]-/adm, /adm/y[a.test]-";
        assert_eq!(settled(all), (expected.to_owned(), 2));
    }

    #[test]
    fn of_two_equal_routes_the_guard_of_either_stays() {
        let all = vec![route(1, "/", &["a"], &[]), route(2, "/", &["a"], &["/adm"])];
        assert_eq!(settled(all), ("/[a]-/adm".to_owned(), 1));
        let all = vec![route(1, "/", &["a", "b"], &[]), route(2, "/", &["b"], &["/adm"])];
        assert_eq!(settled(all), ("/[a b]-/adm".to_owned(), 2));
    }

    #[test]
    fn of_two_equal_routes_other_times_fields_and_slashes_are_told() {
        let line = route(9, "Header", &[], &[]).origin.lines.remove(0);
        let mut other = route(2, "/", &[], &[]);
        other.idle = Some(std::time::Duration::from_secs(1));
        other.encoded_slash = true;
        other.headers.request.unset.push(("X-User".to_owned(), line));
        assert_eq!(
            settled(vec![route(1, "/", &[], &[]), other.clone()]),
            ("/[]-".to_owned(), 3)
        );
        assert_eq!(
            settled(vec![other, route(1, "/", &[], &[])]),
            ("/[]-".to_owned(), 3)
        );
    }
}
