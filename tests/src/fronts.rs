//! Other people's proxies with a site's file, as Debian's packages have them: nginx and HAProxy. httpd is in
//! [`httpd`](crate::httpd).
//!
//! Both are unpacked, not installed, where they are missing: an installed one would be started.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result};

use crate::place::debian_program;
use crate::process::Process;
use crate::stores::loopback;
use crate::wait::{START, wait_until};

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

    fn start(
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
