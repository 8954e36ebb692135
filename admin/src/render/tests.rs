//! Each format over the same reports, letter by letter.

use super::*;

fn shown(report: &Report, format: Format) -> String {
    let no_headers = false;
    render(report, Output { format, no_headers }).unwrap()
}

fn report() -> Report {
    Report::default()
        .record(
            "cluster",
            vec![("name", Cell::text("c1")), ("leader", Cell::Nothing)],
        )
        .table(
            "nodes",
            vec!["node", "disk", "log size"],
            vec![
                vec![Cell::text("n1"), Cell::text("00d1"), Cell::Bytes(2_048)],
                vec![Cell::text("n22"), Cell::Nothing, Cell::Bytes(5)],
            ],
        )
        .wide(&["disk"])
}

/// A report of what users chose.
fn chosen() -> Report {
    let names = [
        "=cmd|' /C calc'!A0",
        "yes",
        "0017",
        "a,\"b\"",
        "\u{1b}[31mada\n",
        "王小明",
    ];
    let rows = names.map(|name| vec![Cell::text(name), Cell::Flag(true), Cell::Seconds(61)]);
    Report::default().table("users", vec!["user", "signed in", "idle"], rows.to_vec())
}

#[test]
fn people_get_aligned_columns() {
    let expected = "name    c1\nleader  -\n\nNODE  LOG SIZE\nn1     2.0 KiB\nn22        5 B\n";
    assert_eq!(shown(&report(), Format::Table), expected);
    let expected =
        "name    c1\nleader  -\n\nNODE  DISK  LOG SIZE\nn1    00d1   2.0 KiB\nn22   -          5 B\n";
    assert_eq!(shown(&report(), Format::Wide), expected);
    let bare = Output {
        format: Format::Table,
        no_headers: true,
    };
    let expected = "name    c1\nleader  -\n\nn1   2.0 KiB\nn22      5 B\n";
    assert_eq!(render(&report(), bare).unwrap(), expected);
}

#[test]
fn names_in_any_script_keep_the_columns() {
    let rows = ["ada", "王小明", "Zoe\u{308}"].map(|user| vec![Cell::text(user), Cell::text("n1")]);
    let report = Report::default().table("sessions", vec!["user", "owner"], rows.to_vec());
    let expected = "USER    OWNER\nada     n1\n王小明  n1\nZoe\u{308}     n1\n";
    assert_eq!(shown(&report, Format::Table), expected);
}

#[test]
fn programs_get_numbers_and_nulls() {
    let expected = r#"{
  "cluster": {
    "leader": null,
    "name": "c1"
  },
  "nodes": [
    {
      "disk": "00d1",
      "log_size": 2048,
      "node": "n1"
    },
    {
      "disk": null,
      "log_size": 5,
      "node": "n22"
    }
  ]
}
"#;
    assert_eq!(shown(&report(), Format::Json), expected);
    let expected = "\
cluster:
  leader: null
  name: c1
nodes:
- disk: 00d1
  log_size: 2048
  node: n1
- disk: null
  log_size: 5
  node: n22
";
    assert_eq!(shown(&report(), Format::Yaml), expected);
    let expected = "node,disk,log_size\nn1,00d1,2048\nn22,,5\n";
    assert_eq!(shown(&report(), Format::Csv), expected);
    let bare = Output {
        format: Format::Csv,
        no_headers: true,
    };
    assert_eq!(render(&report(), bare).unwrap(), "n1,00d1,2048\nn22,,5\n");
}

