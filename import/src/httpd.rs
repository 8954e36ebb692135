//! httpd's files: mod_proxy with its balancers, mod_ssl, mod_rewrite as far as it sends to https, mod_headers, mod_jk.
//!
//! `lexer` and `tree` read, `expand` takes what is in force, `reader` hands each word to the module of its family, which gathers in
//! `draft`; `pools`, `routes` and `hosts` make a site of that, once all is known.
//!
//! Invariant: httpd's order is kept until it is decided what it means, since ours has none.
//!
//! Left out on purpose: what httpd does itself with a request (files, content, who may). Each such word has its sentence (`known`).

mod balancers;
mod draft;
mod expand;
mod fields;
mod guards;
mod health;
mod hosts;
mod jk;
mod known;
mod lexer;
mod params;
mod passes;
mod pools;
mod reader;
mod replayed;
mod rewrite;
mod routes;
#[cfg(test)]
mod tests;
mod tls;
mod tree;

use std::collections::BTreeMap;

use crate::report::Report;
use crate::site::Site;
use crate::source::{Including, Source, Sources};
use crate::{Imported, Reading};
use draft::{Draft, Scope};
use expand::Expander;

/// What these files of httpd mean. Files of mod_jk's workers may be among them.
#[must_use]
pub fn httpd(files: &Sources<'_>) -> Imported {
    let mut report = Report::default();
    let mut draft = Draft {
        scopes: vec![Scope::default()],
        ..Draft::default()
    };
    let mut expander = Expander {
        sources: files,
        defined: BTreeMap::new(),
        including: Including::default(),
        lines: Vec::new(),
    };
    let (workers, configurations): (Vec<&Source>, Vec<&Source>) =
        files.files().iter().partition(|file| jk::has_workers(file));
    for file in configurations {
        let statements = tree::read(file, &mut report, &mut expander.lines);
        expander.including.given(&file.name);
        let statements = expander.in_force(statements, &mut report);
        reader::read(&statements, 0, None, &mut draft, &mut report);
    }
    let mut lines = expander.lines;
    jk::gather(&workers, files, &mut draft, &mut lines, &mut report);
    let mut site = Site {
        trust: draft.trust.clone(),
        settings: draft.settings.clone(),
        ..Site::default()
    };
    let terms = pools::pools(&draft, &mut site, &mut report);
    routes::routes(&draft, &terms, &mut site, &mut report);
    site.listeners = hosts::listeners(&draft, &mut report);
    let foreign = replayed::foreign(&draft, &site, &lines);
    Imported::of(Reading {
        site,
        report,
        lines,
        foreign,
    })
}
