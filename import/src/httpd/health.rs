//! mod_proxy_hcheck: what is said of members becomes what is said of their pool.
//!
//! Invariant: the first member that is checked decides for its pool; one that is checked otherwise is told of.
//!
//! Left out on purpose: expressions over fields and bodies. Statuses alone decide here.

use crate::checking::Checked;
use crate::report::Report;
use crate::site::{Health, Piece, Pool};
use crate::source::Line;

use super::draft::{Draft, Param};
use super::params::time;

/// Longest time between two checks that the proxy takes, in seconds: httpd's own is 30.
const EVERY_MAX: u64 = 60;

/// Most checks in a row that the proxy takes.
const ROW_MAX: u32 = 10;

/// What httpd does unless told otherwise, and ours does otherwise: seconds between checks, and checks in a row.
const USUAL: (u64, u32) = (30, 1);

/// Checks of a member: keys without those of its template, and those.
pub(super) fn checks(params: &[Param], draft: &Draft, report: &mut Report) -> Vec<Param> {
    let mut checks = Vec::new();
    for param in params.iter().filter(|param| param.key.starts_with("hc")) {
        if param.key == "hctemplate" {
            match draft.templates.iter().find(|(name, _)| *name == param.value) {
                Some((_, keys)) => {
                    report.same(&param.line, format!("hctemplate={}: what that says", param.value));
                    checks.extend(keys.iter().cloned());
                }
                None => report.unsupported(
                    &param.line,
                    format!(
                        "hctemplate={}: no ProxyHCTemplate of that name is in these files",
                        param.value
                    ),
                ),
            }
        } else {
            checks.push(param.clone());
        }
    }
    checks
}

/// Writes the checks of the first member that has some, and tells of all.
pub(super) fn apply(
    members: &[(Line, Vec<Param>)],
    is_tomcats: bool,
    pool: &mut Pool,
    draft: &Draft,
    report: &mut Report,
) {
    let mut decided: Option<(Health, Checked, &Line)> = None;
    for (line, params) in members.iter().filter(|(_, params)| !params.is_empty()) {
        let (health, checked) = one(line, params, draft, report);
        match &decided {
            None => decided = Some((health, checked, line)),
            Some((first, _, by)) if !alike(first, &health) => {
                report.differs(
                    line,
                    format!(
                        "checks are a pool's here, and those of {} hold for this member as well",
                        by.place
                    ),
                );
            }
            Some(_) => {}
        }
    }
    let of_pool = pool.origin.lines.first().cloned();
    let of_member = members.first().map(|(line, _)| line);
    let (checked, line) = match decided {
        Some((health, checked, line)) => {
            pool.health = health;
            (checked, Some(line))
        }
        None => (Checked::Never, of_pool.as_ref().or(of_member)),
    };
    let differs = checked.apply("httpd", is_tomcats, pool);
    if let (Some(line), Some(why)) = (line, differs) {
        let piece = if pool.origin.lines.contains(line) {
            Piece::Pool
        } else {
            Piece::Member
        };
        report.becomes_but(piece, line, why);
    }
}

fn alike(one: &Health, other: &Health) -> bool {
    let parts = |health: &Health| {
        (
            health.every,
            health.path.clone(),
            health.status.clone(),
            health.rise,
            health.fall,
        )
    };
    parts(one) == parts(other)
}

fn one(line: &Line, params: &[Param], draft: &Draft, report: &mut Report) -> (Health, Checked) {
    let mut health = Health {
        every: Some(std::time::Duration::from_secs(USUAL.0)),
        rise: Some(USUAL.1),
        fall: Some(USUAL.1),
        ..Health::default()
    };
    let method = params.iter().rfind(|param| param.key == "hcmethod");
    let method = method.map_or_else(|| "none".to_owned(), |param| param.value.to_ascii_lowercase());
    if method == "none" {
        report.differs(
            line,
            "without an hcmethod httpd makes no checks, and the other keys of them do nothing",
        );
        return (Health::default(), Checked::Never);
    }
    let mut page = None;
    for param in params {
        let Param { key, value, line } = param;
        let said = format!("{key}={value}");
        match &**key {
            "hcmethod" => {}
            "hcuri" => {
                page = Some(value.clone());
                report.same(line, format!("{said}: `health.path`"));
            }
            "hcinterval" => every(param, &mut health, report),
            "hcpasses" | "hcfails" => {
                let count = value.parse::<u32>().unwrap_or(USUAL.1).clamp(1, ROW_MAX);
                let (slot, word) = if key == "hcpasses" {
                    (&mut health.rise, "rise")
                } else {
                    (&mut health.fall, "fall")
                };
                *slot = Some(count);
                let why = format!("{said}: `health.{word}` is {count}");
                if count.to_string() == *value {
                    report.same(line, why);
                } else {
                    report.differs(line, why);
                }
            }
            "hcexpr" => expression(param, &mut health, draft, report),
            _ => report.unsupported(
                line,
                format!("{said}: not understood; no check of httpd has such a key here"),
            ),
        }
    }
    let checked = methods(line, &method, page, &mut health, report);
    (health, checked)
}

