//! The violations: one for each way in which a rule was once passed by, or could be. Each is put into the tree in memory,
//! alone, and must be reported where it stands; so a rule that goes blind fails here on the same day.
//!
//! Plants are files of their own wherever the rule allows, with names that nobody else uses, so that the tree may be
//! rearranged around them. What whole files are searched for is spelled in parts, as in `text`.

use crate::tree::{Source, Tree};
use crate::{RULES, broken, pages};

/// A file in a pure directory of each part, in the store's services, in the proxy, in the jar's seam, among tests.
const TABLE: &str = "store/table/src/planted.rs";
const POLICY: &str = "proxy/policy/src/failover/planted.rs";
const SERVICE: &str = "store/src/rpc/planted.rs";
const PROXY: &str = "proxy/src/planted.rs";
const SEAM: &str = "tomcat-adapter/src/main/java/remora/tomcat/store/Planted.java";
const PROXY_TEST: &str = "proxy/tests/planted.rs";
const CLAIM: &str = "tests/tests/planted.rs";
const JAVA_TEST: &str = "tomcat-adapter/src/test/java/remora/tomcat/PlantedTest.java";
const PAGE: &str = "PLANTED.md";

/// Rule, file, text.
type Planted = (&'static str, &'static str, &'static str);

/// Pure means pure.
const IMPURE: &[Planted] = &[
    // Unordered maps and sets, also in braces.
    ("pure", TABLE, "use std::collections::HashMap;"),
    ("pure", TABLE, "use std::collections::{BTreeMap, HashSet};"),
    // What lies around the table.
    ("pure", TABLE, "use crate::raft::RaftHandle;"),
    ("pure", TABLE, "use crate::rpc::Hub;"),
    ("pure", TABLE, "use crate::clock::Clock;"),
    ("pure", TABLE, "use crate::log::LogId;"),
    ("pure", TABLE, "use remora_proto::v1::SaveRequest;"),
    // Locks, figures, log lines, IO, randomness, under any of their names.
    ("pure", TABLE, "use std::sync::Mutex;"),
    ("pure", TABLE, "fn f() { metrics::counter!(\"a\").increment(1); }"),
    ("pure", TABLE, "fn f() { log::info!(\"a\"); }"),
    ("pure", TABLE, "fn f() { tracing::info!(\"a\"); }"),
    ("pure", TABLE, "use std::{fs, mem};"),
    ("pure", TABLE, "use std::io::Read;"),
    ("pure", TABLE, "fn f() -> u64 { rand::random() }"),
    ("pure", TABLE, "async\nfn f() {}"),
    ("pure", POLICY, "use std::sync::atomic::AtomicU64;"),
    // Code behind a test module is code; so is a test function, which is no module.
    ("pure", TABLE, "#[cfg(test)]\nmod tests;\nuse std::time::Instant;"),
    (
        "pure",
        TABLE,
        "#[cfg(test)]\nmod tests {\n}\nuse std::time::Instant;",
    ),
    ("pure", TABLE, "#[cfg(test)]\nfn f() {\n    Instant::now();\n}"),
    // A file that nothing declares a test is none, whatever it is called.
    ("pure", "store/table/src/planted/tests.rs", "use tokio::time;"),
    // An assignment is no comment, nor is what stands beside one or between two strings that look like its ends.
    (
        "pure",
        POLICY,
        "fn f(x: &mut Instant) {\n    *x = Instant::now();\n}",
    ),
    ("pure", POLICY, "/* a */ use std::time::Instant;"),
    (
        "pure",
        POLICY,
        "const A: &str = \"/*\";\nuse std::time::Instant;\nconst B: &str = \"*/\";",
    ),
];

/// One place for each vocabulary.
const FOREIGN: &[Planted] = &[
    ("vocabulary", SERVICE, "use openraft::Vote;"),
    ("vocabulary", "store/src/log/planted.rs", "use openraft::Vote;"),
    (
        "vocabulary",
        SERVICE,
        "#[cfg(test)]\nmod tests;\nuse openraft::Vote;",
    ),
    (
        "vocabulary",
        SERVICE,
        "#[cfg(test)]\nmod tests;\nuse hyper::Body;",
    ),
    // A crate under its bare name, by its old keyword, by its companions.
    ("vocabulary", POLICY, "use tonic as wire;"),
    ("vocabulary", PROXY, "extern crate hyper;"),
    ("vocabulary", PROXY, "use hyper_util::rt::TokioIo;"),
    // Beside the files that may, in a directory that as a whole may not.
    ("vocabulary", "store/src/raft/planted.rs", "use remora_proto::v1;"),
    ("vocabulary", "process/src/planted.rs", "use tonic::Status;"),
    ("vocabulary", TABLE, "use dashmap::DashMap;"),
    ("vocabulary", PROXY, "use remora_proto::v1;"),
    (
        "vocabulary",
        "admin/planted/Cargo.toml",
        "[dependencies]\nopenraft = \"1\"",
    ),
    // The jar's seam: neither the transport, nor the words on the wire, nor Tomcat.
    ("vocabulary", SEAM, "import io.grpc.Channel;"),
    ("vocabulary", SEAM, "import remora.proto.v1.Hello;"),
    ("vocabulary", SEAM, "import org.apache.catalina.Session;"),
    // A place that needs its permission no longer.
    (
        "vocabulary",
        "proxy/src/control.rs",
        "//! A control that speaks no gRPC.",
    ),
];

/// Threads and tasks.
const STARTED: &[Planted] = &[
    ("tasks", SERVICE, "fn f() {\n    tokio::spawn(async {});\n}"),
    (
        "tasks",
        SERVICE,
        "fn f(tasks: &mut JoinSet<()>) {\n    tasks.spawn(async {});\n}",
    ),
    (
        "tasks",
        SERVICE,
        "fn f(works: Works) {\n    works.map(tokio::spawn);\n}",
    ),
    ("tasks", SERVICE, "use tokio::task::spawn_local as go;"),
    ("tasks", SERVICE, "fn f() {\n    task::spawn_blocking(work);\n}"),
    (
        "tasks",
        SERVICE,
        "#[cfg(test)]\nmod tests;\nfn f() {\n    thread::spawn(work);\n}",
    ),
    (
        "tasks",
        "process/src/planted.rs",
        "fn f() {\n    std::thread::Builder::new();\n}",
    ),
    (
        "tasks",
        "proxy/src/http/planted.rs",
        "fn f() {\n    spawn_local(work);\n}",
    ),
    ("tasks", SEAM, "  void f() {\n    new Thread(this).start();\n  }"),
    (
        "tasks",
        SEAM,
        "  ExecutorService workers = Executors.newCachedThreadPool();",
    ),
    // A listed owner that starts nothing.
    ("tasks", "store/src/node.rs", "//! A node that starts nothing."),
];

/// How files open and what they say of their bounds.
const UNSAID: &[Planted] = &[
    ("preface", PROXY, "use std::mem;"),
    ("preface", PROXY, "//! X."),
    ("preface", PROXY, "//! Things that are planted"),
    (
        "preface",
        SEAM,
        "package remora.tomcat.store;\n\n/** Planted. */\nfinal class Planted {}",
    ),
    (
        "preface",
        SEAM,
        "/** Said of the package, not of the type. */\npackage a;\n\nfinal class Planted {}",
    ),
    ("bounds", PROXY, "const STRAY_MAX: usize = 1;"),
    // Any visibility, wherever it is declared.
    ("bounds", PROXY, "pub const STRAY_LIMIT: usize = 1;"),
    ("bounds", PROXY, "pub(super) const STRAY_MAX: usize = 1;"),
    ("bounds", PROXY, "pub(in crate::http) const STRAY_MAX: usize = 1;"),
    (
        "bounds",
        PROXY,
        "impl Pace {\n    const STRAY_TIMEOUT: u64 = 1;\n}",
    ),
    ("bounds", PROXY, "static STRAY_CAPACITY: u64 = 1;"),
    // Any ending that the house uses.
    ("bounds", PROXY, "const STRAY_WAIT: u64 = 1;"),
    ("bounds", PROXY, "const STRAY_INTERVAL: u64 = 1;"),
    ("bounds", PROXY, "const STRAY_WITHIN: u64 = 1;"),
    ("bounds", PROXY, "const STRAY_EVERY: u64 = 1;"),
    ("bounds", PROXY, "const STRAY_AFTER: u64 = 1;"),
    ("bounds", PROXY, "const STRAY_BYTES: u64 = 1;"),
    ("bounds", PROXY, "const STRAY_MS: u64 = 1;"),
    ("bounds", PROXY, "const CAPACITY_FIRST: u64 = 1;"),
    ("bounds", PROXY, "const STRAY: Duration = Duration::ZERO;"),
    // A comment speaks of one constant; a file's preface of none.
    (
        "bounds",
        PROXY,
        "/// Why.\nconst A_MS: u64 = 1;\nconst STRAY_MS: u64 = 1;",
    ),
    ("bounds", PROXY, "//! Planted.\nconst STRAY_MS: u64 = 1;"),
    (
        "bounds",
        PROXY,
        "/// Stray milliseconds.\nconst STRAY_MS: u64 = 1;",
    ),
    ("bounds", SEAM, "  private static final int STRAY_MAX = 1;"),
    ("bounds", SEAM, "  public static final long STRAY_NANOS = 1;"),
];

/// Names, promises, guesses, marks, citations.
const WORDS: &[Planted] = &[
    ("type names", PROXY, "struct Story;"),
    ("type names", PROXY, "pub(in crate::http) struct Story;"),
    (
        "type names",
        PROXY,
        "#[cfg(test)]\nmod tests;\npub(crate) enum Story {}",
    ),
    ("type names", SERVICE, "pub(crate) type PeerLink = u8;"),
    ("type names", SEAM, "  private static final class Ledger {}"),
    // A claim that shows nothing, one that nobody names, one of a promise that nobody made.
    ("promises", CLAIM, "//! Planted: a claim of nothing."),
    ("promises", CLAIM, "//! Promise 1: planted."),
    ("promises", CLAIM, "//! Promises 1 and 12: planted."),
    (
        "conditions",
        PROXY_TEST,
        "fn f() {\n    std::thread::sleep(STEP);\n}",
    ),
    (
        "conditions",
        PROXY_TEST,
        "use tokio::time::sleep;\nfn f() {\n    sleep(STEP).await;\n}",
    ),
    (
        "conditions",
        PROXY,
        "#[cfg(test)]\nmod tests {\n    fn f() {\n        sleep(STEP);\n    }\n}",
    ),
    ("conditions", PROXY_TEST, "use std::thread::sleep as rest;"),
    ("conditions", JAVA_TEST, "  Thread.sleep(1);"),
    ("conditions", JAVA_TEST, "  TimeUnit.SECONDS.sleep(1);"),
    ("later", PROXY, concat!("// TO", "DO: more")),
    ("later", JAVA_TEST, concat!("  @Dis", "abled")),
    ("machines", PAGE, concat!("See /ho", "me/me.")),
    (
        "machines",
        PROXY,
        concat!("const KEY: &str = \"-----BEGIN PRIV", "ATE KEY-----\";"),
    ),
    ("clean", PROXY, "fn f() {} "),
    ("clean", PAGE, "a\tb"),
    // Papers that no reader has, by file, by section, by name.
    ("citations", PROXY, "// Measured in research/proxy.md."),
    ("citations", PROXY, "//! What design.md says, done."),
    ("citations", PROXY, "/// As design section 5 has it."),
    ("citations", SEAM, "/** Fastest\n * in the prototype. */"),
    ("citations", "planted.toml", "a = 1 # as in cases/store"),
    // Files of ours that are not where they were, or never were.
    ("citations", PROXY, "// See `pool/planted.rs:12`."),
    ("citations", PROXY, "/* The table lies in store/planted/. */"),
    ("citations", PAGE, "[the rules](store/planted/rules.md#save)"),
    // A file, a heading, a way out of the repository, a site that nobody listed, one that is listed in clear.
    ("links", PAGE, "[all](README.md) of [it](docs/planted.md)"),
    ("links", PAGE, "[here](#nowhere)\n\n# Somewhere"),
    ("links", PAGE, "[there](README.md#nowhere)"),
    ("links", PAGE, "[out](../README.md)"),
    ("links", PAGE, "```\ncode\n```\n[`a`](https://planted.example/)"),
    ("links", PAGE, "[a](http://semver.org/)"),
    ("index", "docs/planted.md", "A page that nobody finds."),
];

/// Files that are too long for one rule or another: their first lines, a line that is repeated, the last ones.
const LONG: &[(&str, &str, &str, &str, usize, &str)] = &[
    ("sitting", PROXY, "", "use a;", 401, ""),
    ("sitting", PROXY, "#[cfg(test)]\nmod tests;", "use a;", 401, ""),
    ("sitting", SEAM, "", "import a;", 401, ""),
    ("screen", SEAM, "  void f() {", "    g();", 70, "  }"),
    (
        "preface",
        PROXY,
        "//! Things that are planted in a long file.",
        "use a;",
        100,
        "",
    ),
];

/// Changes of a file that must stay what it is: rule, file, what becomes what.
const CHANGED: &[(&str, &str, &str, &str)] = &[
    (
        "pure crates",
        "store/table/Cargo.toml",
        "[dependencies]\n",
        "[dependencies]\ntokio.workspace = true\n",
    ),
    (
        "pure crates",
        "store/table/Cargo.toml",
        "[dependencies]\n",
        "[dependencies.tokio]\nversion = \"1\"\n[dependencies]\n",
    ),
    ("pure crates", "store/table/Cargo.toml", "thiserror", "anyhow"),
    (
        "pure crates",
        "store/table/clippy.toml",
        "std::collections::HashMap",
        "std::collections::BTreeMap",
    ),
    (
        "pure crates",
        "store/table/clippy.toml",
        "std::time::Instant",
        "std::time::Duration",
    ),
    (
        "pure crates",
        "proxy/policy/clippy.toml",
        "too-many-lines-threshold = 70",
        "too-many-lines-threshold = 700",
    ),
    (
        "pure crates",
        "proxy/policy/Cargo.toml",
        "[dependencies]\n",
        "[build-dependencies]\ncc = \"1\"\n",
    ),
    (
        "pure crates",
        "proxy/policy/Cargo.toml",
        "[dependencies]\n",
        "[target.'cfg(unix)'.dependencies]\n",
    ),
    // A row that names a claim which does not know of it; a guarantee that is missing, or links elsewhere.
    (
        "promises",
        "ARCHITECTURE.md",
        "| 8 | ",
        "| 8 | [a](tests/tests/zombie_tomcat_is_fenced.rs) ",
    ),
    ("promises", "README.md", "\n6. ", "\n16. "),
    (
        "promises",
        "README.md",
        "drained_upstream_takes_nothing_new_and_loses_nobody",
        "zombie_tomcat_is_fenced",
    ),
    (
        "promises",
        "tests/tests/zombie_tomcat_is_fenced.rs",
        "Promise 3",
        "Promise 6",
    ),
    ("map", "README.md", "| `proto/` |", "| `protocol/` |"),
];

/// All plants: the rule that must report, and the file that it must report.
fn plants(tree: &Tree) -> Vec<(&'static str, Source)> {
    let short = [IMPURE, FOREIGN, STARTED, UNSAID, WORDS, pages::PLANTED].concat();
    let mut plants: Vec<(&str, Source)> = short
        .into_iter()
        .map(|(rule, path, text)| (rule, Source::new(path, &format!("{text}\n"))))
        .collect();
    plants.extend(LONG.iter().map(|(rule, path, first, line, times, last)| {
        let text = format!("{first}\n{}{last}\n", format!("{line}\n").repeat(*times));
        (*rule, Source::new(path, &text))
    }));
    plants.extend(CHANGED.iter().map(|(rule, path, from, to)| {
        let text = tree.get(path).map_or("", |source| source.text.as_str());
        assert!(text.contains(from), "{path} does not say {from:?}");
        (*rule, Source::new(path, &text.replacen(from, to, 1)))
    }));
    plants
}

#[test]
fn every_rule_has_plants_and_reports_them() {
    let mut tree = Tree::read();
    let plants = plants(&tree);
    for rule in RULES {
        let planted = plants.iter().any(|(name, _)| *name == rule.name);
        assert!(planted, "nothing is planted against {}", rule.name);
    }
    let mut unseen = Vec::new();
    for (name, plant) in plants {
        let rule = RULES
            .iter()
            .find(|rule| rule.name == name)
            .expect("plants name rules");
        let (path, text) = (plant.path.clone(), plant.text.clone());
        let before = tree.put(plant);
        if !broken(rule, &tree).iter().any(|fault| fault.path == path) {
            let shown: String = text.chars().take(200).collect();
            unseen.push(format!("\n{name}: {path}\n{shown}"));
        }
        tree.put_back(&path, before);
    }
    assert!(unseen.is_empty(), "not reported:{}", unseen.concat());
}
