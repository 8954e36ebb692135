//! A real httpd with a site's file, as Debian's package has it: what it is told beside the site.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::fronts::Front;

/// Where Debian's package puts the modules.
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

/// Threads for requests of its one process: more than users of a claim. By itself it has 25 in each of several processes.
const THREADS: u16 = 64;

impl Front {
    /// Starts httpd with a site's file, which listens at `port`, and waits until it accepts.
    ///
    /// # Errors
    /// When it is not installed, or does not accept in time.
    pub fn httpd(directory: &Path, port: u16, site: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let here = directory.display();
        std::fs::write(directory.join("site.conf"), site).context("write httpd's site")?;
        let mut text = format!(
            "ServerRoot {here}\nPidFile {here}/pid\nDefaultRuntimeDir {here}\nErrorLog {here}/apache2.log\n\
             ServerName localhost\nListen 127.0.0.1:{port}\n"
        );
        for module in ENABLED {
            writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so")?;
        }
        writeln!(text, "ThreadsPerChild {THREADS}\nMaxRequestWorkers {THREADS}")?;
        writeln!(text, "Include {here}/site.conf")?;
        let file = directory.join("httpd.conf");
        std::fs::write(&file, text).context("write httpd's file")?;
        // One process (-X): no other has to be found when this one is killed.
        Self::start(
            "apache2",
            directory,
            port,
            ["-X".into(), "-f".into(), file.into()],
        )
    }
}
