//! Claim: what `remora completions` prints is what shells take, and no server and no certificate is asked for it.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::remora;

/// What a shell says to a script at its standard input.
fn shell(program: &str, arguments: &[&str], script: &str) -> Option<(bool, String)> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // A shell that is not there proves nothing.
    let mut child = child.ok()?;
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(script.as_bytes()).expect("the shell reads");
    drop(input);
    let output = child.wait_with_output().expect("the shell ends");
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

fn script(name: &str) -> String {
    let (code, script, errors) = remora(&["completions", name]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    script
}

#[test]
fn bash_completes_verbs_and_flags() {
    // As bash does it: it sets these, calls the function that `complete` named, and reads COMPREPLY.
    let asks = r#"
complete -p remora | grep -q -- '-F _remora' || exit 1
COMP_WORDS=(remora sessions ki) COMP_CWORD=2
_remora remora ki sessions; echo "verb: ${COMPREPLY[*]}"
COMP_WORDS=(remora --tls-c) COMP_CWORD=1
_remora remora --tls-c remora; echo "flag: ${COMPREPLY[*]}"
"#;
    let (done, said) = shell("bash", &["--norc"], &(script("bash") + asks)).expect("bash is there");
    assert!(done, "{said}");
    assert_eq!(said, "verb: kill\nflag: --tls-cert\n");
}

#[test]
fn zsh_and_fish_read_theirs_where_they_are_there() {
    for (name, arguments, begin) in [
        ("zsh", &["-n"][..], "#compdef remora"),
        ("fish", &["--no-execute"][..], "# Print an optspec"),
    ] {
        let script = script(name);
        assert!(script.starts_with(begin), "{name}: {script:.60}");
        if let Some((done, said)) = shell(name, arguments, &script) {
            assert!(done, "{name}: {said}");
        }
    }
    assert_eq!(remora(&["completions", "tcsh"]).0, Some(2));
}
