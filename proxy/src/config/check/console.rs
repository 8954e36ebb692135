//! The site in a browser, and the store that it shows.
//!
//! Invariant: whoever names no store is shown the one that pools discover members by, if they do.
//!
//! Left out on purpose: whether the store answers, and what the certificate is good for there. That is known when it is asked.

use super::super::file::{ControlTable, OrOff};
use super::super::report::Report;
use super::super::values::{ConsoleConfig, StoreConfig};

impl Report<'_> {
    /// What is shown; nothing where it is off.
    pub(super) fn console(
        &mut self,
        control: Option<&ControlTable>,
        discovery: Option<&StoreConfig>,
    ) -> Option<ConsoleConfig> {
        let known = ConsoleConfig {
            store: discovery.cloned(),
            by_discovery: true,
        };
        let table = match control.map(|control| &control.console) {
            None => return Some(known),
            Some(OrOff::Off) => return None,
            Some(OrOff::On(table)) => table,
        };
        if let Some(written) = &table.store {
            let how = (table.tls.as_ref(), table.allow_plaintext);
            return Some(ConsoleConfig {
                store: Some(self.store("control.console", written, how)),
                by_discovery: false,
            });
        }
        let Some(tls) = &table.tls else {
            return Some(known);
        };
        if discovery.is_none() {
            self.fault_of_file(
                "control.console has tls and no store, and no pool discovers members by one: add store",
            );
        }
        Some(ConsoleConfig {
            store: discovery.map(|store| StoreConfig {
                tls: Some(tls.clone()),
                ..store.clone()
            }),
            by_discovery: false,
        })
    }
}
