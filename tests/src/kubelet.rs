//! What a cluster makes of our manifests on each of its machines, with processes: pods with their names, files, variables and
//! users, probes that are asked, and an end as they say.
//!
//! Names come from the headless Services alone, as in a cluster: a set whose Service gives none has pods that nobody finds. A
//! Secret is a directory of files that the caller made; disks stay when a pod goes, and its address does not.
//!
//! Left out on purpose: restarts of what ends by itself, rolling updates, and Services with an address of their own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::StatefulSetSpec;
use k8s_openapi::api::core::v1::{Container as Described, EnvVar, PodSpec, Probe, Volume};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::containers::{Container, Image, Machine, Mount, Network, Plan, QUICK};
use crate::manifests::Manifests;
use crate::wait::{START, wait_until};

/// Probes that pass, of those that ask for a page.
const PASSES: std::ops::Range<u16> = 200..400;

/// A cluster on this machine.
#[derive(Debug)]
pub struct Cluster {
    /// What is asked of it.
    pub manifests: Manifests,
    /// Where its pods come together.
    pub network: Network,
    images: BTreeMap<String, Image>,
    directory: PathBuf,
    pods: BTreeMap<String, Running>,
}

/// A pod that runs.
#[derive(Debug)]
struct Running {
    container: Container,
    described: Described,
    grace: Duration,
}

/// Who a pod is.
#[derive(Clone, Copy)]
struct Who<'a> {
    name: &'a str,
    index: i32,
    address: std::net::Ipv4Addr,
}

impl Cluster {
    /// One without pods; `directory` has the Secrets in `secrets`, one directory each.
    ///
    /// # Errors
    /// When the kernel does not make its network.
    pub fn new(directory: &Path, manifests: Manifests, images: BTreeMap<String, Image>) -> Result<Self> {
        Ok(Self {
            network: Network::new(directory)?,
            manifests,
            images,
            directory: directory.to_path_buf(),
            pods: BTreeMap::new(),
        })
    }

