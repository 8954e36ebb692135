//! `remora import`: whose files, and where what comes of them goes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const EXAMPLES: &str = "Examples:
  remora import httpd /etc/apache2/sites-enabled/shop.conf                     to look at
  remora import httpd /etc/apache2/apache2.conf --write proxy.toml             with all that it includes
  remora import httpd /etc/httpd/conf.d/jk.conf /etc/httpd/conf/workers.properties
  remora import httpd shop.conf > proxy.toml 2> report.txt
  remora import nginx /etc/nginx/nginx.conf --write proxy.toml
  remora import haproxy /etc/haproxy/haproxy.cfg --replay /var/log/haproxy.log   which requests would go elsewhere
  remora import httpd shop.conf -o json

The configuration goes to standard output and the report to standard error; with --write the report goes to standard output. Each
directive is in the report, as one of three: same; differs, and how; not supported, and what to do. What is not understood is named
by file and line. docs/import.md tells more. Exit 1: nothing of these files can be served.";

/// Whose files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Product {
    /// Apache httpd, with mod_proxy_balancer or mod_jk
    Httpd,
    /// nginx, open source or Plus
    Nginx,
    /// HAProxy
    Haproxy,
}

/// Which files, and where to write.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// Whose files these are
    #[arg(value_enum)]
    pub(crate) product: Product,
    /// Its files, in the order in which it reads them; what they include is read as well
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the configuration there instead; a file that is there already stays
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Replay this access log of the other proxy: tell which of its requests would go elsewhere
    #[arg(long, value_name = "LOG")]
    pub(crate) replay: Option<PathBuf>,
}
