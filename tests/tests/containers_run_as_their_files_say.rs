//! Beside the promises: what `packaging/containers` asks of a container engine works, as far as processes can show it.
//!
//! Shown: every `COPY` finds its file and every `RUN` does what it should, in a root of its own; each service of the compose file
//! runs there as its user, as the first process of a machine of its own, with its variables, files and volumes, and its check
//! passes, as do those of the images; a user signs in, her Tomcat is killed, and she goes on at the other; each service ends
//! within its grace when it is asked to. No engine takes part: `remora_tests::containers` says what that leaves open.
//! Broken once to see it fail: the store's directory of another user (it cannot write, and is never healthy); a Tomcat that
//! nobody told its route (her session names none).

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use remora_tests::Outcome;
use remora_tests::compose::{Compose, Service, Until};
use remora_tests::containers::{Base, Container, Image, Network, context, possible};
use remora_tests::place::repository;
use remora_tests::visitor::Visitor;

/// Where users reach the proxy, inside.
const FRONT: u16 = 8080;

#[test]
fn every_service_runs_and_ends_as_the_files_say() -> Outcome {
    if !possible() {
        return Ok(());
    }
    let directory = tempfile::Builder::new().prefix("remora-containers-").tempdir()?;
    let directory = directory.path();
    let files = repository().join("packaging/containers");
    let compose = Compose::read(&files.join("compose.yml"))?;
    let archive = context(directory)?;
    let mut network = Network::new(directory)?;
    network.enter()?;
    let mut images = BTreeMap::new();
    let mut running: BTreeMap<String, Container> = BTreeMap::new();
    let outcome = (|| {
        for name in compose.in_order()? {
            let service = &compose.services[name];
            if !images.contains_key(&service.image) {
                // Its own words are in the archive, from where the compose file begins.
                let file = files.join(&service.build.context).join(&service.build.dockerfile);
                let base = if service.image.contains("tomcat") {
                    Base::Tomcat
                } else {
                    Base::Debian
                };
                let image = Image::make(
                    &directory.join(service.image.replace(':', "-")),
                    &file,
                    &archive,
                    base,
                )?;
                images.insert(service.image.clone(), image);
            }
            for (other, wait) in &service.depends_on {
                if wait.condition == Until::ServiceHealthy {
                    compose.services[other].wait_healthy(&running[other])?;
                }
            }
            let image = &images[&service.image];
            let plan = compose.plan(name, image, &files, directory)?;
            running.insert(
                name.to_owned(),
                Service::start(directory, &mut network, name, image, plan)?,
            );
        }
        for (name, container) in &running {
            let service = &compose.services[name];
            service.wait_healthy(container)?;
            let checked = container.exec(&images[&service.image].file.health, 5)?;
            ensure!(checked.status.success(), "the image's own check of {name} fails");
        }
        a_user_survives(&mut running)?;
        all_end(&compose, &mut running)
    })();
    let tails: Vec<_> = running.values().map(Container::tail).collect();
    outcome.map_err(|error: anyhow::Error| error.context(tails.join("\n")))
}

fn a_user_survives(running: &mut BTreeMap<String, Container>) -> Outcome {
    let front = (running["proxy"].machine.address, FRONT);
    let mut ada = Visitor::new(front.into());
    let page = ada.sign_in("ada", "lovelace")?;
    for _ in 0..3 {
        let again = ada.add("mug")?;
        ensure!(
            again.node == page.node,
            "she was moved from {} to {}",
            page.node,
            again.node
        );
    }
    let suffix = format!(".{}", page.node);
    let id = ada.browser.cookie("JSESSIONID").context("she has a session")?;
    ensure!(id.ends_with(&suffix), "{id} does not name {}", page.node);
    drop(
        running
            .remove(&page.node)
            .context("a Tomcat has the name of its route")?,
    );
    let moved = ada.look()?;
    ensure!(
        moved.user == "ada" && moved.cart == "mug:3" && moved.node != page.node,
        "{moved:?}"
    );
    Ok(())
}

fn all_end(compose: &Compose, running: &mut BTreeMap<String, Container>) -> Outcome {
    for container in running.values() {
        container.ask_to_stop()?;
    }
    for (name, container) in running {
        let ended = container.wait_for_end(compose.services[name].grace()?)?;
        // Java says by its code that it was a signal.
        let right = if name.starts_with("tomcat") { 143 } else { 0 };
        ensure!(ended.code() == Some(right), "{name} ended with {ended}");
    }
    Ok(())
}
