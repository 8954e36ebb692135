//! What is made of the rows, and the part of docs/metrics.md that is true of every server. After a change
//! `UPDATE_GOLDENFILES=1 cargo test -p remora-process the_page` writes that part anew.

use super::*;

/// Rows of an example.
const ROWS: &[Section] = &[
    Section {
        title: "Doors",
        figures: &[
            Figure {
                name: "doors_opened_total",
                kind: FigureKind::Counter,
                labels: &["by"],
                about: " Doors that were opened, by whom.",
            },
            Figure {
                name: "doors_open_seconds",
                kind: FigureKind::Histogram,
                labels: &["by"],
                about: " How long one was open.",
            },
        ],
    },
    Section {
        title: "Windows",
        figures: &[Figure {
            name: "windows",
            kind: FigureKind::Gauge,
            labels: &[],
            about: " How many there are.",
        }],
    },
];

/// As a recorder writes them: in no order, with types of its own.
const WRITTEN: &str = "\
# TYPE windows gauge
windows 3

# TYPE doors_open_seconds histogram
doors_open_seconds_bucket{by=\"wind\",le=\"0.5\"} 1
doors_open_seconds_bucket{by=\"wind\",le=\"+Inf\"} 2
doors_open_seconds_sum{by=\"wind\"} 7
doors_open_seconds_count{by=\"wind\"} 2
doors_open_seconds_bucket{by=\"cat\",le=\"0.5\"} 0
doors_open_seconds_bucket{by=\"cat\",le=\"+Inf\"} 0
doors_open_seconds_sum{by=\"cat\"} 0
doors_open_seconds_count{by=\"cat\"} 0
# TYPE doors_opened_total gauge
doors_opened_total{by=\"wind\"} 2
";

#[test]
fn a_page_has_the_order_and_the_words_of_its_rows() {
    let expected = "\
# HELP doors_opened_total Doors that were opened, by whom.
# TYPE doors_opened_total counter
doors_opened_total{by=\"wind\"} 2

# HELP doors_open_seconds How long one was open.
# TYPE doors_open_seconds histogram
doors_open_seconds_bucket{by=\"cat\",le=\"0.5\"} 0
doors_open_seconds_bucket{by=\"cat\",le=\"+Inf\"} 0
doors_open_seconds_sum{by=\"cat\"} 0
doors_open_seconds_count{by=\"cat\"} 0
doors_open_seconds_bucket{by=\"wind\",le=\"0.5\"} 1
doors_open_seconds_bucket{by=\"wind\",le=\"+Inf\"} 2
doors_open_seconds_sum{by=\"wind\"} 7
doors_open_seconds_count{by=\"wind\"} 2

# HELP windows How many there are.
# TYPE windows gauge
windows 3

";
    assert_eq!(arranged(WRITTEN, ROWS), expected);
    assert_eq!(arranged(expected, ROWS), expected, "once is enough");
}

#[test]
fn what_no_row_is_for_is_shown_last_and_named() {
    let strange = [
        "windows_total 1",
        "windows{by=\"cat\"} 1",
        "doors_opened_total_count{by=\"cat\"} 1",
        "doors_open_seconds{by=\"cat\"} 1",
    ];
    let text = format!("{}\n{WRITTEN}", strange.join("\n"));
    assert!(arranged(&text, ROWS).contains("windows 3\nwindows{by=\"cat\"} 1\n\nwindows_total 1\n"));
    let named = compare(&text, ROWS);
    let expected = strange.map(|line| line.strip_suffix(" 1").unwrap().to_owned());
    assert_eq!(named.strangers, BTreeSet::from(expected));
    assert_eq!(compare(WRITTEN, ROWS).strangers, BTreeSet::new());
}

#[test]
fn rows_that_show_nothing_are_named() {
    let text = WRITTEN.replace("windows 3", "");
    let mut shared: BTreeSet<&str> = all(&[]).map(|row| row.name).collect();
    assert_eq!(compare(WRITTEN, ROWS).absent, shared);
    shared.insert("windows");
    assert_eq!(compare(&text, ROWS).absent, shared);
}

#[test]
fn a_page_for_people_says_kind_unit_and_labels() {
    let expected = "\
### Doors

- `doors_opened_total` (counter by `by`): Doors that were opened, by whom.
- `doors_open_seconds` (histogram of seconds by `by`): How long one was open.

### Windows

- `windows` (gauge): How many there are.

";
    assert_eq!(page(ROWS), expected);
    let document = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
    assert_eq!(
        with_part(document, "x", "new\n").as_deref(),
        Some("a\n<!-- x -->\n\nnew\n<!-- end of x -->\nb\n")
    );
    assert_eq!(with_part(document, "y", "new\n"), None);
}

#[test]
fn the_page_tells_what_every_server_publishes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let told = is_told(path.as_ref(), "every server", crate::figures::SHARED).unwrap();
    assert!(told, "docs/metrics.md differs: write it anew");
}

#[test]
fn a_label_whose_name_ends_like_that_of_a_limit_is_none() {
    let labels = [
        (r#"a_bucket{role="x",by="y",le="0.5"} 1"#, r#"role="x",by="y""#),
        (r#"a_bucket{le="+Inf"} 1"#, ""),
        (r#"a_sum{scale="x",by="y"} 1"#, r#"scale="x",by="y""#),
        (r#"a_sum{by="y",role="x"} 1"#, r#"by="y",role="x""#),
        ("a_sum 1", ""),
    ];
    for (series, told) in labels {
        assert_eq!(labels_of(series), told, "{series}");
    }
}
