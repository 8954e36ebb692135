//! Promise 9: applications that others wrote, or that are built with what others wrote, work on as they do under Tomcat's
//! own session manager: on one Tomcat, with every request at another of two Tomcats, and when the Tomcat is killed in
//! the middle of a task.
//!
//! Shown with `make soak`: the same user, the same checks, four ways, for Tomcat's own examples, a Spring Boot application
//! with Spring Security, one with Mojarra and Weld, and one with Wicket. The table that it prints says how many checks
//! passed. Each check that does not hold is listed in [`MISSED`] with the reason, and each that is listed
//! must not hold.
//! Seen to fail with a session manager that answered 503 for what is not Serializable and hid the last exception of a
//! login (Spring: 9 of 21 on one Tomcat, 8 alternating), and with Wicket's pages on the disk of one machine (0 of 14).

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use comfy_table::presets::ASCII_MARKDOWN;
use remora_tests::Outcome;
use remora_tests::applications::{self, Check, Site};
use remora_tests::place::free_port;
use remora_tests::stores::{StorePorts, Stores};
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};

/// How the application is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One Tomcat with its own session manager: the reference.
    Standard,
    /// One Tomcat with ours.
    One,
    /// Every request, redirects too, at the other of two Tomcats with ours.
    Alternating,
    /// One Tomcat with ours until it is killed in the middle of the script, then another.
    Killed,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Standard => "StandardManager",
            Self::One => "one Tomcat",
            Self::Alternating => "alternating",
            Self::Killed => "killed",
        }
    }
}

const APART: &str = "its bean is not Serializable, so each of the two Tomcats keeps one of its own";
const GONE: &str = "its bean is not Serializable, so it died with its Tomcat and the next one begins anew";

/// What does not hold, and why.
const MISSED: &[(Application, Way, &str, &str)] = &[
    (
        Application::Examples,
        Way::Alternating,
        "two attempts at colors, whose bean is not Serializable",
        APART,
    ),
    (
        Application::Examples,
        Way::Alternating,
        "the third attempt is the third",
        APART,
    ),
    (
        Application::Examples,
        Way::Killed,
        "the third attempt is the third",
        GONE,
    ),
    (
        Application::Spring,
        Way::Alternating,
        "every page is counted by a bean that is not Serializable",
        APART,
    ),
    (Application::Spring, Way::Killed, "pages are counted on", GONE),
];

fn start(directory: &Path, node: &str, store: Option<String>, application: Application) -> Result<Tomcat> {
    let plan = TomcatPlan {
        version: Version::V10,
        node: node.to_owned(),
        jvm_route: true,
        port: free_port()?,
        store,
        manager: Vec::new(),
        replication: None,
        behind_front: false,
        applications: vec![application],
        java_options: QUICK_START.to_owned(),
        signals: directory.to_path_buf(),
    };
    Tomcat::start(directory, plan)
}

fn go(script: fn(&mut Site<'_>), mut site: Site<'_>) -> Vec<Check> {
    script(&mut site);
    site.checks()
}

fn works_on(application: Application, script: fn(&mut Site<'_>)) -> Outcome {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir()?;
    let reference = start(directory.path(), "n0", None, application)?;
    reference.wait_ready()?;
    let mut seen = vec![(Way::Standard, go(script, Site::new(reference.address(), &[])))];
    drop(reference);

    let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
    let stores = Stores::start(directory.path(), &ports)?;
    stores.wait_ready()?;
    let tomcat = |node| start(directory.path(), node, Some(stores.client_list()), application);
    let (mut first, second) = (tomcat("n1")?, tomcat("n2")?);
    first.wait_ready()?;
    second.wait_ready()?;
    let (one, other) = (first.address(), second.address());
    seen.push((Way::One, go(script, Site::new(one, &[]))));
    seen.push((Way::Alternating, go(script, Site::new(one, &[other]))));
    let kill = Box::new(|| first.kill());
    seen.push((
        Way::Killed,
        go(script, Site::new(one, &[]).struck_by(kill, other)),
    ));
    tell(application, &seen)?;
    judge(application, &seen).map_err(|error| error.context(format!("{}\n{}", first.tail(), second.tail())))
}

/// What was seen, way by way.
type Seen = (Way, Vec<Check>);

/// Prints the table's row, and below it each check that did not hold.
fn tell(application: Application, seen: &[Seen]) -> Outcome {
    let mut table = comfy_table::Table::new();
    let header = ["application"]
        .into_iter()
        .chain(seen.iter().map(|(way, _)| way.name()));
    table.load_preset(ASCII_MARKDOWN).set_header(header);
    let passed = |checks: &[Check]| {
        let passed = checks.iter().filter(|check| check.passed).count();
        format!("{passed} of {}", checks.len())
    };
    let name = application.name().to_owned();
    table.add_row(
        [name]
            .into_iter()
            .chain(seen.iter().map(|(_, checks)| passed(checks))),
    );
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{table}")?;
    for (way, checks) in seen {
        for check in checks.iter().filter(|check| !check.passed) {
            let why = reason(application, *way, check).unwrap_or("nobody knows why");
            writeln!(
                out,
                "- {}: not \"{}\": {why}; {}",
                way.name(),
                check.what,
                check.told
            )?;
        }
    }
    Ok(())
}

/// Why a check is known not to hold.
fn reason(application: Application, way: Way, check: &Check) -> Option<&'static str> {
    let mut listed = MISSED.iter();
    let found = listed.find(|miss| (miss.0, miss.1, miss.2) == (application, way, check.what));
    found.map(|miss| miss.3)
}

/// Every check holds but for those that are listed, and those do not.
fn judge(application: Application, seen: &[Seen]) -> Outcome {
    let mut wrong = Vec::new();
    for (way, checks) in seen {
        for check in checks {
            match (check.passed, reason(application, *way, check)) {
                (false, None) => wrong.push(format!("{}: not \"{}\"", way.name(), check.what)),
                (true, Some(_)) => {
                    wrong.push(format!(
                        "{}: \"{}\" holds: its row can go",
                        way.name(),
                        check.what
                    ));
                }
                _ => {}
            }
        }
    }
    let checked = |way| {
        seen.iter()
            .find(|seen| seen.0 == way)
            .map(|(_, checks)| checks.len())
    };
    let all = checked(Way::Standard);
    let whole = [Way::One, Way::Alternating, Way::Killed]
        .into_iter()
        .all(|way| checked(way) == all);
    ensure!(whole && wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
#[ignore = "part of `make soak`"]
fn tomcats_own_examples() -> Outcome {
    works_on(Application::Examples, applications::examples)
}

#[test]
#[ignore = "part of `make soak`"]
fn spring_boot_with_security() -> Outcome {
    works_on(Application::Spring, applications::spring)
}

#[test]
#[ignore = "part of `make soak`"]
fn faces_with_mojarra_and_weld() -> Outcome {
    works_on(Application::Faces, applications::faces)
}

#[test]
#[ignore = "part of `make soak`"]
fn wicket() -> Outcome {
    works_on(Application::Wicket, applications::wicket)
}
