//! `remora console`: the page in a browser.

use clap::Subcommand;

const TOKEN_EXAMPLES: &str = "Examples:
  remora --proxy 127.0.0.1:7410 console token
  remora console token --read-only --for 30m
  remora console token -o json

Open the address in a browser. It is good once: whoever opens it first may do at the console what it
says, until it ends. It is a password, for one's own browser and no chat. A proxy that is started anew
forgets it.";

/// Look at the site in a browser.
#[derive(Debug, Subcommand)]
pub(crate) enum Console {
    /// Make an address by which a browser may open the console of each proxy, for a while
    #[command(after_help = TOKEN_EXAMPLES)]
    Token {
        /// For looking alone
        #[arg(long)]
        read_only: bool,
        /// For how long, a day at most
        #[arg(long = "for", value_name = "DURATION", default_value = "8h")]
        period: humantime::Duration,
    },
}
