//! Containers without an engine: what the files of `packaging/` ask of one, done with namespaces and overlays of the kernel.
//!
//! - [`containerfile`](Containerfile): an image file, read strictly. [`Image`]: what its lines make, in a root of its own.
//! - [`Network`]: a switch, machines on it, and the names by which they find each other.
//! - [`Container`]: a program as the first process of a machine, over an image, as the image's user.
//!
//! Debian 12 or newer stands in the place of every base image: the system on which this runs, which is never written to. A root
//! is an overlay over its `/usr` and `/etc`; everything made in it goes with the test's directory.
//!
//! Invariant: nothing outlives this program, and no network but its own is touched. Namespaces live as long as the processes in
//! them, mounts as long as their namespace.
//!
//! Left out on purpose: registries, layers, limits of memory and processors, seccomp, and any engine's quirks.

mod container;
mod containerfile;
mod image;
mod network;

use std::process::Command;

use crate::installed::tell_nothing;
use crate::tomcat::QUICK_START;

pub use container::{Container, Mount, Plan};
pub use containerfile::Containerfile;
pub use image::{Base, Image, context};
pub use network::{Machine, Network};

/// A variable that no file has: options of the JVM with which a quick start counts for more than a fast server.
pub const QUICK: [&str; 2] = ["JAVA_TOOL_OPTIONS", QUICK_START];

/// Whether this user may make namespaces and mount in them; says aloud if not.
pub fn possible() -> bool {
    let tried = Command::new("unshare")
        .args([
            "--net", "--uts", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt",
        ])
        .output();
    let possible = tried.is_ok_and(|output| output.status.success());
    if !possible {
        tell_nothing("of containers: they need namespaces, and this user may not make any; run it as root");
    }
    possible
}
