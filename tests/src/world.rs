//! Everything that a claim needs, started together: stores, Tomcats, a proxy; and what to print when it fails.
//!
//! One world at a time per test program, and two programs at a time (`tools/claims`): a world keeps two cores busy while its
//! JVMs start, and waits before and after.

mod keeper;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::Outcome;
use crate::certificates::Certificates;
use crate::foreign::Foreign;
use crate::place;
use crate::probe::{Caller, Signals};
use crate::proxy::{Proxy, Sticky};
use crate::relay::{Passage, Relay};
use crate::stores::{StorePorts, Stores, loopback};
use crate::tomcat::{Application, QUICK_START, Replication, Tomcat, TomcatPlan, Version};
use crate::visitor::Visitor;
use crate::wait::{SOON, wait_until};

pub use keeper::Keeper;

static ONE_WORLD: Mutex<()> = Mutex::new(());

/// What a world is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    stores: usize,
    keeper: Keeper,
    foreign: Option<Foreign>,
    own_proxy: bool,
    tomcats: Vec<Version>,
    sticky: Sticky,
    manager: Vec<(String, String)>,
    applications: Vec<Application>,
    store_flags: Vec<String>,
    java_options: String,
    relayed: bool,
    faulty_disks: bool,
    secured: bool,
    behind_front: bool,
    discovering: bool,
}

/// A running world.
#[derive(Debug)]
pub struct World {
    /// The store cluster.
    pub stores: Stores,
    /// The Tomcats n1, n2, ..
    pub tomcats: Vec<Tomcat>,
    /// The proxy in front of them; absent when there are no Tomcats.
    front: Option<Proxy>,
    /// Signal files of the probe application.
    pub signals: Signals,
    /// Between n1 and each store node, if planned.
    relays: Vec<Relay>,
    /// Where n1 and n2 are told each other's sessions, if they are.
    replication: Option<(u16, u16)>,
    certificates: Option<Certificates>,
    /// What it was to be, for Tomcats that are started later.
    plan: Plan,
    directory: tempfile::TempDir,
    claim_ended: bool,
}

impl World {
    /// A plan with three stores and no Tomcat.
    pub fn plan() -> Plan {
        Plan {
            stores: 3,
            keeper: Keeper::Remora,
            foreign: None,
            own_proxy: true,
            tomcats: Vec::new(),
            sticky: Sticky::SessionSuffix,
            manager: Vec::new(),
            applications: Application::USUAL.to_vec(),
            store_flags: Vec::new(),
            java_options: QUICK_START.to_owned(),
            relayed: false,
            faulty_disks: false,
            secured: false,
            behind_front: false,
            discovering: false,
        }
    }

    /// Changes what passes between n1 and all store nodes; the others reach them as before.
    pub fn disturb_n1(&self, passage: Passage) {
        for relay in &self.relays {
            relay.set(passage);
        }
    }

    /// The certificates of a world that speaks TLS.
    ///
    /// # Errors
    /// When it does not.
    pub fn certificates(&self) -> Result<&Certificates> {
        self.certificates.as_ref().context("this world speaks no TLS")
    }

    /// A directory that goes with the world.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The proxy.
    ///
    /// # Errors
    /// When the plan had no Tomcats, and so no proxy.
    pub fn proxy(&mut self) -> Result<&mut Proxy> {
        self.front.as_mut().context("this world has no proxy")
    }

    /// Where users go.
    ///
    /// # Errors
    /// When there is no proxy.
    pub fn front_door(&self) -> Result<SocketAddr> {
        Ok(self.front.as_ref().context("this world has no proxy")?.address)
    }

    /// A user of the shop, at the proxy.
    ///
    /// # Errors
    /// When there is no proxy.
    pub fn visitor(&self) -> Result<Visitor> {
        Ok(Visitor::new(self.front_door()?))
    }

    /// So many users whom the proxy has sent to a Tomcat, signed in there and each with a mug in his cart.
    ///
    /// # Errors
    /// When there is no proxy, or they do not come together in time.
    pub fn shoppers_at(&self, node: &str, count: usize) -> Result<Vec<Visitor>> {
        let front = self.front_door()?;
        let mut users = Vec::new();
        wait_until(&format!("enough users on {node}"), SOON, || {
            let mut user = Visitor::new(front);
            let signed_in = user.sign_in("ada", "lovelace");
            if signed_in.is_ok_and(|page| page.node == node) && user.add("mug").is_ok() {
                users.push(user);
            }
            users.len() >= count
        })?;
        Ok(users)
    }

    /// A caller of the probe application, at the proxy.
    ///
    /// # Errors
    /// When there is no proxy.
    pub fn caller(&self) -> Result<Caller> {
        Ok(Caller::new(self.front_door()?))
    }

