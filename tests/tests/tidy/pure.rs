//! What pure code must not name, and what its crate may live on.
//!
//! A crate that does not depend on tokio cannot name it, and its own clippy knows a type under any alias. So of a pure
//! crate the manifest and the bans are held here, and its text for what neither of them sees: a macro of an old edition,
//! a module of std, the keyword `async`.

use std::collections::BTreeSet;

use crate::Fault;
use crate::tree::{Source, Tree};
use crate::words::names;

/// Directories whose code is a function from values to values.
const PURE: &[&str] = &["store/table/src", "proxy/policy/src", "import/src"];

/// What pure code must not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "an async runtime"),
    ("async", "an async runtime"),
    ("await", "an async runtime"),
    ("futures", "an async runtime"),
    ("spawn", "a thread or task"),
    ("thread", "a thread or task"),
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("UNIX_EPOCH", "a clock"),
    ("crate::clock", "a clock"),
    ("fs", "IO"),
    ("io", "IO"),
    ("process", "IO"),
    ("File", "IO"),
    ("TcpStream", "IO"),
    ("TcpListener", "IO"),
    ("UdpSocket", "IO"),
    ("ToSocketAddrs", "IO"),
    ("env", "the environment"),
    ("tracing", "log lines"),
    ("log::", "log lines"),
    ("metrics", "figures"),
    ("rand", "randomness"),
    ("getrandom", "randomness"),
    ("RandomState", "randomness"),
    ("HashMap", "an order that differs between nodes"),
    ("HashSet", "an order that differs between nodes"),
    ("Mutex", "a lock"),
    ("Condvar", "a lock"),
    ("OnceLock", "state that nobody passed in"),
    ("LazyLock", "state that nobody passed in"),
    ("thread_local", "state that nobody passed in"),
    ("remora_proto", "wire types"),
    ("prost", "wire types"),
    ("crate::raft", "the machinery around the table"),
    ("crate::rpc", "the machinery around the table"),
    ("crate::log", "the machinery around the table"),
    ("crate::node", "the machinery around the table"),
    ("crate::http", "the machinery around the policy"),
    ("crate::directory", "the machinery around the policy"),
    ("crate::config", "the machinery around the policy"),
];

/// What the proxy's policy must not name besides: the table shares its records with readers, the policy shares nothing.
const SHARED_STATE: &[&str] = &[
    "RwLock",
    "AtomicBool",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
    "RefCell",
];

/// A pure crate: the libraries that it may use, and what its own clippy bans besides.
struct PureCrate {
    directory: &'static str,
    dependencies: &'static [&'static str],
    tests: &'static [&'static str],
    more_bans: &'static [&'static str],
}

/// What the clippy of each of them bans at least.
const BANS: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::thread::spawn",
    "std::fs::File",
    "std::net::TcpStream",
];

const PURE_CRATES: &[PureCrate] = &[
    PureCrate {
        directory: "store/table",
        dependencies: &["bytes", "dashmap", "thiserror"],
        tests: &["goldenscript", "remora-fuzz"],
        more_bans: &[],
    },
    PureCrate {
        directory: "proxy/policy",
        dependencies: &[],
        tests: &["allocation-counter", "goldenscript", "remora-fuzz"],
        more_bans: &["std::sync::atomic::AtomicU64", "std::sync::Mutex"],
    },
    PureCrate {
        directory: "proxy/h1",
        dependencies: &["memchr"],
        tests: &["allocation-counter", "goldenscript", "hyper", "remora-fuzz"],
        more_bans: &["std::sync::atomic::AtomicU64", "std::sync::Mutex"],
    },
    PureCrate {
        directory: "import",
        dependencies: &["remora-policy"],
        tests: &["remora-process", "remora-proxy", "tempfile"],
        more_bans: &["std::sync::atomic::AtomicU64", "std::sync::Mutex"],
    },
];

