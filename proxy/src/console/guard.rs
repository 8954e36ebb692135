//! Whether a request is one of the console's own page: what the browser says of where it comes from. Pure.
//!
//! Another site may make an operator's browser send requests here, and a name may be made to mean this address (DNS rebinding):
//! so the host that was asked must be one that this address has, a change must come from the very same origin, in a form that no
//! form of HTML can send, and from a page that knows the login's second secret.
//!
//! Invariant: what is missing is refused like what is wrong.
//!
//! Left out on purpose: who is logged in.

use std::net::IpAddr;

use super::answer::Refusal;

/// Names that always mean the browser's own machine: nobody else can make a browser ask for them.
const LOOPBACK_NAMES: [&str; 1] = ["localhost"];

/// What a browser says of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    /// The host and port that was asked.
    pub(super) authority: Option<&'a str>,
    /// From which origin.
    pub(super) origin: Option<&'a str>,
    /// From which site, in the browser's own word.
    pub(super) fetch_site: Option<&'a str>,
    /// In which form.
    pub(super) content_type: Option<&'a str>,
}

/// As whom this address may be asked.
pub(super) struct OwnNames<'a> {
    /// The address that is bound.
    pub(super) bound: IpAddr,
    /// Whether TLS is spoken.
    pub(super) secured: bool,
    /// Whether the own certificate has a name.
    pub(super) certified: &'a dyn Fn(&str) -> bool,
}

impl OwnNames<'_> {
    /// Refuses whoever asks for a host that is not this one.
    pub(super) fn host(&self, said: &Said<'_>) -> Result<(), Refusal> {
        let asked = said.authority.unwrap_or_default();
        let Some((host, _)) = host_and_port(asked) else {
            return Err(Refusal::forbidden("the request names no host"));
        };
        if self.is_one(host) {
            return Ok(());
        }
        Err(Refusal::forbidden(format!(
            "`{host}` is no name of this control address: open the console by the address itself, or by a name in its certificate"
        )))
    }

    /// Refuses what another site sent.
    pub(super) fn site(&self, said: &Said<'_>) -> Result<(), Refusal> {
        match said.fetch_site {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) => Err(Refusal::forbidden("another site asks")),
        }
    }

    /// Refuses a change that does not come from this very origin, as JSON.
    pub(super) fn change(&self, said: &Said<'_>) -> Result<(), Refusal> {
        let scheme = if self.secured { "https" } else { "http" };
        let own = format!("{scheme}://{}", said.authority.unwrap_or_default());
        if !said
            .origin
            .is_some_and(|origin| origin.eq_ignore_ascii_case(&own))
        {
            return Err(Refusal::forbidden("another origin asks, or none is named"));
        }
        let form = said.content_type.unwrap_or_default();
        let form = form.split(';').next().unwrap_or_default().trim();
        if !form.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::wrong("say it as application/json"));
        }
        Ok(())
    }

    fn is_one(&self, host: &str) -> bool {
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            // An address is no name that somebody else can give a meaning to.
            return address.is_loopback() || self.bound.is_unspecified() || address == self.bound;
        }
        LOOPBACK_NAMES.iter().any(|name| host.eq_ignore_ascii_case(name)) || (self.certified)(host)
    }
}

/// The two parts of what was asked; an IPv6 address stands in brackets.
pub(super) fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let is_alone = |host: &str| !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if is_alone(host) => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    (!host.is_empty() && is_alone(host)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(bound: &str, certified: &'a dyn Fn(&str) -> bool) -> OwnNames<'a> {
        OwnNames {
            bound: bound.parse().unwrap(),
            secured: false,
            certified,
        }
    }

    fn asked(authority: &str) -> Said<'_> {
        Said {
            authority: Some(authority),
            ..Said::default()
        }
    }

    #[test]
    fn only_names_that_nobody_else_can_give_a_meaning_to_are_ours() {
        let certified = |host: &str| host == "proxy.example";
        let loopback = names("127.0.0.1", &certified);
        for host in [
            "127.0.0.1:7410",
            "localhost:9000",
            "LOCALHOST",
            "[::1]:1",
            "proxy.example:7410",
        ] {
            assert!(loopback.host(&asked(host)).is_ok(), "{host}");
        }
        for host in [
            "evil.example:7410",
            "10.0.0.1:7410",
            "localhost.evil.example",
            "",
            ":7410",
            "a:b:1",
        ] {
            assert!(loopback.host(&asked(host)).is_err(), "{host}");
        }
        let nobody = |_: &str| false;
        assert!(names("10.0.0.1", &nobody).host(&asked("10.0.0.1:7410")).is_ok());
        assert!(names("0.0.0.0", &nobody).host(&asked("10.0.0.9:7410")).is_ok());
        assert!(names("0.0.0.0", &nobody).host(&asked("evil.example")).is_err());
        assert!(names("0.0.0.0", &nobody).host(&Said::default()).is_err());
    }

    #[test]
    fn a_change_comes_from_this_very_origin_and_as_json() {
        let nobody = |_: &str| false;
        let names = names("127.0.0.1", &nobody);
        let said = |origin, content_type| Said {
            authority: Some("127.0.0.1:7410"),
            origin,
            content_type,
            fetch_site: None,
        };
        let json = Some("application/json; charset=utf-8");
        assert!(names.change(&said(Some("http://127.0.0.1:7410"), json)).is_ok());
        for origin in [
            None,
            Some("null"),
            Some("http://127.0.0.1:8080"),
            Some("https://127.0.0.1:7410"),
            Some("http://127.0.0.1:7410.evil.example"),
        ] {
            assert!(names.change(&said(origin, json)).is_err(), "{origin:?}");
        }
        for form in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
        ] {
            assert!(
                names.change(&said(Some("http://127.0.0.1:7410"), form)).is_err(),
                "{form:?}"
            );
        }
    }

    #[test]
    fn another_site_sees_nothing() {
        let nobody = |_: &str| false;
        let names = names("127.0.0.1", &nobody);
        let from = |fetch_site| Said {
            fetch_site,
            ..asked("127.0.0.1:7410")
        };
        for own in [None, Some("same-origin"), Some("none")] {
            assert!(names.site(&from(own)).is_ok(), "{own:?}");
        }
        for foreign in ["cross-site", "same-site", "x"] {
            assert!(names.site(&from(Some(foreign))).is_err(), "{foreign}");
        }
    }
}