/// What is asked for by a method, and whether that is what httpd asks for.
fn methods(
    line: &Line,
    method: &str,
    page: Option<String>,
    health: &mut Health,
    report: &mut Report,
) -> Checked {
    let said = format!("hcmethod={method}");
    let mut checked = Checked::Asked;
    let asked = match method {
        "get" | "get11" => {
            report.same(line, format!("{said}: a page is asked with GET, in HTTP/1.1"));
            page
        }
        "head" | "head11" => {
            report.differs(line, format!("{said}: the page is asked with GET"));
            page
        }
        "options" | "options11" if page.is_none() => {
            report.same(
                line,
                format!("{said}: the member itself is asked, with OPTIONS *"),
            );
            None
        }
        "options" | "options11" => {
            report.differs(line, format!("{said}: the page is asked with GET"));
            page
        }
        "tcp" | "cping" => {
            checked = Checked::Connected;
            None
        }
        _ => {
            report.unsupported(
                line,
                format!("{said}: not understood; httpd checks by no such method"),
            );
            checked = Checked::Connected;
            None
        }
    };
    if asked.is_some() && health.status.is_none() {
        report.differs(line, "404 of a page that is asked means that its application is gone: users move, and the member is spared");
    }
    if asked.is_none() {
        health.status = None;
    }
    health.path = asked.map(|page| {
        if page.starts_with('/') {
            page
        } else {
            format!("/{page}")
        }
    });
    checked
}

fn every(param: &Param, health: &mut Health, report: &mut Report) {
    let Param { value, line, .. } = param;
    let Some(asked) = time(value) else {
        report.unsupported(line, format!("hcinterval={value}: no time; left out"));
        return;
    };
    let (least, most) = (
        std::time::Duration::from_millis(100),
        std::time::Duration::from_secs(EVERY_MAX),
    );
    let every = asked.clamp(least, most);
    health.every = Some(every);
    if every == asked {
        report.same(
            line,
            format!("hcinterval={value}: `health.every`; shorter notices sooner, and 1 s is usual here"),
        );
    } else {
        report.differs(
            line,
            format!("hcinterval={value}: checks are made every {EVERY_MAX} s at least"),
        );
    }
}

/// Which statuses an expression lets pass.
fn expression(param: &Param, health: &mut Health, draft: &Draft, report: &mut Report) {
    let Param { value, line, .. } = param;
    let Some((_, written, at)) = draft.expressions.iter().find(|(name, _, _)| name == value) else {
        report.unsupported(
            line,
            format!("hcexpr={value}: no ProxyHCExpr of that name is in these files"),
        );
        return;
    };
    match statuses(written) {
        Some(passing) => {
            report.same(line, format!("hcexpr={value}: `health.status` is {passing}"));
            report.same(at, format!("statuses {passing} pass"));
            health.status = Some(passing);
        }
        None => {
            let why = "a check passes by its status alone here: let a page of its own look at the rest and answer 503";
            report.unsupported(at, why);
            report.unsupported(line, format!("hcexpr={value}: see {}", at.place));
        }
    }
}

/// `%{REQUEST_STATUS} =~ /^[234]/`, or `-eq 200` or `== 200`, as a list of statuses.
fn statuses(expression: &str) -> Option<String> {
    let inside = expression.trim().trim_start_matches('{').trim_end_matches('}');
    let (_, test) = inside.split_once("REQUEST_STATUS}")?;
    let test = test.trim();
    if let Some(number) = test.strip_prefix("-eq").or_else(|| test.strip_prefix("==")) {
        let number = number.trim().trim_matches(['\'', '"']);
        let status: u16 = number.parse().ok()?;
        return (200..600).contains(&status).then(|| status.to_string());
    }
    let pattern = test
        .strip_prefix("=~")?
        .trim()
        .strip_prefix("/^")?
        .strip_suffix('/')?;
    let pattern = pattern
        .trim_end_matches('$')
        .trim_end_matches("..")
        .trim_end_matches("\\d\\d");
    let digits = pattern
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(pattern);
    let ranges: Option<Vec<String>> = digits
        .chars()
        .map(|digit| matches!(digit, '2'..='5').then(|| format!("{digit}00-{digit}99")))
        .collect();
    ranges
        .filter(|ranges| !ranges.is_empty())
        .map(|ranges| ranges.join(", "))
}

#[cfg(test)]
mod tests {
    use super::statuses;

    #[test]
    fn an_expression_over_the_status_is_a_list() {
        let cases = [
            (
                "{%{REQUEST_STATUS} =~ /^[234]/}",
                Some("200-299, 300-399, 400-499"),
            ),
            ("%{REQUEST_STATUS} =~ /^2/", Some("200-299")),
            ("{%{REQUEST_STATUS} -eq 200}", Some("200")),
            ("{hc('body') !~ /Under maintenance/}", None),
            ("{%{REQUEST_STATUS} =~ /^1/}", None),
        ];
        for (expression, expected) in cases {
            assert_eq!(statuses(expression).as_deref(), expected, "{expression}");
        }
    }
}
