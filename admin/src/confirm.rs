//! Whether somebody says yes to what cannot be undone, or costs others something: asked at a terminal, elsewhere `--yes` says it.
//!
//! Invariants: no answer, and every answer but `y` and `yes`, is a no. Names in a question, which users of a site chose, move no
//! terminal.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::Failure;
use crate::render::printable;

/// Tells what would happen, and goes on with a yes. `yes` is what the command line says.
pub(crate) fn confirm(what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::Refused(format!(
            "{what}. Nothing was done: repeat with --yes"
        )));
    }
    // Nobody is left to ask when standard error is closed: then there is no answer either.
    let _ = write!(std::io::stderr(), "{}", question(what));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && is_yes(&answer) {
        return Ok(());
    }
    Err(Failure::Refused("nothing was done".into()))
}

fn question(what: &str) -> String {
    format!("{}. Go on? [y/N] ", printable(what))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for yes in ["y", "Y\n", " yes\n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yes please\n", "yy\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }

    #[test]
    fn no_name_in_a_question_moves_a_terminal() {
        assert_eq!(
            question("this ends 3 sessions in a\u{1b}[2J\r\u{9b}1A\u{202e}b"),
            "this ends 3 sessions in a\u{fffd}[2J\u{fffd}\u{fffd}1A\u{fffd}b. Go on? [y/N] "
        );
    }

    #[test]
    fn without_a_terminal_only_the_command_line_says_yes() {
        // Whoever runs this by hand has one.
        if !std::io::stdin().is_terminal() {
            let refused = confirm("this ends 3 sessions", false);
            let sentence = refused.map_err(|failure| failure.to_string());
            assert_eq!(
                sentence,
                Err("this ends 3 sessions. Nothing was done: repeat with --yes".to_owned())
            );
        }
        assert!(confirm("this ends 3 sessions", true).is_ok());
    }
}
