//! Claim: sessions are named by key, id or cookie, none of which an answer repeats; a kill counts first and asks; a name that
//! nobody has is said, and a store of an earlier release is asked for nothing that it would misunderstand.

mod support;

use std::sync::atomic::Ordering;

use support::today::{CART, KEY};
use support::{remora, remora_fed, store, store_of_today};

/// The bare id of the only session.
const ID: &str = "0123456789ABCDEF0123456789ABCDEF";

fn ask(store: &str, words: &str) -> (Option<i32>, String, String) {
    ask_fed(store, words, "")
}

fn ask_fed(store: &str, words: &str, input: &str) -> (Option<i32>, String, String) {
    let words: Vec<&str> = ["--store", store, "sessions"]
        .into_iter()
        .chain(words.split(' '))
        .collect();
    remora_fed(&words, input)
}

#[test]
fn a_session_is_named_by_what_its_browser_sends_and_the_id_stays_here() {
    let (store, fake) = store_of_today();
    let cookies = [
        ("--id -", format!("{ID}.n1\n")),
        ("--cookie -", format!("JSESSIONID={ID}.n1")),
        ("--cookie -", format!("Cookie: a=b; JSESSIONID={ID}; c=d\n")),
        (
            "--cookie-name SID --cookie -",
            format!("Set-Cookie: SID={ID}.n1; Path=/"),
        ),
    ];
    for (flag, input) in &cookies {
        for verb in ["show", "list", "kill"] {
            let (code, said, errors) = ask_fed(&store, &format!("{verb} {flag}"), input);
            assert_eq!(code, Some(0), "{verb} {flag}: {errors}");
            assert!(!said.contains(&ID[..8]) && !errors.contains(&ID[..8]));
            let tells_of_local = said.contains("connection_of-(the session's id)  com.example.Connection");
            assert_eq!(tells_of_local, verb == "show", "{said}");
        }
    }
    let killed = fake.killed.lock().unwrap();
    assert_eq!(killed.len(), cookies.len());
    assert!(killed.iter().all(|filter| filter.key_prefix == KEY));
}

#[test]
fn an_id_in_a_command_line_is_refused_and_not_repeated() {
    let (store, fake) = store_of_today();
    for words in [
        format!("kill --id {ID}"),
        format!("show --cookie JSESSIONID={ID}"),
        format!("show {ID}"),
    ] {
        let (code, said, errors) = ask(&store, &words);
        assert_eq!(code, Some(2), "{words}");
        assert!(!said.contains(&ID[..8]) && !errors.contains(&ID[..8]), "{errors}");
    }
    for (flag, input) in [("--id -", "too short"), ("--cookie -", ""), ("--cookie -", "a=b")] {
        assert_eq!(
            ask_fed(&store, &format!("kill {flag}"), input).0,
            Some(2),
            "{input}"
        );
    }
    assert_eq!(fake.kills.load(Ordering::SeqCst), 0);
}

