//! Members that pools discover, and the store that is asked.
//!
//! Invariants: there is an address of the store, and a network in which members may be · off the loopback the store is asked over TLS,
//! or somebody says aloud that it is not · all pools ask the same store as the same caller, so that one view serves them all.
//!
//! Left out on purpose: whether the store answers, and whether its certificate is any good. That is known when it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use remora_policy::Endpoint;
use remora_process::config::Spanned;
use remora_process::tls::Files;

use super::super::file::{DiscoveryTable, PoolTable};
use super::super::report::Report;
use super::super::values::{DiscoveryConfig, StoreConfig};

impl Report<'_> {
    /// Who of the registry is a member.
    pub(super) fn discovery(&mut self, table: &DiscoveryTable) -> DiscoveryConfig {
        if table.allow.get_ref().is_empty() {
            let sentence = "discovery.allow names no network: name those in which members may be";
            self.fault(table.allow.span(), sentence);
        }
        if let Some(pattern) = &table.applications
            && pattern.get_ref().is_empty()
        {
            let sentence = "applications is empty, which no application is like: remove it for all";
            self.fault(pattern.span(), sentence);
        }
        DiscoveryConfig {
            allow: self.networks(table.allow.get_ref()),
            applications: table
                .applications
                .as_ref()
                .map(|pattern| pattern.get_ref().as_str().into()),
        }
    }

    /// The store that all pools ask which discover members.
    pub(super) fn one_store(&mut self, pools: &BTreeMap<String, PoolTable>) -> Option<StoreConfig> {
        let mut first: Option<(&str, StoreConfig)> = None;
        for (name, pool) in pools {
            let Some(table) = &pool.discovery else { continue };
            let store = self.store(
                "discovery",
                &table.store,
                (table.tls.as_ref(), table.allow_plaintext),
            );
            match &first {
                None => first = Some((name, store)),
                Some((other, known)) if *known != store => {
                    let sentence = format!(
                        "pools `{other}` and `{name}` discover by different stores: write the same store and tls in both"
                    );
                    self.fault(table.store.span(), sentence);
                }
                Some(_) => {}
            }
        }
        first.map(|(_, store)| store)
    }

    /// A store as a table names it that is called `what`, and how it is asked: with these files, or in clear, which is said aloud.
    pub(super) fn store(
        &mut self,
        what: &str,
        written: &Spanned<Vec<Spanned<String>>>,
        (tls, allow_plaintext): (Option<&Files>, bool),
    ) -> StoreConfig {
        if written.get_ref().is_empty() {
            let sentence =
                format!("{what}.store names nobody: write client addresses of store nodes, HOST:PORT");
            self.fault(written.span(), sentence);
        }
        for address in written.get_ref() {
            let text = address.get_ref();
            match is_on_loopback(text) {
                None => {
                    let sentence = format!("{what}.store `{text}` is no address: write HOST:PORT");
                    self.fault(address.span(), sentence);
                }
                Some(false) if tls.is_none() && !allow_plaintext => {
                    let sentence = format!(
                        "{what}.store `{text}` is asked in clear off the loopback: add tls = {{ authority, cert, key }} or \
                         allow_plaintext = true"
                    );
                    self.fault(address.span(), sentence);
                }
                Some(_) => {}
            }
        }
        let addresses = written.get_ref().iter();
        StoreConfig {
            addresses: addresses
                .map(|address| address.get_ref().as_str().into())
                .collect(),
            tls: tls.cloned(),
        }
    }
}

impl StoreConfig {
    /// Whether a node's word that another leads is followed to there: off the loopback only where the store is asked so already.
    pub(crate) fn may_be_at(&self, address: &str) -> bool {
        let goes_out = |own: &Arc<str>| is_on_loopback(own) == Some(false);
        self.tls.is_some() || is_on_loopback(address) == Some(true) || self.addresses.iter().any(goes_out)
    }
}

/// Whether HOST:PORT is on this machine; none where it is no such thing.
fn is_on_loopback(address: &str) -> Option<bool> {
    let url = format!("http://{address}");
    let endpoint = Endpoint::read(&url).ok()?;
    // The port has to be there, and nothing behind it.
    if format!("{}:{}", endpoint.host, endpoint.port) != *address {
        return None;
    }
    let by_number = endpoint.address().map(|address| address.is_loopback());
    Some(by_number.unwrap_or(endpoint.host == "localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_clear_a_hint_leads_off_the_loopback_only_where_the_store_is_asked_there() {
        let in_clear = |own: &str| StoreConfig {
            addresses: vec![own.into()],
            tls: None,
        };
        let (here, out) = (in_clear("127.0.0.1:7400"), in_clear("10.0.0.1:7400"));
        for (hint, is_followed) in [
            ("127.0.0.2:7400", true),
            ("localhost:7400", true),
            ("10.0.0.2:7400", false),
            ("store-2:7400", false),
            ("127.0.0.1:7400/x", false),
        ] {
            assert_eq!(here.may_be_at(hint), is_followed, "{hint}");
            assert!(out.may_be_at(hint), "{hint}: so the file says aloud");
        }
    }
}
