//! Real Tomcats from the official distribution, each with its own base directory, started by `catalina.sh` as users
//! start them.
//!
//! What differs from a fresh download: our jar in `lib`, one Manager line in `conf/context.xml`, users in
//! `conf/tomcat-users.xml`, one loopback connector, no scan of jars (our applications have nothing to scan), and
//! JVM options for a quick start and a small heap.

mod distribution;
mod embedded;
mod exporter;
mod files;
mod foreign;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

pub use distribution::{Application, PROMISED, Version, distribution_zip, prepare, war};
pub(crate) use distribution::{fetch, run};
pub use exporter::{EXPORTER, exporter_option};

use crate::foreign::Foreign;
use crate::http::Browser;
use crate::process::Process;
use crate::stores::loopback;
use crate::visitor::told;
use crate::wait::{START, wait_until};

/// A quick start counts for more than a fast server here; 256 MiB are plenty for two small applications.
pub const QUICK_START: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms64m -Xmx256m -Xshare:auto";

/// Threads for requests, unless a later option says otherwise: more than users of a claim.
const REQUEST_THREADS: &str = "-Dconnector.threads=64";

/// What a Tomcat is to be.
#[derive(Clone, Debug)]
pub struct TomcatPlan {
    /// Which line.
    pub version: Version,
    /// Its name: route, node name, badge.
    pub node: String,
    /// Whether the name is the Engine's jvmRoute (mode 2), so that session ids end in it.
    pub jvm_route: bool,
    /// Where it listens.
    pub port: u16,
    /// Store client addresses, joined by commas; `None` leaves Tomcat its own session manager and our jar out.
    pub store: Option<String>,
    /// More attributes of the Manager line: (name, value).
    pub manager: Vec<(String, String)>,
    /// What shares its sessions with other Tomcats in place of our manager; `None` for most claims.
    pub replication: Option<Replication>,
    /// Whether it believes a front about who its client is and which address that asked, as most Tomcats behind one do:
    /// Tomcat's RemoteIpValve, and redirects that name the whole address.
    pub behind_front: bool,
    /// What it deploys; [`Application::USUAL`] for most claims.
    pub applications: Vec<Application>,
    /// Options of the JVM; [`QUICK_START`] for claims.
    pub java_options: String,
    /// Directory for the files by which pages and claims talk.
    pub signals: PathBuf,
}

/// How sessions are shared without us.
#[derive(Clone, Debug)]
pub enum Replication {
    /// Tomcat's own, which is for applications that are marked `<distributable/>`.
    Cluster(Member),
    /// A session manager that somebody else wrote.
    Foreign(Foreign),
}

/// Where Tomcat's own session replication listens, and where the one other member of its cluster does.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// This Tomcat's port.
    pub own: u16,
    /// The other's.
    pub peer: u16,
    /// Whether a page waits until the other has what it changed; by itself Tomcat sends behind the page's back.
    pub acknowledged: bool,
}

/// A Tomcat.
#[derive(Debug)]
pub struct Tomcat {
    plan: TomcatPlan,
    base: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Tomcat {
    /// Writes the base directory under `directory` and starts; does not wait.
    ///
    /// # Errors
    /// When files cannot be written or the process not be started.
    pub fn start(directory: &Path, plan: TomcatPlan) -> Result<Self> {
        Self::start_with(directory, plan, None)
    }

    /// The same with this jar of ours in the place of the one that was built here.
    ///
    /// # Errors
    /// When files cannot be written or the process not be started.
    pub fn start_with(directory: &Path, plan: TomcatPlan, jar: Option<&Path>) -> Result<Self> {
        let base = directory.join(format!("tomcat-{}", plan.node));
        files::write_base(&base, &plan, jar)?;
        let log = directory.join(format!("tomcat-{}.log", plan.node));
        let mut tomcat = Self {
            plan,
            base,
            log,
            process: None,
        };
        tomcat.launch()?;
        Ok(tomcat)
    }

    /// Starts it again after a kill; does not wait.
    ///
    /// # Errors
    /// When the process does not start.
    pub fn launch(&mut self) -> Result<()> {
        let home = distribution::home(self.plan.version)?;
        let script = home.join("bin/catalina.sh");
        let name = format!("tomcat {}", self.plan.node);
        let signals = self.plan.signals.display();
        let options = format!(
            "{REQUEST_THREADS} {} -Dshop.node={} -Dprobe.dir={signals}",
            self.plan.java_options, self.plan.node
        );
        if let Version::Embedded(_) = self.plan.version {
            let arguments = embedded::arguments(&home, &self.base, &options)?;
            let process = Process::start(&name, Path::new("java"), &self.log, |command| {
                command.args(arguments);
            })?;
            self.process = Some(process);
            return Ok(());
        }
        let process = Process::start(&name, Path::new("sh"), &self.log, |command| {
            command.arg(&script).arg("run");
            command
                .env("CATALINA_HOME", &home)
                .env("CATALINA_BASE", &self.base)
                .env("CATALINA_OPTS", options);
            command
                .env_remove("CATALINA_PID")
                .env_remove("JAVA_OPTS")
                .env_remove("CLASSPATH");
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Its name.
    pub fn node(&self) -> &str {
        &self.plan.node
    }

    /// The directory that is its own: `conf`, `lib`, `webapps`.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.plan.version
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        loopback(self.plan.port)
    }

    /// Waits until it answers; its applications are deployed before it listens.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_ready(&self) -> Result<Duration> {
        let what = format!("tomcat {} answering", self.plan.node);
        wait_until(&what, START, || {
            Browser::new(self.address()).get("/probe/nothing-here").is_ok()
        })
    }

    /// Takes an application out while the rest goes on, as an operator does who removes its file.
    ///
    /// # Errors
    /// When the file is not there, or this Tomcat does not notice that it is gone.
    pub fn undeploy(&self, application: Application) -> Result<()> {
        let name = application.name();
        let file = self.base.join(format!("webapps/{name}.war"));
        std::fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
        let answer = Browser::new(self.address()).get(&format!("/probe/undeploy.jsp?application={name}"))?;
        ensure!(answer.status == 200, "undeploy {name}: {}", told(&answer));
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// The process.
    ///
    /// # Errors
    /// When it was killed.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process
            .as_mut()
            .context("this Tomcat was killed and not started again")
    }

    /// Its name and process id, if it runs.
    pub fn description(&self) -> Option<String> {
        let process = self.process.as_ref()?;
        Some(format!("Tomcat {} is process {}", self.plan.node, process.id()))
    }

    /// Log tail.
    pub fn tail(&self) -> String {
        match &self.process {
            Some(process) => format!("--- tomcat {}\n{}", self.plan.node, process.tail()),
            None => format!(
                "--- tomcat {} (killed); its log is {}",
                self.plan.node,
                self.log.display()
            ),
        }
    }

    /// All that it wrote since its last start and before.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("read {}", self.log.display()))
    }
}
