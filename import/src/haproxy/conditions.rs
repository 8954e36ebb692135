//! HAProxy's conditions as far as they mean a path or a host: what a route can be for.
//!
//! Its ways: an acl of a name holds if one of its lines does; a condition is factors that all hold, or (`or`, `||`) others; `!` turns a
//! factor round. `path_beg` ends anywhere in a segment, and hosts are compared in their case unless `-i` says otherwise.
//!
//! Invariant: what is not understood makes a condition none, never one that holds for more.
//!
//! Left out on purpose: conditions of other kinds. Who asks, and how often, decides nothing here.

use super::lexer::Words;
use crate::replay::ForeignPath;

/// What one test is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    /// One of these paths, with what is below.
    Paths(Vec<Where>),
    /// One of these hosts.
    Hosts(Vec<Where>),
    /// Whether the client came by TLS.
    Secured,
    /// The end of a session cookie's value: the route.
    Route(String),
    /// Who the client is.
    Source,
    Always,
    Never,
}

/// A path or a host, and in what ours means another than HAProxy's test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Where {
    pub(super) is: String,
    pub(super) but: Vec<&'static str>,
}

impl Where {
    /// What HAProxy looks for.
    pub(super) fn asked(&self) -> ForeignPath {
        let any_case = self.but.contains(&CASE);
        let is = if any_case {
            self.is.to_ascii_lowercase()
        } else {
            self.is.clone()
        };
        let path = match self.but.first() {
            Some(&BELOW) => ForeignPath::Is(is),
            _ if is == "/" => ForeignPath::Begins(is),
            Some(&WHOLE) => ForeignPath::Begins(is),
            _ => ForeignPath::Begins(format!("{is}/")),
        };
        if any_case {
            ForeignPath::AnyCase(Box::new(path))
        } else {
            path
        }
    }
}

/// All that a section names.
#[derive(Default)]
pub(super) struct Acls<'t>(Vec<(&'t str, &'t [String])>);

/// Factors that all have to hold, each turned round or not; none where one is not understood.
pub(super) type Conjunction = Vec<(bool, Option<Vec<Factor>>)>;

/// In what a beginning differs that ends anywhere.
pub(super) const WHOLE: &str =
    "what merely begins with these letters is another path here, where whole segments count";
/// In what a whole path differs.
pub(super) const BELOW: &str = "what is below the path goes there as well";
/// In what a beginning differs that ends with a slash.
const BARE: &str = "the path without the slash at its end goes there as well";
/// In what a path differs whose case does not count there.
pub(super) const CASE: &str =
    "case counts here: the path as it is written and that of small letters are meant, and no other spelling";
const DOMAIN: &str = "the domain and all below it";

impl<'t> Acls<'t> {
    pub(super) fn of(lines: impl Iterator<Item = &'t Words>) -> Acls<'t> {
        let acls = lines.filter(|line| line.word(0) == "acl" && line.words.len() > 2);
        Acls(acls.map(|line| (line.word(1), line.from(2))).collect())
    }

    /// The tests of a name.
    pub(super) fn tests(&self, name: &str) -> impl Iterator<Item = &'t [String]> {
        self.0
            .iter()
            .filter(move |(own, _)| *own == name)
            .map(|(_, test)| *test)
    }

    /// What a name, or a test of its own, means: one of these; nothing where one of its lines is not understood.
    fn factors(&self, name: &str) -> Option<Vec<Factor>> {
        match name {
            "TRUE" | "HTTP" => return Some(vec![Factor::Always]),
            "FALSE" => return Some(vec![Factor::Never]),
            _ => {}
        }
        self.tests(name).next()?;
        self.tests(name).map(factor).collect()
    }

