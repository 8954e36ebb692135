//! HAProxy's files in our words.
//!
//! `sections` gives each section with what it has from its defaults; `fronts` makes listeners and routes of those that take clients,
//! `backs` pools of those that have servers, `requests` rules of fields and what is closed; `conditions` understands what a route can be for; `words` knows
//! what is told of by its name alone.
//!
//! Invariants: a line is told of where it stands, once, and has its effect in each section that has it · what turns some away turns
//! away all here: nothing is opened that was closed.
//!
//! Left out on purpose: sections of connections (`mode tcp`). The proxy speaks HTTP.

mod backs;
mod binds;
mod checks;
mod conditions;
mod fronts;
mod lexer;
mod requests;
mod sections;
mod servers;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use self::lexer::Words;
use self::requests::{Guard, is_guard};
use self::sections::{HaproxyKind, HaproxySection};
use crate::Reading;
use crate::periods::{BETWEEN, as_limit, period};
use crate::replay::{Dialect, Foreign};
use crate::report::Report;
use crate::site::{Origin, Setting, Site};
use crate::source::Sources;

/// What a number without a unit counts in.
const MILLISECOND: Duration = Duration::from_millis(1);

/// Reads HAProxy's files.
pub(crate) fn read(sources: &Sources<'_>) -> Reading {
    let (mut sections, mut lines, mut report) = (Vec::new(), Vec::new(), Report::default());
    for source in sources.files() {
        let (own, strays) = sections::parse(&source.name, &source.text);
        for stray in strays {
            report.not_understood(&stray.line);
            lines.push(stray.line);
        }
        sections.extend(own);
    }
    let all = sections
        .iter()
        .flat_map(|section| std::iter::once(&section.head).chain(&section.lines));
    lines.extend(all.map(|line| line.line.clone()));
    let mut reader = HaproxyReader {
        report,
        site: Site::default(),
        sections: &sections,
        routes: BTreeMap::new(),
        guards: BTreeMap::new(),
        foreign: Foreign {
            dialect: Dialect::Haproxy,
            ..Foreign::default()
        },
    };
    reader.read();
    Reading {
        site: reader.site,
        report: reader.report,
        lines,
        foreign: reader.foreign,
    }
}

/// What is known while the sections are read.
struct HaproxyReader<'t> {
    report: Report,
    site: Site,
    sections: &'t [HaproxySection],
    /// The route of each address whose users stick by the session's id: one Tomcat has one jvmRoute.
    routes: BTreeMap<String, String>,
    /// What is closed of each pool.
    guards: BTreeMap<String, Guard>,
    /// What HAProxy decides, for a log of its.
    foreign: Foreign,
}

/// How a section speaks, by the last line that says it.
fn is_http(section: &HaproxySection) -> bool {
    let mode = section.all().rfind(|line| line.word(0) == "mode");
    mode.is_none_or(|line| line.word(1) == "http")
}

impl<'t> HaproxyReader<'t> {
    fn read(&mut self) {
        let sections = self.sections;
        for section in sections {
            self.flaws(section);
            match section.kind {
                HaproxyKind::Other => {
                    let why = words::of_section(section.head.word(0));
                    self.whole(section, why);
                }
                HaproxyKind::Global | HaproxyKind::Defaults => {
                    self.report
                        .same(&section.head.line, "read; what stands in it is told of by itself");
                    section.lines.iter().for_each(|line| self.outside(line));
                }
                _ if !is_http(section) => {
                    self.whole(
                        section,
                        "no HTTP (`mode tcp`): leave a HAProxy for it, or another proxy of connections",
                    );
                }
                _ if section.lines.iter().any(|line| line.word(0) == "disabled") => {
                    self.whole(section, "switched off (`disabled`): nothing was written for it");
                }
                _ if section.name.is_empty() => {
                    self.whole(
                        section,
                        "a section without a name: HAProxy refuses it. Nothing was written for it",
                    );
                }
                _ => {}
            }
        }
        let live = |section: &&HaproxySection| {
            let is_off = section.lines.iter().any(|line| line.word(0) == "disabled");
            is_http(section) && !section.name.is_empty() && !is_off
        };
        for section in sections.iter().filter(live).filter(|section| section.is_back()) {
            self.back(section);
        }
        for section in sections.iter().filter(live).filter(|section| section.is_front()) {
            self.front(section);
        }
        self.merge_listeners();
    }

    fn flaws(&mut self, section: &HaproxySection) {
        for line in std::iter::once(&section.head).chain(&section.lines) {
            if let Some(flaw) = line.flaw {
                let why = match flaw {
                    sections::TOO_DEEP => flaw.to_owned(),
                    _ => format!(
                        "{flaw}: HAProxy refuses this file. What stands around it was read as well as it can be; repair it, and import it anew"
                    ),
                };
                self.report.unsupported(&line.line, why);
            }
        }
    }

    fn whole(&mut self, section: &HaproxySection, why: &str) {
        for line in std::iter::once(&section.head).chain(&section.lines) {
            self.report.unsupported(&line.line, why);
        }
    }

