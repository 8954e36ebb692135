//! docs/proxy.md is what the tables say, and what it says holds. After a change of a key
//! `UPDATE_GOLDENFILES=1 cargo test -p remora-proxy the_page` writes the page anew.

use super::super::file::File;
use super::super::keys::{Key, Section, Table};
use super::read;

/// A file of the examples of those keys that are chosen.
fn examples(chosen: impl Fn(&Section, &Key) -> bool) -> String {
    let mut text = String::new();
    for section in File::sections("") {
        text += &format!("{}\n", section.header.replace("NAME", "tomcat"));
        let keys = section.keys.iter().filter(|key| chosen(&section, key));
        text.extend(keys.map(|key| format!("{} = {}\n", key.name, key.example)));
    }
    text
}

#[test]
fn the_page_is_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/proxy.md");
    let page = super::keys_page();
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == page, "docs/proxy.md differs: write it anew");
}

#[test]
fn every_example_parses() {
    let sections = File::sections("");
    let keys = || sections.iter().flat_map(|section| &section.keys);
    for key in keys() {
        assert!(key.why.ends_with('.'), "{}: {}", key.name, key.why);
    }
    read(&examples(|_, _| true)).unwrap();
}

#[test]
fn what_is_required_is_enough_and_needed() {
    read(&examples(|_, key| key.default.is_none())).unwrap();
    for left in File::sections("") {
        for key in left.keys.iter().filter(|key| key.default.is_none()) {
            let others = |section: &Section, other: &Key| {
                other.default.is_none() && (section.header, other.name) != (left.header, key.name)
            };
            let report = read(&examples(others)).unwrap_err();
            assert!(report.contains(&format!("`{}`", key.name)), "{report}");
        }
    }
}
