//! Beside the promises: what `packaging/kubernetes` asks of a cluster is what a cluster understands, and it works.
//!
//! Shown: each document holds nothing that its type does not know, and all that name each other fit together. Whoever follows
//! docs/kubernetes.md has the Secrets that they name. Started as a kubelet would start them, from nothing but these files, three
//! store pods form a cluster and pass their probes, so do proxies and Tomcats; a user's session names the pod of her Tomcat;
//! `preStop` of that pod moves her before it ends; an operator's pod reaches every one; a store pod comes back with another
//! address, and one with another disk; each pod ends within its grace. `remora_tests::kubelet` says what that leaves open.
//! Broken once to see it fail: the second test breaks the manifests in each of the ways that are looked for. A `preStop` that only
//! waits: she stays. 5 s of `terminationGracePeriodSeconds`: the proxy has not ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use remora_tests::Outcome;
use remora_tests::containers::{Base, Image, context, possible};
use remora_tests::installed::said;
use remora_tests::kubelet::Cluster;
use remora_tests::manifests::Manifests;
use remora_tests::page;
use remora_tests::place::{program, repository};
use remora_tests::visitor::Visitor;
use remora_tests::wait::{SOON, START, wait_for, wait_until};

/// Where users reach a proxy's pod.
const FRONT: u16 = 8080;

/// Bounds what an operator's verb may take, in seconds: that of a replaced node ends when it has caught up.
const VERB_SECONDS: i32 = 60;

/// What `kubectl` does when a page makes Secrets: a directory of files for each.
const KUBECTL: &str = r#"
kubectl() {
  [ "$1 $2 $3" = "create secret generic" ] || return 0
  local secret=secrets/$4 word file key; shift 4; mkdir -p "$secret"
  for word; do
    file=${word#--from-file=}; key=${file%%=*}; file=${file#*=}
    cp "$file" "$secret/$(basename "$key")" || return
  done
}
"#;

#[test]
fn every_document_is_understood_and_they_fit_together() -> Outcome {
    let manifests = Manifests::read(&repository().join("packaging/kubernetes"))?;
    let faults = manifests.faults();
    ensure!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

/// What is written wrong in a file, and what is said of it.
const PLANTS: &[(&str, &str, &str, &str)] = &[
    (
        "store.yaml",
        "minReadySeconds",
        "minReadySecs",
        "nobody reads remora-store.spec.minReadySecs",
    ),
    (
        "store.yaml",
        "port: ops }\n            periodSeconds: 2\n            timeoutSeconds: 5",
        "port: op }\n            timeoutSeconds: 5",
        "a probe asks at",
    ),
    (
        "store.yaml",
        "targetPort: peers",
        "targetPort: peer",
        "does not declare the port",
    ),
    (
        "store.yaml",
        "publishNotReadyAddresses: true",
        "publishNotReadyAddresses: false",
        "before they are ready",
    ),
    (
        "store.yaml",
        "maxUnavailable: 1",
        "maxUnavailable: 2",
        "no budget lets one",
    ),
    (
        "store.yaml",
        "configMap: { name: remora-store }",
        "configMap: { name: remora-stores }",
        "there is no ConfigMap remora-stores",
    ),
    (
        "store.yaml",
        "- { name: data, mountPath",
        "- { name: date, mountPath",
        "there is no volume date",
    ),
    (
        "store.yaml",
        "mountPath: /etc/remora-tls",
        "mountPath: /etc/remora/tls",
        "/etc/remora/tls lies in /etc/remora",
    ),
    ("store.yaml", "$(POD_NAME)", "$(POD)", "$(POD) stands for nothing"),
    ("store.yaml", "drop: [ALL]", "drop: [NET_RAW]", "gain rights"),
    (
        "store.yaml",
        "runAsNonRoot: true",
        "runAsNonRoot: false",
        "does not run restricted",
    ),
    (
        "tomcat.yaml",
        "subPath: context.xml",
        "subPath: context.html",
        "has no context.html",
    ),
    ("network.yaml", "port: peers", "port: clientele", "have no port"),
    (
        "network.yaml",
        "remora-store } }\n      ports: [{ port: clients }]",
        "remora-proxy } }\n      ports: [{ port: clients }]",
        "no NetworkPolicy lets stores reach each other at clients",
    ),
    (
        "network.yaml",
        "remora-store } }\n      ports: [{ port: peers }]",
        "remora-proxy } }\n      ports: [{ port: peers }]",
        "no NetworkPolicy lets stores reach each other at peers",
    ),
    (
        "operator/kustomization.yaml",
        "name: remora-store",
        "name: remora-proxy",
        "remora-operator: the list of images does not name remora-store",
    ),
    (
        "operator/kustomization.yaml",
        "namespace: remora",
        "namespace: default",
        "another namespace",
    ),
];

#[test]
fn what_does_not_fit_is_named() -> Outcome {
    for (file, right, wrong, said) in PLANTS {
        let told = told_of(file, right, wrong)?;
        ensure!(told.contains(said), "{file} with {wrong}: {told}");
    }
    Ok(())
}

/// What is said of the manifests with that in one of their files.
fn told_of(file: &str, right: &str, wrong: &str) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let manifests = directory.path().join("kubernetes");
    let mut copy = Command::new("cp");
    said(
        copy.arg("--recursive")
            .arg(repository().join("packaging/kubernetes"))
            .arg(&manifests),
    )?;
    let path = manifests.join(file);
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains(right), "{file} has no {right}");
    fs::write(path, text.replace(right, wrong))?;
    Ok(match Manifests::read(&manifests) {
        Ok(manifests) => manifests.faults().join("\n"),
        Err(error) => format!("{error:#}"),
    })
}

