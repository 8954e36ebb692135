//! Beside the promises: whoever is no part of the site gets nothing from the store, and whoever is gets what their certificate
//! says.
//!
//! Shown, with certificates of the command line's own authority on stores, Tomcats, proxy and operators: a user survives
//! SIGKILL of her Tomcat; without a certificate nobody is answered, and is told what is missing; a reader looks and ends
//! nothing, and is written down for trying; what an operator does is written down with the name. Then the authority is
//! replaced by another, step by step and without a restart, until the old one counts nowhere: the user is still signed in.
//! Broken once to see it fail: the gate lets everybody through (the reader ends sessions); the files are read once (nobody
//! connects with the new authority).

use std::process::Command;

use anyhow::{Context, ensure};
use remora_tests::place;
use remora_tests::tomcat::Version;
use remora_tests::wait::{SOON, wait_until};
use remora_tests::{Outcome, World};

#[test]
fn a_site_keeps_strangers_out_and_its_users_in() -> Outcome {
    World::plan()
        .tomcats(&[Version::V9, Version::V11])
        .secured()
        .run(|world| {
            let mut ada = world.visitor()?;
            let page = ada.sign_in("ada", "lovelace")?;
            ada.add("shark")?;
            world.tomcat(&page.node)?.kill();
            let moved = ada.look()?;
            ensure!(moved.user == "ada" && moved.cart == "shark:1", "{moved:?}");

            strangers_are_told_what_is_missing(world)?;
            each_does_what_the_certificate_says(world)?;
            another_authority_takes_over(world)?;

            let leader = world.stores.wait_ready()?;
            world.operator(&["nodes", "transfer-leader"])?;
            ensure!(world.stores.wait_ready()? != leader, "leadership stayed");
            let after = ada.add("lamp")?;
            ensure!(after.user == "ada" && after.cart == "shark:1,lamp:1", "{after:?}");
            Ok(())
        })
}

/// What the command line says with the certificate of that name, or with none; an error if it did what it was asked.
fn refused(world: &World, holder: Option<&str>, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(place::program("remora")?);
    command.args(["--store", &world.stores.client_list()]);
    if let Some(name) = holder {
        command.args(world.certificates()?.flags(name));
    }
    let output = command.args(words).output().context("run remora")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "{holder:?} was not refused: {words:?}");
    Ok(said)
}

fn strangers_are_told_what_is_missing(world: &World) -> Outcome {
    let said = refused(world, None, &["sessions", "list"])?;
    ensure!(said.contains("--tls-authority"), "{said}");
    Ok(())
}

fn each_does_what_the_certificate_says(world: &mut World) -> Outcome {
    let said = refused(world, Some("reader"), &["sessions", "kill", "--all", "--yes"])?;
    ensure!(said.contains("it takes one that names remora://admin"), "{said}");
    let said = refused(world, Some("adapter"), &["sessions", "list"])?;
    ensure!(said.contains("gives no right to ListSessions"), "{said}");
    world.operator(&["sessions", "kill", "--principal", "nobody", "--yes"])?;
    world.operator(&["upstreams", "drain", "n1"])?;
    world.operator(&["upstreams", "undrain", "n1"])?;
    let mut books = world.proxy()?.process()?.output();
    for node in world.stores.ids() {
        books.push_str(&world.stores.process(node)?.output());
    }
    for entry in [
        "refused: the certificate of reader (remora://reader) gives no right to KillSessions",
        "ended 0 sessions: principal nobody",
        "ProxyAdmin/Drain",
        "admin (remora://admin)",
    ] {
        ensure!(books.contains(entry), "not in the books: {entry}");
    }
    Ok(())
}

fn another_authority_takes_over(world: &mut World) -> Outcome {
    for step in 1..=3 {
        let certificates = world.certificates()?;
        match step {
            1 => certificates.next_authority()?,
            2 => certificates.reissue()?,
            _ => certificates.forget_old()?,
        }
        world.proxy()?.process()?.signal("HUP")?;
        for node in world.stores.ids() {
            world.stores.process(node)?.signal("HUP")?;
        }
        for node in world.stores.ids() {
            let process = world.stores.process(node)?;
            let taken = || process.output().matches("the TLS files have changed").count() >= step;
            wait_until(
                &format!("store {node} has read its files {step} times"),
                SOON,
                taken,
            )?;
        }
    }
    Ok(())
}