/// Pure code names nothing of the world around it.
pub(crate) fn pure_names_nothing_impure(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust().filter(|source| source.is_in(PURE)) {
        let policy = source.path.starts_with("proxy/");
        let suspects: Vec<&(&str, &str)> = IMPURE
            .iter()
            .filter(|(word, _)| !source.may_name(&[word]).is_empty())
            .collect();
        for line in source.product() {
            let general = suspects.iter().filter(|(word, _)| names(&line.code, word));
            faults.extend(
                general.map(|(word, what)| Fault::at(source, line.number, format!("`{word}` is {what}"))),
            );
            let shared = SHARED_STATE
                .iter()
                .filter(|word| policy && names(&line.code, word));
            faults.extend(
                shared.map(|word| Fault::at(source, line.number, format!("`{word}` is shared state"))),
            );
        }
    }
    faults
}

/// Pure crates depend on a listed few, and their clippy bans what they must not do, beside all that the root's says: clippy
/// reads the nearest file only.
pub(crate) fn pure_crates_stay_poor(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for pure in PURE_CRATES {
        let manifest = format!("{}/Cargo.toml", pure.directory);
        let Some(source) = tree.get(&manifest) else {
            faults.push(Fault::new(&manifest, 1, "a pure crate without its manifest"));
            continue;
        };
        faults.extend(strange_dependencies(source, pure));
        let clippy = format!("{}/clippy.toml", pure.directory);
        let bans = tree.get(&clippy).map_or("", |source| source.text.as_str());
        let missing = BANS
            .iter()
            .chain(pure.more_bans)
            .filter(|ban| !bans.contains(&format!("\"{ban}\"")));
        faults.extend(missing.map(|ban| Fault::new(&clippy, 1, format!("does not ban {ban}"))));
        let root = tree.get("clippy.toml").map_or("", |source| source.text.as_str());
        let own: BTreeSet<&str> = bans.lines().filter_map(said).collect();
        let unsaid = root.lines().filter_map(said).filter(|said| !own.contains(said));
        faults
            .extend(unsaid.map(|said| Fault::new(&clippy, 1, format!("does not repeat the root's {said}"))));
    }
    faults
}

/// What a line of clippy's configuration says: a banned path, or a whole setting.
fn said(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some((_, path)) = line.split_once("path = ") {
        return path.split(',').next();
    }
    let opens = line.is_empty() || line.starts_with(['#', ']']) || line.ends_with('[');
    (!opens).then_some(line)
}

/// The two lists in which a pure crate's dependencies stand, where they are seen.
const LISTS: [&str; 2] = ["[dependencies]", "[dev-dependencies]"];

/// Dependencies that are not listed, and listed ones that are not there.
fn strange_dependencies(manifest: &Source, pure: &PureCrate) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut missing: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (list, names) in LISTS.into_iter().zip([pure.dependencies, pure.tests]) {
        missing.extend(names.iter().map(|name| (list, *name)));
    }
    let listed = missing.clone();
    let mut section = "";
    for line in manifest.lines() {
        let code = line.code.trim();
        if code.starts_with('[') {
            section = code;
            if code.contains("dependencies") && !LISTS.contains(&code) {
                faults.push(Fault::at(
                    manifest,
                    line.number,
                    "its dependencies stand in two lists and no other",
                ));
            }
        } else if LISTS.contains(&section) && !code.is_empty() {
            let name = code.split(['.', ' ', '=']).next().unwrap_or_default();
            missing.remove(&(section, name));
            if !listed.contains(&(section, name)) {
                let what = format!("`{name}` is not what this pure crate lives on");
                faults.push(Fault::at(manifest, line.number, what));
            }
        }
    }
    let idle = missing
        .into_iter()
        .map(|(_, name)| format!("`{name}` is listed and not there"));
    faults.extend(idle.map(|what| Fault::new(&manifest.path, 1, what)));
    faults
}
