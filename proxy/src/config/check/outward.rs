//! TLS towards the members of a pool.
//!
//! Invariants: a member whose url is https has a way that verifies whom it reaches, or is a fault · our certificate comes with its
//! key.

use std::path::PathBuf;
use std::sync::Arc;

use remora_process::config::Spanned;

use super::super::file::PoolTlsTable;
use super::super::report::Report;
use super::super::values::PoolTls;
use crate::tls::{Outward, OutwardFiles};

impl Report<'_> {
    /// What is in the files; nobody is believed where they are not to be read.
    pub(super) fn outward(&mut self, table: Option<&PoolTlsTable>) -> Option<PoolTls> {
        let table = table?;
        let path = |written: &Spanned<PathBuf>| written.get_ref().clone();
        let own = match (&table.cert, &table.key) {
            (Some(cert), Some(key)) => Some((path(cert), path(key))),
            (None, None) => None,
            (Some(alone), None) => {
                self.fault(alone.span(), "tls has a cert without a key: add key");
                None
            }
            (None, Some(alone)) => {
                self.fault(alone.span(), "tls has a key without a cert: add cert");
                None
            }
        };
        let authority = path(&table.authority);
        let files = OutwardFiles { authority, own };
        let read = self.reads_files().then(|| files.read());
        let config = match read {
            Some(Ok(config)) => config,
            Some(Err(error)) => {
                self.fault(table.authority.span(), error.to_string());
                OutwardFiles::unread()
            }
            None => OutwardFiles::unread(),
        };
        let name = table.name.as_ref().map(|name| name.get_ref().clone());
        if let Some(written) = &table.name
            && let Err(error) = Outward::new(&config, written.get_ref())
        {
            self.fault(written.span(), error.to_string());
        }
        let read = config;
        Some(PoolTls { files, name, read })
    }

    /// The way to a member by TLS.
    pub(super) fn way_to(
        &mut self,
        (url, authority): (&Spanned<String>, &str),
        pool: &str,
        outward: Option<&PoolTls>,
    ) -> Option<Arc<Outward>> {
        let Some(PoolTls { name, read, .. }) = outward else {
            let sentence = format!(
                "member url `{}` takes TLS: add [pool.{pool}.tls] with authority, the file of whoever issued its certificate",
                url.get_ref()
            );
            self.fault(url.span(), sentence);
            return None;
        };
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        match Outward::new(read, name.as_deref().unwrap_or(host)) {
            Ok(outward) => Some(Arc::new(outward)),
            // A name that is written for all is a fault of its own.
            Err(_) if name.is_some() => None,
            Err(error) => {
                self.fault(url.span(), format!("member url: {error}; say it with tls.name"));
                None
            }
        }
    }
}