    /// Starts all pods of a set at once, and gives their names.
    ///
    /// # Errors
    /// When there is no such set, or something that it names.
    pub fn start_set(&mut self, set: &str) -> Result<Vec<String>> {
        let spec = self.spec_of(set)?;
        let first = spec.ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0);
        let indexes = first..first + spec.replicas.unwrap_or(1);
        indexes.map(|index| self.start(set, index)).collect()
    }

    fn spec_of(&self, set: &str) -> Result<StatefulSetSpec> {
        let spec = self.manifests.stateful_set(set)?.spec.clone();
        spec.context("a set says what it is")
    }

    /// Starts a pod of a set, with a new address.
    ///
    /// # Errors
    /// As for [`Cluster::start_set`].
    pub fn start(&mut self, set: &str, index: i32) -> Result<String> {
        let spec = self.spec_of(set)?;
        let pod = spec.template.spec.context("a pod says what it is")?;
        let name = format!("{set}-{index}");
        let machine = self.network.machine(&name)?;
        let service = spec.service_name.unwrap_or_default();
        if self.gives_names(&service) {
            self.network.call(&format!("{name}.{service}"), &machine)?;
        }
        let claims = spec.volume_claim_templates.unwrap_or_default();
        let disks: Vec<String> = claims
            .into_iter()
            .filter_map(|claim| claim.metadata.name)
            .collect();
        self.run(&pod, machine, index, &disks)?;
        Ok(name)
    }

    /// Starts the pod of that name that belongs to no set.
    ///
    /// # Errors
    /// When there is none, or something that it names is not there.
    pub fn start_alone(&mut self, name: &str) -> Result<()> {
        let mut pods = self.manifests.pods.iter();
        let pod = pods
            .find(|pod| pod.metadata.name.as_deref() == Some(name))
            .context("no such pod")?;
        let pod = pod.spec.clone().context("a pod says what it is")?;
        let machine = self.network.machine(name)?;
        self.run(&pod, machine, 0, &[])
    }

    fn gives_names(&self, service: &str) -> bool {
        let mut services = self.manifests.services.iter();
        let found = services.find(|it| it.metadata.name.as_deref() == Some(service));
        found
            .and_then(|it| it.spec.as_ref())
            .is_some_and(|it| it.cluster_ip.as_deref() == Some("None"))
    }

    fn run(&mut self, pod: &PodSpec, machine: Machine, index: i32, disks: &[String]) -> Result<()> {
        let [described] = pod.containers.as_slice() else {
            anyhow::bail!("pods of ours have one container");
        };
        let image = described.image.as_ref().and_then(|image| self.images.get(image));
        let image = image.with_context(|| format!("nobody makes the image {:?}", described.image))?;
        let rights = pod.security_context.clone().unwrap_or_default();
        let user = rights
            .run_as_user
            .zip(rights.run_as_group)
            .context("a user and a group")?;
        let user = (u32::try_from(user.0)?, u32::try_from(user.1)?);
        ensure!(
            image.file.user == Some(user),
            "the image is made for another user"
        );
        ensure!(
            rights.fs_group.and_then(|group| u32::try_from(group).ok()) == Some(user.1),
            "one group"
        );
        let who = Who {
            name: &machine.name,
            index,
            address: machine.address,
        };
        let mut environment = variables(described.env.as_deref().unwrap_or_default(), who)?;
        let words = words(described, image, &environment);
        environment.push(QUICK.map(str::to_owned).into());
        let own = described.security_context.clone().unwrap_or_default();
        let plan = Plan {
            words,
            environment,
            mounts: self.mounts(pod, described, who.name, (disks, user.1))?,
            user,
            read_only: own.read_only_root_filesystem == Some(true),
        };
        let name = machine.name.clone();
        let grace = pod.termination_grace_period_seconds.unwrap_or(30);
        let running = Running {
            container: Container::start(&self.directory, &self.network, machine, image, plan)?,
            described: described.clone(),
            grace: Duration::from_secs(grace.try_into()?),
        };
        self.pods.insert(name, running);
        Ok(())
    }

    fn mounts(
        &self,
        pod: &PodSpec,
        described: &Described,
        name: &str,
        (disks, group): (&[String], u32),
    ) -> Result<Vec<Mount>> {
        let mut places = BTreeMap::new();
        for disk in disks {
            let place = self.directory.join("disks").join(format!("{disk}-{name}"));
            fs::create_dir_all(&place)?;
            given_to(&place, group, 0o2775)?;
            places.insert(disk.clone(), place);
        }
        for volume in pod.volumes.iter().flatten() {
            let place = self.directory.join("volumes").join(name).join(&volume.name);
            fs::create_dir_all(&place)?;
            self.fill(volume, &place, group)?;
            places.insert(volume.name.clone(), place);
        }
        let mounts = described.volume_mounts.iter().flatten().map(|mount| {
            let place = places.get(&mount.name).with_context(|| mount.name.clone())?;
            let from = mount
                .sub_path
                .as_ref()
                .map_or_else(|| place.clone(), |path| place.join(path));
            ensure!(from.exists(), "there is no {}", from.display());
            Ok(Mount {
                from,
                at: mount.mount_path.clone(),
                read_only: mount.read_only == Some(true),
            })
        });
        mounts.collect()
    }

    /// Puts into a volume what it is to have.
    fn fill(&self, volume: &Volume, place: &Path, group: u32) -> Result<()> {
        if let Some(map) = &volume.config_map {
            let mut maps = self.manifests.config_maps.iter();
            let found = maps.find(|it| it.metadata.name.as_ref() == Some(&map.name));
            for (key, text) in found
                .and_then(|map| map.data.as_ref())
                .context("no such ConfigMap")?
            {
                fs::write(place.join(key), text)?;
                given_to(&place.join(key), group, 0o644)?;
            }
        } else if let Some(secret) = &volume.secret {
            let name = secret.secret_name.clone().unwrap_or_default();
            let from = self.directory.join("secrets").join(&name);
            let mode = secret.default_mode.unwrap_or(0o644).try_into()?;
            for entry in fs::read_dir(&from).with_context(|| format!("nobody makes the Secret {name}"))? {
                let entry = entry?;
                let to = place.join(entry.file_name());
                let _ = fs::remove_file(&to);
                fs::copy(entry.path(), &to)?;
                given_to(&to, group, mode)?;
            }
        } else {
            ensure!(volume.empty_dir.is_some(), "no volume of ours: {}", volume.name);
            given_to(place, group, 0o2777)?;
        }
        Ok(())
    }

    /// A running pod's container.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pod(&self, name: &str) -> Result<&Container> {
        Ok(&self.running(name)?.container)
    }

    fn running(&self, name: &str) -> Result<&Running> {
        self.pods.get(name).with_context(|| format!("no pod {name} runs"))
    }

    /// Waits until a pod passes its probes: that of its start in the time that it has, then that of being ready; that of being
    /// alive must pass, too.
    ///
    /// # Errors
    /// When one does not.
    pub fn wait_ready(&self, name: &str) -> Result<()> {
        let running = self.running(name)?;
        if let Some(probe) = &running.described.startup_probe {
            let tries = probe.failure_threshold.unwrap_or(3) * probe.period_seconds.unwrap_or(10);
            let time = Duration::from_secs(tries.try_into()?);
            wait_until(&format!("the start of {name}"), time, || {
                self.passes(running, probe)
            })?;
        }
        if let Some(probe) = &running.described.readiness_probe {
            wait_until(&format!("{name} ready"), START, || self.passes(running, probe))?;
        }
        if let Some(probe) = &running.described.liveness_probe {
            ensure!(self.passes(running, probe), "{name} is ready and does not live");
        }
        Ok(())
    }

    /// Whether a pod says that it is ready.
    ///
    /// # Errors
    /// When it does not run.
    pub fn is_ready(&self, name: &str) -> Result<bool> {
        let running = self.running(name)?;
        let probe = running.described.readiness_probe.as_ref();
        Ok(probe.is_some_and(|probe| self.passes(running, probe)))
    }

    fn passes(&self, running: &Running, probe: &Probe) -> bool {
        let Some(asked) = &probe.http_get else {
            return false;
        };
        let ports = running.described.ports.iter().flatten();
        let port = match &asked.port {
            IntOrString::Int(number) => Some(*number),
            IntOrString::String(word) => {
                let mut named = ports.filter(|port| port.name.as_ref() == Some(word));
                named.next().map(|port| port.container_port)
            }
        };
        let scheme = asked.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
        let (address, path) = (
            running.container.machine.address,
            asked.path.clone().unwrap_or_default(),
        );
        let url = format!("{scheme}://{address}:{}{path}", port.unwrap_or_default());
        PASSES.contains(&self.network.asked(&url, probe.timeout_seconds.unwrap_or(1)))
    }

    /// Runs what a pod has before its end, as its deletion does first; nothing for one without.
    ///
    /// # Errors
    /// When it fails, or takes all the time that there is for an end.
    pub fn before_end(&self, name: &str) -> Result<()> {
        let running = self.running(name)?;
        let handler = running
            .described
            .lifecycle
            .as_ref()
            .and_then(|it| it.pre_stop.as_ref());
        let Some(handler) = handler else { return Ok(()) };
        let words = handler
            .exec
            .as_ref()
            .and_then(|exec| exec.command.clone())
            .context("words")?;
        let output = running
            .container
            .exec(&words, i32::try_from(running.grace.as_secs())?)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} {words:?}: {said}");
        Ok(())
    }

    /// Asks a pod to end, which goes on meanwhile.
    ///
    /// # Errors
    /// When it does not run.
    pub fn ask_to_stop(&self, name: &str) -> Result<()> {
        self.pod(name)?.ask_to_stop()
    }

    /// Waits until a pod that was asked to has ended, within its grace, and gives its exit code.
    ///
    /// # Errors
    /// When it has not.
    pub fn ended(&mut self, name: &str) -> Result<Option<i32>> {
        let mut running = self
            .pods
            .remove(name)
            .with_context(|| format!("no pod {name} runs"))?;
        Ok(running.container.wait_for_end(running.grace)?.code())
    }

    /// Empties the disks of a pod that has ended.
    ///
    /// # Errors
    /// When there are none.
    pub fn forget_disks(&self, name: &str) -> Result<()> {
        ensure!(!self.pods.contains_key(name), "{name} still runs");
        let ending = format!("-{name}");
        for entry in fs::read_dir(self.directory.join("disks"))? {
            let disk = entry?.path();
            if disk.display().to_string().ends_with(&ending) {
                fs::remove_dir_all(&disk)?;
            }
        }
        Ok(())
    }

    /// What each pod wrote last.
    pub fn tails(&self) -> String {
        let tails = self.pods.values().map(|running| running.container.tail());
        tails.collect::<Vec<_>>().join("\n")
    }
}

