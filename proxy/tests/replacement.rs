//! Claim: SIGUSR2 puts a new process in the place of the old one, and no client notices: whoever comes is served by either, what is
//! open goes on, wishes hold; and where the new one fails, nothing has changed.
//!
//! Broken once to see it fail: the queue of an address that is given up not served; the wishes not read again; their lock not
//! handed down; a reload not passed on; a successor that accepts before it has the word, or is left alive at a SIGTERM; the
//! program's own file started, not the one at its path; a failed or a taken file not counted; the service manager not told; the old process cut by the first SIGTERM.

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::client::Client;
use support::process::{Config, Proxy, free_address, kill, run};
use support::upstream::{Act, Upstream};
use support::{PATIENCE, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
const OF_N1: &str = "Cookie: JSESSIONID=ABC.n1\r\n";

/// Grants every WebSocket and sends back each byte; holds every other answer.
fn chat() -> Upstream {
    Upstream::start(|seen| match seen.field("upgrade") {
        Some(_) => Act::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        ),
        None => Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate".to_vec()),
    })
}

/// A configuration with which a start takes two seconds: of one member nothing is heard for so long.
fn slowly(config: &Config, silent: &TcpListener) -> Config {
    let address = silent.local_addr().expect("a bound socket");
    config.clone().table(&format!(
        "[pool.silent]\nhealth = {{ timeout = \"2s\" }}\nsticky = {{ session = \"SID\" }}\n\
         [[pool.silent.member]]\nurl = \"http://{address}\"\nroute = \"s\""
    ))
}

/// Asks for a replacement that takes its time, and goes on while it does.
fn begin_slowly(proxy: &Proxy, config: &Config, silent: &TcpListener) {
    let text = slowly(config, silent).at(proxy.address, proxy.control);
    std::fs::write(proxy.file(), text).expect("a writable directory");
    proxy.signal("USR2");
    wait_until("a successor is starting", || proxy.successors().len() == 1);
}

fn write(proxy: &Proxy, config: &Config) {
    std::fs::write(proxy.file(), config.at(proxy.address, proxy.control)).expect("a writable directory");
}

/// Whether the process that serves has counted so many files with that result.
fn counted(proxy: &Proxy, result: &str, times: usize) -> bool {
    let (_, page) = proxy.control_page("/metrics").expect("a page");
    let line = format!("remora_reloads_total{{result=\"{result}\"}} {times}");
    page.lines().any(|told| told == line)
}

fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn text(proxy: &Proxy, fields: &str) -> String {
    proxy.client().get("/", fields).text()
}

fn is_gone(process: u32) -> bool {
    !std::path::Path::new(&format!("/proc/{process}")).exists()
}

fn has_thread(process: u32, name: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    let mut names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.any(|found| found.trim() == name)
}

/// Set when it goes, however that is.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Clients that come, ask once and go, until the end: none is refused, none goes without an answer.
fn with_newcomers(address: SocketAddr, meanwhile: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let newcomers = [(); 2].map(|()| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(Client::connect(address).get("/", "").text(), "ok");
                }
            })
        });
        let ending = Over(&over);
        meanwhile();
        drop(ending);
        for newcomer in newcomers {
            newcomer.join().expect("all were served");
        }
    });
}

#[test]
fn whoever_comes_is_served_while_processes_follow_each_other() {
    let upstream = Upstream::named("ok");
    let config = |threads: usize| Config::new(&[&upstream]).top(&format!("threads = {threads}"));
    let mut proxy = Proxy::start(&config(2));
    with_newcomers(proxy.address, || {
        // More threads than sockets, then fewer.
        for threads in [3, 1, 2] {
            write(&proxy, &config(threads));
            proxy.replace();
        }
    });
    assert_eq!(proxy.exit_code(), Some(0), "nobody is left at the first");
    proxy.signal("TERM");
    let [first, second, last] = proxy.successors().try_into().expect("three");
    wait_until("all have ended", || {
        [first, second, last].into_iter().all(is_gone)
    });
}

