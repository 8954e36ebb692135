//! Directories for tests of what asks them.
//!
//! Left out on purpose: what a file may say, which `config` has tests for.

use remora_process::config::Source;

use super::Directory;
use crate::config::Config;

/// A site of one Tomcat, which is not there.
pub(crate) const ONE_MEMBER: &str = r#"
[[listen]]
bind = "127.0.0.1:0"
[[route]]
path = "/"
to = "a"
[[pool.a.member]]
url = "http://127.0.0.1:1"
route = "n1"
"#;

impl Directory {
    /// As a file says it, in which there is no fault.
    pub(crate) fn of_file(text: &str) -> Self {
        Self::new(&Config::read(&Source::from_text("test", text)).unwrap())
    }
}
