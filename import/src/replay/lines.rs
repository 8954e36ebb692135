//! Access logs: from a format and a line to what the line says of a request.
//!
//! Three kinds of format are known: httpd's `LogFormat`, nginx's `log_format`, and HAProxy's `option httplog`, whose fields between
//! braces and whose cookie are what its file captures. A field ends where the text behind it in the format begins, but for quotes
//! that are escaped in the value.
//!
//! Invariants: total · what a format does not write is [`None`], which is something else than a field that was empty (`-`).
//!
//! Left out on purpose: what the fields are used for, and all fields that say nothing of where a request goes.

/// What a line says of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Logged {
    /// The host that was asked, without a port.
    pub(super) host: Option<String>,
    /// Path and query.
    pub(super) target: Option<String>,
    /// All cookies, as in a Cookie field; or those that the format names, written so.
    pub(super) cookies: Option<String>,
    /// The frontend that took it, as HAProxy names it.
    pub(super) entry: Option<String>,
    /// The status of its answer.
    pub(super) status: Option<u16>,
}

/// How the lines of a log are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogLayout {
    pieces: Vec<LogPiece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LogPiece {
    Text(String),
    LogField(LogField),
}

/// What a field of a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LogField {
    /// Method, target and version.
    Request,
    /// The path, or path and query.
    Target,
    /// The query behind the path, with its `?`.
    Query,
    Host,
    /// The whole Cookie field.
    Cookies,
    /// The value of one cookie.
    Cookie(String),
    /// A cookie as `name=value`, as HAProxy captures it.
    Pair,
    /// Values between bars, as HAProxy captures fields: their names in order.
    Captured(Vec<String>),
    /// The frontend, with a `~` behind it where TLS was spoken.
    Entry,
    Status,
    Other,
}

/// httpd's combined format, which common begins like.
pub(super) const COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
/// httpd's common format.
pub(super) const COMMON: &str = r#"%h %l %u %t "%r" %>s %b"#;

impl LogLayout {
    /// httpd's, from the text of a `LogFormat`.
    pub(super) fn httpd(format: &str) -> LogLayout {
        let mut pieces = LogPieces::default();
        let mut rest = format.chars().peekable();
        while let Some(letter) = rest.next() {
            match letter {
                '\\' => pieces.text(rest.next().map_or('\\', unescaped)),
                '%' if rest.next_if_eq(&'%').is_some() => pieces.text('%'),
                '%' => {
                    while rest.next_if(|next| "<>!,^0123456789".contains(*next)).is_some() {}
                    let mut name = String::new();
                    if rest.next_if_eq(&'{').is_some() {
                        name.extend(rest.by_ref().take_while(|next| *next != '}'));
                    }
                    while rest.next_if(|next| "<>".contains(*next)).is_some() {}
                    pieces.field(httpd_field(rest.next(), &name));
                }
                other => pieces.text(other),
            }
        }
        pieces.layout()
    }

    /// nginx's, from the text of a `log_format`.
    pub(super) fn nginx(format: &str) -> LogLayout {
        let mut pieces = LogPieces::default();
        let mut rest = format.chars().peekable();
        while let Some(letter) = rest.next() {
            if letter != '$' {
                pieces.text(letter);
                continue;
            }
            let braced = rest.next_if_eq(&'{').is_some();
            let mut name = String::new();
            while let Some(next) = rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
                name.push(next);
            }
            if braced {
                rest.next_if_eq(&'}');
            }
            pieces.field(nginx_field(&name));
        }
        pieces.layout()
    }

    /// HAProxy's `option httplog`, with the fields of requests that its file captures, in order.
    pub(super) fn haproxy(captured: &[String]) -> LogLayout {
        let mut pieces = LogPieces::default();
        // Client and date, frontend, backend and server; then timers, status, bytes.
        for (field, behind) in [
            (LogField::Other, " ["),
            (LogField::Other, "] "),
            (LogField::Entry, " "),
            (LogField::Other, " "),
            (LogField::Other, " "),
            (LogField::Status, " "),
            (LogField::Other, " "),
            (LogField::Pair, " "),
            (LogField::Other, " "),
            (LogField::Other, " "),
            (LogField::Other, " "),
            (LogField::Other, " "),
        ] {
            pieces.field(field);
            behind.chars().for_each(|letter| pieces.text(letter));
        }
        if !captured.is_empty() {
            pieces.text('{');
            pieces.field(LogField::Captured(captured.to_vec()));
            pieces.text('}');
        }
        pieces.field(LogField::Other);
        pieces.text('"');
        pieces.field(LogField::Request);
        pieces.text('"');
        pieces.layout()
    }

    /// What a line says, if it is one of this layout. What stands behind the layout's end is not looked at.
    pub(super) fn read(&self, line: &str) -> Option<Logged> {
        let mut logged = Logged::default();
        let mut rest = line;
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                LogPiece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                LogPiece::LogField(field) => {
                    let end = match pieces.peek() {
                        Some(LogPiece::Text(behind)) => end_of_value(rest, behind)?,
                        _ => rest.len(),
                    };
                    let (value, behind) = rest.split_at(end);
                    field.note(&plain(value), &mut logged)?;
                    rest = behind;
                }
            }
        }
        logged.target.is_some().then_some(logged)
    }
}

