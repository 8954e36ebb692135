//! The console's pages, which no compiler reads: they are short, open with what they are, and never read a text as markup.
//!
//! The browser refuses inline script and style by the pages' content security policy; here that is said before anybody opens
//! one. That modules load at all is shown by the claim that opens them.

use crate::Fault;
use crate::tree::Tree;

/// Where they lie.
const PLACE: &str = "proxy/console/";

/// Longest file, in lines; one sitting's reading.
const LINES_MAX: usize = 400;

/// Words that make markup or code of a text, or that a policy without inline script and style refuses.
const MARKUP: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "DOMParser",
    "eval(",
    "new Function",
    "javascript:",
    "srcdoc",
    "cssText",
];

/// The same in a page's own markup.
const INLINE: &[&str] = &[
    "<script>",
    "<style",
    " style=",
    " onclick=",
    " onload=",
    " onerror=",
];

/// Pages are small, and text stays text.
pub(crate) fn pages_are_small_and_inert(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.all().filter(|source| source.path.starts_with(PLACE)) {
        let ending = source.path.rsplit('.').next().unwrap_or_default();
        let opening = match ending {
            "js" => "// ",
            "css" => "/* ",
            _ => "",
        };
        if !source.text.starts_with(opening) {
            faults.push(Fault::at(source, 1, "does not open with what it is"));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            faults.push(Fault::at(
                source,
                1,
                format!("{lines} lines, more than {LINES_MAX}"),
            ));
        }
        let forbidden = if ending == "html" { INLINE } else { MARKUP };
        for (number, line) in (1..).zip(source.text.lines()) {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                faults.push(Fault::at(
                    source,
                    number,
                    format!("`{word}` makes more of a text than text"),
                ));
            }
        }
    }
    faults
}

/// What must be reported: rule, file, text.
pub(crate) const PLANTED: &[(&str, &str, &str)] = &[
    ("pages", "proxy/console/planted.js", "const nothing = null;\n"),
    ("pages", "proxy/console/planted.css", ".planted {\n}\n"),
    (
        "pages",
        "proxy/console/planted.js",
        "// A view.\nrow.innerHTML = session.principal;\n",
    ),
    (
        "pages",
        "proxy/console/planted.html",
        "<script>start()</script>\n",
    ),
    (
        "pages",
        "proxy/console/planted.html",
        "<p style=\"color: red\">\n",
    ),
];
