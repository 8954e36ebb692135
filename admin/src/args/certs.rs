//! `remora certs`: what an authority of one's own issues.
//!
//! Roles are words after the verb, since two of them take more words.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const CERTS_EXAMPLES: &str = "Examples:
  remora certs init certs
  remora certs issue peer 1 --host store1.example.com --host 192.0.2.1
  remora certs issue adapter 'localhost/shop##*' --name tomcat1
  remora certs issue proxy --host 192.0.2.10
  remora certs issue admin --name ada
  remora certs issue peer 1 --host 192.0.2.1 --replace

An application is written as the store lists it, NAMESPACE:HOST/PATH##VERSION; `*` stands for anything within one part, and
without an application the certificate speaks for all. docs/security.md says where the files go.";

/// Make certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Certs {
    /// Make an authority: authority.pem, which everybody trusts, and authority.key, which stays where certificates are issued
    #[command(after_help = CERTS_EXAMPLES)]
    Init {
        /// The directory; made if absent
        #[arg(default_value = "certs")]
        dir: PathBuf,
        /// How long the authority's certificate holds
        #[arg(long, value_name = "TIME", default_value = "3650d")]
        lifetime: humantime::Duration,
    },
    /// Issue a certificate: NAME.pem and NAME.key beside the authority
    #[command(after_help = CERTS_EXAMPLES)]
    Issue(Issue),
}

/// What to issue.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// Whose it is: `peer ID`, `adapter [APPLICATION...]`, `proxy`, `reader` or `admin`
    #[arg(required = true, num_args = 1.., value_name = "ROLE")]
    pub(crate) role: Vec<String>,
    /// The authority's directory
    #[arg(long, default_value = "certs", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Whose name it bears, and what its files are called [default: the role, as in peer-1]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A host name or IP address at which a node or a proxy is reached; may be repeated [default: this machine alone]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// How long it holds
    #[arg(long, value_name = "TIME", default_value = "365d")]
    pub(crate) lifetime: humantime::Duration,
    /// Put it in the place of what bears its name; servers take it over by themselves
    #[arg(long)]
    pub(crate) replace: bool,
}
