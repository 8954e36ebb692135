//! `remora applications retire`: takes Tomcats out of the registry that will not do it themselves.
//!
//! Invariants: nobody is taken out whom the question did not name, and of one that was named only the instance that was seen: a
//! Tomcat that was started meanwhile stays. In bulk nobody is taken out of whose silence the leader does not know the length, and
//! nobody whom it hears again when it is asked a second time: a node that was elected a moment ago remembers an old silence, and
//! its Tomcats need a moment to come.
//!
//! Left out on purpose: the users of a Tomcat. They were moved when the proxies saw it die.

use std::time::{Duration, Instant};

use remora_overview::client::Store;
use remora_overview::site::name;
use remora_proto::v1::RetireNodeRequest;
use remora_proto::v1::list_servers_reply::Server;

use super::silence;
use crate::args::Retire;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// How long a leader that may be new is given to hear of its Tomcats: several times what they take to find it.
const LEADER_HEARS_WITHIN: Duration = Duration::from_secs(3);

/// Takes out whoever is meant, after a yes.
pub(super) async fn run(store: &Store, ask: &Retire) -> Result<Report, Failure> {
    let asked = Instant::now();
    let servers = store.servers_at_leader().await?.servers;
    let mut meant = meant(&servers, ask)?;
    if meant.is_empty() || ask.dry_run {
        let hint = unknown(&servers, ask);
        return Ok(table(&meant, "would be retired").hint(hint));
    }
    confirm(&question(&meant), ask.yes)?;
    if ask.whom.silent_for.is_some() {
        tokio::time::sleep(LEADER_HEARS_WITHIN.saturating_sub(asked.elapsed())).await;
        let now = store.servers_at_leader().await?.servers;
        meant = still(meant, &self::meant(&now, ask)?);
    }
    let (mut retired, mut troubles) = (Vec::new(), Vec::new());
    for server in meant {
        let request = RetireNodeRequest {
            node: name(&server).to_owned(),
            instance: instance(&server),
        };
        match store.retire(request).await {
            Ok(reply) if reply.retired => retired.push(server),
            Ok(_) => troubles.push(format!(
                "{} is not there as it was any more: it has announced itself anew, or was taken out",
                name(&server)
            )),
            Err(failure) => troubles.push(failure.to_string()),
        }
    }
    Ok(table(&retired, "retired").troubles(troubles))
}

/// Who is meant. One that is named has to be there.
fn meant(servers: &[Server], ask: &Retire) -> Result<Vec<Server>, Failure> {
    if let Some(node) = &ask.whom.node {
        let one = servers.iter().find(|server| name(server) == node);
        let one = one.ok_or_else(|| {
            Failure::Missing(format!(
                "no Tomcat {node} is announced: `remora applications` shows who is"
            ))
        })?;
        return Ok(vec![one.clone()]);
    }
    let least = ask
        .whom
        .silent_for
        .map_or(u64::MAX, |least| Duration::from(least).as_secs());
    let silent = servers.iter().filter(|server| {
        let known = server.silent_seconds.filter(|_| !server.present);
        known.is_some_and(|silent| silent >= least)
    });
    Ok(silent.cloned().collect())
}

/// Those who are meant the second time as well.
fn still(meant: Vec<Server>, now: &[Server]) -> Vec<Server> {
    let is_still = |server: &Server| now.iter().any(|other| instance(other) == instance(server));
    meant.into_iter().filter(is_still).collect()
}

fn instance(server: &Server) -> u64 {
    server.server.as_ref().map_or(0, |owner| owner.instance)
}

/// Of whom nothing is known in bulk.
fn unknown(servers: &[Server], ask: &Retire) -> Option<String> {
    let unknown = servers
        .iter()
        .filter(|server| !server.present && server.silent_seconds.is_none());
    let unknown: Vec<&str> = unknown.map(name).collect();
    (ask.whom.silent_for.is_some() && !unknown.is_empty()).then(|| {
        format!(
            "how long these have been silent is not known, because the leader has not heard of them since it leads: {}",
            unknown.join(", ")
        )
    })
}

/// What somebody has to say yes to.
fn question(meant: &[Server]) -> String {
    let each = meant.iter().map(|server| {
        let how = match (server.present, server.silent_seconds) {
            (true, _) => {
                "which is there, and announces itself again: `remora upstreams drain` sends nobody there"
                    .to_owned()
            }
            (false, Some(_)) => format!("silent for {}", silence(server)),
            (false, None) => "not heard of since the leader leads".to_owned(),
        };
        format!("{} at {} ({how})", name(server), server.url)
    });
    let each: Vec<String> = each.collect();
    format!("this takes out of the registry: {}", each.join("; "))
}

fn table(servers: &[Server], what: &'static str) -> Report {
    let columns = vec!["node", "url", "present", "silent"];
    let rows = servers.iter().map(|server| {
        vec![
            Cell::text(name(server)),
            Cell::text(&server.url),
            Cell::Flag(server.present),
            silence(server),
        ]
    });
    Report::default().table(what, columns, rows.collect())
}

#[cfg(test)]
mod tests {
    use remora_proto::v1::Owner;

    use super::*;
    use crate::args::Retired;

    fn server(node: &str, instance: u64, silent_seconds: Option<u64>) -> Server {
        Server {
            server: Some(Owner {
                node: node.into(),
                instance,
            }),
            url: format!("http://{node}"),
            silent_seconds,
            ..Server::default()
        }
    }

    fn asks(node: Option<&str>, silent_for: Option<u64>) -> Retire {
        Retire {
            whom: Retired {
                node: node.map(str::to_owned),
                silent_for: silent_for.map(|seconds| Duration::from_secs(seconds).into()),
            },
            dry_run: false,
            yes: false,
        }
    }

    fn site() -> Vec<Server> {
        let mut present = server("n1", 1, Some(900));
        present.present = true;
        vec![
            present,
            server("n2", 2, Some(900)),
            server("n3", 3, Some(30)),
            server("n4", 4, None),
        ]
    }

    #[test]
    fn in_bulk_only_a_silence_of_known_length_counts() {
        let meant = |ask: &Retire| {
            let meant = meant(&site(), ask).unwrap();
            meant
                .iter()
                .map(|server| name(server).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(meant(&asks(None, Some(600))), ["n2"]);
        assert_eq!(meant(&asks(None, Some(10))), ["n2", "n3"]);
        assert_eq!(meant(&asks(Some("n4"), None)), ["n4"]);
        assert!(super::meant(&site(), &asks(Some("n9"), None)).is_err());
        let unknown = unknown(&site(), &asks(None, Some(600)));
        assert!(unknown.is_some_and(|said| said.ends_with(": n4")));
    }

    #[test]
    fn who_comes_while_somebody_is_asked_stays() {
        let now = [server("n2", 7, Some(900)), server("n3", 3, Some(33))];
        let still = still(vec![server("n2", 2, Some(900)), server("n3", 3, Some(30))], &now);
        assert_eq!(still.iter().map(name).collect::<Vec<_>>(), ["n3"]);
    }

    #[test]
    fn a_question_names_each_and_how_silent_it_is() {
        let said = question(&site());
        for words in [
            "n1 at http://n1 (which is there",
            "n2 at http://n2 (silent for 15m00s)",
            "n4 at http://n4 (not heard of since the leader leads)",
        ] {
            assert!(said.contains(words), "{words} is not in {said}");
        }
    }
}
