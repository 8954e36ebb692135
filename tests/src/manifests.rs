//! The manifests of `packaging/kubernetes`, read as strictly as a cluster could read them.
//!
//! Each document becomes an object of Kubernetes' own types and is written again: what those types do not know is missing then,
//! and named, and so is a container whose image the list beside it does not name. What a cluster does not see, because it looks at one object at a time, is whether they fit together;
//! [`Manifests::faults`] does.
//!
//! Left out on purpose: defaults that a cluster fills in, and what depends on one: storage, schedulers, policies of a network.

mod faults;
mod guards;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodSpec, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The directory below, whose list has the operator's pod.
const OPERATOR: &str = "operator";
/// Where all of them live, as the page tells kubectl.
const NAMESPACE: &str = "remora";

/// All objects.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Files in the form of objects.
    pub config_maps: Vec<ConfigMap>,
    /// Names of pods.
    pub services: Vec<Service>,
    /// Pods with names and disks.
    pub stateful_sets: Vec<StatefulSet>,
    /// Pods alone.
    pub pods: Vec<Pod>,
    /// How many may be away as planned.
    pub budgets: Vec<PodDisruptionBudget>,
    /// Who may speak to whom.
    pub policies: Vec<NetworkPolicy>,
    /// Names of the images that the lists name.
    pub images: BTreeSet<String>,
}

/// The list of files, `kustomization.yaml`: what of it we use.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kustomization {
    api_version: String,
    kind: String,
    namespace: String,
    resources: Vec<String>,
    images: Vec<Image>,
}

/// Which image is meant by a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Image {
    name: String,
    new_tag: String,
}

impl Manifests {
    /// Reads what the list of a directory names, and that of the operator's pod, which is applied by itself.
    ///
    /// # Errors
    /// When a file is no such object, or says what such an object does not know, or has an image that its list does not name.
    pub fn read(directory: &Path) -> Result<Self> {
        let mut manifests = Self::default();
        manifests.add_list(directory)?;
        manifests.add_list(&directory.join(OPERATOR))?;
        Ok(manifests)
    }

    /// Adds what a list names. What it says of images holds for these objects alone.
    fn add_list(&mut self, directory: &Path) -> Result<()> {
        let list = std::fs::read_to_string(directory.join("kustomization.yaml"))?;
        let list: Kustomization = serde_saphyr::from_str(&list).context("kustomization.yaml")?;
        ensure!(
            list.api_version == "kustomize.config.k8s.io/v1beta1" && list.kind == "Kustomization",
            "kustomization.yaml is none"
        );
        ensure!(
            list.namespace == NAMESPACE,
            "another namespace: {}",
            list.namespace
        );
        let images = list
            .images
            .iter()
            .map(|image| format!("{}:{}", image.name, image.new_tag));
        let images: BTreeSet<String> = images.collect();
        for file in &list.resources {
            let text = std::fs::read_to_string(directory.join(file)).with_context(|| file.clone())?;
            let mut objects = Self::default();
            objects.add(&text).with_context(|| file.clone())?;
            objects.images_named(&images).with_context(|| file.clone())?;
            self.add(&text)?;
        }
        self.images.extend(images);
        Ok(())
    }

    /// A list has to name the image of each container: one that it does not name is pulled from where no one pushed it.
    fn images_named(&self, named: &BTreeSet<String>) -> Result<()> {
        for (name, _, pod) in self.pod_kinds() {
            for image in pod
                .containers
                .iter()
                .map(|it| it.image.clone().unwrap_or_default())
            {
                ensure!(
                    named.contains(&image),
                    "{name}: the list of images does not name {image}"
                );
            }
        }
        Ok(())
    }

