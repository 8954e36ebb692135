//! The pages of the console, which are part of the program: what is served is what was built and tested together.
//!
//! Left out on purpose: anything that a login protects. There is no secret in a page.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of a page: its name, its type, and what is in it.
type Asset = (&'static str, &'static str, &'static str);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! asset {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_str!(concat!("../../console/", $name)))
    };
}

/// All of them; a test compares them with the directory.
const ASSETS: &[Asset] = &[
    asset!("api.js", SCRIPT),
    asset!("base.css", STYLE),
    asset!("changes.js", SCRIPT),
    asset!("chart.js", SCRIPT),
    asset!("charts.css", STYLE),
    asset!("dialog.js", SCRIPT),
    asset!("forms.css", STYLE),
    asset!("frame.js", SCRIPT),
    asset!("icon.svg", PICTURE),
    asset!("index.html", HTML),
    asset!("kill.js", SCRIPT),
    asset!("live.js", SCRIPT),
    asset!("login.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("overview.js", SCRIPT),
    asset!("paint.js", SCRIPT),
    asset!("parts.css", STYLE),
    asset!("parts.js", SCRIPT),
    asset!("rates.js", SCRIPT),
    asset!("said.js", SCRIPT),
    asset!("session.js", SCRIPT),
    asset!("sessions.js", SCRIPT),
    asset!("tables.css", STYLE),
    asset!("theme.js", SCRIPT),
    asset!("tomcats.js", SCRIPT),
    asset!("upstreams.js", SCRIPT),
    asset!("wishes.js", SCRIPT),
    asset!("words.js", SCRIPT),
];

/// The page itself.
pub(super) fn page() -> Response {
    asset("index.html")
}

/// A file by its name.
pub(super) fn asset(name: &str) -> Response {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    match found {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_pages_is_served() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
        let files = std::fs::read_dir(directory).unwrap();
        let files: BTreeSet<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let served: BTreeSet<String> = ASSETS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(served, files);
    }
}
