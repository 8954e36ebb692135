//! Claim: no file is too deep, too many or too long to be read: what lies beyond a bound is refused by file and line, in a sentence
//! that says which bound it was, and all around it is read.
//!
//! How long big files take is measured, not asserted: `cargo test --workspace --test bounds -- --ignored --nocapture`.
//!
//! Left out on purpose: how large a file may be. Whoever reads it decides that (`admin`).

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a figure is measured, and printed"
)]

use std::time::Instant;

use remora_import::{Class, Imported, Report, Source, Sources, haproxy, httpd, nginx};

type Importer = fn(&Sources<'_>) -> Imported;

/// What becomes of a text, with files that every include of it means.
fn import(read: Importer, text: &str, included: &dyn Fn(&str) -> Vec<Source>) -> Imported {
    let sources = Sources::new(vec![Source::new("site", text)], |_: &str, pattern: &str| {
        Ok(included(pattern))
    });
    read(&sources)
}

fn alone(read: Importer, text: &str) -> Imported {
    import(read, text, &|_| Vec::new())
}

/// What is refused, by place.
fn refused(report: &Report, why: &str) -> Vec<String> {
    let told = report.of(Class::Unsupported);
    let told = told.iter().filter(|entry| entry.why.contains(why));
    told.map(|entry| entry.place.to_string()).collect()
}

/// Sections in each other, one a line, with a route behind them.
fn nested(depth: usize, open: &str, close: &str, behind: &str) -> String {
    format!(
        "{}{}{behind}\n",
        format!("{open}\n").repeat(depth),
        format!("{close}\n").repeat(depth)
    )
}

const HTTPD_ROUTE: &str = "ProxyPass /shop http://192.0.2.1:8080/shop";
const NGINX_ROUTE: &str = "server { location /shop { proxy_pass http://192.0.2.1:8080; } }";

#[test]
fn sections_in_sections_are_read_to_a_depth_and_refused_beyond() {
    let why = "more than 64 deep";
    for (read, open, close, behind) in [
        (httpd as Importer, "<IfModule a>", "</IfModule>", HTTPD_ROUTE),
        (nginx as Importer, "events {", "}", NGINX_ROUTE),
    ] {
        let held = alone(read, &nested(64, open, close, behind));
        assert_eq!(refused(&held.report, why), Vec::<String>::new());
        let beyond = alone(read, &nested(66, open, close, behind));
        assert_eq!(refused(&beyond.report, why), ["site:65", "site:66"]);
        for imported in [held, beyond] {
            assert!(
                imported
                    .config
                    .is_some_and(|text| text.contains("path = \"/shop\""))
            );
        }
    }
}

#[test]
fn a_file_that_includes_itself_is_refused_and_read_once() {
    for (read, include, route) in [
        (httpd as Importer, "Include", HTTPD_ROUTE.to_owned()),
        (nginx as Importer, "include", NGINX_ROUTE.to_owned()),
    ] {
        let end = if include == "include" { ";" } else { "" };
        let own = format!("{route}\n{include} site{end}\n");
        let imported = import(read, &own, &|_| vec![Source::new("site", &own)]);
        assert_eq!(refused(&imported.report, "site includes itself"), ["site:2"]);
        assert!(imported.config.is_some());

        // One in another's hands: a names b, and b names a.
        let named = |name: &str| {
            let text = if name == "a" {
                format!("\n{include} b{end}\n")
            } else {
                format!("\n\n{include} a{end}\n")
            };
            vec![Source::new(name, &text)]
        };
        let imported = import(read, &format!("{route}\n{include} a{end}\n"), &named);
        assert_eq!(refused(&imported.report, "a includes itself"), ["b:3"]);
        assert!(imported.config.is_some());
    }
}

#[test]
fn files_include_each_other_to_a_depth_and_no_further() {
    for (read, include, end, route) in [
        (httpd as Importer, "Include", "", HTTPD_ROUTE),
        (nginx as Importer, "include", ";", NGINX_ROUTE),
    ] {
        let named = |pattern: &str| {
            let number: usize = pattern.parse().unwrap_or(0);
            vec![Source::new(pattern, &format!("{include} {}{end}\n", number + 1))]
        };
        let imported = import(read, &format!("{route}\n{include} 1{end}\n"), &named);
        assert_eq!(
            refused(&imported.report, "more than 16 deep: 17 is not read"),
            ["16:1"]
        );
        assert!(imported.config.is_some());
    }
}

#[test]
fn defaults_take_from_each_other_to_a_depth_and_no_further() {
    let chain = |length: usize| {
        let taking = (1..=length).map(|number| format!("defaults d{number} from d{}\n", number - 1));
        format!("defaults d0\n{}frontend f from d0\n", taking.collect::<String>())
    };
    let why = "defaults take from each other more than 64 deep";
    let held = alone(haproxy, &chain(64));
    assert_eq!(refused(&held.report, why), Vec::<String>::new());
    let beyond = alone(haproxy, &chain(65));
    assert_eq!(refused(&beyond.report, why), ["site:66"]);
}

#[test]
fn no_more_than_4096_files_are_included() {
    for (read, include, route) in [
        (httpd as Importer, "Include *.conf", HTTPD_ROUTE),
        (nginx as Importer, "include *.conf;", NGINX_ROUTE),
    ] {
        let files = |count: usize| {
            let one = |number: usize| Source::new(&format!("{number}.conf"), "# nothing\n");
            move |_: &str| (0..count).map(one).collect::<Vec<_>>()
        };
        let text = format!("{route}\n{include}\n");
        let why = "more than 4096 files are included";
        let held = import(read, &text, &files(4_096));
        assert_eq!(refused(&held.report, why), Vec::<String>::new());
        let beyond = import(read, &text, &files(4_098));
        assert_eq!(refused(&beyond.report, why), ["site:2"]);
        assert!(beyond.config.is_some());

        // Two that are named in each of sixteen files would be 65,536.
        let tree = |pattern: &str| {
            let level: usize = pattern.parse().unwrap_or(0);
            let end = if include.ends_with(';') { ";" } else { "" };
            let word = include.split(' ').next().unwrap_or_default();
            let text = if level < 15 {
                format!("{word} {}{end}\n", level + 1)
            } else {
                "# nothing\n".to_owned()
            };
            ["left", "right"]
                .map(|side| Source::new(&format!("{level}-{side}"), &text))
                .to_vec()
        };
        let end = if include.ends_with(';') { ";" } else { "" };
        let word = include.split(' ').next().unwrap_or_default();
        let grown = import(read, &format!("{route}\n{word} 0{end}\n"), &tree);
        assert!(!refused(&grown.report, why).is_empty());
        assert!(grown.config.is_some());
    }
}

/// Seconds that it takes to read a text, and to tell of it.
fn seconds(read: Importer, text: &str) -> f64 {
    let begun = Instant::now();
    let report = alone(read, text).report.text();
    assert!(!report.is_empty());
    begun.elapsed().as_secs_f64()
}

/// Big files of each proxy, by their number of lines: what is twice as long takes about twice as long.
#[test]
#[ignore = "a figure"]
fn big_files_are_read_in_linear_time() {
    type Written = fn(usize) -> String;
    let shapes: [(&str, Importer, Written); 11] = [
        ("httpd: unknown words", httpd, |count| {
            lines(count, |number| format!("Word{number} x"))
        }),
        ("httpd: servers of one balancer", httpd, |count| {
            let members = lines(count, |number| {
                format!("BalancerMember http://192.0.2.1:{}", number % 60_000)
            });
            format!("<Proxy balancer://a>\n{members}</Proxy>\nProxyPass / balancer://a/\n")
        }),
        ("httpd: routes", httpd, |count| {
            lines(count, |number| {
                format!("ProxyPass /a{number} http://192.0.2.1:8080/a{number}")
            })
        }),
        ("httpd: hosts", httpd, |count| {
            lines(count / 4, |number| {
                format!(
                    "<VirtualHost *:80>\nServerName h{number}.test\nProxyPass / http://192.0.2.1:8080/\n</VirtualHost>"
                )
            })
        }),
        ("httpd: openings", httpd, |count| {
            lines(count, |_| "<Location /a>".to_owned())
        }),
        ("nginx: unknown words", nginx, |count| {
            lines(count, |number| format!("word{number} x;"))
        }),
        ("nginx: servers of one upstream", nginx, |count| {
            let servers = lines(count, |number| format!("server 192.0.2.1:{};", number % 60_000));
            format!("upstream a {{\n{servers}}}\nserver {{ location / {{ proxy_pass http://a; }} }}\n")
        }),
        ("nginx: locations", nginx, |count| {
            let locations = lines(count, |number| {
                format!("location /a{number}/ {{ proxy_pass http://192.0.2.1:8080; }}")
            });
            format!("server {{\n{locations}}}\n")
        }),
        ("nginx: openings", nginx, |count| {
            lines(count, |_| "a {".to_owned())
        }),
        ("haproxy: unknown words", haproxy, |count| {
            format!("backend a\n{}", lines(count, |number| format!(" word{number} x")))
        }),
        ("haproxy: backends", haproxy, |count| {
            lines(count / 2, |number| {
                format!("backend b{number}\n server a 192.0.2.1:8080")
            })
        }),
    ];
    for (shape, read, written) in shapes {
        let times = [5_000, 10_000, 20_000].map(|count| seconds(read, &written(count)));
        println!(
            "{shape}: {:.2} s, {:.2} s, {:.2} s for 5, 10 and 20 thousand lines",
            times[0], times[1], times[2]
        );
    }
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}
