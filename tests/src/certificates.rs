//! Certificates as an operator makes them, with the command line, for a site that speaks TLS everywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use remora_process::tls::{Dial, Door, Files, Tls};

use crate::place;

/// Everybody who holds a certificate, by the words that issue it.
const HOLDERS: [&[&str]; 7] = [
    &["peer", "1"],
    &["peer", "2"],
    &["peer", "3"],
    &["adapter", "localhost/*"],
    &["proxy"],
    &["reader"],
    &["admin"],
];

/// An authority, and what it issued.
#[derive(Clone, Debug)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes an authority in a new directory, and a certificate for each part of a site of three store nodes.
    ///
    /// # Errors
    /// When the command line does not.
    pub fn make(directory: &Path) -> Result<Self> {
        let certificates = Self {
            directory: directory.to_path_buf(),
        };
        certificates.remora(&["init", &directory.display().to_string()])?;
        for holder in HOLDERS {
            certificates.issue(holder)?;
        }
        Ok(certificates)
    }

    /// Makes another authority, which is trusted beside the one before from now on.
    ///
    /// # Errors
    /// When a file cannot be moved or written.
    pub fn next_authority(&self) -> Result<()> {
        let [certificate, old] = ["authority.pem", "old.pem"].map(|name| self.directory.join(name));
        fs::rename(&certificate, &old)?;
        fs::rename(
            self.directory.join("authority.key"),
            self.directory.join("old.key"),
        )?;
        self.remora(&["init", &self.directory.display().to_string()])?;
        let both = [fs::read_to_string(&certificate)?, fs::read_to_string(&old)?].concat();
        fs::write(&certificate, both)?;
        Ok(())
    }

    /// Issues every certificate anew.
    ///
    /// # Errors
    /// When the command line does not.
    pub fn reissue(&self) -> Result<()> {
        for holder in HOLDERS {
            self.issue(&[holder, &["--replace"]].concat())?;
        }
        Ok(())
    }

    /// Trusts the newest authority alone from now on.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn forget_old(&self) -> Result<()> {
        let certificate = self.directory.join("authority.pem");
        let (both, old) = (
            fs::read_to_string(&certificate)?,
            fs::read_to_string(self.directory.join("old.pem"))?,
        );
        fs::write(&certificate, both.replace(&old, ""))?;
        Ok(())
    }

    /// Issues one more, by the words behind `remora certs issue`.
    ///
    /// # Errors
    /// When the command line does not.
    pub fn issue(&self, words: &[&str]) -> Result<()> {
        let directory = self.directory.display().to_string();
        self.remora(&[&["issue", "--dir", &directory], words].concat())
    }

    fn remora(&self, words: &[&str]) -> Result<()> {
        let output = Command::new(place::program("remora")?)
            .arg("certs")
            .args(words)
            .output()
            .context("run remora certs")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "remora certs {}: {said}",
            words.join(" ")
        );
        Ok(())
    }

    /// The files of whoever holds the certificate of that name.
    pub fn files(&self, name: &str) -> Files {
        Files {
            authority: self.directory.join("authority.pem"),
            cert: self.directory.join(format!("{name}.pem")),
            key: self.directory.join(format!("{name}.key")),
        }
    }

    /// The three flags of a program, or of the command line.
    pub fn flags(&self, name: &str) -> Vec<String> {
        let Files { authority, cert, key } = self.files(name);
        [("authority", authority), ("cert", cert), ("key", key)]
            .into_iter()
            .flat_map(|(flag, path)| [format!("--tls-{flag}"), path.display().to_string()])
            .collect()
    }

    /// The three properties of a Spring Boot application, as arguments.
    pub fn properties(&self, name: &str) -> Vec<String> {
        let Files { authority, cert, key } = self.files(name);
        [("authority", authority), ("cert", cert), ("key", key)]
            .map(|(property, path)| format!("--remora.tls-{property}={}", path.display()))
            .to_vec()
    }

    /// The three attributes of a Manager line.
    pub fn attributes(&self, name: &str) -> Vec<(String, String)> {
        let Files { authority, cert, key } = self.files(name);
        [("tlsAuthority", authority), ("tlsCert", cert), ("tlsKey", key)]
            .map(|(attribute, path)| (attribute.to_owned(), path.display().to_string()))
            .to_vec()
    }

    /// How a client connects that holds the certificate of that name.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn dial(&self, name: &str) -> Result<Dial> {
        let tls = Tls::load(self.files(name), Door::Certified)?;
        Ok(Dial::new(Some(tls)))
    }
}

/// How an operator's client connects to a site with these certificates, or to one without.
///
/// # Errors
/// When a file cannot be used.
pub fn operator(certificates: Option<&Certificates>) -> Result<Dial> {
    certificates.map_or_else(|| Ok(Dial::default()), |all| all.dial("admin"))
}
