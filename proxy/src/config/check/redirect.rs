//! Listeners in clear that send their clients to https.

use std::ops::RangeInclusive;
use std::sync::Arc;

use remora_policy::ToHttps;

use super::super::file::RedirectTable;
use super::super::report::Report;

/// The port of https.
pub(in crate::config) const PORT_DEFAULT: u16 = 443;
/// Every port but none.
pub(in crate::config) const PORT: RangeInclusive<u16> = 1..=u16::MAX;

impl Report<'_> {
    /// Where clients are sent.
    pub(super) fn redirect(&mut self, table: &RedirectTable) -> Arc<ToHttps> {
        let mut except = Vec::new();
        for path in &table.except {
            if !path.get_ref().starts_with('/') || path.get_ref().contains('?') {
                let sentence = format!(
                    "except `{}` must be a path that begins with a slash",
                    path.get_ref()
                );
                self.fault(path.span(), sentence);
            }
            except.push(path.get_ref().clone());
        }
        let port = &table.port;
        let port = port
            .as_ref()
            .map_or(PORT_DEFAULT, |port| self.within("port", port, PORT));
        Arc::new(ToHttps { port, except })
    }
}
