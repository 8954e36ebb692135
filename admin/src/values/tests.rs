//! Every fixture of FORMAT.md's attribute values as it is shown, and what becomes of bytes that are none.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::*;
use remora_overview::kinds::kind;

/// Nothing is the id of the session.
fn nothing(_: &str) -> bool {
    false
}

/// Name, tag and bytes of each fixture, by name.
fn fixtures() -> Vec<(String, u32, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../formats/values");
    let files = fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = files.iter().map(|file| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let tag = name[..3].parse().unwrap();
        (name, tag, undump(&fs::read_to_string(file).unwrap()))
    });
    read.collect()
}

fn undump(text: &str) -> Vec<u8> {
    let digits = text.lines().flat_map(|line| line[10..57].split_whitespace());
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect()
}

#[test]
fn every_value_that_session_managers_write_is_shown() {
    let mut shown = String::new();
    for (name, tag, bytes) in fixtures() {
        let value = read(tag, &bytes, &nothing);
        let _ = writeln!(shown, "{name}: {}: {value}", kind(tag));
    }
    let sealed = undump(include_str!("../../../formats/sealed/value.hex"));
    let _ = writeln!(
        shown,
        "sealed: {}: {}",
        kind(SEALED),
        read(SEALED, &sealed, &nothing)
    );
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/values/shown.txt");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&golden, &shown).unwrap();
    }
    assert_eq!(shown, fs::read_to_string(golden).unwrap());
}

#[test]
fn a_value_that_ends_too_early_or_too_late_is_shown_by_its_bytes() {
    for (name, tag, bytes) in fixtures().into_iter().filter(|(_, tag, _)| *tag < JAVA) {
        for end in 0..bytes.len() {
            let cut = read(tag, &bytes[..end], &nothing);
            let said = cut.as_str().unwrap();
            assert!(said.starts_with("cannot be read: "), "{name} to {end}: {said}");
        }
        let longer = [&bytes[..], &[0]].concat();
        let said = read(tag, &longer, &nothing);
        assert!(said.as_str().unwrap().starts_with("cannot be read"), "{name}");
    }
}

#[test]
fn no_bytes_take_more_than_their_length_allows() {
    // Counts and lengths beyond all memory, and lists in lists without an end.
    for tag in (0..=40).chain([JAVA, SEALED, 102, u32::MAX]) {
        for bytes in [
            &[0xff; 64][..],
            &[0x0f; 64],
            &[0x01, 0x1b].repeat(4_096),
            &[],
            &[0x80],
        ] {
            let _ = read(tag, bytes, &nothing);
        }
    }
    let deep = [&[0x01, 0x1b].repeat(40)[..], &[0]].concat();
    assert_eq!(read(27, &deep, &nothing), unreadable(&deep));
    assert_eq!(
        unreadable(&[0xab; 17]),
        "cannot be read: abababababababababababababababab..."
    );
}

#[test]
fn a_tag_with_the_mark_of_a_listener_is_the_same_type() {
    assert_eq!(kind(HEARS_ITS_END | 27), "ArrayList");
    assert_eq!(read(HEARS_ITS_END | 3, &[1], &nothing), true);
    assert_eq!(kind(99), "unknown type 99");
}

#[test]
fn the_id_of_the_session_is_shown_nowhere() {
    let own = |word: &str| word == "0123456789ABCDEF";
    let text = b"/shop;jsessionid=0123456789ABCDEF.n1?next=0123456789ABCDE";
    let value = [&[u8::try_from(text.len()).unwrap()], &text[..]].concat();
    let list = [&[1, 1], &value[..]].concat();
    let shown = "/shop;jsessionid=(the session's id).n1?next=0123456789ABCDE";
    assert_eq!(read(1, &value, &own), shown);
    assert_eq!(read(27, &list, &own)[0], shown);
}

#[test]
fn the_id_is_found_within_words() {
    let id = "0123456789ABCDEF";
    let other = "ab-cd_ef-0123";
    let own = |word: &str| word == id || word == other;
    for (before, behind) in [
        ("user-", ""),
        ("sid_", "-1"),
        ("", "_lock"),
        ("a-b-", "_c"),
        ("next%3D", "%26x"),
        ("next%253D", ""),
        ("%3Dsid_", "-x"),
        ("%", ""),
        ("--", "--"),
    ] {
        let shown = without_own_id(&format!("{before}{id}{behind}"), &own);
        assert_eq!(shown, format!("{before}{OWN_ID}{behind}"));
    }
    // An id may have hyphens and underscores itself.
    for (before, behind) in [("", ""), ("user-", ""), ("", "-lock"), ("%3d", "")] {
        let shown = without_own_id(&format!("{before}{other}{behind}"), &own);
        assert_eq!(shown, format!("{before}{OWN_ID}{behind}"));
    }
    for same in ["", "%", "%2", "a-b_c", "0123456789-ABCDEF", "%25", "é-ü"] {
        assert_eq!(without_own_id(same, &own), same);
    }
}

#[test]
fn a_long_word_takes_few_hashes() {
    let hashed = std::cell::Cell::new(0);
    let own = |_: &str| {
        hashed.set(hashed.get() + 1);
        false
    };
    let word = "a-".repeat(100_000);
    assert_eq!(without_own_id(&word, &own), word);
    assert!(hashed.get() < 300, "{}", hashed.get());
}

#[test]
fn numbers_are_those_that_java_shows() {
    for (whole, scale, shown) in [
        ("990", 2, "9.90"),
        ("-5", 3, "-0.005"),
        ("7", 0, "7"),
        ("7", -3, "7E3"),
        ("1", 65, "1E-65"),
    ] {
        assert_eq!(decimal(whole, scale), shown);
    }
    for (bytes, digits) in [
        (&[0][..], "0"),
        (&[0x80], "-128"),
        (&[0xff], "-1"),
        (&[1, 0], "256"),
    ] {
        let block = [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
        assert_eq!(read(11, &block, &nothing), digits);
    }
    assert_eq!(float("NaN"), "NaN");
    assert_eq!(float("-inf"), "-Infinity");
    assert_eq!(float("1.5"), 1.5);
    assert_eq!(read(9, &0.1_f32.to_be_bytes(), &nothing), 0.1);
}
