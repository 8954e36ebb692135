//! Listeners that end TLS: which files, and what is in them.
//!
//! Here alone a check looks beyond the file that it checks: a certificate without its key would be found by every client
//! otherwise. Only whoever means to use the configuration has them read.

use std::path::PathBuf;

use remora_process::config::Spanned;

use super::super::file::{CertificateTable, ListenTlsTable};
use super::super::report::Report;
use super::super::values::{TlsConfig, TlsSettings};
use crate::tls::{Identity, Keyring};

impl Report<'_> {
    /// What a listener's TLS is made of.
    pub(super) fn tls(&mut self, written: &Spanned<ListenTlsTable>) -> TlsConfig {
        let table = written.get_ref();
        let mut pairs = Vec::new();
        match (&table.cert, &table.key) {
            (Some(cert), Some(key)) => pairs.push((cert, key)),
            (None, None) if table.certificate.is_empty() => {
                let sentence =
                    "tls names no certificate: add cert and key, or [[listen.tls.certificate]] for several";
                self.fault(written.span(), sentence);
            }
            (None, None) => {}
            (Some(alone), None) => self.fault(alone.span(), "tls has a cert without a key: add key"),
            (None, Some(alone)) => self.fault(alone.span(), "tls has a key without a cert: add cert"),
        }
        let others = table.certificate.iter();
        pairs.extend(others.map(|CertificateTable { cert, key }| (cert, key)));
        let newest_only = match &table.min_version {
            None => false,
            Some(version) => match &**version.get_ref() {
                "1.2" => false,
                "1.3" => true,
                other => {
                    let sentence = format!("min_version `{other}` is not served: write \"1.2\" or \"1.3\"");
                    self.fault(version.span(), sentence);
                    false
                }
            },
        };
        let keyring = self.keyring(&pairs);
        let paths = pairs.iter().map(|(cert, key)| (path(cert), path(key)));
        let settings = TlsSettings {
            certificates: paths.collect(),
            strict_sni: table.strict_sni,
            newest_only,
        };
        TlsConfig { settings, keyring }
    }

    /// What is in the files; nothing where they are not to be read.
    fn keyring(&mut self, pairs: &[(&Spanned<PathBuf>, &Spanned<PathBuf>)]) -> Keyring {
        let mut identities = Vec::new();
        let read = if self.reads_files() { pairs } else { &[] };
        for (cert, key) in read {
            match Identity::read(cert.get_ref(), key.get_ref()) {
                Ok(identity) => identities.push(identity),
                Err(error) => self.fault(cert.span(), error.to_string()),
            }
        }
        Keyring::of(identities)
    }
}

fn path(written: &Spanned<PathBuf>) -> PathBuf {
    written.get_ref().clone()
}
