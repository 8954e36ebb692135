//! A real httpd with a site's file, as Debian's package has it.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::process::Process;
use crate::stores::loopback;
use crate::wait::{START, wait_until};

/// Where Debian's package puts the program; not every user's PATH leads there.
const PROGRAM: &str = "/usr/sbin/apache2";

/// Where it puts the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// What a site with a balancer enables (`a2enmod proxy_balancer headers`).
const ENABLED: [&str; 8] = [
    "mpm_event",
    "authz_core",
    "headers",
    "proxy",
    "proxy_http",
    "proxy_balancer",
    "lbmethod_byrequests",
    "slotmem_shm",
];

/// A running httpd.
#[derive(Debug)]
pub struct Httpd {
    /// Where users go.
    pub address: SocketAddr,
    process: Process,
}

impl Httpd {
    /// Starts one with a site's file and waits until it accepts; `site` listens at `port`.
    ///
    /// # Errors
    /// When it is not installed, or does not accept in time.
    pub fn start(directory: &Path, port: u16, site: &str) -> Result<Self> {
        ensure!(
            Path::new(PROGRAM).is_file(),
            "httpd is missing: `tools/prerequisites` installs it"
        );
        std::fs::create_dir_all(directory)?;
        let (here, log) = (directory.display(), directory.join("httpd.log"));
        std::fs::write(directory.join("site.conf"), site).context("write httpd's site")?;
        let mut text = format!(
            "ServerRoot {here}\nPidFile {here}/pid\nDefaultRuntimeDir {here}\nErrorLog {}\nServerName localhost\n\
             Listen 127.0.0.1:{port}\n",
            log.display()
        );
        for module in ENABLED {
            writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so")?;
        }
        writeln!(text, "Include {here}/site.conf")?;
        let file = directory.join("httpd.conf");
        std::fs::write(&file, text).context("write httpd's file")?;
        // One process (-X): no other has to be found when this one is killed.
        let process = Process::start("httpd", Path::new(PROGRAM), &log, |command| {
            command.arg("-X").arg("-f").arg(&file);
        })?;
        let address = loopback(port);
        let accepts = || TcpStream::connect(address).is_ok();
        wait_until("httpd accepts", START, accepts).with_context(|| process.tail())?;
        Ok(Self { address, process })
    }

    /// Log tail.
    pub fn tail(&self) -> String {
        format!("--- httpd\n{}", self.process.tail())
    }
}
