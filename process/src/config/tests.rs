//! Every fault is named, with its line and what was probably meant.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Proxy {
    listen: Vec<Listen>,
    #[serde(default)]
    pool: BTreeMap<String, Pool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    bind: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pool {
    every: Option<Period>,
    #[serde(default)]
    member: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    url: Spanned<String>,
    weight: Option<u32>,
}

fn faults(text: &str) -> String {
    Source::from_text("test.toml", text)
        .parse::<Proxy>()
        .unwrap_err()
        .to_string()
}

#[test]
fn a_good_file_is_read() {
    let text = "[[listen]]\nbind = \"127.0.0.1:1\"\n[pool.a]\nevery = \"250ms\"\n[[pool.a.member]]\nurl = \"u\"\nweight = 2\n";
    let source = Source::from_text("test.toml", text);
    let proxy: Proxy = source.parse().unwrap();
    assert_eq!(proxy.listen[0].bind, "127.0.0.1:1");
    let pool = &proxy.pool["a"];
    assert_eq!(pool.every.unwrap().duration().as_millis(), 250);
    assert_eq!(pool.member[0].weight, Some(2));
    let fault = source.fault(pool.member[0].url.span(), "no such host");
    assert_eq!(fault.to_string(), "test.toml:6: no such host");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_key() {
    let report = faults("[[listen]]\nbind = \"x\"\n[pool.a]\nevry = \"1s\"\n");
    assert_eq!(
        report,
        "test.toml:4: pool.a.evry: unknown key `evry`; did you mean `every`?"
    );
}

#[test]
fn a_key_like_none_is_answered_with_those_that_are_known() {
    let report = faults("zzz = 1\n[[listen]]\nbind = \"x\"\n");
    assert_eq!(
        report,
        "test.toml:1: zzz: unknown key `zzz`; known here: listen, pool"
    );
}

#[test]
fn all_faults_are_reported_together() {
    let report = faults(
        "[[listen]]\nbnd = \"x\"\n[[listen]]\nbind = 7\n[pool.a]\nevery = \"1 fortnight\"\n[[pool.a.member]]\nweight = 1\n\
         [[pool.a.member]]\nurl = \"u\"\nweigth = 1\n",
    );
    for part in [
        "test.toml:2: listen.bnd: unknown key `bnd`; did you mean `bind`?",
        "test.toml:4: listen.bind: invalid type: integer `7`, expected a string",
        "test.toml:6: pool.a.every: `1 fortnight` is not a duration",
        "test.toml:7: pool.a.member: missing field `url`",
        "test.toml:11: pool.a.member.weigth: unknown key `weigth`; did you mean `weight`?",
    ] {
        assert!(report.contains(part), "{part}\nis not in\n{report}");
    }
    assert!(report.starts_with("5 faults"), "{report}");
}

#[test]
fn a_missing_table_is_reported_once() {
    assert_eq!(faults("[pool.a]\n"), "test.toml:1: missing field `listen`");
}

#[test]
fn broken_toml_is_reported_with_its_line() {
    let report = faults("[[listen]]\nbind = \n");
    assert!(report.starts_with("test.toml:2: "), "{report}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let report = load::<Proxy>(Path::new("not/there.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        report.starts_with("not/there.toml: cannot be read: No such file"),
        "{report}"
    );
}

#[test]
fn durations_are_read_and_shown_as_people_write_them() {
    for (text, millis) in [
        ("250ms", 250),
        ("1s", 1_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("1m 30s", 90_000),
        ("0s", 0),
    ] {
        let period: Period = text.parse().unwrap();
        assert_eq!(period.duration().as_millis(), millis);
        assert_eq!(period.to_string(), text);
    }
    for (text, shown) in [
        ("60s", "1m"),
        ("1.5s", "1s 500ms"),
        ("1 second", "1s"),
        ("1m30s", "1m 30s"),
    ] {
        assert_eq!(text.parse::<Period>().unwrap().to_string(), shown);
    }
    for text in [
        "",
        "5",
        "s",
        "-1s",
        "1 fortnight",
        "250us",
        "1.5ms",
        "99999999999999999999h",
        "18446744073709551615h",
    ] {
        assert!(text.parse::<Period>().is_err(), "{text}");
    }
}