#[test]
fn a_secret_of_the_tomcats_leads_to_another_key() {
    let (store, _) = store_of_today();
    let (code, _, errors) = ask_fed(&store, "show --id -", "another-id-than-that");
    assert_eq!(code, Some(1));
    assert!(errors.contains("--key-file"), "{errors}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "a secret of 16 bytes or more").expect("it is written");
    let with_secret = format!("show --key-file {} --id -", file.path().display());
    let (code, _, errors) = ask_fed(&store, &with_secret, ID);
    assert_eq!(code, Some(1), "the key is of the id and the secret: {errors}");
    std::fs::write(file.path(), "short").expect("it is written");
    assert_eq!(ask_fed(&store, &with_secret, ID).0, Some(2));
}

#[test]
fn a_kill_of_many_says_what_it_would_end_and_does_it_when_told() {
    let (store, fake) = store_of_today();
    for words in [
        "kill --user ada",
        "kill --application localhost/shop",
        "kill --all",
    ] {
        let (code, _, errors) = ask(&store, words);
        assert_eq!(code, Some(1), "{words}: nobody is there to ask");
        let would = "1 session of 1 user in localhost/shop. Nothing was done: repeat with --yes";
        assert!(errors.contains(would), "{errors}");
    }
    let (code, said, _) = ask(&store, "kill --user ada --dry-run");
    assert_eq!(code, Some(0));
    assert!(said.contains("this would end 1 session of 1 user"), "{said}");
    let (code, said, _) = ask(&store, "kill cd6c --dry-run");
    assert_eq!(code, Some(0));
    assert!(
        said.contains("this would end cd6c1f7d") && said.contains("of ada"),
        "{said}"
    );
    assert_eq!(fake.kills.load(Ordering::SeqCst), 0);
    assert_eq!(ask(&store, "kill --user ada --yes").0, Some(0));
    assert_eq!(fake.kills.load(Ordering::SeqCst), 1);
    for wrong in ["kill --yes", "kill cd6c --idle 1d", "kill cd6c --owner n1"] {
        assert_eq!(ask(&store, wrong).0, Some(2), "{wrong}");
    }
}

#[test]
fn a_kill_ends_no_more_than_it_counted() {
    let (store, fake) = store_of_today();
    fake.match_now.store(2, Ordering::SeqCst);
    for words in ["kill --user ada --yes", "kill --owner n1 --yes"] {
        let (code, _, errors) = ask(&store, words);
        assert_eq!(code, Some(1), "{words}");
        assert!(errors.contains("more sessions match than that"), "{errors}");
    }
    assert!(fake.killed.lock().unwrap().is_empty());
    assert_eq!(ask(&store, "kill --all --yes").0, Some(0), "all are all");
    assert_eq!(fake.kills.load(Ordering::SeqCst), 3, "each was asked for once");
}

#[test]
fn a_name_that_nobody_has_is_said_and_one_that_is_known_is_merely_empty() {
    let (store, fake) = store_of_today();
    for (words, why) in [
        (
            "list --application nosuch",
            "there are localhost/quiet, localhost/shop",
        ),
        ("list --owner n9", "there are n1"),
        ("stats --application nosuch", "there is no application \"nosuch\""),
        ("kill --application nosuch --yes", "there is no application"),
        (
            "kill --user bob --yes",
            "no session has the label principal=bob: nothing was ended",
        ),
        (
            "kill --user bob --idle 2d --yes",
            "no session has the label principal=bob",
        ),
        (
            "kill --user ada --application localhost/quiet --yes",
            "no session has the application \"localhost/quiet\" and the label principal=ada",
        ),
        (
            "kill --application localhost/quiet --yes",
            "no session has the application",
        ),
        (
            "kill --attribute typo --yes",
            "no session has the attribute \"typo\"",
        ),
        ("list ffff", "no live session matches"),
    ] {
        let (code, _, errors) = ask(&store, words);
        assert_eq!(code, Some(1), "{words}");
        assert!(errors.contains(why), "{words}: {errors}");
    }
    for words in [
        "list --application localhost/quiet",
        "list --application localhost/shop --idle 2d",
        "list --user bob",
        "kill --idle 2d --yes",
        "kill --user ada --idle 2d --yes",
        "stats --idle 2d",
    ] {
        let (code, _, errors) = ask(&store, words);
        assert_eq!(code, Some(0), "{words}: {errors}");
    }
    assert_eq!(fake.kills.load(Ordering::SeqCst), 0);
}

#[test]
fn values_are_shown_to_who_asks_cut_in_tables_and_never_as_a_command_to_a_terminal() {
    let (store, _) = store_of_today();
    let (code, said, _) = ask(&store, "show cd6c");
    assert!(code == Some(0) && !said.contains("shark"), "{said}");
    let (code, said, _) = ask(&store, "show cd6c --values");
    assert_eq!(code, Some(0), "{said}");
    let line = said
        .lines()
        .find(|line| line.starts_with("cart"))
        .unwrap_or_default();
    assert!(line.contains("String") && line.ends_with("..."), "{said}");
    assert!(
        line.starts_with("cart_of-(the session's id)") && !said.contains(ID),
        "{said}"
    );
    assert!(
        said.contains("* where the Tomcats hash ids with a secret"),
        "{said}"
    );
    let (_, told, _) = ask_fed(&store, "show --id - --values", ID);
    assert!(
        told.contains("(the session's id)") && !told.contains("with a secret"),
        "{told}"
    );
    assert!(!said.contains('\u{1b}'), "{said}");
    let (_, said, _) = ask(&store, "show cd6c --values -o json");
    let value = serde_json::to_string(CART).expect("a text");
    assert!(said.contains(&value), "whole: {said}");
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[test]
fn a_store_of_an_earlier_release_is_asked_for_nothing_that_it_would_misunderstand() {
    let (store, fake) = store();
    for words in [
        "show cd6c --values",
        "stats",
        "kill --idle 2d --yes",
        "kill --owner none --yes",
        "list --reverse",
        "list --owner none",
        "list --count",
    ] {
        let (code, _, errors) = ask(&store, words);
        assert_eq!(code, Some(1), "{words}");
        assert!(errors.contains("of an earlier release"), "{words}: {errors}");
    }
    assert_eq!(fake.kills.load(Ordering::SeqCst), 0);
}

#[test]
fn counts_are_shown_in_groups() {
    let (store, _) = store_of_today();
    let (code, said, _) = ask(&store, "stats --by user");
    assert_eq!(code, Some(0), "{said}");
    for words in ["USER", "ada", "4.0 KiB", "100%", "under a minute"] {
        assert!(said.contains(words), "no {words}: {said}");
    }
    let (code, said, _) = ask(&store, "list --count");
    assert!(code == Some(0) && said.starts_with("sessions  1\n"), "{said}");
    assert_eq!(remora(&["sessions", "stats", "--limit", "0"]).0, Some(2));
}
