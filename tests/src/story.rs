//! What happens: a user shops while a Tomcat and the leading store die and come back. The demo tells it of what was built, and a
//! claim of what is installed.
//!
//! Left out: how a site is set up.

use anyhow::{Context, Result, ensure};

use crate::proxy::Proxy;
use crate::stores::Stores;
use crate::telling::Telling;
use crate::tomcat::Tomcat;
use crate::visitor::{ShopPage, Visitor};
use crate::wait::{START, wait_until};

/// Where it happens.
#[derive(Debug)]
pub struct Site {
    /// Three nodes.
    pub stores: Stores,
    /// In front of the Tomcats.
    pub proxy: Proxy,
    /// Two of them, with the shop.
    pub tomcats: Vec<Tomcat>,
}

impl Site {
    /// Waits until users can come.
    ///
    /// # Errors
    /// A part of it is not there in time.
    pub fn wait_ready(&self) -> Result<()> {
        self.proxy.wait_ready()?;
        for tomcat in &self.tomcats {
            tomcat.wait_ready()?;
            self.proxy.wait_health(tomcat.node(), "up")?;
            // Compiles the pages, as they are on any server that has been up for a while.
            let mut alan = Visitor::new(tomcat.address());
            alan.sign_in("alan", "turing")?;
            alan.add("rope")?;
            ensure!(alan.sign_out()?, "the login page follows a sign-out");
        }
        Ok(())
    }

    /// The Tomcat of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn tomcat(&mut self, node: &str) -> Result<&mut Tomcat> {
        let found = self.tomcats.iter_mut().find(|tomcat| tomcat.node() == node);
        found.with_context(|| format!("no Tomcat is called {node}"))
    }

    /// The last words of every process.
    pub fn tails(&self) -> String {
        let mut parts = vec![self.stores.tails(), self.proxy.tail()];
        parts.extend(self.tomcats.iter().map(Tomcat::tail));
        parts.join("\n")
    }
}

/// Tells the whole story; an error is a promise that was not kept.
///
/// # Errors
/// With the step that was not as promised.
pub fn tell(site: &mut Site, telling: &Telling) -> Result<()> {
    let mut ada = Visitor::new(site.proxy.address);
    let home = shops(&mut ada, telling)?;
    let refuge = loses_her_tomcat(site, &mut ada, telling, &home)?;
    let dead = loses_the_leader(site, &mut ada, telling, &refuge)?;
    the_dead_return(site, &mut ada, telling, &home.node, dead)
}

/// Signs in and fills the cart.
fn shops(ada: &mut Visitor, telling: &Telling) -> Result<ShopPage> {
    let page = telling.step("ada signs in", || {
        let page = ada.sign_in("ada", "lovelace")?;
        ensure!(
            page.user == "ada" && page.cart.is_empty(),
            "expected ada with an empty cart, saw {page:?}"
        );
        let id = ada.session_id()?;
        Ok((
            format!(
                "ada signed in through the proxy; {} serves her, session {}",
                page.node,
                short(id)
            ),
            page,
        ))
    })?;
    telling.step("ada fills her cart", || {
        for item in ["mask", "lamp", "shark"] {
            ada.add(item)?;
        }
        let filled = ada.add("mask")?;
        ensure!(
            filled.cart == "mask:2,lamp:1,shark:1",
            "expected four pieces in the cart, saw {filled:?}"
        );
        ensure!(
            filled.node == page.node,
            "expected {} to serve her, saw {filled:?}",
            page.node
        );
        Ok((format!("she filled her cart: {}", cart(&filled)), filled))
    })
}

