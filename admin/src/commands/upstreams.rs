//! `remora upstreams list|drain|undrain`: every proxy named is asked, because each keeps its own books.

use remora_proto::v1::UpstreamStatus;

use crate::args::Upstreams;
use crate::client::{Reach, check_addresses, proxy_status, set_drain};
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// Lists, drains or undrains. What any proxy refused is a trouble of the report; the others hold.
pub(super) async fn run(proxies: &Reach, verb: Upstreams) -> Result<Report, Failure> {
    if proxies.addresses.is_empty() {
        return Err(Failure::Usage(
            "say where the proxies are: --proxy HOST:PORT[,HOST:PORT], or set REMORA_PROXY".into(),
        ));
    }
    check_addresses(&proxies.addresses)?;
    let mut rows = Vec::new();
    let mut refusals = Vec::new();
    let dial = &proxies.dial;
    for address in &proxies.addresses {
        let answer = match &verb {
            Upstreams::List => proxy_status(dial, address).await.map(|status| status.upstreams),
            Upstreams::Drain { route } => set_drain(dial, address, route, true)
                .await
                .map(|reply| reply.upstreams),
            Upstreams::Undrain { route } => set_drain(dial, address, route, false)
                .await
                .map(|reply| reply.upstreams),
        };
        match answer {
            Ok(upstreams) => rows.push((address.clone(), upstreams)),
            Err(failure) => refusals.push(failure.to_string()),
        }
    }
    Ok(add_table(Report::default(), &rows).troubles(refusals))
}

/// Adds the table of upstreams to a report.
pub(super) fn add_table(report: Report, proxies: &[(String, Vec<UpstreamStatus>)]) -> Report {
    let columns = vec![
        "proxy",
        "pool",
        "route",
        "url",
        "health",
        "draining",
        "in flight",
        "answered",
        "failed",
        "reason",
    ];
    let rows = proxies
        .iter()
        .flat_map(|(proxy, upstreams)| upstreams.iter().map(move |upstream| row(proxy, upstream)));
    report.table("upstreams", columns, rows.collect())
}

fn row(proxy: &str, upstream: &UpstreamStatus) -> Vec<Cell> {
    vec![
        Cell::text(proxy),
        Cell::text(upstream.pool.as_str()),
        Cell::text(upstream.route.as_str()),
        Cell::text(upstream.url.as_str()),
        Cell::text(upstream.health.as_str()),
        Cell::Flag(upstream.draining),
        Cell::Count(upstream.in_flight),
        Cell::Count(upstream.answered),
        Cell::Count(upstream.failed),
        Cell::text(upstream.reason.as_str()),
    ]
}
