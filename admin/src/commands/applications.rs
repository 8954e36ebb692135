//! `remora applications`: whose sessions the store keeps, and which Tomcats serve them, as these say themselves.
//!
//! One row for each application on each Tomcat, with whether the leader hears of that Tomcat and what would be lost with it. An
//! application that has a session manager of its own beside one of ours is shown too, since its users lose their sessions with
//! their Tomcat, and so is one that lives under another's name; `remora status` counts both as trouble. Who is taken out of the registry: `retire`.

mod retire;

use remora_overview::client::{Reach, Store};
use remora_overview::judge::twins;
use remora_overview::site::name;
use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::status::Application;

use super::audit::told;
use crate::args::ApplicationsVerb;
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// Lists what every Tomcat serves, or takes some out.
pub(super) async fn run(reach: &Reach, verb: Option<ApplicationsVerb>) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    match verb.unwrap_or(ApplicationsVerb::List) {
        ApplicationsVerb::List => Ok(report(&store.servers_at_leader().await?.servers)),
        ApplicationsVerb::Retire(ask) => retire::run(&store, &ask).await,
    }
}

fn report(servers: &[Server]) -> Report {
    let mut rows: Vec<_> = servers.iter().flat_map(rows).collect();
    rows.sort_by_key(|(application, node, _)| (*application, *node));
    let columns = vec![
        "application",
        "node",
        "protected",
        "mode",
        "present",
        "silent",
        "stays there",
        "undecodable",
        "refused",
        "changed in place",
        "classes",
        "version",
        "threads",
        "url",
    ];
    let rows = rows.into_iter().map(|(_, _, row)| row).collect();
    let twins = servers.iter().filter_map(twins);
    let remarks = twins.map(|trouble| format!("{}: {}", trouble.what, trouble.advice));
    let report = Report::default().remarks(remarks.collect());
    report.table("applications", columns, rows).wide(&[
        "undecodable",
        "refused",
        "changed in place",
        "classes",
        "threads",
        "url",
    ])
}

fn rows(server: &Server) -> impl Iterator<Item = (&str, &str, Vec<Cell>)> {
    let node = name(server);
    let served = server.applications.iter().map(|name| (name, true));
    let beside = server.unprotected.iter().map(|name| (name, false));
    served.chain(beside).map(move |(application, protected)| {
        let of_ours = |text: &str| {
            if protected {
                Cell::text(text)
            } else {
                Cell::Nothing
            }
        };
        let told = told(server, application);
        let count = |of: fn(&Application) -> u64| told.map_or(Cell::Nothing, |told| Cell::Count(of(told)));
        let threads = Some(server.threads).filter(|threads| *threads > 0);
        let row = vec![
            Cell::text(application),
            Cell::text(node),
            Cell::Flag(protected && server.mode != "observe"),
            of_ours(&server.mode),
            Cell::Flag(server.present),
            silence(server),
            count(|told| told.local),
            count(|told| told.undecodable),
            count(|told| told.refused),
            count(|told| told.changed_in_place),
            Cell::text(told.map_or_else(String::new, |told| told.classes.join(" "))),
            of_ours(&server.version),
            threads.map_or(Cell::Nothing, |threads| Cell::Count(threads.into())),
            Cell::text(&server.url),
        ];
        (application.as_str(), node, row)
    })
}

/// Since when the leader has not heard of a Tomcat, as far as it knows.
fn silence(server: &Server) -> Cell {
    server.silent_seconds.map_or(Cell::Nothing, Cell::Seconds)
}
