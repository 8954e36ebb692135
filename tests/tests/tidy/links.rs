//! Every link of a document leads somewhere: to a file or directory of the repository, to a heading that is there, or to one
//! of the sites that are listed here. Every page of `docs/` is linked from the one index of them.
//!
//! Nobody asks the network: whether a site still answers is for readers to notice. Code, in blocks and within lines, has no
//! links. Left out: links by reference (`[text][name]`); nobody here writes them.

use std::collections::BTreeSet;

use crate::Fault;
use crate::tree::{Source, Tree, is_below};

/// The index, and the pages that it must name.
const INDEX: &str = "docs/README.md";
const PAGES: &str = "docs";

/// Sites that documents may link to: the rules that we follow, and the documentation of what we compare ourselves with.
const SITES: &[&str] = &[
    "docs.haproxy.org",
    "docs.modcluster.io",
    "docs.wildfly.org",
    "github.com",
    "httpd.apache.org",
    "keepachangelog.com",
    "nginx.org",
    "redisson.pro",
    "semver.org",
    "tomcat.apache.org",
];

/// Links lead somewhere.
pub(crate) fn links_lead_somewhere(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut idle: BTreeSet<&str> = SITES.iter().copied().collect();
    for source in tree.all().filter(|source| source.path.ends_with(".md")) {
        for (line, target) in links(&source.text) {
            if let Some(rest) = target.strip_prefix("https://") {
                let site = rest.split(['/', '#', '?']).next().unwrap_or_default();
                if SITES.contains(&site) {
                    idle.remove(site);
                } else {
                    let what = format!("{site} is not among the sites that documents link to");
                    faults.push(Fault::at(source, line, what));
                }
            } else if let Err(why) = follow(tree, source, target) {
                faults.push(Fault::at(source, line, format!("{target}: {why}")));
            }
        }
    }
    let unused = idle.into_iter();
    faults.extend(unused.map(|site| Fault::new(site, 1, "no document links to it: its row can go")));
    faults
}

/// The index names every page.
pub(crate) fn pages_are_in_the_index(tree: &Tree) -> Vec<Fault> {
    let Some(index) = tree.get(INDEX) else {
        return vec![Fault::new(INDEX, 1, "the pages have no index")];
    };
    let named: BTreeSet<String> = links(&index.text)
        .into_iter()
        .filter_map(|(_, target)| resolve(&index.path, target.split('#').next()?))
        .collect();
    let pages = tree
        .all()
        .filter(|page| is_below(&page.path, PAGES) && page.path.ends_with(".md") && page.path != INDEX);
    pages
        .filter(|page| !named.contains(&page.path))
        .map(|page| Fault::at(page, 1, format!("{INDEX} does not link to it")))
        .collect()
}

/// What a document links to, with the lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece between backticks is code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(targets.map(|(target, _)| (number, target)));
        }
    }
    found
}

/// The lines outside blocks of code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Whether a link within the repository leads somewhere; else why not.
fn follow(tree: &Tree, from: &Source, target: &str) -> Result<(), &'static str> {
    if target.contains("://") {
        return Err("no link of ours begins so");
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => from.path.clone(),
        path => resolve(&from.path, path).ok_or("leads out of the repository")?,
    };
    match tree.get(&path) {
        Some(_) if heading.is_empty() => Ok(()),
        Some(page) if headings(&page.text).contains(heading) => Ok(()),
        Some(_) => Err("there is no such heading"),
        None if tree.all().any(|source| is_below(&source.path, &path)) && heading.is_empty() => Ok(()),
        None => Err("there is no such file"),
    }
}

/// A path from the root, of one that is relative to a file; none if it leads out.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()?),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What the headings of a document are called in links, as GitHub has it: small letters, marks left out, spaces as dashes; of
/// equal ones the later are numbered.
fn headings(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let name: String = line
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|character| character.is_alphanumeric() || " -_".contains(*character))
            .map(|character| if character == ' ' { '-' } else { character })
            .collect();
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone())
            .chain(numbered)
            .find(|name| !names.contains(name));
        names.extend(free);
    }
    names
}