    /// A condition as alternatives. None: the words are no condition. An empty condition always holds.
    pub(super) fn condition(&self, words: &[String]) -> Option<Vec<Conjunction>> {
        let (turned, mut words) = match words.split_first() {
            None => return Some(vec![Vec::new()]),
            Some((first, rest)) if first == "if" => (false, rest.iter().peekable()),
            Some((first, rest)) if first == "unless" => (true, rest.iter().peekable()),
            Some(_) => return None,
        };
        let mut alternatives: Vec<Conjunction> = vec![Vec::new()];
        while let Some(word) = words.next() {
            if matches!(word.as_str(), "or" | "||") {
                alternatives.push(Vec::new());
                continue;
            }
            let (not, word) = match word.strip_prefix('!') {
                Some("") => (true, words.next()?.as_str()),
                Some(rest) => (true, rest),
                None => (false, word.as_str()),
            };
            let factors = if word == "{" {
                let mut test = Vec::new();
                loop {
                    match words.next()?.as_str() {
                        "}" => break,
                        part => test.push(part.to_owned()),
                    }
                }
                factor(&test).map(|factor| vec![factor])
            } else {
                self.factors(word)
            };
            alternatives.last_mut()?.push((not, factors));
        }
        if turned {
            // Only a condition of one factor is turned round here.
            match alternatives.as_mut_slice() {
                [one] if one.len() == 1 => one[0].0 = !one[0].0,
                _ => return Some(vec![vec![(true, None)]]),
            }
        }
        Some(alternatives)
    }
}

/// Whether a test is one that a condition can be made of.
pub(super) fn is_understood(test: &[String]) -> bool {
    factor(test).is_some()
}

/// What a test like `path_beg /shop` is about, if that is understood.
fn factor(test: &[String]) -> Option<Factor> {
    let (criterion, rest) = test.split_first()?;
    let mut values = Vec::new();
    let (mut matching, mut any_case) = (None, criterion.ends_with(",lower"));
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" => any_case = true,
            "--" => {}
            "-m" => matching = words.next().map(String::as_str),
            flag if flag.starts_with('-') && flag.len() == 2 => return None,
            value => values.push(value),
        }
    }
    let fetch = criterion
        .trim_end_matches(",lower")
        .trim_end_matches(",field(1,:)")
        .trim_end_matches(",host_only");
    let (name, argument) = match fetch.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')')?),
        None => (fetch, ""),
    };
    let name = name.strip_prefix("req.").unwrap_or(name);
    // `hdr_beg(host)` is short for `hdr(host) -m beg`.
    let (base, short) = match name.rsplit_once('_') {
        Some((base, kind))
            if matches!(
                kind,
                "beg" | "end" | "dir" | "dom" | "reg" | "sub" | "len" | "dot"
            ) =>
        {
            (base, Some(kind))
        }
        _ => (name, None),
    };
    let matching = matching.or(short).unwrap_or("str");
    match (base, argument.to_ascii_lowercase().as_str()) {
        ("path" | "url" | "capture.path", "") => paths(matching, &values, any_case).map(Factor::Paths),
        ("hdr" | "fhdr", "host") | ("ssl_fc_sni", "") => hosts(matching, &values).map(Factor::Hosts),
        ("ssl_fc", "") if values.is_empty() => Some(Factor::Secured),
        ("dst_port", "") if values == ["443"] => Some(Factor::Secured),
        ("src", "") => Some(Factor::Source),
        ("always_true", "") => Some(Factor::Always),
        ("always_false", "") => Some(Factor::Never),
        ("cook" | "cookie", _) if matching == "end" => {
            let route = values.first().filter(|_| values.len() == 1)?.strip_prefix('.')?;
            Some(Factor::Route(route.to_owned()))
        }
        _ => None,
    }
}

fn paths(matching: &str, values: &[&str], any_case: bool) -> Option<Vec<Where>> {
    let mut paths: Vec<Where> = Vec::new();
    for value in values {
        let trimmed = value.trim_end_matches('/');
        let is = if trimmed.is_empty() { "/" } else { trimmed };
        let mut but = match matching {
            "beg" if *value == "/" => Vec::new(),
            "beg" if value.ends_with('/') => vec![BARE],
            "beg" => vec![WHOLE],
            "str" => vec![BELOW],
            _ => return None,
        };
        let small = is.to_ascii_lowercase();
        let has_letters = is.bytes().any(|byte| byte.is_ascii_alphabetic());
        if any_case && has_letters {
            but.push(CASE);
        }
        if any_case && small != is {
            paths.push(Where {
                is: small,
                but: but.clone(),
            });
        }
        paths.push(Where {
            is: is.to_owned(),
            but,
        });
    }
    Some(paths)
}

