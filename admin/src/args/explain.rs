//! `remora explain`: which request is meant.
//!
//! A session id is a credential. It may stand on the command line, with a warning, for whoever tries things out; `-` keeps it out of
//! histories.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

const EXAMPLES: &str = "Examples:
  remora explain https://shop.example.com/cart
  remora explain https://shop.example.com/cart --cookie -          then the Cookie header, or the session's value alone
  remora explain -                                                 a session's value at the path /
  remora explain http://shop.example.com/admin --client 192.0.2.9  as a client at that address

The answer is the proxy's own, by what decides for clients; nothing is sent to a Tomcat. A session id on a command line stays in
the shell's history and is seen in the list of processes: a dash reads it from standard input instead.";

/// Which request.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// A URL, or a path; or a session cookie's value, or `-` for one from standard input
    #[arg(value_name = "COOKIE|URL", required_unless_present = "cookie", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) what: Option<String>,
    /// A Cookie header, or the value of the session cookie alone; `-` reads it from standard input
    #[arg(long, value_name = "COOKIE", allow_hyphen_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) cookie: Option<String>,
    /// Its method
    #[arg(long, default_value = "GET", value_name = "METHOD", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) method: String,
    /// The address of the client [default: one that is in no list of exceptions]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) client: Option<std::net::IpAddr>,
    /// The listener that it comes to, as in the proxy's file [default: the first that speaks like the URL]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}
