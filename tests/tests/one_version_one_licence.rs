//! Beside the promises: programs, jar and documents are of one version, one licence and one compiler.
//!
//! Left out on purpose: that the README's map is right; tidy and readers see to that.
//! Broken once to see it fail: the version in the adapter's pom.xml, the channel of rust-toolchain.toml, a word of the
//! jar's licence. Each failed the test of that name.

use anyhow::{Context, Result, ensure};
use remora_tests::Outcome;
use remora_tests::place::repository;

/// The version of every crate of the workspace, as the root Cargo.toml says it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The oldest compiler that the workspace takes.
const COMPILER: &str = env!("CARGO_PKG_RUST_VERSION");

fn text(path: &str) -> Result<String> {
    std::fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

fn says(path: &str, words: &str) -> Outcome {
    ensure!(text(path)?.contains(words), "{path} does not say {words:?}");
    Ok(())
}

#[test]
fn the_jar_has_the_version_of_the_programs() -> Outcome {
    let of_the_jar =
        format!("<artifactId>remora-tomcat-adapter</artifactId>\n  <version>{VERSION}</version>");
    says("tomcat-adapter/pom.xml", &of_the_jar)?;
    let of_the_starter =
        format!("<artifactId>remora-spring-boot</artifactId>\n  <version>{VERSION}</version>");
    says("spring-boot-starter/pom.xml", &of_the_starter)?;
    says("README.md", &format!("remora-tomcat-adapter-{VERSION}.jar"))?;
    says("CHANGELOG.md", VERSION)
}

#[test]
fn the_checks_run_with_the_compiler_that_the_crates_name() -> Outcome {
    says("rust-toolchain.toml", &format!("channel = \"{COMPILER}."))?;
    says("README.md", &format!("Rust {COMPILER}"))?;
    says("tools/prerequisites", &format!("Rust {COMPILER}"))
}

#[test]
fn the_jar_carries_the_licence_of_the_repository() -> Outcome {
    ensure!(env!("CARGO_PKG_LICENSE") == "Apache-2.0");
    ensure!(
        text("LICENSE")? == text("tomcat-adapter/src/main/resources/META-INF/LICENSE-Apache-2.0.txt")?,
        "the jar's licence is another text"
    );
    ensure!(
        text("LICENSE")?
            == text("spring-boot-starter/starter/src/main/resources/META-INF/LICENSE-Apache-2.0.txt")?,
        "the starter's licence is another text"
    );
    Ok(())
}
