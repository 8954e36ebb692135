//! A Tomcat of any release, from the jars that Maven serves for embedding: the registry holds the old ones only as such.
//!
//! They have the `Bootstrap` that `catalina.sh` starts, so a base directory serves both kinds. Everything lies on the
//! class path, our jar included: its hook must share a class loader with Tomcat.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::distribution::run;

/// What `catalina.sh` of later releases opens for Tomcat; the JDK of the tests is newer than the oldest releases know.
const OPENED: [&str; 5] = [
    "java.base/java.lang",
    "java.base/java.io",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.rmi/sun.rmi.transport",
];

/// Fetches a release and what its JSPs need.
///
/// # Errors
/// When Maven is missing or fails, with what it said.
pub(super) fn fetch(release: &str, home: &Path) -> Result<()> {
    // Fetched aside and renamed, so that half of a Tomcat is never taken for a whole one.
    let aside = home.with_extension(format!("fetching-{}", std::process::id()));
    std::fs::create_dir_all(&aside)?;
    let project = aside.join("pom.xml");
    std::fs::write(&project, pom(release))?;
    run(Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&project)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", aside.join("lib").display()))
        .current_dir(&aside))?;
    std::fs::rename(&aside, home).with_context(|| format!("move {} into place", aside.display()))
}

fn pom(release: &str) -> String {
    format!(
        "<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>remora</groupId>
  <artifactId>embedded-tomcat</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.tomcat.embed</groupId>
      <artifactId>tomcat-embed-jasper</artifactId>
      <version>{release}</version>
    </dependency>
  </dependencies>
</project>
"
    )
}

/// With which `java` starts the Tomcat of a home in a base directory.
///
/// # Errors
/// When the jars cannot be listed.
pub(super) fn arguments(home: &Path, base: &Path, options: &str) -> Result<Vec<String>> {
    let mut class_path = jars(&home.join("lib"))?;
    class_path.extend(jars(&base.join("lib"))?);
    let mut arguments: Vec<String> = OPENED
        .iter()
        .map(|opened| format!("--add-opens={opened}=ALL-UNNAMED"))
        .collect();
    arguments.extend(options.split_whitespace().map(str::to_owned));
    let properties = [
        (
            "java.util.logging.config.file",
            base.join("conf/logging.properties"),
        ),
        ("java.io.tmpdir", base.join("temp")),
        ("catalina.home", base.to_path_buf()),
        ("catalina.base", base.to_path_buf()),
    ];
    arguments.extend(properties.map(|(name, value)| format!("-D{name}={}", value.display())));
    let last = [
        "-cp",
        &class_path.join(":"),
        "org.apache.catalina.startup.Bootstrap",
        "start",
    ];
    arguments.extend(last.map(str::to_owned));
    Ok(arguments)
}

fn jars(directory: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    let mut jars: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect();
    jars.sort();
    Ok(jars)
}
