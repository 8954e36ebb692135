//! `remora console token`: an address by which a browser opens the console of a proxy.
//!
//! Every proxy named makes a secret of its own, because each keeps its own; it is shown once, here. The secret stands behind
//! the `#`, which a browser sends to nobody: the page reads it there and takes it away.

use std::time::Duration;

use remora_overview::client::{Reach, check_addresses, console_token};
use remora_proto::v1::ConsoleTokenRequest;

use crate::args::Console;
use crate::failure::Failure;
use crate::render::{Cell, Report};

use super::upstreams::need_proxies;

/// Asks every proxy; one that refuses is a trouble of the report.
pub(super) async fn run(proxies: &Reach, verb: &Console) -> Result<Report, Failure> {
    need_proxies(proxies)?;
    check_addresses(&proxies.addresses)?;
    let Console::Token { read_only, period } = verb;
    let request = ConsoleTokenRequest {
        read_only: *read_only,
        // Less than a second is not nothing, which would mean eight hours.
        seconds: Duration::from(*period).as_secs().max(1),
    };
    let scheme = if proxies.dial.is_secured() {
        "https"
    } else {
        "http"
    };
    let (mut rows, mut troubles) = (Vec::new(), Vec::new());
    for address in &proxies.addresses {
        match console_token(&proxies.dial, address, &request).await {
            Ok(reply) => rows.push(vec![
                Cell::text(address),
                Cell::text(if *read_only { "look" } else { "operate" }),
                Cell::Seconds(reply.seconds),
                Cell::text(format!(
                    "{scheme}://{address}{}#token={}",
                    reply.path, reply.token
                )),
            ]),
            Err(failure) => troubles.push(failure.to_string()),
        }
    }
    let hint = (!rows.is_empty())
        .then(|| "whoever opens this may do as it says until it ends: keep it like a password".to_owned());
    let columns = vec!["proxy", "rights", "good for", "url"];
    Ok(Report::default()
        .table("consoles", columns, rows)
        .troubles(troubles)
        .hint(hint))
}