impl LogField {
    /// Notes what a value says; nothing where it cannot be one of this field.
    fn note(&self, value: &str, logged: &mut Logged) -> Option<()> {
        let there = !matches!(value, "" | "-");
        match self {
            LogField::Request => {
                let mut words = value.split(' ');
                logged.target = Some(words.nth(1)?.to_owned());
            }
            LogField::Target => logged.target = Some(value.to_owned()),
            LogField::Query => logged.target.get_or_insert_default().push_str(value),
            LogField::Host if there => logged.host = Some(without_port(value).to_owned()),
            LogField::Cookies if there => add_cookies(logged, value),
            LogField::Cookie(name) if there => add_cookies(logged, &format!("{name}={value}")),
            LogField::Pair if value.contains('=') => add_cookies(logged, value),
            LogField::Captured(names) => {
                for (name, value) in names.iter().zip(value.split('|')) {
                    match name.to_ascii_lowercase().as_str() {
                        "host" => logged.host = Some(without_port(value).to_owned()),
                        "cookie" => add_cookies(logged, value),
                        _ => {}
                    }
                }
            }
            LogField::Entry => logged.entry = Some(value.trim_end_matches('~').to_owned()),
            LogField::Status => logged.status = value.parse().ok(),
            LogField::Cookies | LogField::Cookie(_) | LogField::Pair => {
                logged.cookies.get_or_insert_default();
            }
            LogField::Host | LogField::Other => {}
        }
        Some(())
    }
}

fn add_cookies(logged: &mut Logged, more: &str) {
    let cookies = logged.cookies.get_or_insert_default();
    if !cookies.is_empty() {
        cookies.push_str("; ");
    }
    cookies.push_str(more);
}

