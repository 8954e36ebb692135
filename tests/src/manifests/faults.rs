//! Whether objects that name each other mean each other: selectors and labels, ports, files, volumes, names of sets.

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Labels, Manifests};

/// Pods of others, whom a policy may let in though no object here makes them.
const GUESTS: [&str; 1] = ["prometheus"];
/// The set of stores, and where each of them calls the others: all that they replicate, and what a follower hands on to the leader.
const STORES: &str = "remora-store";
const AMONG_STORES: [&str; 2] = ["peers", "clients"];

/// All that does not fit.
pub(super) fn references(manifests: &Manifests) -> Vec<String> {
    let mut faults = Vec::new();
    sets(manifests, &mut faults);
    services(manifests, &mut faults);
    budgets(manifests, &mut faults);
    policies(manifests, &mut faults);
    among_stores(manifests, &mut faults);
    for (name, labels, pod) in manifests.pod_kinds() {
        spreading(&name, &labels, pod, &mut faults);
        for container in &pod.containers {
            mounts(manifests, &name, pod, container, &mut faults);
            probes(&name, container, &mut faults);
            variables(&name, container, &mut faults);
        }
    }
    faults
}

/// Whether a selector picks these labels, and is none that picks everything.
fn picks(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn picked(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let wanted = selector.and_then(|selector| selector.match_labels.as_ref());
    wanted.is_some_and(|wanted| picks(wanted, labels))
}

/// Whether a container of the pod declares that port.
fn declares(pod: &PodSpec, port: &IntOrString) -> bool {
    let mut declared = pod
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().flatten());
    declared.any(|it| match port {
        IntOrString::Int(number) => it.container_port == *number,
        IntOrString::String(name) => it.name.as_ref() == Some(name),
    })
}

/// Sets pick their own pods, and give them names that are found before they are ready.
fn sets(manifests: &Manifests, faults: &mut Vec<String>) {
    for set in &manifests.stateful_sets {
        let name = set.metadata.name.clone().unwrap_or_default();
        let Some(spec) = &set.spec else { continue };
        let labels = spec.template.metadata.as_ref().and_then(|it| it.labels.clone());
        let labels = labels.unwrap_or_default();
        if !picked(Some(&spec.selector), &labels) {
            faults.push(format!("{name}: its selector does not pick its own pods"));
        }
        let giver = manifests
            .services
            .iter()
            .find(|it| it.metadata.name == spec.service_name);
        let gives = giver
            .and_then(|service| service.spec.as_ref())
            .is_some_and(|service| {
                service.cluster_ip.as_deref() == Some("None")
                    && service.publish_not_ready_addresses == Some(true)
                    && service
                        .selector
                        .as_ref()
                        .is_some_and(|selector| picks(selector, &labels))
            });
        if !gives {
            faults.push(format!(
                "{name}: no headless Service gives its pods names before they are ready"
            ));
        }
        for claim in spec.volume_claim_templates.iter().flatten() {
            let storage = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
            if storage
                .and_then(|it| it.requests.as_ref())
                .is_none_or(|it| !it.contains_key("storage"))
            {
                faults.push(format!("{name}: a claim of a volume does not say how large"));
            }
        }
    }
}

/// Services pick pods that listen at their ports.
fn services(manifests: &Manifests, faults: &mut Vec<String>) {
    let kinds = manifests.pod_kinds();
    for service in &manifests.services {
        let name = service.metadata.name.clone().unwrap_or_default();
        let Some(spec) = &service.spec else { continue };
        let selector = spec.selector.clone().unwrap_or_default();
        let picked: Vec<_> = kinds
            .iter()
            .filter(|(_, labels, _)| picks(&selector, labels))
            .collect();
        if picked.len() != 1 {
            faults.push(format!("Service {name} picks {} kinds of pods", picked.len()));
        }
        for port in spec.ports.iter().flatten() {
            let target = port.target_port.clone().unwrap_or(IntOrString::Int(port.port));
            for (pods, _, pod) in &picked {
                if !declares(pod, &target) {
                    faults.push(format!(
                        "Service {name}: {pods} does not declare the port {target:?}"
                    ));
                }
                // Names lead to pods themselves, so the port is theirs.
                let own = IntOrString::Int(port.port);
                if spec.cluster_ip.as_deref() == Some("None") && !declares(pod, &own) {
                    faults.push(format!(
                        "Service {name}: headless, and {pods} does not listen at {own:?}"
                    ));
                }
            }
        }
    }
}

