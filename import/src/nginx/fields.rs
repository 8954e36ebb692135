//! nginx's directives about fields, times, who is trusted and TLS: what each means here, and what it makes of a route.
//!
//! Invariant: what is told of a directive and what is made of it come from one function, so that they cannot say two things.
//!
//! Left out on purpose: values made of variables. An application's filter writes such fields.

use std::time::Duration;

use super::tree::Statement;
use super::{NginxReader, NginxScope};
use crate::periods::{BETWEEN, as_limit, period};
use crate::rules::{FieldRule, request_rule};
use crate::site::{Headers, Origin, Route, Setting};

/// What a field for Tomcats becomes.
fn for_tomcats<'a>(name: &str, value: &'a str) -> FieldRule<'a> {
    let is_host = name.eq_ignore_ascii_case("host");
    if is_host && matches!(value, "$host" | "$http_host" | "$host:$server_port") {
        return FieldRule::Own("Tomcat gets the Host that was asked for");
    }
    request_rule(name, value, value.contains('$'))
}

fn for_clients(value: &str) -> FieldRule<'_> {
    if value.contains('$') {
        FieldRule::Made
    } else {
        FieldRule::Set(value)
    }
}

/// The rules for fields that hold on a level.
pub(super) fn rules(scope: &NginxScope<'_>) -> Headers {
    let mut headers = Headers::default();
    for own in scope.all("proxy_set_header") {
        let rule = for_tomcats(own.argument(0), own.argument(1));
        rule.note(&mut headers.request, own.argument(0), &own.line);
    }
    for own in scope.all("add_header") {
        for_clients(own.argument(1)).note(&mut headers.response, own.argument(0), &own.line);
    }
    for own in scope.all("proxy_hide_header") {
        FieldRule::Unset.note(&mut headers.response, own.argument(0), &own.line);
    }
    headers
}

/// Whether nginx tells Tomcats the Host that was asked for, or one that is told of by itself.
pub(super) fn preserves_host(scope: &NginxScope<'_>) -> bool {
    let mut set = scope.all("proxy_set_header").into_iter();
    set.any(|own| own.argument(0).eq_ignore_ascii_case("host"))
}

/// Gives a route the times that hold on its level.
pub(super) fn times(scope: &NginxScope<'_>, route: &mut Route) {
    let time = |name: &str| {
        let own = scope.find(name)?;
        period(own.argument(0), Duration::from_secs(1)).map(|time| (as_limit(time), own))
    };
    for name in ["proxy_connect_timeout", "proxy_read_timeout"] {
        let Some((time, own)) = time(name) else { continue };
        route.origin.add(&own.line);
        if name == "proxy_connect_timeout" {
            route.connect = Some(time);
        } else {
            route.response = Some(time);
            route.idle = Some(time);
        }
    }
}

/// Whether a `set_real_ip_from` names an address or a network.
pub(super) fn is_trusted(statement: &Statement) -> bool {
    let address = statement.argument(0).split('/').next().unwrap_or_default();
    address.parse::<std::net::IpAddr>().is_ok()
}

impl<'t> NginxReader<'t> {
    /// Tells of a directive about fields, if it is one.
    pub(super) fn field(&mut self, statement: &Statement) -> bool {
        let (name, value) = (statement.argument(0), statement.argument(1));
        let rule = match statement.name.as_str() {
            "proxy_set_header" => for_tomcats(name, value),
            "add_header" => for_clients(value),
            "proxy_hide_header" => FieldRule::Unset,
            "proxy_pass_header" => {
                FieldRule::Own("all fields of an answer pass, but for those of one connection")
            }
            _ => return false,
        };
        if matches!(rule, FieldRule::Set(_)) && statement.name == "add_header" && !statement.has("always") {
            let why = "written on every answer, errors included; nginx writes it on good ones alone, as there is no `always`";
            self.report.differs(&statement.line, why);
        } else {
            rule.tell(&mut self.report, &statement.line);
        }
        true
    }

    /// Tells of a directive about what is mapped back, if it is one.
    pub(super) fn mapped_back(&mut self, statement: &Statement) -> bool {
        let line = &statement.line;
        let is_off = statement.argument(0) == "off";
        match statement.name.as_str() {
            "proxy_redirect" | "proxy_cookie_path" if is_off => {
                let why = "what names a member is mapped back all the same: redirects, and the paths and domains of cookies";
                self.report.differs(line, why);
            }
            "proxy_cookie_path" if statement.argument(1).contains(';') => {
                let why = "no attributes are added to an application's cookies: let it set them (cookie-config in web.xml, or Tomcat's \
                           CookieProcessor for SameSite)";
                self.report.unsupported(line, why);
            }
            "proxy_redirect" | "proxy_cookie_path" => {
                let why = "redirects and cookies that lead to a Tomcat are mapped back by themselves; nothing has to be said for that";
                self.report.same(line, why);
            }
            "proxy_cookie_domain" if is_off => self.report.same(line, "nothing is written for it, as there"),
            "proxy_cookie_domain" => {
                let why = "a cookie's Domain that names a member is mapped back by itself; any other passes as the application wrote it";
                self.report.differs(line, why);
            }
            _ => return false,
        }
        true
    }

