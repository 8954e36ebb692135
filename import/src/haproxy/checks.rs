//! HAProxy's `option httpchk` and `http-check` as a pool's checks.
//!
//! Left out on purpose: bodies and fields of answers, and checks of several steps. A page that says by its status whether it can serve
//! is what is asked for.

use super::lexer::Words;
use super::sections::HaproxySection;
use super::{HaproxyReader, MILLISECOND};
use crate::checking::Checked;
use crate::periods::period;
use crate::site::{Health, Piece, Pool};
use crate::source::Line;

/// What a line about checks does, and what is told of it.
struct CheckTold {
    same: &'static str,
    differs: Option<&'static str>,
    unsupported: Option<&'static str>,
}

impl CheckTold {
    fn same(same: &'static str) -> CheckTold {
        CheckTold {
            same,
            differs: None,
            unsupported: None,
        }
    }

    fn differs(why: &'static str) -> CheckTold {
        CheckTold {
            differs: Some(why),
            ..CheckTold::same("")
        }
    }

    fn unsupported(why: &'static str) -> CheckTold {
        CheckTold {
            unsupported: Some(why),
            ..CheckTold::same("")
        }
    }
}

impl<'t> HaproxyReader<'t> {
    /// Gives a pool its checks, where HAProxy makes some, and tells of the lines that say how; `servers` are the lines of the members,
    /// and which of them are checked.
    pub(super) fn checks(
        &mut self,
        section: &HaproxySection,
        (servers, is_tomcats): (&[(Line, bool)], bool),
        pool: &mut Pool,
    ) {
        let checked = self.said_of_checks(section, servers, pool);
        let differs = checked.apply("HAProxy", is_tomcats, pool);
        let Some(why) = differs.filter(|_| !servers.is_empty()) else {
            return;
        };
        if checked == Checked::Never {
            self.report.becomes_but(Piece::Pool, &section.head.line, why);
            return;
        }
        for (line, _) in servers.iter().filter(|(_, is_checked)| *is_checked) {
            self.report.becomes_but(Piece::Member, line, why.clone());
        }
    }

    fn said_of_checks(
        &mut self,
        section: &HaproxySection,
        servers: &[(Line, bool)],
        pool: &mut Pool,
    ) -> Checked {
        let is_any = servers.iter().any(|(_, is_checked)| *is_checked);
        let mut asks_tomcat = false;
        for line in section.all() {
            let is_check = matches!(
                (line.word(0), line.word(1)),
                ("option", "httpchk") | ("http-check", _)
            );
            if is_check && !is_any {
                if section.lines.contains(line) {
                    let why = "no server of this section says `check`: HAProxy asks nobody, whatever this line says";
                    self.report.differs(&line.line, why);
                }
                continue;
            }
            asks_tomcat |= is_check && line.words.iter().any(|word| word == "*");
            let told = match (line.word(0), line.word(1)) {
                ("option", "httpchk") => page(line, &mut pool.health),
                ("http-check", _) => step(line, &mut pool.health),
                ("timeout", "check") => {
                    let time = period(line.word(2), MILLISECOND);
                    pool.health.timeout =
                        time.map(|time| time.clamp(MILLISECOND * 100, MILLISECOND * 60_000));
                    continue;
                }
                _ => continue,
            };
            pool.origin.add(&line.line);
            if !section.lines.contains(line) {
                continue;
            }
            match told {
                CheckTold {
                    unsupported: Some(why),
                    ..
                } => self.report.unsupported(&line.line, why),
                CheckTold {
                    differs: Some(why), ..
                } => self.report.differs(&line.line, why),
                CheckTold { same, .. } => self.report.same(&line.line, same),
            }
        }
        if !is_any {
            pool.health = Health::default();
            return Checked::Never;
        }
        for (line, _) in servers.iter().filter(|(_, is_checked)| !is_checked) {
            let why = "HAProxy does not check this one; checks are a pool's here, and it is asked as the others are";
            self.report.differs(line, why);
        }
        // A range of statuses without a page would let Tomcat's own answer pass or fail by a page's.
        if pool.health.path.is_none() {
            pool.health.status = None;
        }
        if pool.health.path.is_some() || asks_tomcat {
            Checked::Asked
        } else {
            Checked::Connected
        }
    }
}

