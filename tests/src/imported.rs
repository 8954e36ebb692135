//! Our proxy in the place of another, as `docs/migration.md` says: its commands make our file of the site's, and what they write stands at
//! the old address.
//!
//! Left out on purpose: what users see of that.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::fronts::{By, Kind};
use crate::page::{Block, blocks, text};
use crate::place::{free_port, program};
use crate::proxy::Proxy;
use crate::stores::loopback;
use crate::tomcat::Tomcat;

/// The page.
pub const PAGE: &str = "docs/migration.md";

/// The page's blocks in that language.
///
/// # Errors
/// When it cannot be read.
pub fn of_page(language: &str) -> Result<Vec<Block>> {
    let blocks = blocks(&text(PAGE)?).into_iter();
    Ok(blocks.filter(|block| block.language == language).collect())
}

/// Our file in place of the site of `docs/keep-your-proxy.md` for that proxy, by the page's commands, in `directory`; nothing of the
/// site is without a counterpart.
///
/// # Errors
/// When a command fails, or something of the site is left out.
pub fn imported(directory: &Path, kind: Kind, by: By) -> Result<String> {
    std::fs::write(directory.join("shop.conf"), kind.site(by)?)?;
    let mut told = Vec::new();
    let commands = of_page("sh")?.swap_remove(0).text;
    for line in commands.lines() {
        let line = line.replace("/etc/apache2/sites-enabled/", "");
        let line = line.replace(" httpd ", &format!(" {} ", kind.name().to_lowercase()));
        let mut words = line.split(' ');
        let name = words.next().context("a program")?;
        let output = Command::new(program(name)?)
            .args(words)
            .current_dir(directory)
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "{line}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        told.push(said);
    }
    ensure!(told[0].contains("not supported: 0"), "{}", told[0]);
    Ok(std::fs::read_to_string(directory.join("proxy.toml"))?)
}

/// An imported file with the addresses of this machine: of users, of operators, and of these Tomcats.
pub fn placed(file: &str, (port, control): (u16, u16), tomcats: &[Tomcat]) -> String {
    let file = (file.replace("0.0.0.0:80", &loopback(port).to_string()))
        .replace("127.0.0.1:7410", &loopback(control).to_string());
    (11..).zip(tomcats).fold(file, |file, (host, tomcat)| {
        file.replace(&format!("192.0.2.{host}:8080"), &tomcat.address().to_string())
    })
}

/// Ours with that file at the port of the proxy that was there, ready, with all of these Tomcats up. Its files lie below `directory`.
///
/// # Errors
/// When a command fails, or it is not ready in time.
pub fn stand_in(directory: &Path, (kind, by): (Kind, By), port: u16, tomcats: &[Tomcat]) -> Result<Proxy> {
    let directory = directory.join(format!("ours-for-{}", kind.name()));
    std::fs::create_dir(&directory)?;
    let control = free_port()?;
    let file = placed(&imported(&directory, kind, by)?, (port, control), tomcats);
    let ours = Proxy::start_with(&directory, (port, control), &file, None)?;
    ours.wait_ready()?;
    for tomcat in tomcats {
        ours.wait_health(tomcat.node(), "up")?;
    }
    Ok(ours)
}
