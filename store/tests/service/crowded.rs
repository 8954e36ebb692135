//! A node whose addresses are full of connections that say nothing: it goes on, and so does whoever comes to work.
//!
//! Without a bound on what is accepted, the node had none of its descriptors left, and ended at the next file of its log.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use remora_proto::v1;
use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_proto::v1::store_admin_client::StoreAdminClient;

use super::command_line::{Running, ask, store, wait_for_line};
use super::common::{Who, creation, free_addresses, saved, soon, until};

/// The limit on open files that the node is started with, in both of its parts: the lowest with which it starts.
const LIMIT: usize = 256;
/// Descriptors that stay free whoever is connected: the log's next files are opened with them.
const FREE: usize = 64;
/// Connections that say nothing, to each address.
const SILENT: usize = 200;

fn silent(address: SocketAddr) -> Vec<TcpStream> {
    (0..SILENT)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect()
}

async fn save(client: SocketAddr, tomcat: &mut Who, tail: u8) {
    let mut store = SessionStoreClient::connect(format!("http://{client}"))
        .await
        .unwrap();
    let save = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(tail, "cart", "apple")
    };
    saved(soon("the save", store.save(save)).await.unwrap().into_inner());
}

#[tokio::test]
async fn silent_connections_keep_nobody_from_the_store_and_no_descriptor_from_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let (data, log) = (directory.path().join("d"), directory.path().join("log"));
    let [client, peer, ops] = free_addresses(3).try_into().unwrap();
    let addresses = [client, peer, ops].map(|address| address.to_string());
    let arguments = [
        "--data-dir",
        data.to_str().unwrap(),
        "--client-addr",
        &addresses[0],
        "--peer-addr",
        &addresses[1],
        "--ops-addr",
        &addresses[2],
    ];
    let program = store(&arguments);
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={LIMIT}:{LIMIT}"));
    limited.arg(program.get_program()).args(program.get_args());
    limited.stdin(Stdio::null()).stderr(File::create(&log).unwrap());
    let node = Running(limited.spawn().unwrap());
    wait_for_line(&log, "listening");
    until("the node is ready", async || {
        ask(&addresses[2], "/readyz").contains("200 OK")
    })
    .await;

    let mut tomcat = Who::new(1);
    save(client, &mut tomcat, 1).await;
    let held = [client, peer, ops].map(silent);
    for tail in 2..5 {
        save(client, &mut tomcat, tail).await;
    }
    assert!(ask(&addresses[2], "/healthz").contains("200 OK"));
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.0.id()))
        .unwrap()
        .count();
    assert!(open <= LIMIT - FREE, "{open} descriptors are open");
    let mut admin = StoreAdminClient::connect(format!("http://{client}"))
        .await
        .unwrap();
    let status = soon("the status", admin.status(v1::StoreStatusRequest {})).await;
    assert!(status.unwrap().into_inner().ready);
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("as many connections as may be").count(), 3, "{said}");
    drop(held);
}

#[test]
fn a_limit_that_is_too_low_for_a_node_is_a_sentence_at_its_start() {
    let directory = tempfile::tempdir().unwrap();
    let program = store(&["--data-dir", directory.path().to_str().unwrap()]);
    let mut limited = Command::new("prlimit");
    limited
        .args(["--nofile=255:255"])
        .arg(program.get_program())
        .args(program.get_args());
    let ended = limited.output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("remora-store: the limit on open files is 255"),
        "{said}"
    );
}