    /// Adds the objects of a file.
    ///
    /// # Errors
    /// As for [`Manifests::read`].
    pub fn add(&mut self, text: &str) -> Result<()> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
        for document in documents {
            let word = |name: &str| document[name].as_str().unwrap_or_default();
            match (word("apiVersion"), word("kind")) {
                ("v1", "ConfigMap") => self.config_maps.push(strictly(&document)?),
                ("v1", "Service") => self.services.push(strictly(&document)?),
                ("v1", "Pod") => self.pods.push(strictly(&document)?),
                ("apps/v1", "StatefulSet") => self.stateful_sets.push(strictly(&document)?),
                ("policy/v1", "PodDisruptionBudget") => self.budgets.push(strictly(&document)?),
                ("networking.k8s.io/v1", "NetworkPolicy") => self.policies.push(strictly(&document)?),
                (version, kind) => bail!("no object of ours: {version} {kind}"),
            }
        }
        Ok(())
    }

    /// The set of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn stateful_set(&self, name: &str) -> Result<&StatefulSet> {
        let mut sets = self.stateful_sets.iter();
        sets.find(|set| set.metadata.name.as_deref() == Some(name))
            .with_context(|| format!("no StatefulSet {name}"))
    }

    /// A file of a ConfigMap.
    ///
    /// # Errors
    /// When there is none.
    pub fn file(&self, map: &str, key: &str) -> Result<&str> {
        let mut maps = self.config_maps.iter();
        let map = maps.find(|it| it.metadata.name.as_deref() == Some(map));
        let data = map
            .and_then(|map| map.data.as_ref())
            .context("no such ConfigMap")?;
        data.get(key)
            .map(String::as_str)
            .with_context(|| format!("no key {key}"))
    }

    /// What of it does not fit together, or keeps a pod less safe than it could be; nothing if all is well.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = faults::references(self);
        faults.extend(guards::guards(self));
        faults
    }

    /// The name of each kind of pod, with its labels and what is said of it.
    fn pod_kinds(&self) -> Vec<(String, Labels, &PodSpec)> {
        let sets = self.stateful_sets.iter().filter_map(|set| {
            let template = &set.spec.as_ref()?.template;
            let labels = template.metadata.as_ref()?.labels.clone().unwrap_or_default();
            Some((set.metadata.name.clone()?, labels, template.spec.as_ref()?))
        });
        let pods = self.pods.iter().filter_map(|pod| {
            let labels = pod.metadata.labels.clone().unwrap_or_default();
            Some((pod.metadata.name.clone()?, labels, pod.spec.as_ref()?))
        });
        sets.chain(pods).collect()
    }
}

/// Labels of an object.
type Labels = std::collections::BTreeMap<String, String>;

/// An object that says nothing that its type does not know.
fn strictly<T: Serialize + DeserializeOwned>(document: &Value) -> Result<T> {
    let name = document["metadata"]["name"]
        .as_str()
        .unwrap_or("(no name)")
        .to_owned();
    let object: T = serde_json::from_value(document.clone()).with_context(|| name.clone())?;
    let mut unknown = Vec::new();
    lost(document, &serde_json::to_value(&object)?, &name, &mut unknown);
    ensure!(unknown.is_empty(), "nobody reads {}", unknown.join(", "));
    Ok(object)
}

/// The places of `written` that are not in `read`.
fn lost(written: &Value, read: &Value, place: &str, found: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (key, value) in written {
                let place = format!("{place}.{key}");
                lost(value, read.get(key).unwrap_or(&Value::Null), &place, found);
            }
        }
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            for (index, (written, read)) in written.iter().zip(read).enumerate() {
                lost(written, read, &format!("{place}[{index}]"), found);
            }
        }
        _ if written == read => {}
        _ => found.push(place.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_cluster_reads_is_named_with_its_place() {
        let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: 1\n    targetport: x\n";
        let error = Manifests::default().add(text).unwrap_err();
        assert_eq!(error.to_string(), "nobody reads a.spec.ports[0].targetport");
        Manifests::default()
            .add(&text.replace("targetport", "targetPort"))
            .unwrap();
        assert!(
            Manifests::default()
                .add(&text.replace("- port: 1", "- port: often"))
                .is_err()
        );
    }
}
