//! `remora upstreams maintenance`, and what a list says of it.
//!
//! Invariant: a page that cannot be read is refused before any proxy is asked.
//!
//! Left out on purpose: how large a page may be and what it may be written in, which each proxy decides.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use remora_proto::v1::{MaintainRequest, MaintenanceWish, OwnPage, PoolStatus};

use super::upstreams::{Kept, since};
use crate::args::MaintenanceWord;
use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, maintain};

/// The most that is read of a page: beyond it the proxy refuses whatever comes. One byte more than it takes.
const PAGE_BYTES_READ: u64 = 64 * 1024 + 1;

/// What is wished of this pool.
pub(super) fn wished(
    pool: &str,
    word: MaintenanceWord,
    page: Option<&Path>,
    retry_after: Option<Duration>,
) -> Result<MaintainRequest, Failure> {
    if word != MaintenanceWord::On && (page.is_some() || retry_after.is_some()) {
        return Err(Failure::Usage(
            "--page and --retry-after are for `on`: nobody is told anything by the others".into(),
        ));
    }
    let wish = match word {
        MaintenanceWord::On => MaintenanceWish::On,
        MaintenanceWord::Off => MaintenanceWish::Off,
        MaintenanceWord::Reset => MaintenanceWish::Reset,
    };
    Ok(MaintainRequest {
        pool: pool.to_owned(),
        wish: wish.into(),
        // Less than a second is not nothing, which would leave it to the file.
        retry_after_seconds: retry_after.map_or(0, |period| {
            u32::try_from(period.as_secs().max(1)).unwrap_or(u32::MAX)
        }),
        page: page.map(read).transpose()?,
    })
}

fn read(file: &Path) -> Result<OwnPage, Failure> {
    let mut text = Vec::new();
    let read = std::fs::File::open(file).and_then(|open| open.take(PAGE_BYTES_READ).read_to_end(&mut text));
    read.map_err(|error| Failure::Usage(format!("--page {}: {error}", file.display())))?;
    let form = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(OwnPage {
        form,
        text: text.into(),
    })
}

/// Asks every proxy.
pub(super) async fn run(proxies: &Reach, wish: &MaintainRequest) -> Report {
    let (mut rows, mut troubles, mut kept) = (Vec::new(), Vec::new(), Kept::default());
    for address in &proxies.addresses {
        match maintain(&proxies.dial, address, wish).await {
            Ok(reply) => {
                kept.note(proxies, address, reply.shared, reply.ends_with_process)
                    .await;
                if reply.unchanged && wish.wish() != MaintenanceWish::On {
                    let pool = &wish.pool;
                    troubles.push(format!(
                        "{address}: pool {pool} was so before, and nothing was done"
                    ));
                }
                rows.extend(reply.pool.map(|pool| row(address, &pool)));
            }
            Err(failure) => troubles.push(failure.to_string()),
        }
    }
    let report = kept.add_figures(table(Report::default(), rows));
    report.troubles(troubles).hint(kept.said())
}

/// Adds those pools to a report of which there is something to say.
pub(super) fn add_table(report: Report, proxies: &[(String, Vec<PoolStatus>)]) -> Report {
    let pools = proxies
        .iter()
        .flat_map(|(proxy, pools)| pools.iter().map(move |pool| (proxy, pool)));
    let told = pools.filter(|(_, pool)| pool.maintenance || pool.wished);
    let rows: Vec<Vec<Cell>> = told.map(|(proxy, pool)| row(proxy, pool)).collect();
    if rows.is_empty() {
        return report;
    }
    table(report, rows)
}

fn table(report: Report, rows: Vec<Vec<Cell>>) -> Report {
    let columns = vec![
        "proxy",
        "pool",
        "maintenance",
        "said by",
        "since",
        "retry after",
        "page bytes",
        "not for",
    ];
    report.table("maintenance", columns, rows)
}

fn row(proxy: &str, pool: &PoolStatus) -> Vec<Cell> {
    let word = match (pool.maintenance, pool.absent) {
        (_, true) => "no such pool",
        (true, false) => "on",
        (false, false) => "off",
    };
    let retry_after = Duration::from_secs(pool.retry_after_seconds.into());
    vec![
        Cell::text(proxy),
        Cell::text(pool.pool.as_str()),
        Cell::text(word),
        Cell::text(if pool.wished { pool.by.as_str() } else { "the file" }),
        since(if pool.wished { pool.since } else { 0 }),
        if pool.maintenance {
            Cell::text(humantime::format_duration(retry_after).to_string())
        } else {
            Cell::Nothing
        },
        Cell::Count(pool.page_bytes),
        Cell::text(pool.except.as_str()),
    ]
}