/// A budget picks the pods of one set, all of whose others stay.
fn budgets(manifests: &Manifests, faults: &mut Vec<String>) {
    for set in &manifests.stateful_sets {
        let name = set.metadata.name.clone().unwrap_or_default();
        let Some(spec) = &set.spec else { continue };
        let labels = spec.template.metadata.as_ref().and_then(|it| it.labels.clone());
        let labels = labels.unwrap_or_default();
        let of_set = manifests.budgets.iter().filter_map(|budget| budget.spec.as_ref());
        let of_set: Vec<_> = of_set
            .filter(|budget| picked(budget.selector.as_ref(), &labels))
            .collect();
        let one = Some(IntOrString::Int(1));
        if of_set.len() != 1 || of_set[0].max_unavailable != one {
            faults.push(format!("{name}: no budget lets one of its pods be away"));
        }
        if spec.replicas.unwrap_or(1) < 2 {
            faults.push(format!("{name}: of one pod none can be away"));
        }
    }
    if manifests.budgets.len() != manifests.stateful_sets.len() {
        faults.push("there is a budget for nobody".to_owned());
    }
}

/// Policies guard pods that there are, at ports that they have, and let in pods that there are.
fn policies(manifests: &Manifests, faults: &mut Vec<String>) {
    let kinds = manifests.pod_kinds();
    for policy in &manifests.policies {
        let name = policy.metadata.name.clone().unwrap_or_default();
        let Some(spec) = &policy.spec else { continue };
        let selector = spec.pod_selector.as_ref();
        let Some((_, _, pod)) = kinds.iter().find(|(_, labels, _)| picked(selector, labels)) else {
            faults.push(format!("NetworkPolicy {name} guards nobody"));
            continue;
        };
        for rule in spec.ingress.iter().flatten() {
            let ports = rule.ports.iter().flatten().filter_map(|port| port.port.as_ref());
            for port in ports.filter(|port| !declares(pod, port)) {
                faults.push(format!("NetworkPolicy {name}: its pods have no port {port:?}"));
            }
            for peer in rule.from.iter().flatten() {
                let selector = peer.pod_selector.as_ref();
                let ours = kinds.iter().any(|(_, labels, _)| picked(selector, labels));
                let guest = GUESTS.iter().any(|guest| {
                    let labels = [("app.kubernetes.io/name".to_owned(), (*guest).to_owned())];
                    picked(selector, &labels.into())
                });
                if !ours && !guest {
                    faults.push(format!("NetworkPolicy {name} lets in whom nobody makes"));
                }
            }
        }
    }
    for (name, labels, _) in kinds
        .iter()
        .filter(|(_, _, pod)| pod.containers.iter().any(|it| it.ports.is_some()))
    {
        let guards = manifests
            .policies
            .iter()
            .filter_map(|policy| policy.spec.as_ref());
        if !guards
            .into_iter()
            .any(|policy| picked(policy.pod_selector.as_ref(), labels))
        {
            faults.push(format!("{name}: no NetworkPolicy guards it"));
        }
    }
}

/// No policy comes between a store and the others.
fn among_stores(manifests: &Manifests, faults: &mut Vec<String>) {
    let kinds = manifests.pod_kinds();
    let Some((_, labels, _)) = kinds.iter().find(|(name, ..)| name == STORES) else {
        faults.push(format!("there is no {STORES}"));
        return;
    };
    let specs = manifests
        .policies
        .iter()
        .filter_map(|policy| policy.spec.as_ref());
    let rules: Vec<_> = specs
        .filter(|spec| picked(spec.pod_selector.as_ref(), labels))
        .flat_map(|spec| spec.ingress.iter().flatten())
        .filter(|rule| {
            let mut from = rule.from.iter().flatten();
            from.any(|peer| picked(peer.pod_selector.as_ref(), labels))
        })
        .collect();
    for name in AMONG_STORES {
        let port = Some(IntOrString::String(name.to_owned()));
        let mut open = rules.iter().flat_map(|rule| rule.ports.iter().flatten());
        if !open.any(|it| it.port == port) {
            faults.push(format!(
                "{STORES}: no NetworkPolicy lets stores reach each other at {name}"
            ));
        }
    }
}

