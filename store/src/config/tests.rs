//! What people write, and what they are told when it is wrong.

use std::io::Write;

use super::*;

mod page;

fn flags(line: &str) -> Flags {
    Flags::try_parse_from(std::iter::once("remora-store").chain(line.split_whitespace())).unwrap()
}

fn faults(line: &str) -> String {
    flags(line).config().unwrap_err().to_string()
}

#[test]
fn a_single_node_needs_nothing_but_a_directory() {
    let config = flags("--data-dir d").config().unwrap();
    assert_eq!((config.node, config.cluster.len()), (1, 0));
    assert_eq!(config.client_addr, CLIENT_ADDR.parse().unwrap());
    assert_eq!(config.limits.session_bytes_max, 1 << 20);
    assert_eq!(
        faults("--node-id 1"),
        "data-dir: is missing: name a directory for this node's log, as in --data-dir ./store-data"
    );
}

#[test]
fn the_file_has_the_keys_of_the_flags_and_flags_win() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        file,
        "node-id = 2\ndata-dir = \"d\"\ncluster = \"1=127.0.0.1:1,2=127.0.0.1:2\"\nheartbeat-ms = 10\nallow-plaintext = true"
    )
    .unwrap();
    let line = format!("--config {} --heartbeat-ms 20", file.path().display());
    let config = flags(&line).config().unwrap();
    assert_eq!(config.node, 2);
    assert_eq!(config.timers.heartbeat, Duration::from_millis(20));
    assert_eq!(
        config.peer_addr,
        "127.0.0.1:2".parse().unwrap(),
        "from the cluster's own entry"
    );
    assert!(config.allow_plaintext);
}

#[test]
fn an_unknown_key_of_the_file_is_named_with_the_nearest_known_one() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "data-dir = \"d\"\nhartbeat-ms = 10").unwrap();
    let report = faults(&format!("--config {}", file.path().display()));
    assert!(
        report.ends_with(":2: hartbeat-ms: unknown key `hartbeat-ms`; did you mean `heartbeat-ms`?"),
        "{report}"
    );
}

#[test]
fn an_unknown_flag_is_a_usage_error_that_names_the_nearest_one() {
    let error = Flags::try_parse_from(["remora-store", "--data-dirr", "d"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[test]
fn addresses_off_the_loopback_want_plaintext_said_aloud() {
    let report = faults("--data-dir d --client-addr 192.0.2.1:7401");
    assert!(
        report.contains("client-addr: 192.0.2.1:7401 is not on the loopback: name tls-authority"),
        "{report}"
    );
    assert!(
        flags("--data-dir d --client-addr 192.0.2.1:7401 --allow-plaintext")
            .config()
            .is_ok()
    );
    let files = "--tls-authority a --tls-cert c --tls-key k";
    let secured = format!("--data-dir d --client-addr 192.0.2.1:7401 --peer-addr 192.0.2.1:7501 {files}");
    assert!(flags(&secured).config().is_ok());
    let report = faults(&format!("{secured} --ops-addr 192.0.2.1:7601"));
    assert!(
        report.starts_with("ops-addr: 192.0.2.1:7601 is not on the loopback, and health"),
        "{report}"
    );
    let report = faults("--data-dir d --client-addr 0.0.0.0:7401 --allow-plaintext");
    assert!(
        report.starts_with("advertise-client-addr: is missing"),
        "{report}"
    );
}

#[test]
fn a_cluster_list_is_checked_item_by_item() {
    let report = faults("--data-dir d --node-id 4 --cluster 1=a:1,3=a:1,1=b:2,2,0=c:1");
    for part in [
        "node 1 is named twice",
        "`2` is not a node",
        "a:1 stands behind two nodes",
        "`0=c:1` is not a node",
        "does not name this node: add 4=HOST:PORT",
    ] {
        assert!(report.contains(part), "{part} is not in {report}");
    }
}

#[test]
fn a_node_that_is_to_be_added_says_to_whom_and_as_which() {
    let config = flags("--data-dir d --node-id 4 --join a:1,b:2").config().unwrap();
    assert_eq!((config.node, config.join.len()), (4, 2));
    let report = faults("--data-dir d --join a,0.0.0.0:1 --cluster 1=127.0.0.1:7501");
    for part in [
        "join: `a` is not an address",
        "join: 0.0.0.0:1 stands for all addresses",
        "join: excludes cluster",
        "node-id: is missing: with join",
    ] {
        assert!(report.contains(part), "{part} is not in {report}");
    }
}

#[test]
fn an_address_that_leads_nowhere_is_refused() {
    for (line, sentence) in [
        (
            "--cluster 1=store1:7501,2=store2:7501,3=store3:7501",
            "peer-addr: is missing: cluster calls this node store1:7501, by a name",
        ),
        ("--cluster 1=::1:7501", "`1=::1:7501` is not a node"),
        ("--cluster 1=[::1:7501", "`1=[::1:7501` is not a node"),
        (
            "--cluster 1=0.0.0.0:7501",
            "cluster: 0.0.0.0:7501 stands for all addresses",
        ),
        (
            "--advertise-client-addr 0.0.0.0:7401",
            "advertise-client-addr: 0.0.0.0:7401 stands for all addresses",
        ),
        ("--heartbeat-ms 1", "heartbeat-ms: must be 5 or more"),
    ] {
        let report = faults(&format!("--data-dir d {line}"));
        assert!(report.contains(sentence), "{line}: {report}");
    }
    let line = "--data-dir d --cluster 1=store1:7501 --peer-addr 127.0.0.1:7501";
    assert!(flags(line).config().is_ok());
    assert!(flags("--data-dir d --cluster 1=[::1]:7501").config().is_ok());
}

#[test]
fn what_works_and_is_hardly_meant_is_remarked() {
    let remarks = |line: &str| {
        let config = flags(&format!("--data-dir d {line}")).config().unwrap();
        config.remarks().join("\n")
    };
    let three = "--cluster 1=127.0.0.1:7501,2=127.0.0.1:7502,3=127.0.0.1:7503";
    assert_eq!(remarks(three), "");
    assert!(remarks("--cluster 1=127.0.0.1:7501,2=127.0.0.1:7502").contains("a cluster of two nodes"));
    let other = remarks(&format!("{three} --peer-addr 127.0.0.1:7511"));
    assert!(
        other.contains(
            "look for this node at 127.0.0.1:7501, as cluster says, and it listens at 127.0.0.1:7511"
        ),
        "{other}"
    );
    let all = "--peer-addr 0.0.0.0:7501 --allow-plaintext";
    assert_eq!(remarks(&format!("{three} {all}")), "");
}

#[test]
fn all_faults_come_in_one_report() {
    let report = faults("--node-id 0 --heartbeat-ms 200 --session-bytes-max 9999999 --attributes-max 0");
    for key in [
        "node-id:",
        "data-dir:",
        "election-min-ms:",
        "session-bytes-max:",
        "attributes-max:",
    ] {
        assert!(report.contains(key), "{key} is not in {report}");
    }
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let report = faults("--data-dir d --client-addr 127.0.0.1:7501");
    assert!(
        report.contains("peer-addr: is the same address as client-addr"),
        "{report}"
    );
}
