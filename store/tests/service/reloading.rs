//! SIGHUP: a changed file holds without a restart, but for what it says; a faulty one changes nothing.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_proto::v1::{self, refusal::Reason};

use super::command_line::{Running, ask, on_free_ports, store, wait_for_line};
use super::common::{Who, creation, free_addresses, refusal, saved, until};

/// A value that fits into a session of 1,000 bytes, and one that does not.
const SMALL: usize = 500;
const LARGE: usize = 2_000;

struct Node {
    running: Running,
    client: String,
    file: std::path::PathBuf,
    tomcat: Who,
}

impl Node {
    /// Whether a new session of this size is saved.
    async fn saves(&mut self, tail: u8, bytes: usize) -> bool {
        let mut store = SessionStoreClient::connect(format!("http://{}", self.client))
            .await
            .unwrap();
        let save = v1::SaveRequest {
            caller: self.tomcat.caller(),
            ..creation(tail, "cart", &"x".repeat(bytes))
        };
        match store.save(save).await {
            Ok(reply) => {
                saved(reply.into_inner());
                true
            }
            Err(status) => {
                assert_eq!(refusal(&status).reason(), Reason::TooLarge, "{status}");
                false
            }
        }
    }

    /// Writes the file anew, asks for it to be read, and waits for what is said of it.
    fn reload(&self, text: &str, log: &Path, says: &str) {
        std::fs::write(&self.file, text).unwrap();
        let pid = self.running.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-HUP", &pid])
                .status()
                .unwrap()
                .success()
        );
        wait_for_line(log, says);
    }
}

#[tokio::test]
async fn a_new_file_holds_but_for_what_it_says_and_a_faulty_one_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let [client, ops] = free_addresses(2).try_into().unwrap();
    let (client, ops) = (client.to_string(), ops.to_string());
    std::fs::write(at("store.toml"), "").unwrap();
    let (file, data, log) = (at("store.toml"), at("d"), at("log"));
    let mut arguments = on_free_ports(&["--config", file.to_str().unwrap()]);
    arguments.extend(["--data-dir", data.to_str().unwrap()]);
    let places = [("--client-addr", &client), ("--ops-addr", &ops)];
    for (flag, address) in places {
        let at = arguments.iter().position(|argument| *argument == flag).unwrap();
        arguments[at + 1] = address;
    }
    let stderr = File::create(&log).unwrap();
    let mut node = Node {
        running: Running(store(&arguments).stderr(stderr).spawn().unwrap()),
        client: client.clone(),
        file: file.clone(),
        tomcat: Who::new(1),
    };
    wait_for_line(&log, "listening");
    until("the node is ready", async || {
        ask(&ops, "/readyz").contains("200 OK")
    })
    .await;
    assert!(node.saves(1, LARGE).await);

    node.reload("session-bytes-max = 1000\n", &log, "the new configuration holds");
    assert!(node.saves(2, SMALL).await);
    assert!(!node.saves(3, LARGE).await, "the old limit holds");

    node.reload("session-bytes-max = 0\n", &log, "the old one stays");
    assert!(!node.saves(4, LARGE).await);

    let fixed = "heartbeat-ms = 31\nelection-max-ms = 151\nsession-bytes-max = 5000\n";
    let sentence = "restart to apply: heartbeat-ms, election-max-ms";
    node.reload(fixed, &log, sentence);
    assert!(node.saves(5, LARGE).await, "what can change did not");
}
