//! A caller of the probe application, and the files by which its pages talk to claims.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::http::{Answer, Browser, Request, encode};
use crate::visitor::told;
use crate::wait::{SOON, wait_until};

/// What `get.jsp` says of a session.
#[derive(Clone, Debug)]
pub struct Held {
    /// Which Tomcat answered.
    pub node: String,
    /// Whether there is a session.
    pub live: bool,
    /// Attributes; long values only by their length.
    pub attributes: BTreeMap<String, String>,
}

/// A caller with a browser of its own.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The browser.
    pub browser: Browser,
}

/// A request to a probe page that sets one attribute.
pub fn change(page: &str, name: &str, value: &str) -> Request {
    Request::get(&format!(
        "/probe/{page}?name={}&value={}",
        encode(name),
        encode(value)
    ))
}

impl Caller {
    /// Somebody without cookies.
    pub fn new(origin: SocketAddr) -> Self {
        Self {
            browser: Browser::new(origin),
        }
    }

    /// The same caller at another address.
    pub fn at(&self, origin: SocketAddr) -> Self {
        Self {
            browser: self.browser.at(origin),
        }
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// When the page does not answer 200.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Answer> {
        let answer = self.browser.send(&change("set.jsp", name, value))?;
        ensure!(answer.status == 200, "set {name}={value}: {}", told(&answer));
        Ok(answer)
    }

    /// What the session holds.
    ///
    /// # Errors
    /// When the page does not answer 200.
    pub fn held(&mut self) -> Result<Held> {
        let answer = self.browser.get("/probe/get.jsp")?;
        ensure!(answer.status == 200, "get: {}", told(&answer));
        let text = answer.text();
        let facts: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let attributes = (facts.iter())
            .filter_map(|(name, value)| {
                Some((name.strip_prefix("attribute.")?.to_owned(), (*value).to_owned()))
            })
            .collect();
        let node = facts.get("node").context("get.jsp names its node")?;
        Ok(Held {
            node: (*node).to_owned(),
            live: facts.get("session") == Some(&"live"),
            attributes,
        })
    }
}

/// The directory of signal files that all Tomcats of a world share.
#[derive(Clone, Debug)]
pub struct Signals {
    directory: PathBuf,
}

impl Signals {
    /// Makes the directory.
    ///
    /// # Errors
    /// When that fails.
    pub fn new(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
        Ok(Self {
            directory: directory.to_path_buf(),
        })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Nodes that executed the page with that key, in order, one entry per execution.
    pub fn executions(&self, key: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.join(format!("{key}.log"))).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Waits until the page with that key has begun `times` times.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_begun(&self, key: &str, times: usize) -> Result<()> {
        wait_until(&format!("page {key} begun {times} times"), SOON, || {
            self.executions(key).len() >= times
        })?;
        Ok(())
    }

    /// Lets waiting pages with that key end.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn go(&self, key: &str) -> Result<()> {
        let file = self.directory.join(format!("{key}.go"));
        std::fs::write(&file, b"").with_context(|| format!("write {}", file.display()))
    }
}
