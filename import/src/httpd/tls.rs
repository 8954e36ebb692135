//! mod_ssl, on both sides.
//!
//! Invariant: a certificate and its key come in pairs, in the order of the file.
//!
//! Left out on purpose: what the files hold. The proxy looks when it starts.

use crate::report::Report;
use crate::site::Piece;

use super::draft::Draft;
use super::tree::Directive;

/// What httpd means by all versions of TLS.
const ALL: [&str; 4] = ["tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"];

/// Reads a directive of mod_ssl; whether it was one that says something here.
pub(super) fn read(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) -> bool {
    let (line, word) = (&statement.line, statement.word(0).to_owned());
    let scope = &mut draft.scopes[scope];
    let secured = &mut scope.secured;
    match &*statement.name {
        "sslengine" => {
            secured.on = !word.eq_ignore_ascii_case("off");
            report.same(line, "whether the listener speaks TLS");
        }
        "sslcertificatefile" => {
            secured.certs.push(word);
            secured.origin.add(line);
            report.becomes(Piece::Listener, line, "`cert` of [listen.tls]");
        }
        "sslcertificatekeyfile" => {
            secured.keys.push(word);
            secured.origin.add(line);
            report.becomes(Piece::Listener, line, "`key` of [listen.tls]");
        }
        "sslcertificatechainfile" => {
            let why = "`cert` is one file: append these certificates to it, behind the site's own";
            secured.origin.note(format!(
                "{word} belongs behind the site's certificate, in the same file."
            ));
            report.differs(line, why);
        }
        "sslcacertificatefile" => {
            secured.authority = Some(word);
            secured.origin.add(line);
            report.becomes(
                Piece::Listener,
                line,
                "`authority` of [listen.tls.clients], where clients are asked for a certificate",
            );
        }
        "sslcacertificatepath" | "sslcadnrequestfile" => {
            report.unsupported(line, "authorities of clients stand in one file: put them together, and name it as `authority` of [listen.tls.clients]");
        }
        "sslverifyclient" => {
            secured.verify = match &*word.to_ascii_lowercase() {
                "require" => Some(true),
                "optional" | "optional_no_ca" => Some(false),
                _ => None,
            };
            report.same(
                line,
                "whether clients are asked for a certificate, and `required`",
            );
        }
        "sslprotocol" => secured.newest_only = protocols(statement, report),
        "sslstrictsnivhostcheck" => {
            secured.strict_sni = word.eq_ignore_ascii_case("on");
            report.same(line, "`strict_sni`");
        }
        "protocols" => {
            secured.http2 = Some(statement.words.iter().any(|word| word.eq_ignore_ascii_case("h2")));
            report.same(line, "whether clients are offered HTTP/2");
        }
        "sslproxycacertificatefile" => {
            scope.proxy_authority = Some(word);
            report.same(line, "`tls.authority` of the pools whose members speak https");
        }
        "sslproxymachinecertificatefile" => {
            scope.proxy_own = Some(word);
            report.same(line, "`tls.cert` and `tls.key` of the pools whose members speak https: one file holds both, as in httpd");
        }
        _ => return false,
    }
    true
}

/// `SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1`.
/// Whether 1.3 alone is left.
fn protocols(statement: &Directive, report: &mut Report) -> bool {
    let mut spoken: Vec<&str> = Vec::new();
    for word in &statement.words {
        let word = word.to_ascii_lowercase();
        let (takes_out, name) = match word.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, word.strip_prefix('+').unwrap_or(&word)),
        };
        for known in ALL.into_iter().filter(|known| name == "all" || name == *known) {
            spoken.retain(|spoken| *spoken != known);
            if !takes_out {
                spoken.push(known);
            }
        }
    }
    let newest_only = spoken == ["tlsv1.3"];
    let line = &statement.line;
    if spoken.iter().any(|spoken| matches!(*spoken, "tlsv1" | "tlsv1.1")) {
        report.differs(
            line,
            "TLS 1.0 and 1.1 are not spoken: clients that know nothing newer are refused",
        );
    } else if spoken.contains(&"tlsv1.3") {
        report.same(
            line,
            if newest_only {
                "`min_version` is 1.3"
            } else {
                "TLS 1.2 and 1.3, as is usual"
            },
        );
    } else {
        report.differs(line, "TLS 1.3 is spoken as well");
    }
    newest_only
}