/// The variables of a container.
fn variables(described: &[EnvVar], who: Who<'_>) -> Result<Vec<(String, String)>> {
    let mut known: Vec<(String, String)> = Vec::new();
    for variable in described {
        let field = variable
            .value_from
            .as_ref()
            .and_then(|from| from.field_ref.as_ref());
        let value = match field.map(|field| field.field_path.as_str()) {
            Some("metadata.name") => who.name.to_owned(),
            Some("metadata.labels['apps.kubernetes.io/pod-index']") => who.index.to_string(),
            Some("status.podIP") => who.address.to_string(),
            Some(other) => anyhow::bail!("nobody knows {other}"),
            None => replaced(variable.value.as_deref().unwrap_or_default(), &known),
        };
        known.push((variable.name.clone(), value));
    }
    Ok(known)
}

/// A text with its `$(NAME)`s replaced.
fn replaced(text: &str, known: &[(String, String)]) -> String {
    let replace = |text: String, (name, value): &(String, String)| text.replace(&format!("$({name})"), value);
    known.iter().fold(text.to_owned(), replace)
}

/// What is run.
fn words(described: &Described, image: &Image, known: &[(String, String)]) -> Vec<String> {
    let (program, more) = match (&described.command, &described.args) {
        (Some(command), args) => (command.clone(), args.clone().unwrap_or_default()),
        (None, Some(args)) => (image.file.entry_point.clone(), args.clone()),
        (None, None) => (image.file.entry_point.clone(), image.file.command.clone()),
    };
    program
        .iter()
        .chain(&more)
        .map(|word| replaced(word, known))
        .collect()
}

/// Gives a file or directory to a group.
fn given_to(path: &Path, group: u32, mode: u32) -> Result<()> {
    chown(path, Some(0), Some(group))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}
