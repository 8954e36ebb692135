//! A compose file, as far as ours uses the language, read strictly; and what becomes of its services.
//!
//! Left out on purpose: published ports, and who is on which network: all services share one here.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::containers::{Container, Image, Mount, Network, Plan, QUICK};
use crate::wait::{START, wait_until};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// Of all that it makes.
    pub name: String,
    /// What services have in common stands under names of their own.
    #[serde(rename = "x-store")]
    _store: IgnoredAny,
    #[serde(rename = "x-tomcat")]
    _tomcat: IgnoredAny,
    /// Containers by name.
    pub services: BTreeMap<String, Service>,
    /// Networks by name.
    pub networks: BTreeMap<String, Joined>,
    /// What stays when containers go.
    pub volumes: BTreeMap<String, BTreeMap<String, String>>,
}

/// A network.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Joined {
    /// Whether it leads nowhere else.
    pub internal: bool,
}

/// A container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its image.
    pub image: String,
    /// How that is made.
    pub build: Build,
    /// Which networks it is on.
    pub networks: Vec<String>,
    /// Whether it is started again.
    pub restart: String,
    /// How long it may take to end.
    pub stop_grace_period: String,
    /// Whether it does what it should.
    pub healthcheck: Check,
    /// What is run behind the image's own words.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What of the outside it has.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// Whom it waits for.
    #[serde(default)]
    pub depends_on: BTreeMap<String, Wait>,
    /// What is published.
    #[serde(default)]
    pub ports: Vec<String>,
}

/// How an image is made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Out of which files.
    pub context: String,
    /// By which file.
    pub dockerfile: String,
}

/// A check of a container's health.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is run.
    pub test: Vec<String>,
    /// How often.
    pub interval: String,
    /// For how long.
    pub timeout: String,
    /// How often in vain.
    pub retries: u32,
    /// Not counted at the beginning.
    pub start_period: String,
}

/// What is waited for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Until when.
    pub condition: Until,
}

/// When a container that is waited for is good enough.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// It runs.
    ServiceStarted,
    /// Its check passes.
    ServiceHealthy,
}

impl Compose {
    /// Reads one.
    ///
    /// # Errors
    /// When it says what ours does not, or names what it does not have.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)?;
        let compose: Self = serde_saphyr::from_str(&text)?;
        for (name, service) in &compose.services {
            for network in &service.networks {
                ensure!(
                    compose.networks.contains_key(network),
                    "{name}: no network {network}"
                );
            }
            for other in service.depends_on.keys() {
                ensure!(compose.services.contains_key(other), "{name}: no service {other}");
            }
            seconds(&service.stop_grace_period)?;
            seconds(&service.healthcheck.timeout)?;
            ensure!(
                service.healthcheck.test.first().is_some_and(|it| it == "CMD"),
                "{name}: its check is a shell's"
            );
        }
        Ok(compose)
    }

    /// The services in an order in which each comes behind those that it waits for.
    ///
    /// # Errors
    /// When they wait for each other.
    pub fn in_order(&self) -> Result<Vec<&str>> {
        let mut order: Vec<&str> = Vec::new();
        while order.len() < self.services.len() {
            let next = self.services.iter().find(|(name, service)| {
                !order.contains(&name.as_str())
                    && service
                        .depends_on
                        .keys()
                        .all(|other| order.contains(&other.as_str()))
            });
            let Some((name, _)) = next else {
                bail!("services wait for each other")
            };
            order.push(name);
        }
        Ok(order)
    }

    /// What a service is to be. Relative paths begin at `files`; volumes lie in `directory`.
    ///
    /// # Errors
    /// When it names a volume that the file does not have.
    pub fn plan(&self, name: &str, image: &Image, files: &Path, directory: &Path) -> Result<Plan> {
        let service = self
            .services
            .get(name)
            .with_context(|| format!("no service {name}"))?;
        let more = if service.command.is_empty() {
            &image.file.command
        } else {
            &service.command
        };
        let mounts = service.volumes.iter().map(|volume| {
            let mut words = volume.split(':');
            let (Some(from), Some(at)) = (words.next(), words.next()) else {
                bail!("{volume} is no volume");
            };
            let read_only = words.next() == Some("ro");
            let from = if from.starts_with('.') {
                files.join(from)
            } else {
                ensure!(self.volumes.contains_key(from), "{name}: no volume {from}");
                named(&directory.join("volumes").join(from), &image.own(at))?
            };
            ensure!(from.exists(), "{name}: there is no {}", from.display());
            let at = at.to_owned();
            Ok(Mount { from, at, read_only })
        });
        let mut environment: Vec<_> = service.environment.clone().into_iter().collect();
        environment.push(QUICK.map(str::to_owned).into());
        Ok(Plan {
            words: image.file.entry_point.iter().chain(more).cloned().collect(),
            mounts: mounts.collect::<Result<_>>()?,
            environment,
            user: image.file.user.context("an image says who runs it")?,
            read_only: false,
        })
    }
}

impl Service {
    /// How long it may take to end.
    ///
    /// # Errors
    /// When that is not a number of seconds.
    pub fn grace(&self) -> Result<Duration> {
        Ok(Duration::from_secs(seconds(&self.stop_grace_period)?))
    }

    /// Waits until its check passes.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_healthy(&self, container: &Container) -> Result<()> {
        let within = i32::try_from(seconds(&self.healthcheck.timeout)?)?;
        let words = &self.healthcheck.test[1..];
        let healthy = || {
            container
                .exec(words, within)
                .is_ok_and(|output| output.status.success())
        };
        wait_until(&format!("{} healthy", container.machine.name), START, healthy)?;
        Ok(())
    }

    /// Starts it on a machine of its own, which all others find by its name.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        directory: &Path,
        network: &mut Network,
        name: &str,
        image: &Image,
        plan: Plan,
    ) -> Result<Container> {
        let machine = network.machine(name)?;
        network.call(name, &machine)?;
        Container::start(directory, network, machine, image, plan)
    }
}

/// A volume with a name: when it is new it has the owner and the rights of what the image has there.
fn named(place: &Path, inside: &Path) -> Result<PathBuf> {
    if !place.exists() {
        fs::create_dir_all(place)?;
        let like = fs::metadata(inside).with_context(|| format!("the image has no {}", inside.display()))?;
        chown(place, Some(like.uid()), Some(like.gid()))?;
        fs::set_permissions(place, fs::Permissions::from_mode(like.mode()))?;
    }
    Ok(place.to_path_buf())
}

/// A period as these files write it.
fn seconds(text: &str) -> Result<u64> {
    let number = text
        .strip_suffix('s')
        .with_context(|| format!("{text} is no number of seconds"))?;
    number
        .parse()
        .with_context(|| format!("{text} is no number of seconds"))
}
