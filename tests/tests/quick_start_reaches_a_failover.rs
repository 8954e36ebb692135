//! Beside the promises: whoever follows `docs/quick-start.md` with the release archive reaches a failover, and sees what the
//! page says.
//!
//! Shown: every block of commands of the page runs as it stands, one after the other in one shell, in a directory that holds the
//! archive and a distribution of Tomcat and nothing else; each ends with 0 and says what the block behind it shows; and another
//! Tomcat answers after the kill than before. The page names fixed ports, so it runs in a network of its own, with processes of
//! its own that all end with it.
//! Left out: the download itself, and what a browser draws, which `site_behind_tls_survives_everything` looks at.
//! Broken once to see it fail: the Manager's line left out of the page (then no application is told to be kept); another cart in what
//! the page shows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::Outcome;
use remora_tests::page::{Block, blocks, shows, text};
use remora_tests::place::repository;
use remora_tests::process::Process;
use remora_tests::tomcat::{Version, distribution_zip};

/// The line of Tomcat that the page names.
const VERSION: Version = Version::V10;

/// Far more than the steps take on a busy machine, and far less than the page promises: ten minutes.
const ALL: Duration = Duration::from_secs(180);

/// What may stand in this machine's environment and would lead the reader's programs elsewhere.
const FOREIGN: [&str; 8] = [
    "REMORA_STORE",
    "REMORA_PROXY",
    "CATALINA_HOME",
    "CATALINA_BASE",
    "CATALINA_OPTS",
    "JAVA_OPTS",
    "http_proxy",
    "all_proxy",
];

/// What the harness writes between two blocks: the code with which the one before ended.
const ENDED: &str = "=== ended with ";

/// Steps of the page, by their place among its blocks of commands, that say who answered before and after the kill.
const LOGGED_IN: usize = 4;
const KILLED: usize = 6;

/// What the reader has downloaded: the archive as `make packages` packs it, of the programs that tests build, and Tomcat.
fn download(directory: &Path) -> Result<()> {
    let packages = directory.join("packages");
    let packed = Command::new(repository().join("tools/packages"))
        .arg(&packages)
        .env("PROFILE", "dev")
        .output()?;
    let said = [packed.stdout, packed.stderr].concat();
    ensure!(
        packed.status.success(),
        "tools/packages: {}",
        String::from_utf8_lossy(&said)
    );
    let archives = std::fs::read_dir(&packages)?.flatten().map(|entry| entry.path());
    let mut archives = archives.filter(|path| path.extension().is_some_and(|end| end == "gz"));
    let archive = archives.next().context("tools/packages packs an archive")?;
    let name = archive.file_name().context("a file has a name")?;
    std::fs::rename(&archive, directory.join(name))?;
    std::fs::remove_dir_all(&packages)?;
    let tomcat = directory.join(format!("apache-tomcat-{}.zip", VERSION.release()));
    std::fs::copy(distribution_zip(VERSION)?, tomcat)?;
    Ok(())
}

/// The commands of the page as one script that says where each block ends.
fn script(commands: &[&Block]) -> String {
    let ended = |block: &&Block| format!("{}echo; echo \"{ENDED}$?\"\n", block.text);
    let steps: String = commands.iter().map(ended).collect();
    format!("ip link set lo up\n{steps}")
}

/// What each block said, all of them having ended well.
fn follow(directory: &Path, commands: &[&Block]) -> Result<Vec<String>> {
    let file = directory.join("steps.sh");
    std::fs::write(&file, script(commands))?;
    let home = directory.join("reader");
    std::fs::create_dir(&home)?;
    let mut shell = Process::start(
        "quick start",
        Path::new("unshare"),
        &directory.join("said"),
        |command| {
            command
                .args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child"])
                .args(["--mount-proc", "bash"])
                .arg(&file);
            command.current_dir(directory).env("HOME", home);
            for name in FOREIGN {
                command.env_remove(name);
            }
        },
    )?;
    let ended = shell.wait_for_end(ALL).with_context(|| shell.tail())?;
    let said = shell.output();
    ensure!(ended.success(), "{ended}: {said}");
    let mut steps = Vec::new();
    for part in said.split(ENDED).collect::<Vec<_>>().windows(2) {
        let [said, next] = part else { continue };
        ensure!(
            next.starts_with("0\n"),
            "a block ends with another code than 0:\n{said}"
        );
        steps.push((*said).to_owned());
    }
    ensure!(
        steps.len() == commands.len(),
        "{} of {} blocks ran:\n{said}",
        steps.len(),
        commands.len()
    );
    Ok(steps)
}

/// Which Tomcats answered in a step.
fn nodes(said: &str) -> BTreeSet<&str> {
    let pages = said.split("data-node=\"").skip(1);
    pages.filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

#[test]
fn as_the_page_says() -> Outcome {
    let page = blocks(&text("docs/quick-start.md")?);
    let commands: Vec<&Block> = page.iter().filter(|block| block.language == "sh").collect();
    let directory = tempfile::tempdir()?;
    download(directory.path())?;
    let steps = follow(directory.path(), &commands)?;
    let mut step = 0;
    for block in &page {
        match block.language.as_str() {
            "sh" => step += 1,
            language => {
                ensure!(
                    language == "text",
                    "a block of {language} is neither run nor compared"
                );
                shows(&block.text, &steps[step - 1])?;
            }
        }
    }
    let (before, after) = (nodes(&steps[LOGGED_IN]), nodes(&steps[KILLED]));
    ensure!(
        before.len() == 1 && after.len() == 1 && before != after,
        "{before:?} served her, and after its death {after:?}"
    );
    Ok(())
}
