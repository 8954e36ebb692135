//! A real `remora-proxy` with the configuration that a user would write.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use remora_proto::v1;

use crate::calls::Calls;
use crate::certificates::{self, Certificates};
use crate::http::Browser;
use crate::place;
use crate::process::{Process, split};
use crate::stores::loopback;
use crate::wait::{SOON, START, wait_until};

/// How requests stick to a Tomcat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// The proxy's own cookie names the route; session ids are plain (mode 1).
    RouteCookie,
    /// The session id ends in `.route`, written by Tomcat's jvmRoute (mode 2).
    SessionSuffix,
}

impl Sticky {
    /// Both modes: what is promised is promised in each.
    pub const BOTH: [Self; 2] = [Self::RouteCookie, Self::SessionSuffix];
}

/// Name of the proxy's cookie in mode 1.
pub const ROUTE_COOKIE: &str = "ROUTEID";

/// A proxy in front of Tomcats.
#[derive(Debug)]
pub struct Proxy {
    /// Where users go.
    pub address: SocketAddr,
    /// Where operators go.
    pub control: SocketAddr,
    config: PathBuf,
    certificates: Option<Certificates>,
    log: PathBuf,
    process: Option<Process>,
    /// The process that serves users: the one that was started, or its last successor.
    serving: u32,
}

/// Which paths go to the pool, in every configuration of ours.
static ROUTES: LazyLock<String> = LazyLock::new(|| {
    let route = |name| format!("[[route]]\npath = \"/{name}\"\nto = \"tomcat/{name}\"\n\n");
    ["shop", "probe", "rough", "clicks"].map(route).concat()
});

/// The configuration file of a proxy that knows no Tomcat and asks the store, with a directory for what it has to remember.
pub fn discovering(
    bind: SocketAddr,
    control: SocketAddr,
    stores: &[SocketAddr],
    state: &Path,
    certificates: Option<&Certificates>,
) -> String {
    let stores: Vec<String> = stores.iter().map(|address| format!("\"{address}\"")).collect();
    let stores = stores.join(", ");
    let tls = certificates.map(tls);
    let (to_store, of_control) = match &tls {
        Some(tls) => (format!(", {tls}"), format!("{tls}\n")),
        None => (String::new(), String::new()),
    };
    format!(
        "[[listen]]\nbind = \"{bind}\"\n\n[pool.tomcat]\nsticky = {{ session = \"JSESSIONID\" }}\n\
         health = {{ every = \"1s\" }}\ndiscovery = {{ store = [{stores}], allow = [\"127.0.0.0/8\"]{to_store} }}\n\n{}\
         [control]\nbind = \"{control}\"\nstate = {state:?}\n{of_control}",
        *ROUTES
    )
}

/// The proxy's files, in the words of its own.
fn tls(certificates: &Certificates) -> String {
    let files = certificates.files("proxy");
    let (authority, cert, key) = (files.authority, files.cert, files.key);
    format!("tls = {{ authority = {authority:?}, cert = {cert:?}, key = {key:?} }}")
}

/// The configuration file for `members` (route, address).
pub fn configuration(
    bind: SocketAddr,
    control: SocketAddr,
    sticky: Sticky,
    members: &[(String, SocketAddr)],
    certificates: Option<&Certificates>,
) -> String {
    let sticky = match sticky {
        Sticky::RouteCookie => format!("{{ route_cookie = \"{ROUTE_COOKIE}\" }}"),
        Sticky::SessionSuffix => "{ session = \"JSESSIONID\" }".to_owned(),
    };
    let mut text = format!(
        "[[listen]]\nbind = \"{bind}\"\n\n[pool.tomcat]\nsticky = {sticky}\nhealth = {{ every = \"1s\" }}\n\n"
    );
    for (route, address) in members {
        text.push_str(&format!(
            "[[pool.tomcat.member]]\nurl = \"http://{address}\"\nroute = \"{route}\"\n\n"
        ));
    }
    text.push_str(&ROUTES);
    text.push_str(&format!("[control]\nbind = \"{control}\"\n"));
    if let Some(certificates) = certificates {
        text.push_str(&format!("{}\n", tls(certificates)));
    }
    text
}