#[test]
fn pods_run_as_the_manifests_say() -> Outcome {
    if !possible() {
        return Ok(());
    }
    let directory = tempfile::Builder::new().prefix("remora-kubernetes-").tempdir()?;
    let directory = directory.path();
    secrets(directory)?;
    let manifests = Manifests::read(&repository().join("packaging/kubernetes"))?;
    let images = images(directory, &manifests)?;
    let mut cluster = Cluster::new(directory, manifests, images)?;
    cluster.network.enter()?;
    let outcome = story(&mut cluster);
    outcome.map_err(|error| error.context(cluster.tails()))
}

/// Follows the page's shell where it makes Secrets.
fn secrets(directory: &Path) -> Outcome {
    let page = page::text("docs/kubernetes.md")?;
    let shell = page
        .split_once("```sh\n")
        .and_then(|(_, rest)| rest.split_once("```"));
    let (shell, _) = shell.context("the page has a part in sh")?;
    std::os::unix::fs::symlink(repository().join("packaging"), directory.join("packaging"))?;
    let programs = program("remora")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-ec", &format!("{KUBECTL}{shell}")])
        .current_dir(directory)
        .env(
            "PATH",
            format!("{}:{path}", programs.parent().context("a directory")?.display()),
        )
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn images(directory: &Path, manifests: &Manifests) -> Result<BTreeMap<String, Image>> {
    let archive = context(directory)?;
    let mut images = BTreeMap::new();
    for name in &manifests.images {
        let part = name
            .trim_start_matches("remora-")
            .split(':')
            .next()
            .unwrap_or_default();
        let file = repository().join(format!("packaging/containers/{part}.Containerfile"));
        let base = if part == "tomcat" {
            Base::Tomcat
        } else {
            Base::Debian
        };
        let image = Image::make(&directory.join(format!("image-{part}")), &file, &archive, base)?;
        images.insert(name.clone(), image);
    }
    Ok(images)
}

fn story(cluster: &mut Cluster) -> Outcome {
    let stores = cluster.start_set("remora-store")?;
    let tomcats = cluster.start_set("remora-tomcat")?;
    let proxies = cluster.start_set("remora-proxy")?;
    cluster.start_alone("remora-operator")?;
    for pod in stores.iter().chain(&tomcats).chain(&proxies) {
        cluster.wait_ready(pod)?;
    }
    // Proxies are ready before they have seen every Tomcat twice.
    wait_until("all is well in an operator's eyes", START, || {
        operator(cluster, &["status"]).is_ok()
    })?;
    a_tomcat_leaves(cluster, &proxies)?;
    a_store_moves(cluster)?;
    a_disk_is_replaced(cluster)?;
    all_end(cluster)
}

/// What the operator's pod says; an error if the verb does not do what it was asked.
fn operator(cluster: &Cluster, verb: &[&str]) -> Result<String> {
    let words: Vec<String> = [&["remora"], verb]
        .concat()
        .iter()
        .map(|word| (*word).to_owned())
        .collect();
    let output = cluster.pod("remora-operator")?.exec(&words, VERB_SECONDS)?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{verb:?}: {said}");
    Ok(said)
}

/// A user is moved before her Tomcat ends, and a drain reaches both proxies.
fn a_tomcat_leaves(cluster: &mut Cluster, proxies: &[String]) -> Outcome {
    let front = (cluster.pod(&proxies[0])?.machine.address, FRONT);
    let mut ada = Visitor::new(front.into());
    let page = ada.sign_in("ada", "lovelace")?;
    let id = ada.browser.cookie("JSESSIONID").context("she has a session")?;
    ensure!(
        id.ends_with(&format!(".{}", page.node)),
        "{id} does not name {}",
        page.node
    );
    ada.add("mug")?;
    cluster
        .pod(&page.node)
        .context("a node has the name of its pod")?;
    let drained = operator(cluster, &["upstreams", "drain", &page.node])?;
    ensure!(
        proxies.iter().all(|proxy| drained.contains(proxy.as_str())),
        "{drained}"
    );
    operator(cluster, &["upstreams", "undrain", &page.node])?;
    cluster.before_end(&page.node)?;
    let moved = ada.look()?;
    ensure!(
        moved.user == "ada" && moved.cart == "mug:1" && moved.node != page.node,
        "{moved:?}"
    );
    cluster.ask_to_stop(&page.node)?;
    let code = cluster.ended(&page.node)?;
    // Java says by its code that it was a signal.
    ensure!(code == Some(143), "{} ended with {code:?}", page.node);
    Ok(())
}

/// A pod that is made anew has the same name, the same disk and another address.
fn a_store_moves(cluster: &mut Cluster) -> Outcome {
    cluster.ask_to_stop("remora-store-1")?;
    let code = cluster.ended("remora-store-1")?;
    ensure!(code == Some(0), "it ended with {code:?}");
    cluster.start("remora-store", 1)?;
    cluster.wait_ready("remora-store-1")?;
    Ok(())
}

/// A disk is lost, and the page's way is gone: `join` in the place of `cluster`, a new disk, and an operator's word.
fn a_disk_is_replaced(cluster: &mut Cluster) -> Outcome {
    let maps = &mut cluster.manifests.config_maps;
    let map = maps
        .iter_mut()
        .find(|map| map.metadata.name.as_deref() == Some("remora-store"));
    let file = map
        .and_then(|map| map.data.as_mut()?.get_mut("store.toml"))
        .context("a file")?;
    let lines = file.lines().filter(|line| !line.starts_with("cluster = "));
    *file = lines
        .map(|line| line.replace("# join = ", "join = ") + "\n")
        .collect();
    cluster.ask_to_stop("remora-store-3")?;
    cluster.ended("remora-store-3")?;
    cluster.forget_disks("remora-store-3")?;
    cluster.start("remora-store", 3)?;
    wait_for("node 3 waits to be added", START, || {
        let listed = operator(cluster, &["nodes", "list"]).ok()?;
        listed.contains("waiting").then_some(())
    })?;
    operator(
        cluster,
        &["nodes", "replace", "3", "remora-store-3.remora-store:7500"],
    )?;
    cluster.wait_ready("remora-store-3")
}

fn all_end(cluster: &mut Cluster) -> Outcome {
    let pods = [
        "remora-proxy-0",
        "remora-proxy-1",
        "remora-store-1",
        "remora-store-2",
        "remora-store-3",
    ];
    for pod in pods {
        cluster.ask_to_stop(pod)?;
    }
    // Announced: whoever still comes is served.
    wait_until("the proxy is announced", SOON, || {
        cluster.is_ready(pods[0]).is_ok_and(|ready| !ready)
    })?;
    let front = (cluster.pod(pods[0])?.machine.address, FRONT);
    let answer = remora_tests::http::Browser::new(front.into()).get("/nothing")?;
    ensure!(answer.field("connection") == Some("close"), "{answer:?}");
    for pod in pods {
        let code = cluster.ended(pod)?;
        ensure!(code == Some(0), "{pod} ended with {code:?}");
    }
    Ok(())
}
