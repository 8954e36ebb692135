//! The sample of the Spring Boot starter: its executable jar on either line of Boot, run as anybody would run it.
//!
//! A user is told of by what its pages say. Left out: what Spring Security does besides, which is not ours to show.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result, bail, ensure};

use crate::http::{Answer, Browser, Request};
use crate::place::{free_port, repository};
use crate::process::Process;
use crate::stores::loopback;
use crate::tomcat::QUICK_START;
use crate::visitor::told;
use crate::wait::{SOON, START, wait_until};

/// Where the sample serves: the path that proxies of these tests know.
const PATH: &str = "/shop";

/// A line of Boot.
#[derive(Clone, Copy, Debug)]
pub enum Boot {
    /// 3.5, with Tomcat 10.1.
    Three,
    /// 4, with Tomcat 11.
    Four,
}

impl Boot {
    /// The sample on this line.
    ///
    /// # Errors
    /// When it is not built, with what builds it.
    fn jar(self) -> Result<PathBuf> {
        let name = match self {
            Self::Three => "remora-spring-sample",
            Self::Four => "remora-spring-sample-on-boot-4",
        };
        built(name)
    }
}

/// A jar that Maven built below `spring-boot-starter`.
///
/// # Errors
/// When it is not there, with what builds it.
pub fn built(name: &str) -> Result<PathBuf> {
    let file = format!("{name}-{}.jar", env!("CARGO_PKG_VERSION"));
    let jar = repository().join("target/spring").join(name).join(file);
    ensure!(
        jar.is_file(),
        "{} is not built: run `make starter`",
        jar.display()
    );
    Ok(jar)
}

/// One process of the sample.
#[derive(Debug)]
pub struct SpringSample {
    /// Its route.
    pub route: String,
    /// Where it serves.
    pub address: SocketAddr,
    jar: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

impl SpringSample {
    /// Starts one; does not wait.
    ///
    /// # Errors
    /// When it is not built or does not start.
    pub fn start(boot: Boot, directory: &Path, route: &str, arguments: &[String]) -> Result<Self> {
        let port = free_port()?;
        let own = [
            format!("--server.port={port}"),
            "--server.address=127.0.0.1".to_owned(),
            format!("--server.servlet.context-path={PATH}"),
            format!("--remora.route={route}"),
        ];
        let mut sample = Self {
            route: route.to_owned(),
            address: loopback(port),
            jar: boot.jar()?,
            arguments: [own.as_slice(), arguments].concat(),
            log: directory.join(format!("sample-{route}.log")),
            process: None,
        };
        sample.launch()?;
        Ok(sample)
    }

    /// Starts it once more after its end; does not wait.
    ///
    /// # Errors
    /// When it does not start.
    pub fn launch(&mut self) -> Result<()> {
        let java = Path::new("java");
        let (jar, arguments) = (&self.jar, &self.arguments);
        let started = Process::start(&self.route, java, &self.log, |command| {
            command.args(QUICK_START.split_whitespace());
            command.arg("-jar").arg(jar).args(arguments);
        })?;
        self.process = Some(started);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the sample runs")?;
        process.stop(SOON)
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_ready(&self) -> Result<()> {
        let serves = || self.health().is_ok_and(|health| health.status == 200);
        wait_until(&format!("{} serves", self.route), START, serves)?;
        Ok(())
    }

    /// The actuator's health.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn health(&self) -> Result<Answer> {
        Browser::new(self.address).get(&format!("{PATH}/actuator/health"))
    }

    /// Asks the actuator as an operator of the application.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn actuator(&self, method: &str, path: &str) -> Result<Answer> {
        let mut request = Request::get(&format!("{PATH}/actuator/{path}"));
        method.clone_into(&mut request.method);
        // grace:hopper
        let basic = ("Authorization".to_owned(), "Basic Z3JhY2U6aG9wcGVy".to_owned());
        request.fields.push(basic);
        Browser::new(self.address).send(&request)
    }

    /// What it wrote last.
    pub fn tail(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Process::tail)
    }
}

/// What the first page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Who is logged in.
    pub user: String,
    /// Which process answered.
    pub node: String,
    /// Which processes answered before and now, as the session remembers.
    pub visits: String,
}

/// The first page, at an address; none where the user is sent to the login.
///
/// # Errors
/// When no answer comes, or another one.
pub fn home(browser: &mut Browser, at: SocketAddr) -> Result<Option<Home>> {
    let mut there = browser.at(at);
    let mut page = Request::get(&format!("{PATH}/"));
    // Else Spring Security takes it for a machine, and asks that for a password.
    page.fields.push(("Accept".to_owned(), "text/html".to_owned()));
    let answer = there.send(&page)?;
    *browser = there;
    if answer.status == 302 {
        return Ok(None);
    }
    let text = answer.text();
    let words: Vec<&str> = text.split(' ').collect();
    let said = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    match (said("user="), said("node="), said("visits=")) {
        (Some(user), Some(node), Some(visits)) if answer.status == 200 => Ok(Some(Home {
            user: user.to_owned(),
            node: node.to_owned(),
            visits: visits.to_owned(),
        })),
        _ => bail!("the first page: {}", told(&answer)),
    }
}

/// Signs in by Spring Security's own form.
///
/// # Errors
/// When the form is not there, or the login is not taken.
pub fn sign_in(at: SocketAddr, user: &str, password: &str) -> Result<Browser> {
    let mut browser = Browser::new(at);
    let page = browser.get(&format!("{PATH}/login"))?.text();
    let field = page.split('<').find(|tag| tag.contains("name=\"_csrf\""));
    let value = field.and_then(|tag| tag.split_once("value=\""));
    let token = value.and_then(|(_, rest)| rest.split('"').next());
    let token = token.with_context(|| format!("a form with a token: {page}"))?;
    let form = [("username", user), ("password", password), ("_csrf", token)];
    let answer = browser.post(&format!("{PATH}/login"), &form)?;
    let to = answer.field("location").unwrap_or_default();
    ensure!(
        answer.status == 302 && !to.contains("error"),
        "a login: {}",
        told(&answer)
    );
    Ok(browser)
}
