//! Promise 9: an application that brings a session manager of its own along is named to operators; it is not protected.
//!
//! Shown: beside the shop, whose sessions the store keeps, an application deploys whose META-INF/context.xml has a Manager
//! of its own. It serves as it did. Tomcat's log names it, `remora applications` lists both and says which is protected, and
//! `remora status` and `remora audit` count it as trouble, with exit code 1; the audit has the Tomcat's own word that the shop loses
//! nothing.
//! Broken once to see it fail: the valve's word to the store (it is not listed).

use std::process::Command;

use anyhow::{Context, Result, ensure};
use remora_tests::place::{free_port, program};
use remora_tests::probe::Signals;
use remora_tests::stores::{StorePorts, Stores};
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};
use remora_tests::wait::START;
use remora_tests::{Outcome, wait_until};

/// What `remora` answers, and whether it exits with 0.
fn ask(stores: &Stores, arguments: &[&str]) -> Result<(String, bool)> {
    let output = Command::new(program("remora")?)
        .args(["--store", &stores.client_list()])
        .args(arguments)
        .output()
        .context("run remora")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((said, output.status.success()))
}

fn row<'a>(said: &'a str, application: &str) -> Option<Vec<&'a str>> {
    let rows = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.into_iter().find(|row| row.first() == Some(&application))
}

#[test]
fn an_application_with_a_manager_of_its_own_is_named() -> Outcome {
    let directory = tempfile::tempdir()?;
    let signals = Signals::new(&directory.path().join("signals"))?;
    let stores = Stores::start(directory.path(), &[StorePorts::free()?])?;
    stores.wait_ready()?;
    let plan = TomcatPlan {
        version: Version::V10,
        node: "n1".to_owned(),
        jvm_route: true,
        port: free_port()?,
        store: Some(stores.client_list()),
        manager: Vec::new(),
        replication: None,
        behind_front: false,
        applications: vec![Application::Shop, Application::Own],
        java_options: QUICK_START.to_owned(),
        signals: signals.directory().to_path_buf(),
    };
    let tomcat = Tomcat::start(directory.path(), plan)?;
    tomcat.wait_ready()?;
    is_named(&stores, &tomcat).map_err(|error| error.context(tomcat.tail()))
}

fn is_named(stores: &Stores, tomcat: &Tomcat) -> Outcome {
    let mut said = String::new();
    wait_until("both applications in the list", START, || {
        said = ask(stores, &["applications"]).map_or_else(|error| error.to_string(), |(said, _)| said);
        row(&said, "localhost/own").is_some() && row(&said, "localhost/shop").is_some()
    })
    .with_context(|| said.clone())?;
    let (own, shop) = (row(&said, "localhost/own"), row(&said, "localhost/shop"));
    ensure!(
        own.is_some_and(|row| row[1..3] == ["n1", "no"])
            && shop.is_some_and(|row| row[1..4] == ["n1", "yes", "serve"]),
        "who is protected: {said}"
    );
    let (mut said, well) = ask(stores, &["status"])?;
    ensure!(
        !well && said.contains("Tomcat n1") && said.contains("localhost/own"),
        "status: {said}"
    );
    // The Tomcat tells how the shop fares, which loses nothing.
    wait_until("the Tomcat's own word in the audit", START, || {
        said = ask(stores, &["audit"]).map_or_else(|error| error.to_string(), |(said, _)| said);
        row(&said, "localhost/shop").is_some_and(|row| row[1..7] == ["n1", "yes", "0", "0", "0", "0"])
    })
    .with_context(|| said.clone())?;
    let (said, well) = ask(stores, &["audit"])?;
    ensure!(
        !well && said.contains("localhost/own on n1 has a session manager of its own"),
        "audit: {said}"
    );
    let log = tomcat.log()?;
    ensure!(
        log.contains("\"localhost/own\" has a session manager of its own"),
        "no line in the log"
    );
    Ok(())
}
