//! When a tunnel's client is to leave: its upstream was drained by an operator or taken out of its pool, or the pool is under
//! maintenance, which is not for this client to see.
//!
//! What has a sign is asked again before it acts: a drain that was ended within the grace moves nobody. Clients leave at
//! times of their own, so that they do not come back all at once.
//!
//! Left out on purpose: an upstream that is leaving or down. Its tunnels stay for as long as it keeps them.

use std::net::IpAddr;
use std::time::Duration;

use remora_policy::UpstreamId;

use crate::directory::Directory;

/// Completes when this client of this upstream is to leave.
pub(super) async fn due(directory: Directory, upstream: UpstreamId, client: IpAddr) {
    let mut changes = directory.changes();
    loop {
        changes.mark_unchanged();
        if keeps(&directory, upstream, client) {
            // The directory is this task's own: its sender is not gone.
            let _ = changes.changed().await;
            continue;
        }
        tokio::time::sleep(grace(&directory)).await;
        if !keeps(&directory, upstream, client) {
            return;
        }
    }
}

/// Whether the upstream keeps this one.
fn keeps(directory: &Directory, upstream: UpstreamId, client: IpAddr) -> bool {
    let current = directory.current();
    let snapshot = &current.snapshot;
    let mut pools = snapshot.upstreams.pools.iter().enumerate();
    let found = pools.find_map(|(pool, members)| Some((pool, members.member(upstream)?)));
    found.is_some_and(|(pool, upstream)| {
        !upstream.state.sends_away() && snapshot.notice(pool, client).is_none()
    })
}

/// How long this one may stay: the grace, and up to as much again.
fn grace(directory: &Directory) -> Duration {
    let grace = directory.current().snapshot.limits.tunnel_grace;
    grace.mul_f64(rand::random_range(1.0..=2.0))
}

#[cfg(test)]
mod tests {
    use remora_policy::{AdminState, Wish};

    use super::*;
    use crate::directory::testing::ONE_MEMBER;

    const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

    fn maintain(directory: &Directory, on: bool) {
        let mut wishes = directory.wishes();
        let maintenance = remora_policy::Maintenance {
            on,
            since: 0,
            by: "ada".into(),
            retry_after: None,
            page: None,
            mark: remora_policy::Mark::default(),
        };
        wishes.pools.set("a", maintenance, false);
        directory.follow(wishes);
    }

    #[tokio::test(start_paused = true)]
    async fn maintenance_ends_tunnels_but_of_those_who_may_look() {
        let file = ONE_MEMBER.replace(
            "[[route]]",
            "[pool.a.maintenance]\nexcept = [\"192.0.2.9\"]\n[[route]]",
        );
        let directory = Directory::of_file(&file);
        let id = directory.current().snapshot.upstreams.pools[0].members[0].id;
        let ends = async |client: IpAddr| {
            let due = due(directory.clone(), id, client);
            tokio::time::timeout(Duration::from_secs(100), due).await.is_ok()
        };
        let other = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        maintain(&directory, true);
        assert!(!ends(OFFICE).await);
        assert!(ends(other).await);
        maintain(&directory, false);
        assert!(!ends(other).await);
    }

    fn wish(directory: &Directory, state: Option<AdminState>) {
        let mut wishes = directory.wishes();
        wishes.set(
            "n1",
            Wish {
                state,
                ..Wish::default()
            },
            false,
        );
        directory.follow(wishes);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_that_ends_within_the_grace_moves_nobody() {
        let directory = Directory::of_file(ONE_MEMBER);
        let id = directory.current().snapshot.upstreams.pools[0].members[0].id;
        let mut due = std::pin::pin!(due(directory.clone(), id, OFFICE));
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
