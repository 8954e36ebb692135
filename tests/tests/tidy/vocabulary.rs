//! One place for each foreign vocabulary.
//!
//! Places are files, or directories that belong to one vocabulary as a whole. A place that no longer needs its permission
//! is a fault, so the lists say what is and not what once was.

use std::collections::BTreeSet;

use crate::Fault;
use crate::tree::{Source, Tree};
use crate::words::names;

/// A foreign word, and where alone it may stand.
struct Vocabulary {
    words: &'static [&'static str],
    places: &'static [&'static str],
}

const VOCABULARIES: &[Vocabulary] = &[
    Vocabulary {
        words: &["openraft"],
        places: &["store/src/raft", "store/Cargo.toml"],
    },
    Vocabulary {
        words: &[
            "tonic",
            "tonic_prost",
            "tonic-prost",
            "tonic_prost_build",
            "tonic-prost-build",
        ],
        places: &[
            "proto",
            "store/src/rpc",
            "store/tests",
            "store/Cargo.toml",
            "proxy/src/control.rs",
            "proxy/src/control/following.rs",
            "proxy/src/control/following",
            "proxy/src/control/service.rs",
            "proxy/tests/support/process.rs",
            "proxy/Cargo.toml",
            "overview/src/client.rs",
            "overview/src/client",
            "overview/Cargo.toml",
            "admin/tests/support",
            "admin/Cargo.toml",
            "tests/src",
            "tests/Cargo.toml",
        ],
    },
    Vocabulary {
        words: &[
            "hyper",
            "hyper_util",
            "hyper-util",
            "http_body_util",
            "http-body-util",
        ],
        places: &[
            "process/src/tls/dial.rs",
            "process/Cargo.toml",
            // For tests, to which it is a second opinion.
            "proxy/h1/src/tests/fuzz/oracle.rs",
            "proxy/h1/src/tests/fuzz/oracle",
            "proxy/h1/Cargo.toml",
        ],
    },
    Vocabulary {
        words: &["h2::", "h2.workspace"],
        places: &[
            "proxy/src/http/http2",
            "proxy/Cargo.toml",
            // As a client, for tests.
            "proxy/tests/support/http2.rs",
            "proxy/tests/http2.rs",
            "proxy/tests/http2_own_answers.rs",
            "proxy/tests/http2_websockets.rs",
        ],
    },
    Vocabulary {
        words: &[
            "rustls",
            "tokio_rustls",
            "tokio-rustls",
            "x509_parser",
            "x509-parser",
            "rcgen",
        ],
        places: &[
            "process/src/tls",
            "process/Cargo.toml",
            // The public side of the proxy, and its way to upstreams.
            "proxy/src/http",
            "proxy/src/tls.rs",
            "proxy/src/tls",
            "proxy/tests/support/client.rs",
            "proxy/tests/support/secured.rs",
            "proxy/tests/support/tls.rs",
            "proxy/tests/tls.rs",
            "proxy/tests/tls_clients.rs",
            "proxy/Cargo.toml",
        ],
    },
    // The words on the wire. In the store: the services, and of the Raft part the files that speak with peers or keep
    // the membership.
    Vocabulary {
        words: &["remora_proto", "remora-proto"],
        places: &[
            "store/src/rpc",
            "store/src/raft/anew.rs",
            "store/src/raft/asking.rs",
            "store/src/raft/endpoint.rs",
            "store/src/raft/forming.rs",
            "store/src/raft/identity.rs",
            "store/src/raft/joining.rs",
            "store/src/raft/link.rs",
            "store/src/raft/lives.rs",
            "store/src/raft/log_seam.rs",
            "store/src/raft/membership.rs",
            "store/src/raft/network.rs",
            "store/src/raft/reader.rs",
            "store/src/raft/recover.rs",
            "store/src/raft/simulation/wires.rs",
            "store/src/raft/snapshots.rs",
            "store/src/raft/wire.rs",
            "store/src/raft/tests",
            "store/tests",
            "store/Cargo.toml",
            "proxy/src/console",
            "proxy/src/control.rs",
            "proxy/src/control/following.rs",
            "proxy/src/control/following",
            "proxy/src/control",
            "proxy/tests/support/operator.rs",
            "proxy/tests/support/process.rs",
            "proxy/Cargo.toml",
            "overview/src",
            "overview/Cargo.toml",
            "admin/src/commands",
            "admin/tests/support",
            "admin/tests/registry.rs",
            "admin/tests/watching.rs",
            "admin/Cargo.toml",
            "tests/src",
            "tests/tests",
            "tests/Cargo.toml",
        ],
    },
    Vocabulary {
        words: &["dashmap"],
        places: &["store/table/src/slot.rs", "store/table/Cargo.toml"],
    },
    Vocabulary {
        words: &["io.grpc", "io.netty", "com.google.protobuf", "remora.proto"],
        places: &[
            "tomcat-adapter/src/main/java/remora/tomcat/store/grpc",
            "tomcat-adapter/src/test/java/remora/tomcat/store/grpc",
            // A client that speaks HTTP/2 to a Tomcat, made of the frames in the gRPC library.
            "tomcat-adapter/src/test/java/remora/tomcat/Http2Client.java",
        ],
    },
    Vocabulary {
        words: &["org.apache.catalina", "org.apache.coyote", "org.apache.tomcat"],
        places: &[
            "tomcat-adapter/src/main/java/org/apache/coyote/CommitHook.java",
            "tomcat-adapter/src/main/java/remora/tomcat/Connectors.java",
            "tomcat-adapter/src/main/java/remora/tomcat/Embedding.java",
            "tomcat-adapter/src/main/java/remora/tomcat/EndListeners.java",
            "tomcat-adapter/src/main/java/remora/tomcat/FormNotes.java",
            "tomcat-adapter/src/main/java/remora/tomcat/Installed.java",
            "tomcat-adapter/src/main/java/remora/tomcat/ManagerAttributes.java",
            "tomcat-adapter/src/main/java/remora/tomcat/ManagerOptions.java",
            "tomcat-adapter/src/main/java/remora/tomcat/OpenFiles.java",
            "tomcat-adapter/src/main/java/remora/tomcat/ServerSteps.java",
            "tomcat-adapter/src/main/java/remora/tomcat/StoredSide.java",
            "tomcat-adapter/src/main/java/remora/tomcat/Principals.java",
            "tomcat-adapter/src/main/java/remora/tomcat/RemoraManager.java",
            "tomcat-adapter/src/main/java/remora/tomcat/RemoraValve.java",
            "tomcat-adapter/src/main/java/remora/tomcat/RequestScope.java",
            "tomcat-adapter/src/test",
            "tomcat-adapter/src/main/java/remora/tomcat/WebSockets.java",
            "spring-boot-starter/starter/src/main/java/remora/spring/Placement.java",
            "spring-boot-starter/starter/src/main/java/remora/spring/RemoraAutoConfiguration.java",
            "spring-boot-starter/starter/src/test",
            "examples/embedded",
        ],
    },
];

