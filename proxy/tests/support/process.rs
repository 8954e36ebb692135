//! The real program, started with a configuration of the test's own.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::client::Client;
use super::upstream::Upstream;
use super::wait_until;

/// A running `remora-proxy`; killed when dropped, its successors with it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) control: SocketAddr,
    /// Whether operators are answered over TLS: then its log says when it is ready.
    secured: bool,
    child: Child,
    /// The child, or its last successor.
    current: u32,
    directory: tempfile::TempDir,
    log: Arc<Mutex<String>>,
}

/// Pieces of a configuration file.
#[derive(Clone)]
pub(crate) struct Config {
    top: String,
    /// More lines of the listener's table.
    listen: String,
    text: String,
    control: String,
}

impl Config {
    /// Pool `tomcat`, mode 2, with these members as routes n1, n2, ...; everything goes there.
    pub(crate) fn new(members: &[&Upstream]) -> Self {
        Self::with(
            r#"sticky = { session = "JSESSIONID" }"#,
            members,
            r#"path = "/""#,
            r#"to = "tomcat""#,
        )
    }

    /// The same in mode 1.
    pub(crate) fn with_route_cookie(members: &[&Upstream]) -> Self {
        Self::with(
            r#"sticky = { route_cookie = "ROUTEID" }"#,
            members,
            r#"path = "/""#,
            r#"to = "tomcat""#,
        )
    }

    /// The same in mode 2 with another route line.
    pub(crate) fn mapped(members: &[&Upstream], path: &str, to: &str) -> Self {
        let session = r#"sticky = { session = "JSESSIONID" }"#;
        Self::with(
            session,
            members,
            &format!("path = {path:?}"),
            &format!("to = {to:?}"),
        )
    }

    fn with(sticky: &str, members: &[&Upstream], path: &str, to: &str) -> Self {
        let mut text = format!("[pool.tomcat]\n{sticky}\nhealth = {{ every = \"200ms\" }}\n");
        for (index, member) in members.iter().enumerate() {
            let number = index + 1;
            writeln!(
                text,
                "[[pool.tomcat.member]]\nurl = \"http://{}\"\nroute = \"n{number}\"",
                member.address
            )
            .expect("a string takes everything");
        }
        writeln!(text, "[[route]]\n{path}\n{to}").expect("a string takes everything");
        Self {
            top: String::new(),
            listen: String::new(),
            text,
            control: String::new(),
        }
    }

    /// Adds a line before all tables.
    pub(crate) fn top(mut self, line: &str) -> Self {
        self.top.push_str(line);
        self.top.push('\n');
        self
    }

    /// Adds a line to the listener.
    pub(crate) fn listen(mut self, line: &str) -> Self {
        self.listen.push_str(line);
        self.listen.push('\n');
        self
    }

    /// One thread, so that all clients share its connections.
    pub(crate) fn one_thread(mut self) -> Self {
        self.top.push_str("threads = 1\n");
        self
    }

    /// Where the access log goes.
    pub(crate) fn access_log(mut self, file: &std::path::Path) -> Self {
        writeln!(self.top, "access_log = {file:?}").expect("a string takes everything");
        self
    }

    /// Adds a table or lines of one.
    pub(crate) fn table(mut self, lines: &str) -> Self {
        self.text.push_str(lines);
        self.text.push('\n');
        self
    }

    /// The member there speaks TLS at another address.
    pub(crate) fn secured(mut self, plain: &Upstream, address: SocketAddr) -> Self {
        let url = format!("http://{}", plain.address);
        self.text = self.text.replacen(&url, &format!("https://{address}"), 1);
        self
    }

    /// Other checks than every 200 ms.
    pub(crate) fn health(mut self, line: &str) -> Self {
        self.text = self.text.replacen("health = { every = \"200ms\" }", line, 1);
        self
    }

    /// A line of the control table.
    pub(crate) fn control(mut self, line: &str) -> Self {
        line.clone_into(&mut self.control);
        self
    }

    /// A key of the first member.
    pub(crate) fn member(mut self, line: &str) -> Self {
        self.text = self
            .text
            .replacen("route = \"n1\"", &format!("route = \"n1\"\n{line}"), 1);
        self
    }

    /// Other stickiness than by `JSESSIONID` alone.
    pub(crate) fn sticky(mut self, line: &str) -> Self {
        let usual = r#"sticky = { session = "JSESSIONID" }"#;
        self.text = self.text.replacen(usual, line, 1);
        self
    }