    /// Tells of a directive about times or about who is trusted, if it is one.
    pub(super) fn limit(&mut self, statement: &Statement, scope: &NginxScope<'t>) -> bool {
        match statement.name.as_str() {
            "proxy_connect_timeout" | "proxy_read_timeout" | "proxy_send_timeout" | "keepalive_timeout" => {
                self.time(statement);
            }
            "set_real_ip_from" => {
                if is_trusted(statement) {
                    self.site.trust.networks.push(statement.argument(0).to_owned());
                    self.site.trust.origin.add(&statement.line);
                    self.report.same(&statement.line, "`trust`, on all listeners");
                } else {
                    let why = "`trust` has addresses and networks: write those of this name, or of whoever connects by that socket";
                    self.report.unsupported(&statement.line, why);
                }
            }
            "real_ip_header" => match statement.argument(0).to_ascii_lowercase().as_str() {
                "x-forwarded-for" => self
                    .report
                    .same(&statement.line, "X-Forwarded-For, of those in `trust`"),
                "proxy_protocol" => {
                    self.report.same(
                        &statement.line,
                        "the client is who the PROXY header names, where a listener has one",
                    );
                }
                _ => {
                    let why = "a chain of addresses is read in X-Forwarded-For or Forwarded ([trust] header): have whoever is in front \
                               write one of these";
                    self.report.unsupported(&statement.line, why);
                }
            },
            "set" => {
                if statement.argument(1).contains('$') || scope.0.is_empty() {
                    let why =
                        "the proxy has no variables: what depends on this one is told of where it is used";
                    self.report.unsupported(&statement.line, why);
                } else {
                    self.report
                        .same(&statement.line, "put in where a target names this variable");
                }
            }
            _ => return false,
        }
        true
    }

    fn time(&mut self, statement: &Statement) {
        let Some(time) = period(statement.argument(0), Duration::from_secs(1)) else {
            self.report
                .unsupported(&statement.line, "not a time that is understood here");
            return;
        };
        match statement.name.as_str() {
            "proxy_connect_timeout" => self
                .report
                .same(&statement.line, "`connect` of the routes that it holds for"),
            "proxy_read_timeout" => self.report.differs(&statement.line, BETWEEN),
            "proxy_send_timeout" => {
                self.report.differs(
                    &statement.line,
                    "`idle` of a route holds in both directions; nothing was written for this one",
                );
            }
            _ if time.is_zero() => {
                let why =
                    "connections of clients are kept; [limits] client_idle says for how long they may rest";
                self.report.differs(&statement.line, why);
            }
            _ => self.limit_of_site("client_idle", time, statement),
        }
    }

    /// One limit of the whole site; the first that says it holds.
    fn limit_of_site(&mut self, key: &'static str, time: Duration, statement: &Statement) {
        let value = crate::write::period(as_limit(time));
        match self.site.settings.iter().find(|setting| setting.key == key) {
            Some(other) if other.value != value => {
                let why = format!(
                    "one limit for the whole site, [limits] {key} = {}, as another line says",
                    other.value
                );
                self.report.differs(&statement.line, why);
                return;
            }
            Some(_) => {}
            None => self.site.settings.push(Setting {
                table: "limits",
                key,
                value,
                origin: Origin::of(&statement.line),
            }),
        }
        self.report
            .same(&statement.line, format!("[limits] {key}, for the whole site"));
    }

    /// Tells of a directive of TLS, if it is one; what is made of it is looked up by whoever makes it.
    pub(super) fn tls_setting(&mut self, statement: &Statement) -> bool {
        let line = &statement.line;
        match statement.name.as_str() {
            "ssl_certificate" | "ssl_certificate_key" if statement.argument(0).contains('$') => {
                self.report.unsupported(
                    line,
                    "certificates are files with names of their own: list them in [[listen.tls.certificate]]",
                );
            }
            "ssl_certificate" | "ssl_certificate_key" => {
                self.report.same(
                    line,
                    "a certificate of the listeners with TLS; it is shown for the names that it says itself",
                );
            }
            "ssl_protocols" => {
                let is_old = |word: &String| !matches!(word.as_str(), "TLSv1.2" | "TLSv1.3");
                if statement.arguments.iter().any(is_old) {
                    self.report.differs(
                        line,
                        "TLS 1.2 and 1.3 alone are spoken: older clients are refused",
                    );
                } else if statement.has("TLSv1.2") {
                    self.report.same(line, "TLS 1.2 and 1.3, without a setting");
                } else {
                    self.report.same(line, "min_version = \"1.3\"");
                }
            }
            "ssl_client_certificate" => self.report.same(line, "`clients` of the listener's TLS"),
            "ssl_verify_client" => match statement.argument(0) {
                "on" => self.report.same(
                    line,
                    "a certificate of clients is required, on the whole listener",
                ),
                "off" => self.report.same(line, "clients are asked for no certificate"),
                _ => self.report.differs(
                    line,
                    "clients are asked for a certificate; one that is not believed is refused, though",
                ),
            },
            "ssl" => self.report.same(line, "TLS on all addresses of this server"),
            "http2" => self
                .report
                .same(line, "clients are offered HTTP/2, without a setting"),
            "ssl_reject_handshake" => self.report.same(
                line,
                "strict_sni: clients that ask for no name that is here are refused",
            ),
            "proxy_ssl_trusted_certificate" => self.report.same(line, "`authority` of the pool's TLS"),
            "proxy_ssl_name" => self.report.same(line, "`name` of the pool's TLS"),
            "proxy_ssl_certificate" | "proxy_ssl_certificate_key" => {
                self.report.same(
                    line,
                    "`cert` and `key` of the pool's TLS, which both have to be there",
                );
            }
            "proxy_ssl_verify" if statement.argument(0) == "on" => self
                .report
                .same(line, "certificates of members are always verified"),
            "proxy_ssl_verify" => self
                .report
                .differs(line, "certificates of members are always verified"),
            _ => return false,
        }
        true
    }
}
