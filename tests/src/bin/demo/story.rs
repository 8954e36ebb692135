//! What happens: a user shops while a Tomcat and the leading store die and come back.

use anyhow::{Result, ensure};
use remora_tests::visitor::{ShopPage, Visitor};
use remora_tests::wait::{START, wait_until};

use crate::setting::Setting;
use crate::telling::Telling;

/// Tells the whole story; an error is a promise that was not kept.
pub(crate) fn tell(setting: &mut Setting, telling: &Telling) -> Result<()> {
    let mut ada = Visitor::new(setting.proxy.address);
    let home = shops(&mut ada, telling)?;
    let refuge = loses_her_tomcat(setting, &mut ada, telling, &home)?;
    let dead = loses_the_leader(setting, &mut ada, telling, &refuge)?;
    the_dead_return(setting, &mut ada, telling, &home.node, dead)
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
    setting: &mut Setting,
    ada: &mut Visitor,
    telling: &Telling,
    home: &ShopPage,
) -> Result<ShopPage> {
    let before = ada.session_id()?.to_owned();
    telling.blow("SIGKILL for her Tomcat", || {
        setting.tomcat(&home.node)?.kill();
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

fn loses_the_leader(
    setting: &mut Setting,
    ada: &mut Visitor,
    telling: &Telling,
    before: &ShopPage,
) -> Result<u64> {
    let leader = setting.stores.wait_ready()?;
    telling.blow("SIGKILL for the leading store", || {
        setting.stores.kill(leader)?;
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
        let next = setting.stores.wait_ready()?;
        ensure!(next != leader, "store {leader} is dead and cannot lead");
        Ok((
            format!("store {next} leads now; every save is still on a majority: two of three disks"),
            (),
        ))
    })?;
    Ok(leader)
}

fn the_dead_return(
    setting: &mut Setting,
    ada: &mut Visitor,
    telling: &Telling,
    node: &str,
    store: u64,
) -> Result<()> {
    telling.step("the store starts again", || {
        setting.stores.launch(store)?;
        setting.stores.wait_caught_up(store)?;
        let status = setting.stores.status(store)?;
        Ok((
            format!(
                "started store {store} again: it rejoined as {}, caught up to entry {}",
                status.role, status.applied_index
            ),
            (),
        ))
    })?;
    telling.step("the Tomcat starts again", || {
        setting.tomcat(node)?.launch()?;
        setting.tomcat(node)?.wait_ready()?;
        setting.proxy.wait_health(node, "up")?;
        Ok((
            format!("started Tomcat {node} again: the proxy sends it new users"),
            (),
        ))
    })?;
    telling.step("new users come", || {
        let wait = wait_until(&format!("a new user served by {node}"), START, || {
            Visitor::new(setting.proxy.address)
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
