//! What may be written in the file: keys and types, one struct for each table (those of the limits are made in
//! `limits`).
//!
//! Invariants: an unknown key is a fault everywhere (`deny_unknown_fields`) · what the checks must be able to point at
//! is [`Spanned`], so that a fault names its line · nothing is filled in here: what is absent stays absent.
//!
//! Left out on purpose: defaults, ranges and everything that one key means for another. That is `check`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;

use remora_process::config::{Period, Spanned};
use remora_process::tls::Files;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::limits::{LimitsTable, RetryTable};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) listen: Vec<ListenTable>,
    #[serde(default)]
    pub(super) pool: BTreeMap<String, PoolTable>,
    #[serde(default)]
    pub(super) route: Vec<RouteTable>,
    pub(super) control: Option<ControlTable>,
    pub(super) threads: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) trust: TrustTable,
    #[serde(default)]
    pub(super) headers: HeadersTable,
    pub(super) access_log: Option<PathBuf>,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) retry: RetryTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenTable {
    pub(super) bind: Spanned<SocketAddr>,
    pub(super) proxy_protocol: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) tls: Option<Spanned<IgnoredAny>>,
}

/// `trust = { networks = [...], header = "..." }`; a list alone is the networks.
#[derive(Debug, Default)]
pub(super) struct TrustTable {
    pub(super) networks: Vec<Spanned<String>>,
    pub(super) header: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for TrustTable {
    /// By the form of what stands there, so that a fault is told of that form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrTable)
    }
}

struct ListOrTable;

impl<'de> Visitor<'de> for ListOrTable {
    type Value = TrustTable;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of networks, or a table with networks and header")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<TrustTable, A::Error> {
        let networks = Deserialize::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(TrustTable {
            networks,
            header: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<TrustTable, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            networks: Vec<Spanned<String>>,
            header: Option<Spanned<String>>,
        }
        let Table { networks, header } = Table::deserialize(MapAccessDeserializer::new(table))?;
        Ok(TrustTable { networks, header })
    }
}

/// `headers`, of the site or of a route: rules for the fields of requests and of answers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadersTable {
    #[serde(default)]
    pub(super) request: RulesTable,
    #[serde(default)]
    pub(super) response: RulesTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesTable {
    #[serde(default)]
    pub(super) set: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) unset: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlTable {
    pub(super) bind: Spanned<SocketAddr>,
    #[serde(default)]
    pub(super) allow_plaintext: bool,
    pub(super) tls: Option<Files>,
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolTable {
    #[serde(default)]
    pub(super) sticky: OrOff<StickyTable>,
    pub(super) balance: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) health: OrOff<HealthTable>,
    #[serde(default)]
    pub(super) member: Vec<MemberTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StickyTable {
    pub(super) session: Option<Spanned<String>>,
    pub(super) route_cookie: Option<Spanned<String>>,
    pub(super) lookup: Option<Spanned<String>>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) domain: Option<Spanned<String>>,
    pub(super) same_site: Option<Spanned<String>>,
    pub(super) partitioned: Option<Spanned<bool>>,
}

/// A table, or `"off"`.
#[derive(Debug)]
pub(super) enum OrOff<T> {
    Off,
    On(Box<T>),
}

impl<T: Default> Default for OrOff<T> {
    fn default() -> Self {
        Self::On(Box::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TableOrOff(PhantomData))
    }
}

struct TableOrOff<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableOrOff<T> {
    type Value = OrOff<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table, or \"off\"")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<OrOff<T>, E> {
        match word {
            "off" => Ok(OrOff::Off),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<OrOff<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(table)).map(|table| OrOff::On(Box::new(table)))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthTable {
    pub(super) every: Option<Spanned<Period>>,
    pub(super) timeout: Option<Spanned<Period>>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) host: Option<Spanned<String>>,
    pub(super) status: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) rise: Option<Spanned<u32>>,
    pub(super) fall: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberTable {
    pub(super) url: Spanned<String>,
    pub(super) route: Spanned<String>,
    pub(super) weight: Option<Spanned<u32>>,
    pub(super) threads: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    pub(super) path: Spanned<String>,
    pub(super) to: Spanned<String>,
    #[serde(default)]
    pub(super) host: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) except: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) encoded_slash: bool,
    pub(super) connect: Option<Spanned<Period>>,
    pub(super) response: Option<Spanned<Period>>,
    pub(super) idle: Option<Spanned<Period>>,
    #[serde(default)]
    pub(super) headers: HeadersTable,
}
