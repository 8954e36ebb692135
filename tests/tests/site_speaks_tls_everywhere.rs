//! Beside the promises: whoever is no part of the site gets nothing from the store, and whoever is gets what their certificate
//! says.
//!
//! Shown, with certificates of the command line's own authority on stores, Tomcats, proxy and operators, where the proxy knows no
//! Tomcat but what the store tells: a user survives SIGKILL of her Tomcat; without a certificate nobody is answered, and is told
//! what is missing; a reader looks, ends nothing and sees no value, and is written down for trying; an operator sees the cart,
//! and that is written down with the name. Then the authority is replaced by another, step by step and without a restart, until
//! the old one counts nowhere: the proxy follows the next leader, the user is still signed in, until an operator ends her session
//! by its cookie, read from standard input.
//! Broken once to see it fail: the gate lets everybody through (the reader ends sessions); the files are read once (nobody
//! connects with the new authority).

use std::io::Write;
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
        .discovering()
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
            let proxy = world.proxy()?;
            wait_until("the proxy follows the next", SOON, || proxy.is_following())?;
            let after = ada.add("lamp")?;
            ensure!(after.user == "ada" && after.cart == "shark:1,lamp:1", "{after:?}");

            ends_by_her_cookie(world, ada.session_id()?)?;
            ensure!(ada.is_signed_out()?, "her session was ended");
            Ok(())
        })
}

/// Ends a session by the cookie that its user sent along, which no command line shows.
fn ends_by_her_cookie(world: &World, id: &str) -> Outcome {
    let mut command = Command::new(place::program("remora")?);
    command.args(["--store", &world.stores.client_list()]);
    command.args(world.certificates()?.flags("admin"));
    command.args(["sessions", "kill", "--cookie", "-"]);
    let (pipe, mut mine) = std::io::pipe()?;
    write!(mine, "Cookie: theme=dark; JSESSIONID={id}")?;
    drop(mine);
    let output = command.stdin(pipe).output().context("run remora")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success() && said.contains('1'), "{said}");
    Ok(())
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
    ensure!(
        said.contains("it takes one that names remora://adapter/APPLICATION or remora://admin"),
        "{said}"
    );
    let said = refused(world, Some("adapter"), &["sessions", "list"])?;
    ensure!(said.contains("names no application"), "{said}");
    let others = ["sessions", "list", "--application", "elsewhere/bank"];
    let said = refused(world, Some("adapter"), &others)?;
    ensure!(
        said.contains("does not speak for the application elsewhere/bank"),
        "{said}"
    );
    let listed = world.operator(&["sessions", "list", "--user", "ada"])?;
    let hers = listed
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().next());
    let values = ["sessions", "show", "--values", hers.context("her session")?];
    let said = refused(world, Some("reader"), &values)?;
    ensure!(said.contains("gives no right to ShowValues"), "{said}");
    let shown = world.operator(&values)?;
    ensure!(
        shown.contains(r#"{"shark":1}"#),
        "an operator sees the cart: {shown}"
    );
    world.operator(&["upstreams", "drain", "n1", "--yes"])?;
    world.operator(&["upstreams", "undrain", "n1"])?;
    let mut books = world.proxy()?.process()?.output();
    for node in world.stores.ids() {
        books.push_str(&world.stores.process(node)?.output());
    }
    for entry in [
        "refused: the certificate of reader (remora://reader) gives no right to KillSessions",
        "refused: the certificate of reader (remora://reader) gives no right to ShowValues",
        "told the values of session localhost/shop/",
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
