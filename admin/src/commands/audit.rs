//! `remora audit`: what users may lose if their Tomcat dies, as the Tomcats say themselves.
//!
//! A Tomcat tells the leader how it fares beside its requests, and the leader keeps only the newest word: of a Tomcat that has not
//! said anything to the present leader, that is said.
//!
//! Invariants: a trouble is what users would lose or miss already, or what is not known, and each says what to do. What a Tomcat
//! counts since it started is told as that: the sessions may have ended since.
//!
//! No troubles: answers that were refused because something was not stored, which may be stored by now, are a remark. What an
//! application changes in place, without setAttribute, is stored: it is shown, because it costs a comparison.

use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::status::Application;

use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, Store};
use remora_overview::site::name as node;

/// Asks the leader for every Tomcat.
pub(super) async fn run(reach: &Reach) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    let servers = store.servers_at_leader().await?.servers;
    Ok(report(&servers))
}

fn report(servers: &[Server]) -> Report {
    let columns = vec![
        "application",
        "node",
        "protected",
        "stays there",
        "undecodable",
        "refused",
        "changed in place",
        "classes",
    ];
    let mut rows: Vec<(&str, &str, Vec<Cell>)> = servers.iter().flat_map(rows).collect();
    rows.sort_by_key(|(application, node, _)| (*application, *node));
    let rows = rows.into_iter().map(|(_, _, row)| row).collect();
    Report::default()
        .table("applications", columns, rows)
        .troubles(servers.iter().flat_map(troubles))
        .remarks(servers.iter().flat_map(remarks).collect())
}

/// What a Tomcat said of one of its applications.
pub(super) fn told<'s>(server: &'s Server, application: &str) -> Option<&'s Application> {
    let mut told = server.status.iter().flat_map(|status| &status.applications);
    told.find(|told| told.application == application)
}

fn rows(server: &Server) -> impl Iterator<Item = (&str, &str, Vec<Cell>)> {
    let served = server.applications.iter().map(|name| (name, true));
    let beside = server.unprotected.iter().map(|name| (name, false));
    served.chain(beside).map(move |(application, ours)| {
        let told = told(server, application);
        let count = |of: fn(&Application) -> u64| told.map_or(Cell::Nothing, |told| Cell::Count(of(told)));
        let row = vec![
            Cell::text(application),
            Cell::text(node(server)),
            Cell::Flag(ours && server.mode != "observe"),
            count(|told| told.local),
            count(|told| told.undecodable),
            count(|told| told.refused),
            count(|told| told.changed_in_place),
            Cell::text(told.map_or_else(String::new, |told| told.classes.join(" "))),
        ];
        (application.as_str(), node(server), row)
    })
}

/// What may be lost with a Tomcat, and what to do about it.
fn troubles(server: &Server) -> Vec<String> {
    let node = node(server);
    let mut troubles = Vec::new();
    for application in &server.unprotected {
        troubles.push(format!(
            "{application} on {node} has a session manager of its own: with that Tomcat its users lose their sessions. Take that \
             manager out of its context.xml"
        ));
    }
    if server.mode == "observe" {
        troubles.push(format!(
            "{node} only observes: it stores nothing, and its users lose their sessions with it. Take mode=\"observe\" out once \
             what is listed is in order"
        ));
    }
    if server.status.is_none() && !server.applications.is_empty() {
        troubles.push(format!(
            "{node} has not told the present leader how it fares: what would be lost with it is not known. Ask again in a minute"
        ));
    }
    for application in &server.applications {
        match told(server, application) {
            Some(told) => troubles.extend(counted(node, told)),
            // All of its applications are missing, which has been said.
            None if server.status.is_none() => {}
            None => troubles.push(format!(
                "{application} is not in what {node} told the present leader: what would be lost with it is not known. Ask again \
                 in a minute"
            )),
        }
    }
    troubles
}

/// What a Tomcat has counted since it started.
fn counted(node: &str, told: &Application) -> Vec<String> {
    let application = &told.application;
    let classes = match told.classes.as_slice() {
        [] => String::new(),
        classes => format!(" (classes {})", classes.join(", ")),
    };
    let counts = [
        (
            told.local,
            format!(
                "could not be stored{classes}: where their sessions still live, they are lost with it. Make their classes \
                 Serializable, or keep them out of the session"
            ),
        ),
        (
            told.undecodable,
            "came from another Tomcat and could not be read: deploy the same classes everywhere".to_owned(),
        ),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts
        .map(|(count, what)| format!("{application} on {node}: since it started, {count} values {what}"))
        .collect()
}

/// What is no loss now, and worth a look.
fn remarks(server: &Server) -> impl Iterator<Item = String> {
    let served = server.applications.iter();
    let refused = served.filter_map(|application| told(server, application));
    refused.filter(|told| told.refused > 0).map(|told| {
        format!(
            "{} on {}: since it started, {} answers were refused with 503 because something was not stored. It may be stored by \
             now; that Tomcat's log says why it was not",
            told.application,
            node(server),
            told.refused
        )
    })
}

#[cfg(test)]
mod tests {
    use remora_proto::v1::{Owner, Status};

    use super::*;

    fn server(mode: &str, told: Option<Application>) -> Server {
        Server {
            server: Some(Owner {
                node: "n1".into(),
                ..Owner::default()
            }),
            applications: vec!["localhost/shop".into()],
            mode: mode.into(),
            status: told.map(|told| Status {
                applications: vec![told],
                ..Status::default()
            }),
            ..Server::default()
        }
    }

    fn shop() -> Application {
        Application {
            application: "localhost/shop".into(),
            ..Application::default()
        }
    }

    #[test]
    fn a_tomcat_that_loses_nothing_is_no_trouble() {
        assert!(report(&[server("", Some(shop()))]).is_well());
        assert!(report(&[]).is_well());
    }

    #[test]
    fn answers_that_were_refused_are_worth_a_look_and_no_loss() {
        let tomcat = server("", Some(Application { refused: 4, ..shop() }));
        assert!(report(std::slice::from_ref(&tomcat)).is_well());
        let remarks: Vec<_> = remarks(&tomcat).collect();
        assert!(
            remarks.len() == 1 && remarks[0].contains("since it started, 4 answers were refused with 503"),
            "{remarks:?}"
        );
    }

    #[test]
    fn each_loss_is_told_with_what_to_do() {
        let local = Application {
            local: 3,
            classes: vec!["shop.Cart".into()],
            ..shop()
        };
        let undecodable = Application {
            undecodable: 2,
            ..shop()
        };
        let silent = server(
            "",
            Some(Application {
                application: "localhost/other".into(),
                ..Application::default()
            }),
        );
        let unprotected = Server {
            unprotected: vec!["localhost/old".into()],
            ..server("", Some(shop()))
        };
        for (server, words) in [
            (
                server("", Some(local)),
                "since it started, 3 values could not be stored (classes shop.Cart): where their sessions still live",
            ),
            (
                server("", Some(undecodable)),
                "since it started, 2 values came from another Tomcat and could not be read",
            ),
            (server("observe", Some(shop())), "n1 only observes"),
            (server("", None), "has not told the present leader"),
            (silent, "localhost/shop is not in what n1 told the present leader"),
            (
                unprotected,
                "localhost/old on n1 has a session manager of its own",
            ),
        ] {
            let troubles = troubles(&server);
            assert!(
                troubles.len() == 1 && troubles[0].contains(words),
                "{words}: {troubles:?}"
            );
        }
    }
}
