//! An owner's rules for fields.
//!
//! Invariants: a rule's name is a field name and its value fits on one line of a head · no rule is about a field that the
//! message, the session or the proxy's own words rest on · a name has one rule in each direction.

use remora_policy::FieldRules;
use remora_process::config::Spanned;

use super::super::file::{HeadersTable, RulesTable};
use super::super::report::Report;
use super::super::values::Rules;

impl Report<'_> {
    pub(super) fn rules(&mut self, headers: &HeadersTable) -> Rules {
        Rules {
            request: self.one_way(&headers.request),
            response: self.one_way(&headers.response),
        }
    }

    fn one_way(&mut self, table: &RulesTable) -> FieldRules {
        let mut rules = FieldRules::default();
        for (name, value) in &table.set {
            self.field_name(name, &rules);
            let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            if !value.get_ref().bytes().all(plain) {
                let sentence = format!(
                    "the value of `{}` must be visible ASCII on one line",
                    name.get_ref()
                );
                self.fault(value.span(), sentence);
            }
            let (name, value) = (name.get_ref().as_str(), value.get_ref().as_str());
            rules.set.push((name.into(), value.into()));
        }
        for name in &table.unset {
            self.field_name(name, &rules);
            rules.unset.push(name.get_ref().as_str().into());
        }
        rules
    }

    fn field_name(&mut self, name: &Spanned<String>, others: &FieldRules) {
        let written = name.get_ref();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let sentence = if written.is_empty() || !written.bytes().all(token) {
            "cannot be the name of a field"
        } else if !FieldRules::may_name(written.as_bytes()) {
            "is a field that the message, the session or the proxy's own words rest on: remove the rule"
        } else if others.cover(written.as_bytes()) {
            "has two rules: remove one (an underscore counts as a hyphen)"
        } else {
            return;
        };
        self.fault(name.span(), format!("`{written}` {sentence}"));
    }
}
