//! Every key that may be written, as people are told of it: `--help` and docs/proxy.md are made of these.
//!
//! The macro makes of a row the key that is parsed and the words on it, and a table that stands in another is followed
//! from there. So no key can be parsed and missing in the page.
//!
//! Invariants: a key has what it is for, and an example that parses (a test reads them all) · a default and a range are those
//! that hold: the constants of the checks, not typed again · a kind follows from the type that is parsed.
//!
//! Left out on purpose: what a fault is called. That is `check`'s.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use remora_process::config::{Period, Spanned};
use remora_process::tls::Files;

use super::file::HeadersTable;
use super::report::Bound;

/// A table of the file.
pub(super) struct Section {
    /// As it stands above its keys; empty for the keys at the top of the file.
    pub(super) header: &'static str,
    /// What it is for.
    pub(super) why: String,
    pub(super) keys: Vec<Key>,
}

/// One key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What is written behind it.
    pub(super) kind: String,
    /// What holds where it is absent; none where it must be there.
    pub(super) default: Option<String>,
    /// The least and the most; empty where nothing is measured.
    pub(super) range: String,
    /// A value.
    pub(super) example: String,
    /// What it is for.
    pub(super) why: String,
}

/// A type that stands for a table of the file, or for several such tables.
pub(super) trait Table {
    /// This table under its header, and the tables in it.
    fn sections(header: &'static str) -> Vec<Section>;
}

impl<T: Table> Table for Option<T> {
    fn sections(header: &'static str) -> Vec<Section> {
        T::sections(header)
    }
}

impl<T: Table> Table for Spanned<T> {
    fn sections(header: &'static str) -> Vec<Section> {
        T::sections(header)
    }
}

impl<T: Table> Table for Vec<T> {
    fn sections(header: &'static str) -> Vec<Section> {
        T::sections(header)
    }
}

impl<T: Table> Table for BTreeMap<String, T> {
    fn sections(header: &'static str) -> Vec<Section> {
        T::sections(header)
    }
}

/// A type that a value is parsed into, in the words of a reader.
pub(super) trait Kind {
    fn kind() -> String;
}

macro_rules! kinds {
    ($( $kind:ty: $words:literal; )+) => {
        $( impl Kind for $kind {
            fn kind() -> String {
                $words.to_owned()
            }
        } )+
    };
}

kinds! {
    Period: "duration";
    usize: "number";
    u32: "number";
    u16: "number";
    bool: "true or false";
    String: "text";
    PathBuf: "path";
    SocketAddr: "address and port";
    Files: "table of three files";
    HeadersTable: "table";
}

impl<T: Kind> Kind for Option<T> {
    fn kind() -> String {
        T::kind()
    }
}

impl<T: Kind> Kind for Spanned<T> {
    fn kind() -> String {
        T::kind()
    }
}

impl<T: Kind> Kind for Vec<T> {
    fn kind() -> String {
        format!("list of {}s", T::kind())
    }
}

impl<T: Kind> Kind for BTreeMap<Spanned<String>, T> {
    fn kind() -> String {
        format!("table of {}s by name", T::kind())
    }
}

/// A range in words.
pub(super) fn within<T: Bound>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start().shown(), range.end().shown())
}

/// The lines of a comment as one text.
pub(super) fn words(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// A table of the file: its keys by whether they must be there, and the tables in it with their headers. A key that may be
/// absent has a default, a range and an example behind it, one that must be there an example.
macro_rules! table {
    (
        $(#[derive($derived:ident)])? $(#[serde($serde:meta)])?
        $(#[doc = $about:literal])+
        $table:ident:
        $( [required] $( $(#[doc = $why:literal])+ $key:ident: $kind:ty = $example:expr; )+ )?
        $( [optional] $( $(#[doc = $may_why:literal])+ $may_key:ident: $may_kind:ty = $default:expr, $range:expr, $may_example:expr; )+ )?
        $( [tables] $( $inner:ident: $inner_kind:ty = $header:literal; )+ )?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, $($derived,)? serde::Deserialize)]
        #[serde(deny_unknown_fields $(, $serde)?)]
        pub(super) struct $table {
            $($( $(#[doc = $why])+ pub(super) $key: $kind, )+)?
            $($( $(#[doc = $may_why])+ #[serde(default)] pub(super) $may_key: $may_kind, )+)?
            $($( #[serde(default)] pub(super) $inner: $inner_kind, )+)?
        }

        impl $crate::config::keys::Table for $table {
            fn sections(header: &'static str) -> Vec<$crate::config::keys::Section> {
                use $crate::config::keys::{self, Key, Section, words};
                let keys: Vec<Key> = vec![
                    $($( Key {
                        name: stringify!($key),
                        kind: <$kind as keys::Kind>::kind(),
                        default: None,
                        range: String::new(),
                        example: $example.to_owned(),
                        why: words(&[$($why),+]),
                    }, )+)?
                    $($( Key {
                        name: stringify!($may_key),
                        kind: <$may_kind as keys::Kind>::kind(),
                        default: Some($default.to_string()),
                        range: $range.to_string(),
                        example: $may_example.to_owned(),
                        why: words(&[$($may_why),+]),
                    }, )+)?
                ];
                let own = Section { header, why: words(&[$($about),+]), keys };
                let inner: Vec<Vec<Section>> = vec![$($( <$inner_kind as keys::Table>::sections($header), )+)?];
                std::iter::once(own).chain(inner.into_iter().flatten()).collect()
            }
        }
    };
}

pub(super) use table;