    /// The whole file, for a proxy at these addresses.
    pub(crate) fn at(&self, address: SocketAddr, control: SocketAddr) -> String {
        let Self {
            top,
            listen,
            text,
            control: more,
        } = self;
        let listen = format!("[[listen]]\nbind = \"{address}\"\n{listen}");
        format!("{top}{listen}[control]\nbind = \"{control}\"\n{more}\n{text}")
    }
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a free port")
}

impl Proxy {
    /// Starts one and waits until it is ready.
    pub(crate) fn start(config: &Config) -> Self {
        Self::start_as(config, command)
    }

    /// The same with a limit on open files: soft, hard.
    pub(crate) fn start_with_files(config: &Config, soft: u32, hard: u32) -> Self {
        Self::start_as(config, |file| {
            let mut limited = Command::new("prlimit");
            limited
                .arg(format!("--nofile={soft}:{hard}"))
                .arg(env!("CARGO_BIN_EXE_remora-proxy"))
                .arg("--config")
                .arg(file)
                .stdout(Stdio::null())
                .stdin(Stdio::null());
            limited
        })
    }

    /// The same by another command.
    pub(crate) fn start_as(config: &Config, command: impl Fn(&std::path::Path) -> Command) -> Self {
        Self::start_at(config, |file, _| command(file))
    }