    /// A line of `global` or of defaults: what it does is done in the sections that have it.
    fn outside(&mut self, line: &Words) {
        match line.word(0) {
            "maxconn" => self.connections(line),
            _ if is_guard(line) && self.is_inherited(line) => {}
            "mode" if line.word(1) == "http" => self.report.same(&line.line, "HTTP"),
            "mode" => self.report.unsupported(&line.line, "the proxy speaks HTTP alone"),
            "timeout" | "contimeout" | "clitimeout" | "srvtimeout" => self.time(line),
            "balance" | "cookie" | "default-server" | "http-check" | "bind" | "default_backend" | "acl"
            | "use_backend" | "http-request" | "http-response" | "redirect" | "dynamic-cookie-key" => {
                self.report.same(
                    &line.line,
                    "told of by the sections that have it from here, where it does something",
                );
            }
            "option" if matches!(line.word(1), "httpchk" | "forwardfor") => self.general(line),
            _ => self.by_word(line),
        }
    }

    /// Whether a section that is read has a line of defaults, and tells of it.
    fn is_inherited(&self, line: &Words) -> bool {
        let mut live = self
            .sections
            .iter()
            .filter(|section| section.is_back() || section.is_front());
        live.any(|section| is_http(section) && section.inherited.contains(line))
    }

    /// What is told of a line by its words, wherever it stands.
    fn general(&mut self, line: &Words) {
        match (line.word(0), line.word(1)) {
            ("mode", _) => self.report.same(&line.line, "HTTP"),
            ("timeout" | "contimeout" | "clitimeout" | "srvtimeout", _) => self.time(line),
            ("option", "httpchk") => {
                self.report.same(
                    &line.line,
                    "members are checked over HTTP, as the sections with servers say",
                );
            }
            ("option", "forwardfor") => {
                let why = "the proxy says who asked in X-Forwarded-For, in each request; a chain that a client brings goes on from `trust` alone, and \
                           is dropped of all others";
                self.report.differs(&line.line, why);
            }
            _ => self.by_word(line),
        }
    }

    fn by_word(&mut self, line: &Words) {
        match words::told(&line.words) {
            Some((class, why)) => self.report.as_table(class, &line.line, why),
            None => self.report.not_understood(&line.line),
        }
    }

    fn acl(&mut self, line: &Words) {
        if conditions::is_understood(line.from(2)) {
            self.report.same(&line.line, "told of where it is used");
        } else {
            let why = "not understood as a path or a host: what asks for it has no route, and is told of where it does";
            self.report.unsupported(&line.line, why);
        }
    }

    fn connections(&mut self, line: &Words) {
        match line.word(1).parse::<u32>() {
            Ok(count @ 1..=1_000_000) => {
                let why = "[limits] connections: clients connected at a time, over all listeners";
                self.report.same(&line.line, why);
                self.setting("connections", count.to_string(), line);
            }
            _ => self
                .report
                .unsupported(&line.line, "not a number of clients that the proxy can have"),
        }
    }

    /// One key of the whole site; the first line that says it holds.
    fn setting(&mut self, key: &'static str, value: String, line: &Words) {
        match self.site.settings.iter().find(|setting| setting.key == key) {
            Some(other) if other.value != value => {
                let why = format!(
                    "one for the whole site, [limits] {key} = {}, as another line says",
                    other.value
                );
                self.report.differs(&line.line, why);
            }
            Some(_) => {}
            None => self.site.settings.push(Setting {
                table: "limits",
                key,
                value,
                origin: Origin::of(&line.line),
            }),
        }
    }

    /// Tells of a timeout; what it does to a route is looked up where the route is made.
    fn time(&mut self, line: &Words) {
        let (name, value) = match line.word(0) {
            "contimeout" => ("connect", line.word(1)),
            "clitimeout" => ("client", line.word(1)),
            "srvtimeout" => ("server", line.word(1)),
            _ => (line.word(1), line.word(2)),
        };
        let known = [
            "connect",
            "server",
            "client",
            "tunnel",
            "http-request",
            "http-keep-alive",
            "queue",
            "check",
            "client-fin",
            "server-fin",
            "tarpit",
            "client-hs",
        ];
        if !known.contains(&name) {
            self.report.not_understood(&line.line);
            return;
        }
        let Some(time) = period(value, MILLISECOND) else {
            self.report
                .unsupported(&line.line, "not a time that is understood here");
            return;
        };
        let written = crate::write::period(as_limit(time));
        match name {
            "connect" => self.report.same(&line.line, "`connect` of the routes to pools that have it"),
            "server" => self.report.differs(&line.line, BETWEEN),
            "tunnel" => self.report.differs(&line.line, "`idle` of a route bounds WebSockets as well: raise that where they rest for long"),
            "http-request" => {
                self.report.same(&line.line, "[limits] request_head, for the whole site");
                self.setting("request_head", written, line);
            }
            "http-keep-alive" => {
                self.report.same(&line.line, "[limits] client_idle, for the whole site");
                self.setting("client_idle", written, line);
            }
            "check" => self.report.same(&line.line, "`timeout` of the checks of pools that have it"),
            "client-hs" => {
                self.report.same(&line.line, "[limits] handshake, for the whole site");
                self.setting("handshake", written, line);
            }
            "client" => {
                let why = "`idle` of a route bounds silence on both sides, and [limits] request_bytes_per_second, answer_bytes_per_second and \
                           client_grace slow clients";
                self.report.differs(&line.line, why);
            }
            _ => self.report.differs(&line.line, "the proxy has no such limit: nobody waits in a queue, and connections end when both sides have"),
        }
    }
}