fn loses_her_tomcat(
    site: &mut Site,
    ada: &mut Visitor,
    telling: &Telling,
    home: &ShopPage,
) -> Result<ShopPage> {
    let before = ada.session_id()?.to_owned();
    telling.blow("SIGKILL for her Tomcat", || {
        site.tomcat(&home.node)?.kill();
        Ok((format!("killed Tomcat {} with SIGKILL", home.node), ()))
    })?;
    telling.step("ada clicks on", || {
        let page = ada.look()?;
        ensure!(
            page.node != home.node,
            "expected another Tomcat than {}, saw {page:?}",
            home.node
        );
        ensure!(
            page.user == "ada" && page.cart == home.cart,
            "expected ada and her cart, saw {page:?}"
        );
        ensure!(
            page.age >= home.age,
            "expected the same session, saw a younger one: {page:?}"
        );
        let after = ada.session_id()?;
        ensure!(
            bare(after) == bare(&before),
            "expected the same session id, saw another one"
        );
        let seen = format!(
            "her next click: {} answers, still signed in, cart intact, same session, now {}",
            page.node,
            short(after)
        );
        Ok((seen, page))
    })
}

fn loses_the_leader(site: &mut Site, ada: &mut Visitor, telling: &Telling, before: &ShopPage) -> Result<u64> {
    let leader = site.stores.wait_ready()?;
    telling.blow("SIGKILL for the leading store", || {
        site.stores.kill(leader)?;
        Ok((format!("killed store {leader}, the leader, with SIGKILL"), ()))
    })?;
    telling.step("ada adds a compass", || {
        let page = ada.add("compass")?;
        let expected = format!("{},compass:1", before.cart);
        ensure!(
            page.cart == expected && page.user == "ada",
            "expected the cart {expected}, saw {page:?}"
        );
        Ok((format!("she added a compass at once: {}", cart(&page)), ()))
    })?;
    telling.step("the stores that are left agree", || {
        let next = site.stores.wait_ready()?;
        ensure!(next != leader, "store {leader} is dead and cannot lead");
        Ok((
            format!("store {next} leads now; every save is still on a majority: two of three disks"),
            (),
        ))
    })?;
    Ok(leader)
}

fn the_dead_return(
    site: &mut Site,
    ada: &mut Visitor,
    telling: &Telling,
    node: &str,
    store: u64,
) -> Result<()> {
    telling.step("the store starts again", || {
        site.stores.launch(store)?;
        site.stores.wait_caught_up(store)?;
        let status = site.stores.status(store)?;
        Ok((
            format!(
                "started store {store} again: it rejoined as {}, caught up to entry {}",
                status.role, status.applied_index
            ),
            (),
        ))
    })?;
    telling.step("the Tomcat starts again", || {
        site.tomcat(node)?.launch()?;
        site.tomcat(node)?.wait_ready()?;
        site.proxy.wait_health(node, "up")?;
        Ok((
            format!("started Tomcat {node} again: the proxy sends it new users"),
            (),
        ))
    })?;
    telling.step("new users come", || {
        let wait = wait_until(&format!("a new user served by {node}"), START, || {
            Visitor::new(site.proxy.address)
                .sign_in("grace", "hopper")
                .is_ok_and(|page| page.node == node)
        });
        wait?;
        Ok((format!("grace signed in and is served by {node}"), ()))
    })?;
    telling.step("ada looks once more", || {
        let page = ada.look()?;
        ensure!(
            page.user == "ada" && page.cart == "mask:2,lamp:1,shark:1,compass:1",
            "saw {page:?}"
        );
        ensure!(page.node != node, "ada was moved back to {node} for no reason");
        Ok((
            format!(
                "ada stays where she is, at {}: one sign-in, {} s ago, nothing lost",
                page.node, page.age
            ),
            (),
        ))
    })
}

fn bare(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

/// A session id as it may be shown: it is a credential, so only its ends.
fn short(id: &str) -> String {
    let route = id
        .split_once('.')
        .map_or(String::new(), |(_, route)| format!(".{route}"));
    format!("{}…{route}", bare(id).chars().take(4).collect::<String>())
}

fn cart(page: &ShopPage) -> String {
    let piece = |line: &str| {
        line.split_once(':')
            .map_or(line.to_owned(), |(item, count)| format!("{count} {item}"))
    };
    page.cart.split(',').map(piece).collect::<Vec<_>>().join(", ")
}
