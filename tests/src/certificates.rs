//! Certificates as an operator makes them, with the command line, for a site that speaks TLS everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use remora_process::tls::{Dial, Door, Files, Tls};

use crate::place;

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
        for role in [
            &["peer", "1"][..],
            &["peer", "2"],
            &["peer", "3"],
            &["adapter", "localhost/*"],
            &["proxy"],
            &["reader"],
            &["admin"],
        ] {
            certificates.issue(role)?;
        }
        Ok(certificates)
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
