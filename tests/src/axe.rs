//! axe-core, Deque's rules of what makes a page usable with a keyboard and a screen reader: fetched once as Maven serves it,
//! inside Deque's own library for Java, and known by its digest. It is a tool of the tests (MPL-2.0) and in nothing that we ship.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::chromium::Chromium;
use crate::place;
use crate::tomcat::{fetch, run};

/// Which release.
const RELEASE: &str = "4.11.1";

/// Its name in the jar.
const SCRIPT: &str = "axe.min.js";

/// SHA-256 of it.
const DIGEST: &str = "7dbfabdfc6062936d79c873ddbb5f811a1219fca3928bd8cc9dd81f1e65f4720";

/// Asks for all rules, or those that are named, and gives a sentence for each violation.
const ASK: &str = "
    const [only, done] = arguments;
    const options = only.length > 0 ? { runOnly: only } : {};
    const told = (violation) => `${violation.id} (${violation.impact}): `
        + violation.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`).join(' | ');
    axe.run(options).then((found) => done(found.violations.map(told)), (why) => done([`axe failed: ${why}`]));";

/// The rules, as a script.
#[derive(Debug)]
pub struct Axe(String);

impl Axe {
    /// Fetches it unless that is done.
    ///
    /// # Errors
    /// When Maven is missing or fails, or what it serves is something else.
    pub fn fetch() -> Result<Self> {
        let _alone = place::making("axe")?;
        let jar = fetch(
            &format!("selenium-{RELEASE}.jar"),
            &format!("com.deque.html.axe-core:selenium:{RELEASE}"),
        )?;
        let cache = place::cache()?;
        run(Command::new("jar")
            .arg("xf")
            .arg(&jar)
            .arg(SCRIPT)
            .current_dir(&cache))?;
        let script = std::fs::read_to_string(cache.join(SCRIPT)).context("read axe-core")?;
        let digest = Sha256::digest(script.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(
            digest == DIGEST,
            "{} holds another axe-core: {digest}",
            jar.display()
        );
        Ok(Self(script))
    }

    /// What on the page breaks one of the rules: all of them, or those that are named.
    ///
    /// # Errors
    /// When the browser does not say.
    pub fn violations(&self, chromium: &Chromium, only: &[&str]) -> Result<Vec<String>> {
        chromium.run(&self.0)?;
        let found = chromium.run_later(ASK, &[only.into()])?;
        let found = found.as_array().context("a list of violations")?;
        Ok(found.iter().map(Value::to_string).collect())
    }
}