#[test]
fn what_a_user_chose_stays_a_text_in_every_format() {
    let expected = "\
USER                SIGNED IN   IDLE
=cmd|' /C calc'!A0  yes        1m01s
yes                 yes        1m01s
0017                yes        1m01s
a,\"b\"               yes        1m01s
\u{fffd}[31mada\u{fffd}           yes        1m01s
王小明              yes        1m01s
";
    assert_eq!(shown(&chosen(), Format::Table), expected);
    let expected = "\
users:
- idle: 61
  signed_in: true
  user: =cmd|' /C calc'!A0
- idle: 61
  signed_in: true
  user: \"yes\"
- idle: 61
  signed_in: true
  user: \"0017\"
- idle: 61
  signed_in: true
  user: a,\"b\"
- idle: 61
  signed_in: true
  user: \"\\e[31mada\\n\"
- idle: 61
  signed_in: true
  user: 王小明
";
    assert_eq!(shown(&chosen(), Format::Yaml), expected);
    let expected = "\
user,signed_in,idle
'=cmd|' /C calc'!A0,true,61
yes,true,61
0017,true,61
\"a,\"\"b\"\"\",true,61
\u{fffd}[31mada\u{fffd},true,61
王小明,true,61
";
    assert_eq!(shown(&chosen(), Format::Csv), expected);
    let document: serde_json::Value = serde_json::from_str(&shown(&chosen(), Format::Json)).unwrap();
    assert_eq!(document["users"][4]["user"], "\u{1b}[31mada\n");
}

#[test]
fn a_sheet_is_one_table() {
    let two = || report().table("disks", vec!["disk"], vec![vec![Cell::text("00d1")]]);
    let output = Output {
        format: Format::Csv,
        no_headers: false,
    };
    let refused = render(&two(), output).unwrap_err();
    assert_eq!(crate::failure::exit_code(&refused), 2);
    assert!(refused.to_string().contains("-o json"), "{refused}");
    assert_eq!(render(&two().main(), output).unwrap(), "disk\n00d1\n");
    let done = Report::default().record("result", vec![("sessions ended", Cell::Count(7))]);
    assert_eq!(render(&done, output).unwrap(), "sessions_ended\n7\n");
    // What has no place in it is said beside it.
    let part = report().hint(Some("2 of 3 nodes".into()));
    let part = part.troubles(vec!["n3 is \u{7}down".to_owned()]);
    assert_eq!(beside(&part, output), ["2 of 3 nodes", "n3 is \u{fffd}down"]);
}

#[test]
fn an_empty_table_says_so() {
    let report = Report::default().table("sessions", vec!["key"], Vec::new());
    assert_eq!(shown(&report, Format::Table), "no sessions\n");
    assert_eq!(shown(&report, Format::Json), "{\n  \"sessions\": []\n}\n");
    assert_eq!(shown(&report, Format::Yaml), "sessions: []\n");
    assert_eq!(shown(&report, Format::Csv), "key\n");
    for format in [
        Format::Table,
        Format::Wide,
        Format::Json,
        Format::Yaml,
        Format::Csv,
    ] {
        assert_eq!(shown(&Report::default(), format), "");
        assert_eq!(shown(&Report::words("x y".into()), format), "x y");
    }
}

#[test]
fn a_line_is_one_line_whatever_its_values_are() {
    let stream = |format| Stream {
        output: Output {
            format,
            no_headers: false,
        },
        columns: &[("what", 6), ("user", 5), ("detail", 6)],
        fields: &["what", "user", "new key"],
    };
    let cells = [Cell::text("ended"), Cell::text("王\nada"), Cell::Nothing];
    let fields = [("what", Cell::text("ended")), ("new key", Cell::Count(1))];
    let lines = |format| {
        let stream = stream(format);
        stream.heading().unwrap() + &stream.line(&cells, &fields).unwrap()
    };
    assert_eq!(
        lines(Format::Table),
        "WHAT    USER   DETAIL\nended   王\u{fffd}ada  -\n"
    );
    assert_eq!(lines(Format::Wide), lines(Format::Table));
    assert_eq!(lines(Format::Json), "{\"new_key\":1,\"what\":\"ended\"}\n");
    assert_eq!(lines(Format::Yaml), "---\nnew_key: 1\nwhat: ended\n");
    assert_eq!(lines(Format::Csv), "what,user,new_key\nended,,1\n");
}

#[test]
fn troubles_are_shown_after_what_is_known_with_what_to_do() {
    let advised = Trouble {
        what: "n22 is down".into(),
        advice: Some("start it".into()),
    };
    let report = report()
        .troubles([advised])
        .troubles(vec!["n1 is slow".to_owned()])
        .remarks(vec!["an upgrade waits".into()]);
    let end = "\n! n22 is down\n  start it\n! n1 is slow\n* an upgrade waits\n";
    assert!(shown(&report, Format::Table).ends_with(end));
    let document: serde_json::Value = serde_json::from_str(&shown(&report, Format::Json)).unwrap();
    assert_eq!(
        document["troubles"],
        serde_json::json!(["n22 is down", "n1 is slow"])
    );
    assert_eq!(document["advice"], serde_json::json!(["start it", null]));
    assert_eq!(document["remarks"][0], "an upgrade waits");
    assert!(!report.is_well());
}

#[test]
fn people_are_told_in_words_what_programs_get_in_numbers() {
    let report = Report::default()
        .told(vec![("store", Cell::text("2 of 3 nodes"))])
        .figures("cluster", vec![("nodes", Cell::Count(3))])
        .table("nodes", vec!["node"], vec![vec![Cell::Count(1)]])
        .only_wide();
    assert_eq!(shown(&report, Format::Table), "store  2 of 3 nodes\n");
    assert_eq!(
        shown(&report, Format::Wide),
        "store  2 of 3 nodes\n\nNODE\n   1\n"
    );
    let expected = "cluster:\n  nodes: 3\nnodes:\n- node: 1\n";
    assert_eq!(shown(&report, Format::Yaml), expected);
}

#[test]
fn no_text_in_a_document_moves_a_terminal_and_all_of_it_is_there() {
    for name in ["a\u{9b}2Jb", "a\u{202e}b", "\u{7f}\u{85}\u{2028}\u{feff}: x\n"] {
        let report = report()
            .table("users", vec!["user"], vec![vec![Cell::text(name)]])
            .remarks(vec![name.to_owned()]);
        let stream = Stream {
            output: Output {
                format: Format::Json,
                no_headers: false,
            },
            columns: &[],
            fields: &["user"],
        };
        let line = stream.line(&[], &[("user", Cell::text(name))]).unwrap();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["user"], name);
        let (json, yaml) = (shown(&report, Format::Json), shown(&report, Format::Yaml));
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["users"][0]["user"], name);
        assert_eq!(
            serde_saphyr::from_str::<serde_json::Value>(&yaml).unwrap(),
            read,
            "{yaml}"
        );
        for text in [line, json, yaml] {
            let moves = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
            assert!(!text.contains(moves), "{text:?}");
        }
    }
}