    /// The Tomcat of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn tomcat(&mut self, node: &str) -> Result<&mut Tomcat> {
        let found = self.tomcats.iter_mut().find(|tomcat| tomcat.node() == node);
        found.with_context(|| format!("no Tomcat is called {node}"))
    }

    /// Starts one more Tomcat of this name, whether or not there is one, and waits until it answers. The last of a name is the one
    /// that the world knows by it; the one before is handed back.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_another(&mut self, node: &str, version: Version) -> Result<Option<Tomcat>> {
        let plan = self.plan.tomcat_plan(node.to_owned(), version, self)?;
        let directory = self.directory.path().join(format!("port-{}", plan.port));
        std::fs::create_dir(&directory)?;
        let started = Tomcat::start(&directory, plan)?;
        started.wait_ready()?;
        let before = self.tomcats.iter().position(|tomcat| tomcat.node() == node);
        let before = before.map(|place| self.tomcats.remove(place));
        self.tomcats.push(started);
        Ok(before)
    }

    /// Starts one more proxy, which asks the store for its Tomcats, and waits until it has those of the first.
    ///
    /// # Errors
    /// When it does not start, or does not know them in time.
    pub fn another_proxy(&self) -> Result<Proxy> {
        let directory = self.directory.path().join("another-proxy");
        std::fs::create_dir(&directory)?;
        let proxy = self.stores.discovering_proxy(&directory)?;
        proxy.wait_ready()?;
        for tomcat in &self.tomcats {
            proxy.wait_health(tomcat.node(), "up")?;
        }
        Ok(proxy)
    }

    /// Runs the operator's command line against this world and gives its output.
    ///
    /// # Errors
    /// When it does not exit with 0.
    pub fn operator(&mut self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(place::program("remora")?);
        command.args(["--store", &self.stores.client_list()]);
        if let Some(proxy) = &self.front {
            command.args(["--proxy", &proxy.control.to_string()]);
        }
        if let Some(certificates) = &self.certificates {
            command.args(certificates.flags("admin"));
        }
        let output = command.args(arguments).output().context("run remora")?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(
            output.status.success(),
            "remora {}: {}: {said}",
            arguments.join(" "),
            output.status
        );
        Ok(said)
    }

    /// The last words of every process.
    pub fn tails(&self) -> String {
        let mut parts = vec![self.stores.tails()];
        parts.extend(self.front.iter().map(Proxy::tail));
        parts.extend(self.tomcats.iter().map(Tomcat::tail));
        parts.join("\n")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.claim_ended {
            // A failed assertion unwinds through here; an error was already told with its tails.
            tell(&self.tails());
        }
    }
}

#[allow(
    clippy::print_stderr,
    reason = "the test runner shows it with the claim that failed"
)]
fn tell(text: &str) {
    eprintln!("{text}");
}

impl Plan {
    /// Three stores unless said; with none, Tomcat keeps its own session manager: for claims about the proxy alone.
    #[must_use]
    pub fn stores(mut self, count: usize) -> Self {
        self.stores = count;
        self
    }

    /// Who keeps the sessions at first; our manager unless said, where there are stores.
    #[must_use]
    pub fn keeper(mut self, keeper: Keeper) -> Self {
        self.keeper = keeper;
        self
    }

    /// A session manager that somebody else wrote keeps the sessions at first.
    #[must_use]
    pub fn foreign(mut self, foreign: Foreign) -> Self {
        self.keeper = Keeper::Standard;
        self.foreign = Some(foreign);
        self
    }