#[test]
fn what_is_open_goes_on_at_the_old_process() {
    let upstream = chat();
    let mut proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut socket = proxy.client();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(socket.get("/ws", upgrade).status, 101);
    let mut request = proxy.client();
    request.send(GET);
    wait_until("the request is in flight", || upstream.seen().len() == 2);
    proxy.replace();
    proxy.replace();
    socket.send(b"\x81\x02ok");
    assert_eq!(socket.bytes(4), b"\x81\x02ok");
    upstream.release();
    let answer = request.response();
    assert_eq!(
        (answer.text().as_str(), answer.field("connection")),
        ("late", Some("close"))
    );
    socket.finish();
    assert!(socket.is_closed());
    assert_eq!(proxy.exit_code(), Some(0));
    assert_eq!(text(&proxy, ""), "late", "by the third process");
}

#[test]
fn a_service_that_stops_cuts_nobody_at_the_old_process() {
    let upstream = chat();
    let mut proxy = Proxy::start(&Config::new(&[&upstream]));
    let old = proxy.id();
    let mut request = proxy.client();
    request.send(GET);
    wait_until("the request is in flight", || upstream.seen().len() == 1);
    proxy.replace();
    assert!(
        kill("TERM", old),
        "as service managers do, to all processes of a service"
    );
    proxy.tells("is ending already");
    let mut other = proxy.client();
    other.send(GET);
    upstream.release();
    assert_eq!(request.response().text(), "late");
    assert_eq!(other.response().text(), "late");
}

#[test]
fn who_waits_in_a_queue_is_served_whether_its_address_stays_or_goes() {
    let upstream = chat();
    let config = Config::new(&[&upstream])
        .one_thread()
        .table("[limits]\nconnections = 1");
    let gone = free_address();
    let mut proxy = Proxy::start(&config.clone().table(&format!("[[listen]]\nbind = \"{gone}\"")));
    let mut request = proxy.client();
    request.send(GET);
    wait_until("the only place is taken", || upstream.seen().len() == 1);
    let mut waiting: Vec<Client> = [gone, proxy.address, gone]
        .map(|address| {
            let mut client = Client::connect(address);
            client.send("GET /queued HTTP/1.1\r\nHost: shop\r\n\r\n");
            client
        })
        .into();
    write(&proxy, &config);
    proxy.replace();
    wait_until("all of them are served", || upstream.seen().len() == 4);
    assert!(TcpStream::connect(gone).is_err(), "nobody listens there any more");
    upstream.release();
    for client in waiting.iter_mut().chain([&mut request]) {
        assert_eq!(client.response().text(), "late");
    }
}

#[test]
fn wishes_hold_and_those_of_the_meantime_as_well() {
    let members = [
        Upstream::named("one"),
        Upstream::named("two"),
        Upstream::named("three"),
    ];
    let [one, two, three] = &members;
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let config = Config::new(&[one, two]).control(&line);
    let mut proxy = Proxy::start(&config);
    let silent = silent();
    begin_slowly(&proxy, &config, &silent);
    proxy.drain("n1");
    proxy.signal("USR2");
    proxy.tells("SIGUSR2 changes nothing");
    assert!(proxy.is_ready());
    proxy.reload(&Config::new(&[one, three]).control(&line));
    wait_until("the file holds", || text(&proxy, OF_N1) == "three");
    proxy.follow();
    assert_eq!(proxy.successors().len(), 1);
    wait_until("the new process knows both", || text(&proxy, OF_N1) == "three");
    assert_eq!(proxy.exit_code(), Some(0));

    proxy.undrain("n1");
    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("another proxy uses it"),
        "the lock was handed down: {said}"
    );
    proxy.replace();
    assert_eq!(
        text(&proxy, OF_N1),
        "one",
        "what was wished of the second holds at the third"
    );
}