/// Each foreign vocabulary stands in its places, and each of its places names it.
pub(crate) fn vocabularies_have_one_place(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for Vocabulary { words, places } in VOCABULARIES {
        let mut idle: BTreeSet<&str> = places.iter().copied().collect();
        for source in tree.all().filter(|source| has_vocabulary(source)) {
            let Some((line, word)) = first_named(source, words) else {
                continue;
            };
            match places.iter().find(|place| source.is_in([*place])) {
                Some(place) => {
                    idle.remove(place);
                }
                None => faults.push(Fault::at(
                    source,
                    line,
                    format!("`{word}` belongs in {}", places[0]),
                )),
            }
        }
        let what = format!("may name `{}` and does not: its row can go", words[0]);
        faults.extend(idle.into_iter().map(|place| Fault::new(place, 1, what.clone())));
    }
    faults
}

/// Sources and manifests, but not the root's, where versions are agreed on for all.
fn has_vocabulary(source: &Source) -> bool {
    source.is_rust() || source.is_java() || source.path.ends_with("/Cargo.toml")
}

/// The first line that names one of these words, tests included.
fn first_named<'a>(source: &Source, words: &[&'a str]) -> Option<(usize, &'a str)> {
    let words = source.may_name(words);
    source.lines().iter().find_map(|line| {
        let word = words.iter().find(|word| names(&line.code, word))?;
        Some((line.number, *word))
    })
}
