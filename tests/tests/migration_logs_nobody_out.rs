//! Beside the promises: a site moves to our manager from Tomcat's own ones, from Redisson or from memcached-session-manager as
//! `docs/migration.md` says, and who finishes in time is logged in throughout.
//!
//! Shown with the page's own lines and those of `docs/keep-your-proxy.md`, addresses of this machine in place of theirs: two real
//! Tomcats behind httpd, HAProxy or nginx, with the manager that a site comes from and the server in which that keeps sessions. n1
//! takes no new users while ada goes on there to her end, and comes once more, to n1 by the cookie that she has still; it is
//! switched; then n2 in the same way, with grace. Whoever did not finish meets what the page says of each manager. httpd is moved
//! with the site that has a mark of its own, the others by the jvmRoute. Behind that a user survives the death of her Tomcat;
//! behind httpd also the restart of one Tomcat after the other, and our proxy in httpd's place, with the file that `remora import`
//! writes.
//! Broken once to see it fail: httpd's word for n1 left out of the page (new users come to it still); JvmRouteBinderValve left out of
//! DeltaManager's Tomcats (who had not finished at n1 is sent back there, and logged out).

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::foreign::{Foreign, memcached, memcached_jars, redis, redisson_jars};
use remora_tests::fronts::{By, Front, Kind};
use remora_tests::imported::{imported, of_page, stand_in};
use remora_tests::page::{Block, changed};
use remora_tests::place::{adapter_jar, free_port};
use remora_tests::tomcat::Version;
use remora_tests::visitor::Visitor;
use remora_tests::wait::SOON;
use remora_tests::world::{Keeper, Plan};
use remora_tests::{Outcome, World, wait_until};

/// The page's changes: of each proxy's file for the first Tomcat, then for the second, and of context.xml.
const SECOND: usize = 3;
const FROM_REDISSON: usize = 6;
const FROM_MEMCACHED: usize = 7;

/// The store as the page writes it.
const STORE: &str = "192.0.2.1:7400,192.0.2.2:7400,192.0.2.3:7400";

/// memcached as the page writes it.
const MEMCACHED: &str = "192.0.2.21:11211";

/// New users are shared out evenly, or by a hash of what nobody foresees: so many in a row never miss one of two Tomcats.
const USERS: usize = 30;

/// New users who are looked at when all have to come to one Tomcat.
const ALL_OF: usize = 6;

/// A Tomcat that stops in order takes seconds.
const STOPPED: Duration = Duration::from_secs(30);

/// Redisson's file: containers' logins are objects of Java, which its usual codec does not restore whole.
const REDISSON: &str = "codec: !<org.redisson.codec.SerializationCodec> {}\nsingleServerConfig:\n  address: \"redis://127.0.0.1:";

