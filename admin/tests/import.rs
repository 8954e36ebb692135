//! Claim: `remora import` puts a configuration and a report where it says, writes over nothing, and is told as docs/import.md shows.
//! `UPDATE_GOLDENFILES=1 cargo test --workspace --test import` writes the page's example anew.

mod support;

use std::fs;
use std::path::Path;

use remora_process::catalogue;
use support::remora;

/// The file that the page shows.
const SHOWN: &str = include_str!("../../import/tests/files/httpd/page.conf");

/// Writes files into a directory of its own, and imports the first.
fn imported(files: &[(&str, &str)], more: &[&str]) -> (Option<i32>, String, String) {
    let home = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let file = home.path().join(name);
        fs::create_dir_all(file.parent().expect("it lies in one")).expect("a directory");
        fs::write(file, text).expect("a file");
    }
    let first = home.path().join(files[0].0).display().to_string();
    let (code, out, err) = remora(&[&["import", "httpd", &first], more].concat());
    let root = format!("{}/", home.path().display());
    (code, out.replace(&root, ""), err.replace(&root, ""))
}

#[test]
fn the_page_shows_what_is_said() {
    let (code, config, report) = imported(&[("shop.conf", SHOWN)], &[]);
    assert_eq!(code, Some(0), "{report}");
    let shown = format!(
        "This file, as `shop.conf`:\n\n```apache\n{SHOWN}```\n\n`remora import httpd shop.conf` writes\n\n```toml\n{config}```\n\nand \
         tells\n\n```\n{report}```\n\n"
    );
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/import.md");
    assert!(
        catalogue::holds(&page, "example", &shown).unwrap(),
        "docs/import.md differs: write it anew"
    );
}

#[test]
fn what_is_there_stays_and_what_is_not_is_written() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("proxy.toml").display().to_string();
    let (code, report, errors) = imported(&[("shop.conf", SHOWN)], &["--write", &file]);
    assert_eq!((code, &*errors), (Some(0), ""), "{errors}");
    assert!(
        report.contains("not supported: ") && report.contains("written: "),
        "{report}"
    );
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("[pool.shop]"), "{written}");
    let (code, out, errors) = imported(
        &[("shop.conf", "ProxyPass / http://192.0.2.1/\n")],
        &["--write", &file],
    );
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(errors.contains("is there already and stays"), "{errors}");
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn programs_are_told_the_same() {
    let (code, out, _) = imported(&[("shop.conf", SHOWN)], &["-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert!(told["config"]["text"].as_str().unwrap().contains("[[route]]"));
    let report = told["report"].as_array().unwrap();
    let unknown = report
        .iter()
        .find(|entry| entry["what"] == "OurOwnModule on")
        .unwrap();
    assert_eq!(
        (&unknown["class"], &unknown["line"]),
        (&"not supported".into(), &13.into())
    );
}

#[test]
fn files_that_are_included_are_read_from_beside_or_above() {
    let files = [
        (
            "sites/shop.conf",
            "Include conf.d/*.conf\nProxyPass /shop http://${tomcat}:8080/shop\n",
        ),
        ("conf.d/names.conf", "Define tomcat 192.0.2.77\n"),
    ];
    let (code, config, report) = imported(&files, &[]);
    assert_eq!(code, Some(0), "{report}");
    assert!(config.contains("url = \"http://192.0.2.77:8080\""), "{config}");
    assert!(report.contains("read: conf.d/names.conf"), "{report}");
}

#[test]
fn exit_codes_say_whether_anything_can_be_served() {
    let (code, out, errors) = imported(&[("empty.conf", "DocumentRoot /srv\n")], &[]);
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(
        errors.contains("nothing of these files can be served"),
        "{errors}"
    );
    assert_eq!(remora(&["import", "httpd", "absent.conf"]).0, Some(1));
    assert_eq!(remora(&["import", "squid", "squid.conf"]).0, Some(2));
    assert_eq!(remora(&["import", "httpd"]).0, Some(2));
}

#[test]
fn a_log_is_replayed_and_files_of_others_are_read() {
    let conf = "upstream tomcat { server 192.0.2.11:8080 route=n1; server 192.0.2.12:8080 route=n2; sticky cookie R; }\n\
                server { listen 80; location /shop { proxy_pass http://tomcat; } }\n";
    let log = "192.0.2.7 - - [24/Nov/2026:04:30:00 +0000] \"GET /shop/cart HTTP/1.1\" 200 5\n\
               192.0.2.7 - - [24/Nov/2026:04:30:01 +0000] \"GET /shopping HTTP/1.1\" 200 5\n";
    let home = tempfile::tempdir().unwrap();
    let [file, access] =
        ["nginx.conf", "access.log"].map(|name| home.path().join(name).display().to_string());
    fs::write(&file, conf).unwrap();
    fs::write(&access, log).unwrap();
    let (code, config, told) = remora(&["import", "nginx", &file, "--replay", &access]);
    assert_eq!(code, Some(0), "{told}");
    assert!(config.contains("route_cookie = \"R\""), "{config}");
    assert!(
        told.contains("go elsewhere: 1") && told.contains("line 2: /shopping"),
        "{told}"
    );
    let (_, shown, _) = remora(&["import", "nginx", &file, "--replay", &access, "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let counts = &shown["replay"];
    assert_eq!(
        (&counts["same_pool"], &counts["elsewhere"]),
        (&1.into(), &1.into()),
        "{shown}"
    );
    assert_eq!(
        remora(&["import", "nginx", &file, "--replay", "absent.log"]).0,
        Some(1)
    );
}
