//! Beside the promises: silence takes nobody out of a pool.
//!
//! Shown with a proxy that knows no Tomcat but what the store tells, and two Tomcats of which one is killed: it is down, and stays in
//! the pool. Then the store is without a leader for ten seconds, and after that all of its nodes are killed and started anew. The
//! pool has both Tomcats all the while, users are served, and at the end the store still names both: it has forgotten no
//! announcement, although one of them could not be said again.
//! Broken once to see it fail: a stream that ends is taken for an empty view (the pool is empty while no node leads).

use std::time::Duration;

use anyhow::{Result, ensure};
use remora_tests::proxy::Proxy;
use remora_tests::tomcat::Version;
use remora_tests::wait::{SOON, holds_for};
use remora_tests::{Outcome, World, wait_until};

/// How long nobody leads: longer than every patience of the proxy with the store, and than any lease.
const LEADERLESS: Duration = Duration::from_secs(10);

fn routes(proxy: &Proxy) -> Result<Vec<String>> {
    let mut routes: Vec<String> = (proxy.upstreams()?.into_iter())
        .map(|upstream| upstream.route)
        .collect();
    routes.sort();
    Ok(routes)
}

fn is_whole(proxy: &Proxy) -> bool {
    routes(proxy).is_ok_and(|routes| routes == ["n1", "n2"])
}

#[test]
fn through_ten_seconds_without_a_leader_and_a_restart_of_all() -> Outcome {
    let plan = World::plan().discovering().tomcats(&[Version::V10; 2]);
    plan.run(|world| {
        world.tomcat("n2")?.kill();
        world.proxy()?.wait_health("n2", "down")?;
        let mut ids = world.stores.ids();
        let last = ids.pop().unwrap_or_default();
        for id in &ids {
            world.stores.kill(*id)?;
        }
        let mut caller = world.caller()?;
        let proxy = world.proxy()?;
        wait_until("the proxy says that the store is away", SOON, || {
            !proxy.is_following()
        })?;
        holds_for("both are in the pool, and users are served", LEADERLESS, || {
            let page = caller.browser.get("/probe/nothing-here");
            is_whole(proxy) && page.is_ok_and(|page| page.status == 404)
        })?;
        world.stores.kill(last)?;
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        world.stores.wait_ready()?;
        let proxy = world.proxy()?;
        wait_until("the proxy follows again", SOON, || {
            ensure_whole(proxy).is_ok() && proxy.is_following()
        })?;
        ensure_whole(proxy)?;
        let named = world.operator(&["applications", "-o", "json"])?;
        ensure!(
            named.contains("\"n1\"") && named.contains("\"n2\""),
            "the store names both: {named}"
        );
        Ok(())
    })
}

fn ensure_whole(proxy: &Proxy) -> Outcome {
    ensure!(is_whole(proxy), "the pool is {:?}", routes(proxy));
    Ok(())
}
