//! `remora applications`: whose sessions the store keeps, and which Tomcats serve them, as these say themselves.
//!
//! One row for each application on each Tomcat. An application that has a session manager of its own beside one of
//! ours is shown too, since its users lose their sessions with their Tomcat; `remora status` counts that as trouble.

use remora_proto::v1::list_servers_reply::Server;

use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, Store};

/// Lists what every Tomcat serves.
pub(super) async fn run(reach: &Reach) -> Result<Report, Failure> {
    let servers = Store::new(reach)?.servers().await?.servers;
    let mut rows: Vec<_> = servers.iter().flat_map(rows).collect();
    rows.sort_by_key(|(application, node, _)| (application.to_string(), node.to_string()));
    let columns = vec![
        "application",
        "node",
        "protected",
        "mode",
        "version",
        "threads",
        "url",
    ];
    let rows = rows.into_iter().map(|(_, _, row)| row).collect();
    Ok(Report::default()
        .table("applications", columns, rows)
        .wide(&["url"]))
}

fn node(server: &Server) -> &str {
    server.server.as_ref().map_or("", |owner| owner.node.as_str())
}

fn rows(server: &Server) -> impl Iterator<Item = (&str, &str, Vec<Cell>)> {
    let node = node(server);
    let served = server.applications.iter().map(|name| (name, true));
    let beside = server.unprotected.iter().map(|name| (name, false));
    served.chain(beside).map(move |(name, protected)| {
        let of_ours = |text: &str| {
            if protected {
                Cell::text(text)
            } else {
                Cell::Nothing
            }
        };
        let row = vec![
            Cell::text(name),
            Cell::text(node),
            Cell::Flag(protected && server.mode != "observe"),
            of_ours(&server.mode),
            of_ours(&server.version),
            Some(server.threads)
                .filter(|threads| *threads > 0)
                .map_or(Cell::Nothing, |threads| Cell::Count(threads.into())),
            Cell::text(&server.url),
        ];
        (name.as_str(), node, row)
    })
}
