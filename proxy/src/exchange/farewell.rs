//! When a tunnel's client is to leave: its upstream was drained by an operator or taken out of its pool.
//!
//! What has a sign is asked again before it acts: a drain that was ended within the grace moves nobody. Clients leave at
//! times of their own, so that they do not come back all at once.
//!
//! Left out on purpose: an upstream that is leaving or down. Its tunnels stay for as long as it keeps them.

use std::time::Duration;

use remora_policy::UpstreamId;

use crate::directory::Directory;

/// Completes when clients of this upstream are to leave.
pub(super) async fn due(directory: Directory, upstream: UpstreamId) {
    let mut changes = directory.changes();
    loop {
        changes.mark_unchanged();
        if keeps(&directory, upstream) {
            // The directory is this task's own: its sender is not gone.
            let _ = changes.changed().await;
            continue;
        }
        tokio::time::sleep(grace(&directory)).await;
        if !keeps(&directory, upstream) {
            return;
        }
    }
}

/// Whether the upstream keeps those that it has.
fn keeps(directory: &Directory, upstream: UpstreamId) -> bool {
    let current = directory.current();
    let found = current.snapshot.upstreams.find(upstream);
    found.is_some_and(|(_, upstream)| !upstream.state.sends_away())
}

/// How long this one may stay: the grace, and up to as much again.
fn grace(directory: &Directory) -> Duration {
    let grace = directory.current().snapshot.limits.tunnel_grace;
    grace.mul_f64(rand::random_range(1.0..=2.0))
}

#[cfg(test)]
mod tests {
    use remora_policy::{AdminState, Wish};
    use remora_process::config::Source;

    use super::*;
    use crate::config::Config;

    const FILE: &str = r#"
[[listen]]
bind = "127.0.0.1:0"
[[route]]
path = "/"
to = "a"
[[pool.a.member]]
url = "http://127.0.0.1:1"
route = "n1"
"#;

    fn wish(directory: &Directory, state: Option<AdminState>) {
        let mut wishes = directory.wishes();
        wishes.set(
            "n1",
            Wish {
                state,
                ..Wish::default()
            },
        );
        directory.follow(wishes);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_that_ends_within_the_grace_moves_nobody() {
        let directory = Directory::new(&Config::read(&Source::from_text("test", FILE)).unwrap());
        let id = directory.current().snapshot.upstreams.pools[0].members[0].id;
        let mut due = std::pin::pin!(due(directory.clone(), id));
        let mut ends_within = async |seconds| {
            let limit = Duration::from_secs(seconds);
            tokio::time::timeout(limit, &mut due).await.is_ok()
        };
        wish(&directory, Some(AdminState::Finishing));
        assert!(!ends_within(100).await, "who is finishing keeps its users");
        wish(&directory, Some(AdminState::Draining));
        assert!(!ends_within(5).await);
        wish(&directory, None);
        assert!(!ends_within(100).await);
        wish(&directory, Some(AdminState::Disabled));
        assert!(ends_within(21).await);
    }
}