/// How a site moves.
struct Way {
    /// What stands in front.
    kind: Kind,
    /// How that finds a user's Tomcat.
    by: By,
    /// The page's change of context.xml; where there is none, its line is added.
    context: Option<Block>,
    /// Where somebody's next click ends who was still at n1 when it stopped, and the one behind its return.
    unfinished: [&'static str; 2],
}

/// The change of that number, with this machine's memcached.
fn change(number: usize, port: u16) -> Result<Block> {
    let mut change = of_page("diff")?.swap_remove(number);
    change.text = change.text.replace(MEMCACHED, &format!("127.0.0.1:{port}"));
    Ok(change)
}

/// The line that a change takes out.
fn taken_out(change: &Block) -> Result<String> {
    let mut lines = change.text.lines();
    let line = lines.find_map(|line| line.strip_prefix('-'));
    Ok(line.context("the change takes a line out")?.to_owned())
}

/// A front that is given one file after the other, as by a reload.
struct Reloaded {
    kind: Kind,
    port: u16,
    front: Option<Front>,
}

impl Reloaded {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn load(&mut self, site: &str, world: &World) -> Outcome {
        drop(self.front.take());
        self.front = Some(
            self.kind
                .serve(site, self.port, world.directory(), &world.tomcats)?,
        );
        Ok(())
    }
}

/// Where a user's next click ends: at the Tomcat that serves her, with her mask, or at the login page.
fn ends_at(user: &mut Visitor) -> Result<String> {
    if user.is_signed_out()? {
        return Ok("login".to_owned());
    }
    let page = user.look()?;
    ensure!(page.cart == "mask:1", "a cart was lost: {page:?}");
    Ok(page.node)
}

/// Somebody with a mask in her cart, at that Tomcat.
fn user_at(front: SocketAddr, node: &str) -> Result<Visitor> {
    for _ in 0..USERS {
        let mut user = Visitor::new(front);
        if user.sign_in("ada", "lovelace")?.node == node {
            let page = user.add("mask")?;
            ensure!(
                page.node == node && page.cart == "mask:1",
                "she does not stay: {page:?}"
            );
            return Ok(user);
        }
    }
    anyhow::bail!("none of {USERS} users came to {node}")
}

/// New users come to that Tomcat, and to no other.
fn all_come_to(front: SocketAddr, node: &str) -> Outcome {
    let comes = || {
        let page = Visitor::new(front).sign_in("grace", "hopper")?;
        ensure!(page.node == node, "{node} was to take new users: {page:?}");
        Ok(())
    };
    wait_until("the file is in force", SOON, || comes().is_ok())?;
    (0..ALL_OF).try_for_each(|_| comes())
}

/// Takes the manager that is there out of a Tomcat's files, and puts ours in.
fn write_switched(base: &Path, way: &Way, store: &str) -> Outcome {
    let (server, context) = (base.join("conf/server.xml"), base.join("conf/context.xml"));
    let text = std::fs::read_to_string(&server)?;
    if let Some((before, rest)) = text.split_once("<Cluster") {
        let (_, after) = rest.split_once("</Cluster>").context("the element ends")?;
        std::fs::write(&server, format!("{before}{after}"))?;
    }
    let text = std::fs::read_to_string(&context)?;
    let text = match &way.context {
        Some(change) => changed(&text, change)?,
        None => {
            let line = of_page("xml")?.swap_remove(0).text;
            text.replace("<Context>\n", &format!("<Context>\n{line}"))
        }
    };
    ensure!(text.contains(STORE), "{text} has no line of ours");
    std::fs::write(&context, text.replace(STORE, store))?;
    for jar in std::fs::read_dir(base.join("lib"))? {
        std::fs::remove_file(jar?.path())?;
    }
    std::fs::copy(adapter_jar()?, base.join("lib/remora-tomcat-adapter.jar"))?;
    Ok(())
}

/// Stops a Tomcat, calls `meanwhile`, and starts it with our manager.
fn switch(world: &mut World, node: &str, way: &Way, meanwhile: impl FnOnce() -> Outcome) -> Outcome {
    let store = world.stores.client_list();
    let tomcat = world.tomcat(node)?;
    tomcat.process()?.stop(STOPPED)?;
    meanwhile()?;
    write_switched(tomcat.base(), way, &store)?;
    tomcat.launch()?;
    tomcat.wait_ready()?;
    Ok(())
}

/// A death logs nobody out any more.
fn dies(world: &mut World, front: &mut Reloaded) -> Outcome {
    let mut mary = user_at(front.address(), "n1")?;
    world.tomcat("n1")?.kill();
    ensure!(ends_at(&mut mary)? == "n2", "she lost her Tomcat and more");
    Ok(())
}

/// One Tomcat after the other is stopped in order and started, under the same user.
fn restarts(world: &mut World, front: SocketAddr) -> Outcome {
    let mut mary = user_at(front, "n1")?;
    for (node, other) in [("n1", "n2"), ("n2", "n1")] {
        world.tomcat(node)?.process()?.stop(STOPPED)?;
        ensure!(ends_at(&mut mary)? == other, "she goes on at {other}");
        world.tomcat(node)?.launch()?;
        world.tomcat(node)?.wait_ready()?;
        wait_until(&format!("{node} takes users again"), SOON, || {
            user_at(front, node).is_ok()
        })?;
    }
    Ok(())
}

/// The page's file of ours at the old proxy's port, under a user who is logged in.
fn proxy_takes_over(world: &mut World, front: &mut Reloaded) -> Outcome {
    let mut mary = user_at(front.address(), "n2")?;
    drop(front.front.take());
    let site = (front.kind, By::JvmRoute);
    let _ours = stand_in(world.directory(), site, front.port, &world.tomcats)?;
    ensure!(ends_at(&mut mary)? == "n2", "she stays where she is");
    world.tomcat("n2")?.kill();
    ensure!(ends_at(&mut mary)? == "n1", "and is logged in elsewhere");
    Ok(())
}

/// The whole of the page's section, step by step, and what comes behind it.
fn moves(plan: &Plan, way: &Way, behind: impl FnOnce(&mut World, &mut Reloaded) -> Outcome) -> Outcome {
    let changes = of_page("diff")?;
    let place = way.kind as usize;
    let usual = way.kind.site(way.by)?;
    let first = changed(&usual, &changes[place])?;
    let second = changed(&first, &changes[SECOND + place])?;
    plan.run(|world| {
        let (kind, port) = (way.kind, free_port()?);
        let mut front = Reloaded {
            kind,
            port,
            front: None,
        };
        front.load(&usual, world)?;
        let address = front.address();
        let mut ada = user_at(address, "n1")?;
        let mut alan = user_at(address, "n1")?;
        let mut grace = user_at(address, "n2")?;

        front.load(&first, world)?;
        all_come_to(address, "n2")?;
        ensure!(
            ends_at(&mut ada)? == "n1" && ends_at(&mut alan)? == "n1",
            "they stay at n1"
        );
        ensure!(ada.sign_out()?, "ada finishes");
        let again = ada.sign_in("ada", "lovelace")?;
        ensure!(again.node == "n1", "her cookie names n1 still: {again:?}");
        ensure!(ada.sign_out()?, "ada finishes once more");
        switch(world, "n1", way, || {
            let seen = ends_at(&mut alan)?;
            ensure!(
                seen == way.unfinished[0],
                "without n1, alan's click ends at {seen}"
            );
            ensure!(ends_at(&mut grace)? == "n2", "grace stays at n2");
            Ok(())
        })?;

        front.load(&second, world)?;
        all_come_to(address, "n1")?;
        let seen = ends_at(&mut alan)?;
        ensure!(
            seen == way.unfinished[1],
            "with n1 back, alan's click ends at {seen}"
        );
        ensure!(ends_at(&mut grace)? == "n2", "grace stays at n2");
        ensure!(grace.sign_out()?, "grace finishes");
        switch(world, "n2", way, || Ok(()))?;

        front.load(&usual, world)?;
        behind(world, &mut front)
    })
}

fn plan(version: Version) -> Plan {
    World::plan().stores(1).tomcats(&[version; 2]).no_proxy()
}

#[test]
fn from_tomcats_own_manager() -> Outcome {
    let way = Way {
        kind: Kind::Httpd,
        by: By::Mark,
        context: None,
        unfinished: ["login", "login"],
    };
    moves(
        &plan(Version::V11).keeper(Keeper::Standard),
        &way,
        |world, front| {
            restarts(world, front.address())?;
            front.load(&front.kind.site(By::JvmRoute)?, world)?;
            proxy_takes_over(world, front)
        },
    )
}

#[test]
fn from_delta_manager() -> Outcome {
    let way = Way {
        kind: Kind::Haproxy,
        by: By::JvmRoute,
        context: None,
        unfinished: ["n2", "n2"],
    };
    let keeper = Keeper::Delta { acknowledged: true };
    moves(&plan(Version::V10).keeper(keeper), &way, dies)
}

#[test]
fn from_redisson() -> Outcome {
    let directory = tempfile::tempdir()?;
    let server = redis(directory.path())?;
    let context = change(FROM_REDISSON, server.port)?;
    let foreign = Foreign {
        line: taken_out(&context)?,
        jars: redisson_jars()?,
        file: Some(("redisson.yaml", format!("{REDISSON}{}\"\n", server.port))),
    };
    let way = Way {
        kind: Kind::Haproxy,
        by: By::JvmRoute,
        context: Some(context),
        unfinished: ["n2", "login"],
    };
    moves(&plan(Version::V10).foreign(foreign), &way, dies)
}

#[test]
fn from_memcached_session_manager() -> Outcome {
    let directory = tempfile::tempdir()?;
    let server = memcached(directory.path())?;
    let context = change(FROM_MEMCACHED, server.port)?;
    let foreign = Foreign {
        line: taken_out(&context)?,
        jars: memcached_jars()?,
        file: None,
    };
    let way = Way {
        kind: Kind::Nginx,
        by: By::JvmRoute,
        context: Some(context),
        unfinished: ["n2", "n2"],
    };
    moves(&plan(Version::V9).foreign(foreign), &way, dies)
}

#[test]
fn files_of_the_page_have_a_counterpart_each() -> Outcome {
    for kind in Kind::ALL {
        for by in [By::JvmRoute, By::Mark] {
            let directory = tempfile::tempdir()?;
            imported(directory.path(), kind, by).with_context(|| format!("{}, {by:?}", kind.name()))?;
        }
    }
    Ok(())
}
