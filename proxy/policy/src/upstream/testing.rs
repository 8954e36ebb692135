//! Pools for tests, written as people say them.

use super::{Health, Observation, Pool, Sticky, Upstream, UpstreamId};

/// A pool from lines like `n1 up`, `n2 down`, `n3 up drained`, `n4 probing`, `n5 up weight=3`. Ids count from 0.
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
        weight: 1,
        health: Health::new(),
        draining: false,
    };
    for word in words {
        match word {
            "up" => {}
            "down" => upstream.health = after(&[Observation::Refused]),
            "probing" => upstream.health = after(&[Observation::Refused, Observation::CheckPassed]),
            "drained" => upstream.draining = true,
            word => upstream.weight = word.strip_prefix("weight=").unwrap().parse().unwrap(),
        }
    }
    upstream
}

/// Health after these observations.
pub(crate) fn after(observations: &[Observation]) -> Health {
    observations.iter().fold(Health::new(), |health, seen| {
        health.observe(*seen).unwrap_or(health)
    })
}