    /// The same by one that has to know the addresses, of clients and of operators. Another program may take an address
    /// between the choice and the start; then there is another choice.
    pub(crate) fn start_at(
        config: &Config,
        command: impl Fn(&std::path::Path, &[SocketAddr]) -> Command,
    ) -> Self {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut proxy = Self::spawn(config, &command);
            let mut ended = None;
            wait_until("the proxy is ready or ends", || {
                ended = proxy.child.try_wait().expect("a child");
                ended.is_some() || proxy.is_ready()
            });
            if ended.is_none() {
                return proxy;
            }
            proxy.tells("remora-proxy: ");
            let taken = attempts < 5 && proxy.log().contains("is in use");
            assert!(taken, "the proxy ended with {ended:?}: {}", proxy.log());
        }
    }

    fn spawn(config: &Config, command: impl Fn(&std::path::Path, &[SocketAddr]) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (address, control) = (free_address(), free_address());
        let file = directory.path().join("proxy.toml");
        std::fs::write(&file, config.at(address, control)).expect("a writable directory");
        let mut child = command(&file, &[address, control])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("a piped stderr");
        let log = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = into.lock().expect("nobody panics with it");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            address,
            control,
            secured: config.control.starts_with("tls"),
            current: child.id(),
            child,
            directory,
            log,
        }
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// The process that gets signals.
    pub(crate) fn id(&self) -> u32 {
        self.current
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }

    /// Waits until it has logged this: a line may come later than the answer, or the figure, that it is about.
    pub(crate) fn tells(&self, what: &str) {
        wait_until(what, || self.log().contains(what));
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("proxy.toml")
    }

    /// Writes another configuration, for the same addresses, and asks for a reload.
    pub(crate) fn reload(&self, config: &Config) {
        self.reload_text(&config.at(self.address, self.control));
    }

    pub(crate) fn reload_text(&self, text: &str) {
        std::fs::write(self.file(), text).expect("a writable directory");
        self.signal("HUP");
    }

    /// The line of `/proc/PID/limits` about open files.
    pub(crate) fn files_limit(&self) -> String {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).expect("Linux");
        let line = limits.lines().find(|line| line.starts_with("Max open files"));
        line.expect("a limit").to_owned()
    }

    /// The id of its thread with this name.
    pub(crate) fn thread(&self, name: &str) -> u32 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("Linux");
        let named = |task: &std::path::Path| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let paths = tasks.flatten().map(|task| task.path());
        let thread = paths
            .filter(|task| named(task))
            .find_map(|task| task.file_name()?.to_str()?.parse().ok());
        thread.expect("a thread of that name")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        assert!(kill(name, self.current));
    }

    /// Stops it until it is sent CONT. Its threads stop one after the other, each when it comes round: all are waited for.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
        let stands = |thread: std::fs::DirEntry| {
            let state = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let state = state.rsplit(") ").next();
            state.is_none_or(|state| state.starts_with('T'))
        };
        wait_until("all threads stand still", || {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.current));
            threads.expect("it runs").flatten().all(stands)
        });
    }

    /// The processes that were started to replace one, in this order.
    pub(crate) fn successors(&self) -> Vec<u32> {
        let log = self.log();
        let starts = log
            .lines()
            .filter(|line| line.contains("a successor is starting"));
        let ids = starts.filter_map(|line| line.split("\"process\":").nth(1)?.split([',', '}']).next());
        ids.filter_map(|id| id.parse().ok()).collect()
    }

    /// Asks for a replacement, and waits until the new process serves; signals go there from then on.
    pub(crate) fn replace(&mut self) {
        let before = self.successors().len();
        self.signal("USR2");
        wait_until("a successor is starting", || self.successors().len() > before);
        self.follow();
    }

    /// Waits until the last successor serves; signals go there from then on.
    pub(crate) fn follow(&mut self) {
        wait_until("the successor serves", || {
            let times = |what: &str| self.log().matches(what).count();
            times("replaced: a successor serves") + times("the successor failed") == self.successors().len()
        });
        wait_until("and is ready", || self.is_ready());
        self.current = self.successors().pop().expect("there is one");
    }

    /// Waits for the end; answers with the exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let mut code = None;
        wait_until("the proxy ends", || {
            code = self.child.try_wait().expect("a child");
            code.is_some()
        });
        code.and_then(|status| status.code())
    }

    /// Whether `/readyz` answers 200.
    pub(crate) fn is_ready(&self) -> bool {
        if self.secured {
            return self.log().contains("\"serving\"");
        }
        self.control_page("/readyz")
            .is_some_and(|(status, _)| status == 200)
    }

    /// Drains a route, as the command line does.
    pub(crate) fn drain(&self, route: &str) {
        self.wish(route, true).expect("the route is known");
    }

    /// Asks for a drain, and is told why there is none.
    pub(crate) fn refused_drain(&self, route: &str) -> String {
        self.wish(route, true).expect_err("it cannot be kept")
    }

    /// Ends a drain.
    pub(crate) fn undrain(&self, route: &str) {
        self.wish(route, false).expect("the route is known");
    }

    fn wish(&self, route: &str, draining: bool) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let address = format!("http://{}", self.control);
        let request = remora_proto::v1::DrainRequest {
            route: route.to_owned(),
            ..Default::default()
        };
        runtime.block_on(async {
            let endpoint = tonic::transport::Endpoint::from_shared(address).expect("an address");
            let channel = endpoint.connect().await.expect("the control address answers");
            let mut admin = remora_proto::v1::proxy_admin_client::ProxyAdminClient::new(channel);
            let answered = if draining {
                admin.drain(request).await
            } else {
                admin.undrain(request).await
            };
            answered.map(drop).map_err(|status| status.message().to_owned())
        })
    }

    /// The figure whose name and labels begin like this; a member's has its URL behind them.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        let name = name.strip_suffix('}').unwrap_or(name);
        let (_, page) = self.control_page("/metrics")?;
        let line = page.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// All figures together whose names begin like this.
    pub(crate) fn figures(&self, name: &str) -> f64 {
        let (_, page) = self.control_page("/metrics").expect("a page");
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Status and text of a page of the control address.
    pub(crate) fn control_page(&self, path: &str) -> Option<(u16, String)> {
        std::net::TcpStream::connect(self.control).ok()?;
        let mut client = Client::connect(self.control);
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n"
        ));
        let response = client.try_response("GET")?;
        Some((response.status, response.text()))
    }
}

/// Whether a signal reached a process.
pub(crate) fn kill(signal: &str, process: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{signal}"), &process.to_string()])
        .stderr(Stdio::null());
    kill.status().expect("kill exists").success()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for successor in self.successors() {
            kill("KILL", successor);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- log of the proxy\n{}", self.log());
        }
    }
}

/// Runs the program until it ends by itself: exit code, standard output, standard error.
pub(crate) fn run(file: &std::path::Path, flags: &[&str]) -> (Option<i32>, String, String) {
    let mut child = command(file)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let began = std::time::Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if began.elapsed() > super::PATIENCE {
            child.kill().expect("a child");
        }
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    let ended = child.wait_with_output().expect("a child");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

/// The program with this file, its output left to the caller.
fn command(file: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remora-proxy"));
    command
        .arg("--config")
        .arg(file)
        .stdout(Stdio::null())
        .stdin(Stdio::null());
    command
}
