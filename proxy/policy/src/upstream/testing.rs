//! Pools for tests, written as people say them.

use super::{AdminState, BalanceBy, Health, HealthRule, Observation, Pool, Sticky, Upstream, UpstreamId};

/// The rule of pools whose members are checked.
pub(crate) const CHECKED: HealthRule = HealthRule {
    rise: 2,
    fall: 2,
    checked: true,
};

/// A pool from lines like `n1 up`, `n2 down`, `n3 up drained`, `n4 leaving`, `n5 up weight=3 set=1 group=blue redirect=n1`, and
/// the words of administrative states. Ids count from 0.
pub(crate) fn pool(members: &[&str]) -> Pool {
    let ids = 0u32..;
    let members = members
        .iter()
        .zip(ids)
        .map(|(member, id)| upstream(id, member))
        .collect();
    Pool {
        name: "tomcat".into(),
        sticky: Sticky::new("JSESSIONID", None),
        balance: BalanceBy::Requests,
        rule: CHECKED,
        members,
    }
}

fn upstream(id: u32, line: &str) -> Upstream {
    let mut words = line.split(' ');
    let route = words.next().unwrap();
    let mut upstream = Upstream {
        id: UpstreamId(id),
        route: route.into(),
        authority: format!("127.0.0.1:{}", 8081 + id).into(),
        secured: false,
        weight: 1,
        threads: None,
        health: after(&[]),
        rose: None,
        state: AdminState::Active,
        set: 0,
        group: None,
        redirect: None,
        instance: None,
    };
    for word in words {
        match word {
            "up" => upstream.health = after(&[Observation::CheckPassed]),
            "down" => upstream.health = after(&[Observation::Refused]),
            "frozen" => upstream.health = after(&[Observation::Frozen]),
            "leaving" => upstream.health = after(&[Observation::CheckLeft]),
            "unknown" => upstream.health = after(&[]),
            "drained" => upstream.state = AdminState::Draining,
            word => match word.split_once('=') {
                Some(("weight", weight)) => upstream.weight = weight.parse().unwrap(),
                Some(("set", set)) => upstream.set = set.parse().unwrap(),
                Some(("group", group)) => upstream.group = Some(group.into()),
                Some(("redirect", route)) => upstream.redirect = Some(route.into()),
                _ => upstream.state = AdminState::named(word).unwrap(),
            },
        }
    }
    upstream
}

/// Health after these observations, where checks are made.
pub(crate) fn after(observations: &[Observation]) -> Health {
    let seen = observations.iter();
    seen.fold(Health::new(&CHECKED), |health, seen| {
        next(&health, seen, &CHECKED)
    })
}

/// Health after one more observation.
pub(crate) fn next(health: &Health, seen: &Observation, rule: &HealthRule) -> Health {
    health.observe(seen, rule).unwrap_or_else(|| health.clone())
}