#[test]
fn a_successor_that_fails_changes_nothing() {
    let upstream = Upstream::named("ok");
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = place.path().join("remora-proxy");
    let install = |program: &str| {
        let new = place.path().join("new");
        symlink(program, &new).expect("a link");
        std::fs::rename(&new, &path).expect("a link");
    };
    install(env!("CARGO_BIN_EXE_remora-proxy"));
    let config = Config::new(&[&upstream]);
    let mut proxy = Proxy::start_as(&config, |file| {
        let mut command = Command::new(&path);
        command
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    });
    let fails = |proxy: &Proxy, times: usize, what: &str| {
        proxy.signal("USR2");
        wait_until(what, || {
            proxy
                .log()
                .matches("the successor failed, and this process goes on")
                .count()
                == times
        });
        assert!(proxy.is_ready() && text(proxy, "") == "ok", "{what}");
        assert!(counted(proxy, "faulty", times), "{what}: no alert would tell");
    };
    install("/bin/false");
    fails(&proxy, 1, "a program that does something else");
    install(env!("CARGO_BIN_EXE_remora-proxy"));
    std::fs::write(proxy.file(), "[pool.tomcat]\nstikcy = {}\n").expect("a writable directory");
    fails(&proxy, 2, "a bad file");
    write(&proxy, &config);
    proxy.replace();
    assert_eq!(proxy.exit_code(), Some(0));
    assert_eq!(text(&proxy, ""), "ok");
    assert!(counted(&proxy, "taken", 1) && counted(&proxy, "faulty", 0));
}

#[test]
fn a_successor_that_dies_before_it_has_the_word_has_accepted_nobody() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]);
    let (proxy, silent) = (Proxy::start(&config), silent());
    with_newcomers(proxy.address, || {
        begin_slowly(&proxy, &config, &silent);
        let [successor] = proxy.successors().try_into().expect("one");
        wait_until("its threads are there", || has_thread(successor, "proxy-0"));
        let seen = upstream.seen().len();
        wait_until("many came since", || upstream.seen().len() > seen + 100);
        assert!(kill("KILL", successor));
        proxy.tells("the successor failed");
    });
    assert!(proxy.is_ready());
}

#[test]
fn a_stop_during_a_replacement_stops_both() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]);
    let mut proxy = Proxy::start(&config);
    let silent = silent();
    begin_slowly(&proxy, &config, &silent);
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(proxy.successors().into_iter().all(is_gone));
    assert!(TcpStream::connect(proxy.address).is_err());
}

#[test]
fn a_service_manager_is_told_who_serves() {
    let (upstream, place) = (
        Upstream::named("ok"),
        tempfile::tempdir().expect("a temporary directory"),
    );
    let path = place.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let hears = || {
        let mut word = [0; 64];
        let length = manager.recv(&mut word).expect("a word in time");
        String::from_utf8_lossy(&word[..length]).into_owned()
    };
    let mut proxy = Proxy::start_as(&Config::new(&[&upstream]), |file| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_remora-proxy"));
        command.arg("--config").arg(file).env("NOTIFY_SOCKET", &path);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    });
    assert_eq!(hears(), "READY=1\n");
    proxy.replace();
    let successor = proxy.successors()[0];
    assert_eq!(
        hears(),
        format!("MAINPID={successor}\n"),
        "the old one says so first"
    );
    assert_eq!(hears(), "READY=1\n");
    assert_eq!(proxy.exit_code(), Some(0));
    proxy.signal("TERM");
    assert_eq!(
        hears(),
        "STOPPING=1\n",
        "by the new one: the old one ended without a word"
    );
}

#[test]
fn sockets_of_a_service_manager_are_taken_and_handed_on() {
    let activate = |addresses: &[SocketAddr], file: &std::path::Path| {
        let mut command = Command::new("systemd-socket-activate");
        for address in addresses {
            command.args(["-l", &address.to_string()]);
        }
        command
            .arg(env!("CARGO_BIN_EXE_remora-proxy"))
            .arg("--config")
            .arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    if Command::new("systemd-socket-activate")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        let told = writeln!(
            std::io::stderr(),
            "NOTHING WAS SHOWN of sockets of a service manager: no systemd-socket-activate here (Debian's package systemd)"
        );
        return told.expect("somebody listens");
    }
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]).top("threads = 3");
    let mut proxy = Proxy::start_at(&config, |file, addresses| activate(addresses, file));
    with_newcomers(proxy.address, || {
        proxy.replace();
        proxy.replace();
    });
    assert_eq!(proxy.exit_code(), Some(0));

    proxy.signal("TERM");
    wait_until("nobody has the addresses", || {
        proxy.successors().into_iter().all(is_gone)
    });
    let foreign = free_address();
    let wrong = activate(&[foreign], &proxy.file())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    wait_until("it listens", || TcpStream::connect(foreign).is_ok());
    let ended = wrong.wait_with_output().expect("a child");
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.contains(&foreign.to_string()) && said.contains("[[listen]]"),
        "{said}"
    );
}
