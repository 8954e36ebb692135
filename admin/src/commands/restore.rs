//! `remora restore`: a new cluster with what a backup holds.
//!
//! The file goes to the one node that waits for it, which begins the cluster together with all others of its list and starts
//! again; this waits until it serves. What the store refuses has not happened.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use remora_proto::v1::RestoreReply;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, Store};

/// The role of a node that waits for a backup (admin.proto).
const AWAITING: &str = "awaiting restore";

/// How long the new cluster may take to serve: its nodes start, elect, and the first one reads all sessions.
const SERVES_WITHIN: Duration = Duration::from_secs(120);

/// Pause between two looks at a node that starts: short for a person.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Restores a backup.
pub(super) async fn run(reach: &Reach, path: &Path) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    let cannot = |error| Failure::Refused(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let bytes = file.metadata().map_err(cannot)?.len();
    let address = awaiting(&store, &reach.addresses).await?;
    let mut progress = Progress::new("sent", bytes);
    let reply = store
        .restore(&address, file, move |sent| progress.more(sent))
        .await?;
    let troubles = unless_serves(&store, &address, &reply.cluster).await;
    Ok(report(reply).troubles(troubles))
}

/// Waits until a node is ready in its new cluster; says so if it is not.
pub(super) async fn unless_serves(store: &Store, address: &str, cluster: &str) -> Vec<String> {
    if serves(store, address, cluster).await {
        return Vec::new();
    }
    vec![format!(
        "cluster {cluster} holds these sessions, but does not serve yet: look with `remora status`, and at the log of the \
         node at {address}"
    )]
}

/// The address of the node that waits for a backup.
async fn awaiting(store: &Store, addresses: &[String]) -> Result<String, Failure> {
    let mut silent = String::new();
    for address in addresses {
        match store.status_of(address).await {
            Ok(status) if status.role == AWAITING => return Ok(address.clone()),
            Ok(_) => {}
            Err(failure) => silent.push_str(&format!("; {failure}")),
        }
    }
    Err(Failure::Refused(format!(
        "no node at --store waits for a backup: start one with --await-restore and a new data directory, and the others of \
         its cluster with new ones too{silent}"
    )))
}

/// Whether a node becomes ready in its new cluster.
async fn serves(store: &Store, address: &str, cluster: &str) -> bool {
    let began = Instant::now();
    while began.elapsed() < SERVES_WITHIN {
        let status = store.status_of(address).await;
        if status.is_ok_and(|status| status.cluster == cluster && status.ready) {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}

fn report(reply: RestoreReply) -> Report {
    let restored = reply.restored.unwrap_or_default();
    let nodes: Vec<String> = reply.nodes.iter().map(u64::to_string).collect();
    let fields = vec![
        ("cluster", Cell::text(reply.cluster)),
        ("nodes", Cell::text(nodes.join(", "))),
        ("sessions", Cell::Count(restored.sessions)),
        ("version", Cell::Count(reply.version)),
        ("backup of cluster", Cell::text(restored.cluster)),
        ("backup of version", Cell::Count(restored.version)),
    ];
    Report::default().record("restored", fields)
}
