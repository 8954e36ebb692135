//! Promise 4: a Tomcat that is at work with all its threads is not taken for a frozen one twice, and never where its threads
//! are known.
//!
//! Shown with a Tomcat of eight threads, an idle one beside it, and 24 users who ask the first for long pages at once. A proxy
//! that never saw such a burst is mistaken once at most. After that, the page runs once for each GET, all at their own
//! Tomcat, and it is never called down again. A proxy that knows the eight threads is not mistaken at all.
//! Broken once to see it fail: patience of a tenth of the longest silence (48 runs for 24 GETs of the second burst); `threads`
//! not read (48 runs for the 24 GETs of the third).

use anyhow::{Result, anyhow, ensure};
use remora_tests::http::Browser;
use remora_tests::tomcat::Version;
use remora_tests::visitor::told;
use remora_tests::{Outcome, World};

const USERS: usize = 24;

/// Threads for requests at each Tomcat: a third of the users.
const THREADS: u32 = 8;

/// A page of the first burst: longer than the least patience, so that the proxy may be mistaken, and learns.
const FIRST_MILLIS: u32 = 2_000;

/// A page of the others: still longer than the least patience, and well below what the first has taught.
const LATER_MILLIS: u32 = 1_500;

/// All users of n1 ask for a long page at once, and each is answered; the nodes that ran it.
fn burst(world: &World, key: &str, millis: u32) -> Result<Vec<String>> {
    let front = world.front_door()?;
    let users: Vec<_> = (0..USERS)
        .map(|_| {
            let mut user = Browser::new(front);
            user.set_cookie("JSESSIONID", "0123456789ABCDEF.n1", "/");
            let page = format!("/probe/work.jsp?key={key}&millis={millis}");
            std::thread::spawn(move || user.get(&page))
        })
        .collect();
    for user in users {
        let answer = user.join().map_err(|_| anyhow!("a user panicked"))??;
        ensure!(answer.status == 200, "{key}: {}", told(&answer));
    }
    Ok(world.signals.executions(key))
}

fn each_once_at_n1(world: &World, key: &str) -> Outcome {
    let runs = burst(world, key, LATER_MILLIS)?;
    ensure!(runs == vec!["n1"; USERS], "{key}: {} runs, {runs:?}", runs.len());
    Ok(())
}

#[test]
fn in_bursts_of_long_pages() -> Outcome {
    let plan = World::plan().stores(0).tomcats(&[Version::V10; 2]);
    let plan = plan.java_option(&format!("-Dconnector.threads={THREADS}"));
    plan.run(|world| {
        // Before its Tomcats listened it rightly called them down.
        let before = world.proxy()?.verdicts_against("n1")?;
        burst(world, "first", FIRST_MILLIS)?;
        for node in ["n1", "n2"] {
            world.proxy()?.wait_health(node, "up")?;
        }
        let mistaken = world.proxy()?.verdicts_against("n1")?;
        ensure!(
            mistaken <= before + 1,
            "mistaken {} times in the first burst",
            mistaken - before
        );
        each_once_at_n1(world, "second")?;
        let in_all = world.proxy()?.verdicts_against("n1")?;
        ensure!(in_all == mistaken, "mistaken again");

        let route = "route = \"n1\"\n";
        let told = format!("{route}threads = {THREADS}\n");
        world.proxy()?.start_anew(|file| file.replace(route, &told))?;
        each_once_at_n1(world, "told")?;
        ensure!(
            world.proxy()?.verdicts_against("n1")? == in_all,
            "mistaken though told"
        );
        Ok(())
    })
}
