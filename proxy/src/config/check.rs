//! From what was written to what holds. Every fault is collected, so that one edit can cure all that one start reports.
//!
//! Invariants: nothing is guessed; what is missing has a default or is a fault · what would be open to everybody (a
//! control address off the loopback) is a fault until it is said aloud.
//!
//! Left out on purpose: whether a port is free or a name can be looked up. That is known when it is tried.

mod console;
mod discovery;
pub(super) mod health;
mod log;
mod outward;
pub(super) mod pages;
pub(super) mod pools;
pub(super) mod redirect;
mod routes;
mod rules;
pub(super) mod sticky;
mod tls;

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use remora_policy::ForwardingHeader;
use remora_process::config::{Faults, Source, Spanned};
use remora_process::tls::Files;

use super::file::{ControlTable, File, ListenTable, TrustTable};
use super::limits::Limits;
use super::report::Report;
use super::trust::{Network, Networks, Trust};
use super::values::{CONTROL_ADDRESS, Config, ListenConfig, PoolConfig};

/// Most threads: beyond the cores of any machine it is a slip of the pen.
pub(super) const THREADS: RangeInclusive<usize> = 1..=256;

/// Turns a file into what holds. Whether certificates that it names are read and checked is for whoever asks to say.
pub(super) fn check(source: &Source, file: File, reads_files: bool) -> Result<Config, Faults> {
    let mut report = Report::on(source, reads_files);
    let listen = report.listeners(&file.listen);
    let state = file.control.as_ref().and_then(|control| control.state.clone());
    let discovery = report.one_store(&file.pool);
    let console = report.console(file.control.as_ref(), discovery.as_ref());
    let (control, control_tls) = report.control(file.control);
    let threads = file.threads.map_or_else(default_threads, |threads| {
        report.within("threads", &threads, THREADS)
    });
    let trust = report.trust(&file.trust);
    let rules = report.rules(&file.headers);
    let limits = Limits::checked(&file.limits, &file.retry, &mut report);
    let pages = report.site_pages(&file.pages);
    let pools: Vec<PoolConfig> = file
        .pool
        .iter()
        .map(|(name, pool)| report.pool(name, pool, &pages))
        .collect();
    if pools.is_empty() {
        report.fault_of_file("no pool is configured: add [pool.NAME] with at least one [[pool.NAME.member]]");
    }
    let routes = report.routes(&file.route, &pools);
    report.cookie_names(&file.pool, &pools, &routes);
    let terms = report.terms(&file.route, limits, &rules).into();
    let access_log = report.access_log(file.access_log);
    report.or(Config {
        listen,
        control,
        control_tls,
        console,
        state,
        threads,
        trust,
        rules,
        pages: pages.into(),
        access_log,
        limits,
        discovery,
        pools,
        routes,
        terms,
        fingerprint: source.fingerprint(),
    })
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Report<'_> {
    fn listeners(&mut self, listeners: &[ListenTable]) -> Vec<ListenConfig> {
        if listeners.is_empty() {
            self.fault_of_file("no listener is configured: add [[listen]] with bind = \"IP:PORT\"");
        }
        let mut checked: Vec<ListenConfig> = Vec::new();
        for listener in listeners {
            let address = *listener.bind.get_ref();
            if address.port() != 0 && checked.iter().any(|other| other.address == address) {
                self.fault(
                    listener.bind.span(),
                    format!("{address} is bound twice: remove one [[listen]]"),
                );
            }
            let tls = listener.tls.as_ref().map(|tls| self.tls(tls));
            let proxy_protocol = listener.proxy_protocol.as_ref().map(|balancers| {
                if balancers.get_ref().is_empty() {
                    let sentence =
                        "proxy_protocol names nobody: name the networks of the balancers, or remove it";
                    self.fault(balancers.span(), sentence);
                }
                self.networks(balancers.get_ref())
            });
            checked.push(ListenConfig {
                address,
                proxy_protocol,
                tls,
                redirect: listener.redirect.as_ref().map(|redirect| self.redirect(redirect)),
            });
        }
        checked
    }

    fn control(&mut self, control: Option<ControlTable>) -> (SocketAddr, Option<Files>) {
        let Some(control) = control else {
            let address = CONTROL_ADDRESS.parse().expect("the constant is an address");
            return (address, None);
        };
        let address = *control.bind.get_ref();
        if !address.ip().is_loopback() && control.tls.is_none() && !control.allow_plaintext {
            let sentence = format!(
                "control on {address} lets everybody who reaches it drain upstreams: add tls = {{ authority, cert, key }}, bind it to \
                 the loopback, or add allow_plaintext = true"
            );
            self.fault(control.bind.span(), sentence);
        }
        (address, control.tls)
    }

    fn trust(&mut self, trust: &TrustTable) -> Trust {
        let header = match &trust.header {
            None => ForwardingHeader::default(),
            Some(name) if name.get_ref().eq_ignore_ascii_case("x-forwarded-for") => {
                ForwardingHeader::XForwardedFor
            }
            Some(name) if name.get_ref().eq_ignore_ascii_case("forwarded") => ForwardingHeader::Forwarded,
            Some(name) => {
                let sentence = format!(
                    "trust.header `{}` is not served: write \"X-Forwarded-For\" or \"Forwarded\"",
                    name.get_ref()
                );
                self.fault(name.span(), sentence);
                ForwardingHeader::default()
            }
        };
        Trust {
            networks: self.networks(&trust.networks),
            header,
        }
    }

    pub(super) fn networks(&mut self, written: &[Spanned<String>]) -> Networks {
        let mut networks = Vec::new();
        for network in written {
            match network.get_ref().parse::<Network>() {
                Ok(parsed) => networks.push(parsed),
                Err(sentence) => self.fault(network.span(), sentence),
            }
        }
        Networks(networks)
    }
}
