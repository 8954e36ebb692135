//! Other people's proxies with a site's file, as Debian's packages have them: httpd, nginx and HAProxy; and the sites of
//! `docs/keep-your-proxy.md`, which whoever stands one up before Tomcats takes as they are.
//!
//! nginx and HAProxy are unpacked, not installed, where they are missing: an installed one would be started.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result};

use crate::page::{blocks, text};
use crate::place::{debian_program, free_port};
use crate::process::Process;
use crate::stores::loopback;
use crate::tomcat::Tomcat;
use crate::wait::{START, wait_until};

/// The page that says how each stands before Tomcats.
pub const PAGE: &str = "docs/keep-your-proxy.md";

/// Whose proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache httpd with mod_proxy_balancer.
    Httpd,
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
}

/// How it finds a user's Tomcat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the `jvmRoute` behind the dot of the session id: the first site of the page.
    JvmRoute,
    /// By a mark of its own, or the session id itself: the second.
    Mark,
}

impl Kind {
    /// In the order of the page.
    pub const ALL: [Self; 3] = [Self::Httpd, Self::Nginx, Self::Haproxy];

    /// Its name, which is that of its directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Httpd => "httpd",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
        }
    }

    /// What Debian calls the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Httpd => "apache2",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// How the page marks its blocks.
    fn language(self) -> &'static str {
        match self {
            Self::Httpd => "apache",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// The page's site, with the page's addresses.
    ///
    /// # Errors
    /// When the page has none.
    pub fn site(self, by: By) -> Result<String> {
        let sites = blocks(&text(PAGE)?).into_iter();
        let mut sites = sites.filter(|block| block.language == self.language());
        let site = sites.nth(by as usize).context("the page has two sites of each")?;
        Ok(site.text)
    }

    /// Starts it below `directory` with the page's site before these Tomcats, on a free port, and waits until it accepts.
    ///
    /// # Errors
    /// When it or the page's site is not there, or it does not accept in time.
    pub fn stand(self, by: By, directory: &Path, tomcats: &[Tomcat]) -> Result<Front> {
        self.serve(&self.site(by)?, free_port()?, directory, tomcats)
    }

    /// The same with a site of the caller's, with the page's addresses, at that port.
    ///
    /// # Errors
    /// When it is not there, or does not accept in time.
    pub fn serve(self, site: &str, port: u16, directory: &Path, tomcats: &[Tomcat]) -> Result<Front> {
        let directory = directory.join(self.name());
        let site = placed(site, port, tomcats);
        match self {
            Self::Httpd => Front::httpd(&directory, port, &site),
            Self::Nginx => Front::nginx(&directory, port, &site),
            Self::Haproxy => Front::haproxy(&directory, port, &site),
        }
    }
}

/// A site of the page with this machine's addresses.
fn placed(site: &str, port: u16, tomcats: &[Tomcat]) -> String {
    let here = format!("127.0.0.1:{port}");
    let site = site
        .replace("*:80", &here)
        .replace("listen 80;", &format!("listen {here};"))
        .replace("bind :80", &format!("bind {here}"));
    (11..).zip(tomcats).fold(site, |site, (host, tomcat)| {
        site.replace(&format!("192.0.2.{host}:8080"), &tomcat.address().to_string())
    })
}

/// A running proxy that is not ours.
#[derive(Debug)]
pub struct Front {
    /// Where users go.
    pub address: SocketAddr,
    process: Process,
}

impl Front {
    /// Starts nginx with a site's file, which listens at `port`, and waits until it accepts.
    ///
    /// # Errors
    /// When it is not there, or does not accept in time.
    pub fn nginx(directory: &Path, port: u16, site: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("site.conf"), site).context("write nginx's site")?;
        // One process: a worker would outlive the master that the harness kills.
        let text = "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {}\n\
                    http {\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  \
                    fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  include site.conf;\n}\n";
        std::fs::write(directory.join("nginx.conf"), text).context("write nginx's file")?;
        let arguments = [
            "-p".into(),
            directory.into(),
            "-c".into(),
            "nginx.conf".into(),
            "-e".into(),
            "error.log".into(),
        ];
        Self::start("nginx", directory, port, arguments)
    }

    /// Starts HAProxy with a site's file, which listens at `port`, and waits until it accepts.
    ///
    /// # Errors
    /// When it is not there, or does not accept in time.
    pub fn haproxy(directory: &Path, port: u16, site: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let file = directory.join("haproxy.cfg");
        // One thread, and as many files as the system grants.
        let text = format!("global\n  nbthread 1\n  maxconn 200\n  no strict-limits\n{site}");
        std::fs::write(&file, text).context("write HAProxy's file")?;
        Self::start(
            "haproxy",
            directory,
            port,
            ["-db".into(), "-f".into(), file.into()],
        )
    }

    /// Starts the program that Debian calls so, and waits until it accepts.
    ///
    /// # Errors
    /// When it is not there, or does not accept in time.
    pub(crate) fn start(
        name: &str,
        directory: &Path,
        port: u16,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self> {
        let (program, libraries) = debian_program(name)?;
        let log = directory.join(format!("{name}.log"));
        let process = Process::start(name, &program, &log, |command| {
            command.args(arguments);
            if let Some(libraries) = libraries {
                command.env("LD_LIBRARY_PATH", libraries);
            }
        })?;
        let address = loopback(port);
        let what = format!("{name} accepts");
        let accepts = || TcpStream::connect(address).is_ok();
        wait_until(&what, START, accepts).with_context(|| process.tail())?;
        Ok(Self { address, process })
    }

    /// Log tail.
    pub fn tail(&self) -> String {
        format!("--- {}\n{}", self.process.name(), self.process.tail())
    }
}