    /// Puts no proxy of ours before the Tomcats: another one will stand there.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.own_proxy = false;
        self
    }

    /// Tomcats n1, n2, .. of these versions, behind a proxy.
    #[must_use]
    pub fn tomcats(mut self, versions: &[Version]) -> Self {
        self.tomcats = versions.to_vec();
        self
    }

    /// How requests stick; mode 2 unless said.
    #[must_use]
    pub fn sticky(mut self, sticky: Sticky) -> Self {
        self.sticky = sticky;
        self
    }

    /// One more attribute of every Manager line.
    #[must_use]
    pub fn manager(mut self, name: &str, value: &str) -> Self {
        self.manager.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more application on every Tomcat.
    #[must_use]
    pub fn application(mut self, application: Application) -> Self {
        self.applications.push(application);
        self
    }

    /// One more flag of every store node, without the dashes.
    #[must_use]
    pub fn store_flag(mut self, name: &str, value: &str) -> Self {
        self.store_flags.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// One more option of every Tomcat's JVM.
    #[must_use]
    pub fn java_option(mut self, option: &str) -> Self {
        self.java_options.push(' ');
        self.java_options.push_str(option);
        self
    }

    /// Lets n1 reach the store nodes through relays, which a claim can disturb.
    #[must_use]
    pub fn relayed(mut self) -> Self {
        self.relayed = true;
        self
    }

    /// Puts a disk under each store node that a claim can make misbehave.
    #[must_use]
    pub fn faulty_disks(mut self) -> Self {
        self.faulty_disks = true;
        self
    }

    /// Lets everything but users speak TLS, with certificates of an authority of its own.
    #[must_use]
    pub fn secured(mut self) -> Self {
        self.secured = true;
        self
    }

    /// Lets Tomcats believe the proxy about who their client is and which address that asked.
    #[must_use]
    pub fn behind_front(mut self) -> Self {
        self.behind_front = true;
        self
    }

    /// Lets the proxy ask the store for its Tomcats; its file names none.
    #[must_use]
    pub fn discovering(mut self) -> Self {
        self.discovering = true;
        self
    }

    /// Starts the world, runs the claim in it, and tells the last words of every process if the claim does not hold.
    ///
    /// # Errors
    /// When the world does not start or the claim does not hold.
    pub fn run(&self, claim: impl FnOnce(&mut World) -> Outcome) -> Outcome {
        let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = self.start()?;
        let outcome = world.wait_ready().and_then(|()| claim(&mut world));
        world.claim_ended = true;
        outcome.map_err(|error| {
            error.context(format!(
                "the claim does not hold; last words:\n{}\n",
                world.tails()
            ))
        })
    }

    fn start(&self) -> Result<World> {
        // For a person who looks into logs and data afterwards.
        let keep = std::env::var_os("REMORA_KEEP").is_some();
        let directory = tempfile::Builder::new()
            .prefix("remora-claim-")
            .disable_cleanup(keep)
            .tempdir()?;
        if keep {
            tell(&format!(
                "REMORA_KEEP: everything stays in {}",
                directory.path().display()
            ));
        }
        let mut ports = (0..self.stores)
            .map(|_| StorePorts::free())
            .collect::<Result<Vec<_>>>()?;
        let mut relays = Vec::new();
        for node in ports.iter_mut().filter(|_| self.relayed) {
            let relay = Relay::start(place::free_port()?, loopback(node.client))?;
            // What the nodes say of each other must not lead n1 around its relays.
            node.advertised = Some(relay.address().port());
            relays.push(relay);
        }
        let certificates = self
            .secured
            .then(|| Certificates::make(&directory.path().join("certs")))
            .transpose()?;
        let stores = Stores::start_with(
            directory.path(),
            &ports,
            &self.store_flags,
            self.faulty_disks,
            certificates.clone(),
        )?;
        let signals = Signals::new(&directory.path().join("signals"))?;
        let replication = self.keeper.ports()?;
        let mut world = World {
            stores,
            tomcats: Vec::new(),
            front: None,
            signals,
            relays,
            replication,
            certificates,
            plan: self.clone(),
            directory,
            claim_ended: false,
        };
        for (number, version) in (1..).zip(&self.tomcats) {
            let plan = self.tomcat_plan(format!("n{number}"), *version, &world)?;
            world.tomcats.push(Tomcat::start(world.directory.path(), plan)?);
        }
        world.front = self.start_proxy(&world)?;
        Ok(world)
    }

    /// The proxy that is planned, before the world's Tomcats.
    fn start_proxy(&self, world: &World) -> Result<Option<Proxy>> {
        if self.discovering {
            return world.stores.discovering_proxy(world.directory.path()).map(Some);
        }
        if !self.own_proxy || world.tomcats.is_empty() {
            return Ok(None);
        }
        let members: Vec<_> = world
            .tomcats
            .iter()
            .map(|tomcat| (tomcat.node().to_owned(), tomcat.address()))
            .collect();
        let ports = (place::free_port()?, place::free_port()?);
        let (directory, certificates) = (world.directory.path(), world.certificates.clone());
        Proxy::start(directory, ports, self.sticky, &members, certificates).map(Some)
    }

    fn tomcat_plan(&self, node: String, version: Version, world: &World) -> Result<TomcatPlan> {
        let mut manager = self.manager.clone();
        if let Some(certificates) = &world.certificates {
            manager.extend(certificates.attributes("adapter"));
        }
        let jvm_route = self.sticky == Sticky::SessionSuffix;
        let kept_by_us = self.stores > 0 && self.keeper == Keeper::Remora;
        if !jvm_route && kept_by_us {
            manager.push(("node".to_owned(), node.clone()));
        }
        let port = place::free_port()?;
        let relays: Vec<String> = (world.relays.iter())
            .map(|relay| relay.address().to_string())
            .collect();
        let nodes = if node == "n1" && self.relayed {
            relays.join(",")
        } else {
            world.stores.client_list()
        };
        let store = kept_by_us.then_some(nodes);
        let member = self.keeper.member(world.replication, &node);
        let foreign = || self.foreign.clone().map(Replication::Foreign);
        let replication = member.map(Replication::Cluster).or_else(foreign);
        let signals = world.signals.directory().to_path_buf();
        Ok(TomcatPlan {
            version,
            node,
            jvm_route,
            port,
            store,
            manager,
            replication,
            behind_front: self.behind_front,
            applications: self.applications.clone(),
            java_options: self.java_options.clone(),
            signals,
        })
    }
}

impl World {
    fn wait_ready(&mut self) -> Outcome {
        if !self.stores.ids().is_empty() {
            self.stores.wait_ready()?;
        }
        for tomcat in &self.tomcats {
            tomcat.wait_ready()?;
        }
        if let Some(proxy) = &self.front {
            proxy.wait_ready()?;
            for tomcat in &self.tomcats {
                proxy.wait_health(tomcat.node(), "up")?;
            }
        }
        Ok(())
    }
}
