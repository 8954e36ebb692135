//! How the users of a pool stick: names of cookies, and to whom browsers bring the proxy's own.
//!
//! Invariants: a cookie has a name and attributes that browsers accept · no pool's route cookie has the name of another
//! pool's cookie: they come in one field, nobody could tell whose is whose, and each answer would overwrite the other's.

use remora_policy::{RouteCookie, SameSite, Sticky};
use remora_process::config::Spanned;

use super::super::file::{OrOff, StickyTable};
use super::super::report::Report;

impl Report<'_> {
    pub(super) fn sticky(&mut self, written: &OrOff<StickyTable>) -> Sticky {
        let OrOff::On(table) = written else {
            return Sticky::off();
        };
        self.cookie_name(table.session.as_ref(), 2);
        self.cookie_name(table.route_cookie.as_ref(), 1);
        let session = table.session.as_ref().map_or("JSESSIONID", |name| name.get_ref());
        let mut sticky = Sticky::new(session, None);
        sticky.route_cookie = self.route_cookie(table, &sticky);
        sticky
    }

    /// A name, or as many as `most` with a bar between them.
    fn cookie_name(&mut self, name: Option<&Spanned<String>>, most: usize) {
        let Some(name) = name else { return };
        let names = name.get_ref().split('|');
        if names.clone().count() > most || !names.clone().all(is_token) {
            let sentence = format!("`{}` cannot be the name of a cookie", name.get_ref());
            self.fault(name.span(), sentence);
        }
    }

    fn route_cookie(&mut self, table: &StickyTable, sticky: &Sticky) -> Option<RouteCookie> {
        let Some(name) = &table.route_cookie else {
            let attributes = [&table.path, &table.domain, &table.same_site];
            let spans = attributes.into_iter().flatten().map(Spanned::span);
            for span in spans.chain(table.partitioned.as_ref().map(Spanned::span)) {
                self.fault(
                    span,
                    "is about the route cookie, and there is none: add route_cookie, or remove it",
                );
            }
            return None;
        };
        if *name.get_ref() == *sticky.session {
            let sentence = "route_cookie and session are the same cookie: leave route_cookie out (mode 2)";
            self.fault(name.span(), sentence);
        }
        let mut cookie = RouteCookie::named(name.get_ref());
        if let Some(path) = &table.path {
            let plain = |byte: u8| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte);
            if !path.get_ref().starts_with('/') || !path.get_ref().bytes().all(plain) {
                let sentence = format!("sticky.path `{}` is not the path of a cookie", path.get_ref());
                self.fault(path.span(), sentence);
            }
            cookie.path = path.get_ref().as_str().into();
        }
        if let Some(domain) = &table.domain {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            if domain.get_ref().is_empty() || !domain.get_ref().bytes().all(plain) {
                let sentence = format!("sticky.domain `{}` is not the name of a host", domain.get_ref());
                self.fault(domain.span(), sentence);
            }
            cookie.domain = Some(domain.get_ref().as_str().into());
        }
        if let Some(word) = &table.same_site {
            let known = [SameSite::Strict, SameSite::Lax, SameSite::None];
            match known
                .iter()
                .find(|known| known.as_str().eq_ignore_ascii_case(word.get_ref()))
            {
                Some(known) => cookie.same_site = *known,
                None => self.fault(word.span(), "same_site is \"Strict\", \"Lax\" or \"None\""),
            }
        }
        cookie.partitioned = table
            .partitioned
            .as_ref()
            .is_some_and(|partitioned| *partitioned.get_ref());
        if cookie.name.starts_with("__Host-") && (cookie.domain.is_some() || &*cookie.path != "/") {
            let sentence = "browsers refuse a __Host- cookie that has a domain, or another path than /";
            self.fault(name.span(), sentence);
        }
        Some(cookie)
    }

    /// Names that cookies of two pools share.
    pub(super) fn cookie_names<'a>(
        &mut self,
        pools: &(impl Iterator<Item = (&'a str, &'a OrOff<StickyTable>, &'a Sticky)> + Clone),
    ) {
        let pools = pools.clone().filter_map(|(name, written, sticky)| match written {
            OrOff::Off => None,
            OrOff::On(table) => Some((name, &**table, sticky)),
        });
        for (name, table, sticky) in pools.clone() {
            let (Some(cookie), Some(written)) = (&sticky.route_cookie, &table.route_cookie) else {
                continue;
            };
            let shares = |(other, _, sticky): &(&str, &StickyTable, &Sticky)| {
                let theirs = sticky.route_cookie.as_ref().map(|cookie| &cookie.name);
                *other != name
                    && (*sticky.session == *cookie.name || (*other < name && theirs == Some(&cookie.name)))
            };
            if let Some((other, ..)) = pools.clone().find(shares) {
                let sentence = format!(
                    "pools `{name}` and `{other}` have a cookie `{}`: each would overwrite the other's, and users would \
                     move with every click; rename this one",
                    cookie.name
                );
                self.fault(written.span(), sentence);
            }
        }
    }
}

fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}
