//! The program as people start it: clear sentences and exit codes for what is wrong, an orderly end for SIGTERM.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn store(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remora-store"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = store(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

const FREE: [&str; 6] = [
    "--client-addr",
    "127.0.0.1:0",
    "--peer-addr",
    "127.0.0.1:0",
    "--ops-addr",
    "127.0.0.1:0",
];

pub(crate) fn on_free_ports<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, FREE.as_slice()].concat()
}

/// A child that dies with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ended(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the node does not end");
        std::thread::yield_now();
    }
}

fn terminate(running: &Running) {
    let pid = running.0.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.unwrap().success());
}

/// What an operator's address answers, once it does.
pub(crate) fn ask(address: &str, path: &str) -> String {
    let began = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(20), "{address}: {error}"),
        }
        std::thread::yield_now();
    };
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn wait_for_line(log: &Path, part: &str) {
    let began = Instant::now();
    while !std::fs::read_to_string(log).unwrap().contains(part) {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "no {part:?} in the log"
        );
        std::thread::yield_now();
    }
}

#[test]
fn help_shows_examples() {
    let output = store(&["--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("Examples:") && text.contains("--cluster 1=127.0.0.1:7501"),
        "{text}"
    );
}

#[test]
fn a_busy_port_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let data = directory.path().join("d");
    let (code, said) = refused(&[
        "--data-dir",
        data.to_str().unwrap(),
        "--client-addr",
        &address,
        "--peer-addr",
        "127.0.0.1:0",
        "--ops-addr",
        "127.0.0.1:0",
    ]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&format!("remora-store: {address} is in use: ")),
        "{said}"
    );
    assert!(!data.exists(), "a start that fails on a port leaves no trace");
}

#[test]
fn unknown_keys_and_flags_are_usage_errors_with_a_suggestion() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "data-dir = \"d\"\nnode-di = 3").unwrap();
    let (code, said) = refused(&["--config", file.path().to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains(":2: node-di: unknown key `node-di`; did you mean `node-id`?"),
        "{said}"
    );
    let (code, said) = refused(&["--data-dri", "d"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--data-dir"), "{said}");
}

#[test]
fn a_data_directory_belongs_to_one_node_and_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("d");
    let log = directory.path().join("log");
    let arguments = ["--data-dir", data.to_str().unwrap()];
    let stderr = std::fs::File::create(&log).unwrap();
    let mut running = Running(store(&on_free_ports(&arguments)).stderr(stderr).spawn().unwrap());
    wait_for_line(&log, "listening");
    let (code, said) = refused(&on_free_ports(&arguments));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("remora-store: cannot start: "), "{said}");

    terminate(&running);
    assert_eq!(
        ended(&mut running.0).code(),
        Some(0),
        "{}",
        std::fs::read_to_string(&log).unwrap()
    );
    let (code, said) = refused(&on_free_ports(&[
        "--node-id",
        "2",
        "--data-dir",
        data.to_str().unwrap(),
    ]));
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("node 1"),
        "the sentence names the node it belongs to: {said}"
    );
}

/// Here and not beside the code: a process started from there would share, until it is another program, the locks of every
/// test that runs at that moment.
#[test]
fn a_directory_whose_holder_listens_nowhere_is_said_to_hang_in_its_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (data, lock) = (directory.path(), directory.path().join("lock"));
    std::fs::write(&lock, "").unwrap();
    let mut flock = Command::new("flock");
    flock
        .arg("--no-fork")
        .arg(&lock)
        .args(["sh", "-c", "echo held; exec sleep 3600"]);
    let mut silent = Running(flock.stdout(Stdio::piped()).spawn().unwrap());
    let mut held = [0; 4];
    silent.0.stdout.as_mut().unwrap().read_exact(&mut held).unwrap();
    let (code, said) = refused(&on_free_ports(&["--data-dir", data.to_str().unwrap()]));
    assert_eq!(code, Some(1), "{said}");
    let process = format!("process {}", silent.0.id());
    assert!(
        said.contains(&process) && said.contains("hang in its disk"),
        "{said}"
    );
}

#[test]
fn a_start_says_what_holds() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let data = directory.path().join("d");
    let stderr = std::fs::File::create(&log).unwrap();
    let arguments = ["--data-dir", data.to_str().unwrap(), "--election-max-ms", "300"];
    let _running = Running(store(&on_free_ports(&arguments)).stderr(stderr).spawn().unwrap());
    wait_for_line(&log, "listening");
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(
        said.contains("election-max-ms=300") && said.contains("heartbeat-ms=30"),
        "{said}"
    );
}

#[test]
fn a_data_directory_is_made_for_nobody_else_and_a_wider_one_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let (data, log) = (directory.path().join("above/d"), directory.path().join("log"));
    let arguments = on_free_ports(&["--data-dir", data.to_str().unwrap()]);
    let said_at_start = || {
        let stderr = std::fs::File::create(&log).unwrap();
        let mut running = Running(store(&arguments).stderr(stderr).spawn().unwrap());
        wait_for_line(&log, "listening");
        terminate(&running);
        ended(&mut running.0);
        std::fs::read_to_string(&log).unwrap()
    };
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let said = said_at_start();
    assert!(!said.contains("open to others"), "{said}");
    assert_eq!((mode(&data), mode(data.parent().unwrap())), (0o700, 0o700));

    std::fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let said = said_at_start();
    assert!(said.contains("open to others") && said.contains("755"), "{said}");
    assert_eq!(mode(&data), 0o755, "it is said, not changed");
}

#[test]
fn a_node_that_restores_is_healthy_not_ready_and_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let (data, log) = (directory.path().join("d"), directory.path().join("log"));
    let data = data.to_str().unwrap();
    let stderr = || std::fs::File::create(&log).unwrap();
    let arguments = on_free_ports(&["--data-dir", data]);
    let mut first = Running(store(&arguments).stderr(stderr()).spawn().unwrap());
    wait_for_line(&log, "listening");
    terminate(&first);
    ended(&mut first.0);
    // A pipe that nobody writes to, in place of a file of the log: reading it takes for ever.
    let pipe = Path::new(data).join("log/r-99_999_999_999_999_999_999.wal");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let ops = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ops = ops.to_string();
    let mut arguments = on_free_ports(&["--data-dir", data]);
    *arguments.last_mut().unwrap() = &ops;
    let mut restoring = Running(store(&arguments).stderr(stderr()).spawn().unwrap());
    assert!(ask(&ops, "/healthz").contains("200 OK"));
    let ready = ask(&ops, "/readyz");
    assert!(ready.contains(" 503 ") && ready.contains("restoring"), "{ready}");
    terminate(&restoring);
    assert_eq!(ended(&mut restoring.0).code(), Some(0));
}