/// `option httpchk [METHOD] [URI] [VERSION]`.
fn page(line: &Words, health: &mut Health) -> CheckTold {
    let words = line.from(2);
    let uri = match words {
        [] => None,
        [uri] => Some(uri.as_str()),
        [_, uri, ..] => Some(uri.as_str()),
    };
    // Old files write the Host behind the version.
    let mut old = words.iter().skip(2).flat_map(|word| word.split(['\r', '\n']));
    if let Some(host) = old.find_map(|part| part.trim().strip_prefix("Host:")) {
        health.host = Some(host.trim().to_owned());
    }
    health.path = uri.filter(|uri| uri.starts_with('/')).map(str::to_owned);
    match (words, uri) {
        ([], _) => {
            CheckTold::differs("HAProxy asks OPTIONS / of each member, ours OPTIONS *; `path` names a page")
        }
        (_, Some("*")) => CheckTold::same("the member itself is asked, with OPTIONS *, without a setting"),
        ([method, ..], Some(uri)) if uri.starts_with('/') && words.len() > 1 && method != "GET" => {
            CheckTold::differs("the page is asked with GET, and not with another method")
        }
        _ => CheckTold::same("`health` of the pool"),
    }
}

/// One `http-check`.
fn step(line: &Words, health: &mut Health) -> CheckTold {
    match line.word(1) {
        "send" => {
            if let Some(uri) = line.behind("uri").filter(|uri| uri.starts_with('/')) {
                health.path = Some(uri.to_owned());
            }
            let host = line
                .words
                .windows(3)
                .find(|words| words[0] == "hdr" && words[1].eq_ignore_ascii_case("host"));
            if let Some([_, _, host]) = host {
                health.host = Some(host.clone());
            }
            let other = line
                .words
                .windows(2)
                .any(|words| words[0] == "hdr" && !words[1].eq_ignore_ascii_case("host"));
            let method = line
                .behind("meth")
                .is_none_or(|method| matches!(method, "GET" | "OPTIONS"));
            if other || line.has("body") || !method {
                CheckTold::differs("the page is asked with GET, with a Host, and with no other field or body")
            } else {
                CheckTold::same("`health` of the pool")
            }
        }
        "expect" => expect(line, health),
        "disable-on-404" => CheckTold::same(
            "404 of the page means that its application is gone: users move, and the member is spared",
        ),
        "comment" => CheckTold::same("a comment"),
        "send-state" => CheckTold::differs("members are told nothing of what is believed of them"),
        "connect" | "set-var" | "set-var-fmt" | "unset-var" => {
            CheckTold::unsupported("a check is one request, at the member's port or at `port`")
        }
        _ => CheckTold::unsupported("not understood: nothing was written for it; look up what it does"),
    }
}

fn expect(line: &Words, health: &mut Health) -> CheckTold {
    let words: Vec<&str> = line
        .from(2)
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("min-recv"))
        .collect();
    let statuses = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || b"-,".contains(&byte))
    };
    match words.as_slice() {
        ["status", list] if statuses(list) => {
            health.status = Some(list.replace(',', ", "));
            CheckTold::same("`status` of the pool's checks")
        }
        ["rstatus", expression] => match class_of(expression) {
            Some(range) => {
                health.status = Some(range);
                CheckTold::same("`status` of the pool's checks")
            }
            None => CheckTold::unsupported(
                "statuses are numbers and ranges of them: write `status` of [pool.NAME.health]",
            ),
        },
        _ => CheckTold::unsupported(
            "a check looks at the status of an answer alone: have the page say by that whether it can serve",
        ),
    }
}

/// The range that an expression like `^2` or `(2|3)[0-9][0-9]` means.
fn class_of(expression: &str) -> Option<String> {
    let rest = expression.trim_start_matches('^').trim_end_matches('$');
    let ends = ["[0-9][0-9]", "[0-9]{2}", "..", "\\d\\d", "\\d{2}", ".*"];
    let rest = ends.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    let digits = rest.trim_matches(['(', ')', '[', ']']);
    let (first, last) = match digits.split_once(['|', '-']) {
        Some((first, last)) => (first, last),
        None if digits.len() == 2 => digits.split_at(1),
        None => (digits, digits),
    };
    let digit = |text: &str| text.parse::<u32>().ok().filter(|digit| (2..=5).contains(digit));
    let (first, last) = (digit(first)?, digit(last)?);
    (first <= last).then(|| format!("{first}00-{last}99"))
}

#[cfg(test)]
mod tests {
    use super::class_of;

    #[test]
    fn an_expression_of_statuses_is_a_range() {
        assert_eq!(class_of("^2").as_deref(), Some("200-299"));
        assert_eq!(class_of("(2|3)[0-9][0-9]").as_deref(), Some("200-399"));
        assert_eq!(class_of("^[23]").as_deref(), Some("200-399"));
        assert_eq!(class_of("^[2-3]..$").as_deref(), Some("200-399"));
        assert_eq!(class_of("200|302"), None);
    }
}