fn hosts(matching: &str, values: &[&str]) -> Option<Vec<Where>> {
    let mut hosts = Vec::new();
    for value in values {
        let value = value.split(':').next().unwrap_or_default();
        let plain = |host: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            !host.is_empty() && !host.starts_with('.') && host.bytes().all(letter)
        };
        let below = value
            .strip_prefix('.')
            .filter(|domain| matching == "end" && plain(domain));
        let host = |is: String, but| Where { is, but };
        match (matching, below) {
            ("end", Some(domain)) => hosts.push(host(format!("*.{domain}"), Vec::new())),
            ("str", _) if plain(value) => hosts.push(host(value.to_owned(), Vec::new())),
            ("end" | "dom", _) if plain(value) => {
                hosts.push(host(value.to_owned(), vec![DOMAIN]));
                hosts.push(host(format!("*.{value}"), vec![DOMAIN]));
            }
            _ => return None,
        }
    }
    Some(hosts)
}

#[cfg(test)]
mod tests {
    use super::super::lexer::cut;
    use super::*;

    fn means(acls: &str, condition: &str) -> String {
        let lines = cut(&"a".into(), acls);
        let words = cut(&"a".into(), condition);
        let words = words.first().map_or(&[][..], |line| line.from(0));
        let Some(alternatives) = Acls::of(lines.iter()).condition(words) else {
            return "no condition".to_owned();
        };
        let factor = |factor: &Factor| match factor {
            Factor::Paths(paths) | Factor::Hosts(paths) => paths
                .iter()
                .map(|one| one.is.as_str())
                .collect::<Vec<_>>()
                .join("|"),
            other => format!("{other:?}").to_lowercase(),
        };
        let one = |(not, factors): &(bool, Option<Vec<Factor>>)| {
            let shown = factors.as_ref().map_or("?".to_owned(), |factors| {
                factors.iter().map(factor).collect::<Vec<_>>().join("/")
            });
            format!("{}{shown}", if *not { "!" } else { "" })
        };
        let all = |conjunction: &Conjunction| conjunction.iter().map(one).collect::<Vec<_>>().join(" & ");
        alternatives.iter().map(all).collect::<Vec<_>>().join(" or ")
    }

    #[test]
    fn paths_and_hosts_are_understood() {
        let acls =
            "acl a path_beg /a /b/\nacl a path /c\nacl h hdr(host) -i x.example:80\nacl e hdr_end(host) .y";
        assert_eq!(means(acls, "if a h"), "/a|/b//c & x.example");
        assert_eq!(means(acls, "if !a or e"), "!/a|/b//c or *.y");
        assert_eq!(
            means("", "if { path_beg /x } { req.hdr(host),lower -m dom z }"),
            "/x & z|*.z"
        );
        assert_eq!(means("", "if { path_beg -i /X/ }"), "/x|/X");
        assert_eq!(means("", "unless { ssl_fc }"), "!secured");
        assert_eq!(means("", "unless { ssl_fc } { src 10.0.0.1 }"), "!?");
        assert_eq!(
            means("", "if { req.cook(JSESSIONID) -m end .n1 }"),
            "route(\"n1\")"
        );
        assert_eq!(means("", ""), "");
    }

    #[test]
    fn what_is_not_understood_holds_for_nothing() {
        assert_eq!(means("acl a path_reg ^/x", "if a"), "?");
        assert_eq!(means("acl a path_beg /x\nacl a odd 3", "if a"), "?");
        assert_eq!(means("", "if nobody"), "?");
        assert_eq!(means("", "if { path_beg /x"), "no condition");
        assert_eq!(means("", "when x"), "no condition");
        assert_eq!(means("", "if { path_end .png }"), "?");
    }
}