impl Proxy {
    /// Writes the configuration and starts the process; does not wait.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        directory: &Path,
        ports: (u16, u16),
        sticky: Sticky,
        members: &[(String, SocketAddr)],
        certificates: Option<Certificates>,
    ) -> Result<Self> {
        let (address, control) = (loopback(ports.0), loopback(ports.1));
        let text = configuration(address, control, sticky, members, certificates.as_ref());
        Self::start_with(directory, ports, &text, certificates)
    }

    /// The same with a file of the caller's own, which names these ports: those of users and of operators.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(
        directory: &Path,
        ports: (u16, u16),
        text: &str,
        certificates: Option<Certificates>,
    ) -> Result<Self> {
        let (address, control) = (loopback(ports.0), loopback(ports.1));
        let config = directory.join("proxy.toml");
        std::fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let mut proxy = Self {
            address,
            control,
            config,
            certificates,
            log: directory.join("proxy.log"),
            process: None,
            serving: 0,
        };
        proxy.launch()?;
        Ok(proxy)
    }

    /// Starts one that is installed by the command that does so there, with that file; its output goes to `directory`. Does not
    /// wait.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_installed(
        directory: &Path,
        ports: (u16, u16),
        config: PathBuf,
        command: &[String],
    ) -> Result<Self> {
        let log = directory.join("proxy.log");
        let (program, words) = split(command)?;
        let process = Process::start("proxy", &program, &log, |command| {
            command.args(words);
        })?;
        Ok(Self {
            address: loopback(ports.0),
            control: loopback(ports.1),
            config,
            certificates: None,
            log,
            serving: process.id(),
            process: Some(process),
        })
    }

    fn launch(&mut self) -> Result<()> {
        let program = place::program("remora-proxy")?;
        self.launch_by(&program, &[])
    }

    fn launch_by(&mut self, program: &Path, arguments: &[&str]) -> Result<()> {
        let process = Process::start("proxy", program, &self.log, |command| {
            command.args(arguments).arg("--config").arg(&self.config);
        })?;
        self.serving = process.id();
        self.process = Some(process);
        Ok(())
    }

    /// Ends it, and starts it anew by a service manager that holds its sockets and starts it when somebody comes.
    ///
    /// # Errors
    /// When there is no such program here, or it does not become ready in time.
    pub fn start_activated(&mut self) -> Result<()> {
        self.end();
        let (users, operators) = (self.address.to_string(), self.control.to_string());
        let program = place::program("remora-proxy")?;
        let program = program.to_str().context("a path in UTF-8")?;
        let listen = ["-l", &users, "-l", &operators, program];
        let manager = Path::new("systemd-socket-activate");
        let there = Command::new(manager).arg("--version").output();
        there.context("systemd-socket-activate is missing: `tools/prerequisites` installs it")?;
        self.launch_by(manager, &listen)?;
        self.wait_ready()
    }

    /// Puts a new process in the place of the one that serves users, and waits until it does.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn replace(&mut self) -> Result<()> {
        self.replace_by(|process| signal("USR2", process))
    }

    /// The same where something else asks the process with that id for it.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn replace_by(&mut self, ask: impl FnOnce(u32) -> Result<()>) -> Result<()> {
        let before = self.successors().len();
        ask(self.serving)?;
        wait_until("a successor starts", START, || self.successors().len() > before)?;
        let replaced = || {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            log.matches("replaced: a successor serves").count() == self.successors().len()
        };
        wait_until("a successor serves", START, replaced)?;
        self.serving = self.successors().pop().context("there is one")?;
        self.wait_ready()
    }

    /// The processes that were started to replace one, in their order.
    fn successors(&self) -> Vec<u32> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let starts = log
            .lines()
            .filter(|line| line.contains("a successor is starting"));
        let ids = starts.filter_map(|line| line.split("\"process\":").nth(1)?.split([',', '}']).next());
        ids.filter_map(|id| id.parse().ok()).collect()
    }

    /// Ends it with all its successors.
    fn end(&mut self) {
        drop(self.process.take());
        for successor in self.successors() {
            // Most have ended.
            let _ = signal("KILL", successor);
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.end();
    }

    /// Ends it, and starts it anew with its file changed; it then believes nothing of what it saw before.
    ///
    /// # Errors
    /// When the file cannot be written, or it does not become ready in time.
    pub fn start_anew(&mut self, change: impl FnOnce(String) -> String) -> Result<()> {
        self.end();
        let text = std::fs::read_to_string(&self.config)?;
        std::fs::write(&self.config, change(text))?;
        self.launch()?;
        self.wait_ready()
    }

    /// How often it took the upstream of that route for dead or frozen since it was started first.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn verdicts_against(&self, route: &str) -> Result<usize> {
        let log = std::fs::read_to_string(&self.log)?;
        let of_route = |line: &&str| {
            line.contains("upstream is down") && line.contains(&format!("\"route\":\"{route}\""))
        };
        Ok(log.lines().filter(of_route).count())
    }

    /// The id of the process that serves users.
    pub fn serving(&self) -> u32 {
        self.serving
    }

    /// The process.
    ///
    /// # Errors
    /// When it was killed.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the proxy was killed")
    }

    /// Waits until it accepts users.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_ready(&self) -> Result<()> {
        let ready = || {
            if self.certificates.is_some() {
                return self.upstreams().is_ok();
            }
            let answer = Browser::new(self.control).get("/readyz");
            answer.is_ok_and(|answer| answer.status == 200)
        };
        wait_until("the proxy ready", START, ready)?;
        Ok(())
    }

    /// What it believes of its upstreams.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn upstreams(&self) -> Result<Vec<v1::UpstreamStatus>> {
        Ok(self.status()?.upstreams)
    }

    /// All that it says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> Result<v1::ProxyStatus> {
        self.calls()?.proxy_status()
    }

    /// What its operators say to it.
    ///
    /// # Errors
    /// When the runtime cannot start.
    pub fn calls(&self) -> Result<Calls> {
        let dial = certificates::operator(self.certificates.as_ref())?;
        Calls::over(&dial, &[self.control], 1)
    }

    /// Whether the store tells it now that its view stands.
    pub fn is_following(&self) -> bool {
        let discovery = self.status().ok().and_then(|status| status.discovery);
        discovery.is_some_and(|discovery| discovery.present)
    }

    /// Where the Tomcat of this route is, as it knows it.
    pub fn url_of(&self, route: &str) -> Option<String> {
        let upstreams = self.upstreams().ok()?.into_iter();
        let mut of_route = upstreams.filter(|upstream| upstream.route == route);
        of_route.next().map(|upstream| upstream.url)
    }

    /// What it wants of the Tomcat of this route: a word of `UpstreamStatus.state`.
    pub fn state_of(&self, route: &str) -> Option<String> {
        let upstreams = self.upstreams().ok()?.into_iter();
        let mut of_route = upstreams.filter(|upstream| upstream.route == route);
        of_route.next().map(|upstream| upstream.state)
    }

    /// Waits until it believes `health` of `route`.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_health(&self, route: &str, health: &str) -> Result<()> {
        let believes = || {
            let upstreams = self.upstreams().unwrap_or_default();
            upstreams
                .iter()
                .any(|upstream| upstream.route == route && upstream.health == health)
        };
        wait_until(
            &format!("upstream {route} {health} in the eyes of the proxy"),
            SOON,
            believes,
        )?;
        Ok(())
    }

    /// Log tail.
    pub fn tail(&self) -> String {
        self.process
            .as_ref()
            .map_or_else(String::new, |process| format!("--- proxy\n{}", process.tail()))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends a signal to a process that is no child of the harness.
fn signal(name: &str, process: u32) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, &process.to_string()])
        .stderr(Stdio::null());
    ensure!(
        kill.status()?.success(),
        "SIG{name} did not reach process {process}"
    );
    Ok(())
}