/// What keeps pods apart means their own kind.
fn spreading(name: &str, labels: &Labels, pod: &PodSpec, faults: &mut Vec<String>) {
    let apart = pod
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let apart = apart.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    let apart = apart
        .into_iter()
        .flatten()
        .map(|term| term.label_selector.as_ref());
    let spread = pod
        .topology_spread_constraints
        .iter()
        .flatten()
        .map(|it| it.label_selector.as_ref());
    if apart.chain(spread).any(|selector| !picked(selector, labels)) {
        faults.push(format!("{name}: it is kept apart from others than its own"));
    }
}

/// Mounts name volumes, volumes name what there is, and no mount lies in another, where no directory can be made for it.
fn mounts(manifests: &Manifests, name: &str, pod: &PodSpec, container: &Container, faults: &mut Vec<String>) {
    let set = manifests
        .stateful_set(name)
        .ok()
        .and_then(|set| set.spec.as_ref());
    let claims = set
        .into_iter()
        .flat_map(|set| set.volume_claim_templates.iter().flatten());
    let claims: Vec<_> = claims.filter_map(|claim| claim.metadata.name.clone()).collect();
    let volumes: Vec<&Volume> = pod.volumes.iter().flatten().collect();
    let mounts: Vec<_> = container.volume_mounts.iter().flatten().collect();
    for mount in &mounts {
        let volume = volumes.iter().find(|volume| volume.name == mount.name);
        if volume.is_none() && !claims.contains(&mount.name) {
            faults.push(format!("{name}: there is no volume {}", mount.name));
        }
        let inside = |other: &&&k8s_openapi::api::core::v1::VolumeMount| {
            mount.mount_path.starts_with(&format!("{}/", other.mount_path))
        };
        if let Some(other) = mounts.iter().find(inside) {
            faults.push(format!(
                "{name}: {} lies in {}",
                mount.mount_path, other.mount_path
            ));
        }
        let map = volume.and_then(|volume| volume.config_map.as_ref());
        if let (Some(map), Some(key)) = (map, &mount.sub_path)
            && manifests.file(&map.name, key).is_err()
        {
            faults.push(format!("{name}: ConfigMap {} has no {key}", map.name));
        }
    }
    for volume in &volumes {
        if !mounts.iter().any(|mount| mount.name == volume.name) {
            faults.push(format!("{name}: nobody mounts {}", volume.name));
        }
        let map = volume.config_map.as_ref().map(|map| &map.name);
        let known = |name: &String| {
            manifests
                .config_maps
                .iter()
                .any(|it| it.metadata.name.as_ref() == Some(name))
        };
        if let Some(map) = map.filter(|map| !known(map)) {
            faults.push(format!("{name}: there is no ConfigMap {map}"));
        }
    }
}

/// Probes ask at ports that the container declares.
fn probes(name: &str, container: &Container, faults: &mut Vec<String>) {
    let probes = [
        &container.startup_probe,
        &container.liveness_probe,
        &container.readiness_probe,
    ];
    for asked in probes
        .into_iter()
        .flatten()
        .filter_map(|probe| probe.http_get.as_ref())
    {
        let mut declared = container.ports.iter().flatten();
        let known = declared.any(|port| match &asked.port {
            IntOrString::Int(number) => port.container_port == *number,
            IntOrString::String(word) => port.name.as_ref() == Some(word),
        });
        if !known {
            faults.push(format!(
                "{name}: a probe asks at {:?}, which it does not declare",
                asked.port
            ));
        }
    }
}

/// `$(NAME)` stands for a variable that was said before.
fn variables(name: &str, container: &Container, faults: &mut Vec<String>) {
    let mut known: Vec<&str> = Vec::new();
    let mut missing = |text: &str, known: &[&str]| {
        for used in text.split("$(").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !known.contains(&used) {
                faults.push(format!("{name}: $({used}) stands for nothing"));
            }
        }
    };
    for variable in container.env.iter().flatten() {
        missing(variable.value.as_deref().unwrap_or_default(), &known);
        known.push(&variable.name);
    }
    for word in container.command.iter().chain(&container.args).flatten() {
        missing(word, &known);
    }
}
