//! Listeners that end TLS: which files, and what is in them.
//!
//! Here, in `outward` and in `pages` a check looks beyond the file that it checks: a certificate without its key would be found by
//! every client otherwise. Only whoever means to use the configuration has them read.

use std::path::PathBuf;

use remora_process::config::Spanned;

use super::super::file::{CertificateTable, ClientsTable, ListenTlsTable};
use super::super::report::Report;
use super::super::values::{ClientCertificates, TlsConfig, TlsSettings, ToldCertificate};
use crate::tls::{Identity, Keyring, client_verifier};

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
        let clients = table.clients.as_ref().map(|clients| self.clients(clients));
        let keyring = self.keyring(&pairs, table.clients.as_ref());
        let paths = pairs.iter().map(|(cert, key)| (path(cert), path(key)));
        let settings = TlsSettings {
            certificates: paths.collect(),
            strict_sni: table.strict_sni,
            newest_only,
            clients,
            http2: table.http2.as_ref().is_none_or(|http2| *http2.get_ref()),
        };
        TlsConfig { settings, keyring }
    }

    /// What is in the files; nothing where they are not to be read.
    fn keyring(
        &mut self,
        pairs: &[(&Spanned<PathBuf>, &Spanned<PathBuf>)],
        clients: Option<&ClientsTable>,
    ) -> Keyring {
        if !self.reads_files() {
            return Keyring::default();
        }
        let mut identities = Vec::new();
        for (cert, key) in pairs {
            match Identity::read(cert.get_ref(), key.get_ref()) {
                Ok(identity) => identities.push(identity),
                Err(error) => self.fault(cert.span(), error.to_string()),
            }
        }
        let verifier = clients.and_then(|clients| {
            let read = client_verifier(clients.authority.get_ref(), clients.required);
            read.map_err(|error| self.fault(clients.authority.span(), error.to_string()))
                .ok()
        });
        Keyring::of(identities, verifier)
    }

    /// What is made of clients' certificates.
    fn clients(&mut self, table: &ClientsTable) -> ClientCertificates {
        let mut told = ToldCertificate::default();
        for field in &table.fields {
            match &**field.get_ref() {
                "rfc9440" => told.rfc9440 = true,
                "sslvalve" => told.sslvalve = true,
                other => {
                    let sentence = format!("`{other}` names no fields: write \"rfc9440\" or \"sslvalve\"");
                    self.fault(field.span(), sentence);
                }
            }
        }
        ClientCertificates {
            authority: path(&table.authority),
            required: table.required,
            told,
        }
    }
}

fn path(written: &Spanned<PathBuf>) -> PathBuf {
    written.get_ref().clone()
}