/// A host without its port; an address in brackets keeps those.
fn without_port(host: &str) -> &str {
    let port = host
        .rfind(':')
        .filter(|at| host[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or(host, |at| &host[..at])
}

/// LogPieces as they are collected.
#[derive(Default)]
struct LogPieces(Vec<LogPiece>);

impl LogPieces {
    fn text(&mut self, letter: char) {
        match self.0.last_mut() {
            Some(LogPiece::Text(text)) => text.push(letter),
            _ => self.0.push(LogPiece::Text(letter.to_string())),
        }
    }

    /// A query directly behind its path is one value with it.
    fn field(&mut self, field: LogField) {
        if field != LogField::Query || self.0.last() != Some(&LogPiece::LogField(LogField::Target)) {
            self.0.push(LogPiece::LogField(field));
        }
    }

    fn layout(self) -> LogLayout {
        LogLayout { pieces: self.0 }
    }
}

fn unescaped(letter: char) -> char {
    match letter {
        't' => '\t',
        'n' => '\n',
        other => other,
    }
}

fn httpd_field(kind: Option<char>, name: &str) -> LogField {
    match (kind, name.to_ascii_lowercase().as_str()) {
        (Some('r'), _) => LogField::Request,
        (Some('U'), _) => LogField::Target,
        (Some('q'), _) => LogField::Query,
        (Some('v' | 'V'), _) | (Some('i'), "host") => LogField::Host,
        (Some('i'), "cookie") => LogField::Cookies,
        (Some('C'), _) => LogField::Cookie(name.to_owned()),
        (Some('s'), _) => LogField::Status,
        _ => LogField::Other,
    }
}

fn nginx_field(name: &str) -> LogField {
    match name {
        "request" => LogField::Request,
        "request_uri" | "uri" => LogField::Target,
        "is_args" => LogField::Other,
        "host" | "http_host" => LogField::Host,
        "http_cookie" => LogField::Cookies,
        "status" => LogField::Status,
        other => match other.strip_prefix("cookie_") {
            Some(cookie) => LogField::Cookie(cookie.to_owned()),
            None => LogField::Other,
        },
    }
}

/// Where a value ends: before the text that stands behind it, unless a backslash stands in front of that.
fn end_of_value(rest: &str, behind: &str) -> Option<usize> {
    let found = rest.match_indices(behind);
    let escaped = |at: usize| {
        let slashes = rest[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
        behind.starts_with('"') && slashes % 2 == 1
    };
    let mut ends = found.map(|(at, _)| at).filter(|at| !escaped(*at));
    ends.next()
}

/// A value without the escapes of logs: `\"`, `\\` and `\xHH`.
fn plain(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let code = escape.strip_prefix('x').and_then(|digits| digits.get(..2));
        let byte = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(u8::is_ascii) {
            plain.push(char::from(byte));
            rest = &escape[3..];
        } else {
            let mut letters = escape.chars();
            plain.extend(letters.next());
            rest = letters.as_str();
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(layout: &LogLayout, line: &str) -> String {
        let Some(logged) = layout.read(line) else {
            return "not of this format".to_owned();
        };
        let part = |part: Option<String>| part.unwrap_or_else(|| "?".to_owned());
        format!(
            "{} {} [{}] {} {}",
            part(logged.host),
            part(logged.target),
            part(logged.cookies),
            part(logged.entry),
            part(logged.status.map(|status| status.to_string()))
        )
    }

    #[test]
    fn httpds_lines_are_read() {
        let line = r#"192.0.2.7 - ada [24/Nov/2026:04:30:00 +0000] "GET /a;jsessionid=A.n1?b=%20c HTTP/1.1" 200 5 "-" "x \"y\"""#;
        assert_eq!(
            shown(&LogLayout::httpd(COMBINED), line),
            "? /a;jsessionid=A.n1?b=%20c [?] ? 200"
        );
        assert_eq!(
            shown(&LogLayout::httpd(COMMON), line),
            "? /a;jsessionid=A.n1?b=%20c [?] ? 200"
        );
        let own = LogLayout::httpd(r#"%v:%p %h \"%{Cookie}i\" %U%q %{BALANCER_WORKER_ROUTE}e %>s"#);
        assert_eq!(
            shown(&own, r#"shop:80 ::1 "a=\"b\"; c" /x?y n2 200"#),
            r#"shop /x?y [a="b"; c] ? 200"#
        );
        assert_eq!(shown(&own, r#"shop:80 ::1 "-" /x - 200"#), "shop /x [] ? 200");
        assert_eq!(shown(&own, "nonsense"), "not of this format");
        let one = LogLayout::httpd("%{JSESSIONID}C \"%r\"");
        assert_eq!(
            shown(&one, "A.n1 \"GET / HTTP/1.1\""),
            "? / [JSESSIONID=A.n1] ? ?"
        );
    }

    #[test]
    fn nginxs_lines_are_read() {
        let own = LogLayout::nginx(
            r#"$remote_addr [$time_local] "$request" ${http_host} "$cookie_JSESSIONID" $status $upstream_addr"#,
        );
        assert_eq!(
            shown(
                &own,
                r#"::1 [x] "GET /a?\x22b HTTP/2.0" shop:8080 "A.n1" 304 192.0.2.11:8080"#
            ),
            "shop /a?\"b [JSESSIONID=A.n1] ? 304"
        );
    }

    #[test]
    fn haproxys_lines_are_read() {
        let line = "Nov 24 04:30:00 lb haproxy[7]: 192.0.2.7:33317 [24/Nov/2026:04:30:00.655] www~ tomcat/n1 0/0/1/2/3 200 2750 \
                    JSESSIONID=A.n1 - --VN 1/1/1/1/0 0/0 {shop.example:80|x} {} \"GET /a HTTP/1.1\"";
        let named = ["Host".to_owned(), "User-Agent".to_owned()];
        assert_eq!(
            shown(&LogLayout::haproxy(&named), line),
            "shop.example /a [JSESSIONID=A.n1] www 200"
        );
        let bare = LogLayout::haproxy(&[]);
        assert_eq!(shown(&bare, line), "? /a [JSESSIONID=A.n1] www 200");
        assert_eq!(
            shown(&bare, &line.replace("JSESSIONID=A.n1 -", "- -")),
            "? /a [] www 200"
        );
        assert_eq!(
            shown(&bare, &line.replace("GET /a HTTP/1.1", "<BADREQ>")),
            "not of this format"
        );
    }
}
