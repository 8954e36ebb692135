//! `remora changes`: what changed lately at the proxies, why, and who asked for it.
//!
//! A verb of its own and none of `upstreams`, because what a proxy remembers is of the whole site: beliefs and wishes, and also
//! reloads, the store's leaders and logins at the console.
//!
//! Left out on purpose: order between proxies to the millisecond. Each tells its own clock's time.

use std::time::{Duration, UNIX_EPOCH};

use futures::future::join_all;
use remora_overview::client::{Reach, check_addresses, lately};
use remora_proto::v1::Change;

use crate::args::Changes;
use crate::failure::Failure;
use crate::render::{Cell, Report};

use super::upstreams::need_proxies;

/// Asks every proxy; one that does not answer is a trouble of the report.
pub(super) async fn run(proxies: &Reach, ask: &Changes) -> Result<Report, Failure> {
    need_proxies(proxies)?;
    check_addresses(&proxies.addresses)?;
    let asked = proxies.addresses.iter().map(|address| async move {
        let told = lately(&proxies.dial, address, 0).await;
        told.map(|reply| (address, reply.changes))
    });
    let (mut changes, mut troubles) = (Vec::new(), Vec::new());
    for told in join_all(asked).await {
        match told {
            Ok((address, told)) => changes.extend(told.into_iter().map(|change| (address.as_str(), change))),
            Err(failure) => troubles.push(failure.to_string()),
        }
    }
    Ok(report(ask, changes).troubles(troubles))
}

/// The latest of those that are meant, latest last.
fn report(ask: &Changes, mut changes: Vec<(&str, Change)>) -> Report {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    changes.retain(|(_, change)| is(&ask.of, &change.of) && is(&ask.kind, &change.kind));
    changes.sort_by_key(|(_, change)| (change.at_ms, change.number));
    let shown = changes.split_off(changes.len().saturating_sub(ask.limit));
    let columns = vec!["at", "proxy", "number", "kind", "of", "what", "why", "who"];
    let rows = shown.iter().map(|(proxy, change)| {
        let at = UNIX_EPOCH + Duration::from_millis(change.at_ms);
        vec![
            Cell::text(humantime::format_rfc3339_millis(at).to_string()),
            Cell::text(*proxy),
            Cell::Count(change.number),
            Cell::text(&change.kind),
            Cell::text(&change.of),
            Cell::text(&change.what),
            Cell::text(&change.why),
            Cell::text(&change.who),
        ]
    });
    let rows = rows.collect();
    Report::default()
        .table("changes", columns, rows)
        .wide(&["number", "kind"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Format, Output};
    use crate::render::render;

    fn change(number: u64, at_ms: u64, kind: &str, of: &str) -> Change {
        Change {
            number,
            at_ms,
            kind: kind.into(),
            of: of.into(),
            what: format!("{of} is other"),
            ..Change::default()
        }
    }

    fn told(ask: &Changes) -> Vec<String> {
        let changes = vec![
            ("p1", change(1, 1_000, "belief", "n1")),
            ("p1", change(2, 3_000, "wish", "n2")),
            ("p2", change(1, 2_000, "belief", "n2")),
        ];
        let output = Output {
            format: Format::Csv,
            no_headers: true,
        };
        let text = render(&report(ask, changes), output).unwrap();
        let lines = text
            .lines()
            .map(|line| line.split(',').take(5).collect::<Vec<_>>().join(" "));
        lines.collect()
    }

    #[test]
    fn the_latest_that_are_meant_are_told_latest_last() {
        let all = Changes {
            of: None,
            kind: None,
            limit: 2,
        };
        assert_eq!(
            told(&all),
            [
                "1970-01-01T00:00:02.000Z p2 1 belief n2",
                "1970-01-01T00:00:03.000Z p1 2 wish n2"
            ]
        );
        let some = Changes {
            of: Some("n2".into()),
            kind: Some("belief".into()),
            limit: 50,
        };
        assert_eq!(told(&some), ["1970-01-01T00:00:02.000Z p2 1 belief n2"]);
    }
}
