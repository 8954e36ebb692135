//! How a server ends: one clear sentence on stderr and an exit code that scripts can rely on.
//!
//! 0: stopped as asked. 1: it could not do its work (busy port, broken disk, lost file). 2: it was asked wrongly
//! (unknown flag, unknown or missing key, value out of range), and repeating the same start will fail the same way.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::config::Faults;

/// Exit code when the work could not be done.
const RUNTIME: u8 = 1;

/// Exit code when the program was started wrongly: flags or configuration.
const USAGE: u8 = 2;

/// Why a server ends other than as asked.
#[derive(Debug)]
pub enum Failure {
    /// Started wrongly: flags or configuration. Exit code 2.
    Usage(String),
    /// The work could not be done. Exit code 1.
    Runtime(String),
}

impl Failure {
    /// A runtime failure that says what was being done and, behind a colon each, the causes of the error.
    pub fn while_doing(what: &str, error: &(dyn Error + 'static)) -> Failure {
        Failure::Runtime(format!("{what}: {}", chain(error)))
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Failure::Usage(faults.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Usage(sentence) | Failure::Runtime(sentence)) = self;
        f.write_str(sentence)
    }
}

impl Error for Failure {}

/// Ends `main`: says on stderr what went wrong, if anything did, and gives the exit code.
#[allow(
    clippy::print_stderr,
    reason = "the last words of a program, when its log may not be set up yet"
)]
pub fn finish(program: &str, result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("{program}: {failure}");
    match failure {
        Failure::Usage(_) => ExitCode::from(USAGE),
        Failure::Runtime(_) => ExitCode::from(RUNTIME),
    }
}

/// From now on a panic of any thread ends the process, after it was told: for a program whose parts keep one state, of which
/// none may serve on when another is in doubt. Whoever supervises it starts it again.
#[allow(
    clippy::print_stderr,
    clippy::exit,
    reason = "the last words of a program, on whatever thread they have to be said"
)]
pub fn on_panic(program: &'static str) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        eprintln!(
            "{program}: a part of it has panicked, so what it keeps cannot be relied on; the process ends"
        );
        std::process::exit(RUNTIME.into());
    }));
}

/// An error and its causes in one line, outermost first. A cause that the sentence before already contains is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !sentence.contains(&said) {
            sentence.push_str(": ");
            sentence.push_str(&said);
        }
        cause = inner.source();
    }
    sentence
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the log cannot be opened")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_failure_names_every_cause_once() {
        let error = Outer(std::io::Error::other("disk full"));
        let failure = Failure::while_doing("cannot start", &error);
        assert_eq!(
            failure.to_string(),
            "cannot start: the log cannot be opened: disk full"
        );
    }

    /// In the environment of the process that [`a_panic_anywhere_ends_the_process`] starts: that it is to be the one.
    const IS_TO_PANIC: &str = "REMORA_TEST_IS_TO_PANIC";

    #[test]
    fn a_panic_anywhere_ends_the_process() {
        if std::env::var_os(IS_TO_PANIC).is_some() {
            on_panic("test");
            let panicked = std::thread::spawn(|| panic!("a broken promise")).join();
            panic!("went on after {panicked:?}");
        }
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "exit::tests::a_panic_anywhere_ends_the_process",
                "--exact",
                "--nocapture",
            ])
            .env(IS_TO_PANIC, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr);
        assert_eq!(child.status.code(), Some(1), "{said}");
        assert!(
            said.contains("a broken promise") && said.contains("test: a part of it has panicked"),
            "{said}"
        );
        assert!(!said.contains("went on"), "{said}");
    }

    #[test]
    fn exit_codes_tell_a_wrong_start_from_failed_work() {
        let code = |failure| format!("{:?}", finish("test", Err(failure)));
        assert_eq!(
            code(Failure::Usage("x".into())),
            format!("{:?}", ExitCode::from(2))
        );
        assert_eq!(
            code(Failure::Runtime("x".into())),
            format!("{:?}", ExitCode::from(1))
        );
        assert_eq!(
            format!("{:?}", finish("test", Ok(()))),
            format!("{:?}", ExitCode::SUCCESS)
        );
    }
}
