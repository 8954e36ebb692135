//! Who keeps what was wished, as the proxies that were told say it: the store for all of them, each for itself, or nobody.
//!
//! With discovery a wish that one proxy is told reaches all that follow the same store, also those that are not named or do not
//! answer. So several proxies may be named as ever: each is told the same, and the last word is the same wish.

use remora_overview::client::{Reach, proxy_status};

use crate::render::{Cell, Report};

/// What the proxies said.
#[derive(Debug, Default)]
pub(in super::super) struct Kept {
    /// How many were told.
    told: usize,
    /// For how many of them the store keeps it.
    shared: usize,
    /// Those that hold it until the store is there again.
    waiting: Vec<String>,
    /// Whether one forgets it with its process.
    is_passing: bool,
}

impl Kept {
    /// Takes in what a proxy said of a wish. Whether it means to tell the store is in its status.
    pub(in super::super) async fn note(
        &mut self,
        proxies: &Reach,
        address: &str,
        shared: bool,
        ends_with_process: bool,
    ) {
        self.told += 1;
        self.is_passing |= ends_with_process;
        if shared {
            self.shared += 1;
            return;
        }
        let status = proxy_status(&proxies.dial, address).await;
        if status.is_ok_and(|status| status.discovery.is_some()) {
            self.waiting.push(address.to_owned());
        }
    }

    /// Whether the store keeps it, as a proxy said.
    pub(super) fn is_shared(&self) -> bool {
        self.shared > 0
    }

    /// What people should know.
    pub(in super::super) fn said(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.shared > 0 {
            said.push("the store keeps it for all proxies that follow it, named here or not".to_owned());
        }
        if !self.waiting.is_empty() {
            said.push(format!(
                "it holds at {}, and is told to the store when that answers",
                self.waiting.join(", ")
            ));
        }
        if self.is_passing {
            said.push(
                "this ends with the proxy's process: give it a directory, [control] state = \"...\", to keep it"
                    .to_owned(),
            );
        }
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// The same for programs; nothing where nobody was told anything.
    pub(in super::super) fn add_figures(&self, report: Report) -> Report {
        if self.told == 0 {
            return report;
        }
        report.figures(
            "wish",
            vec![
                ("shared", Cell::Flag(self.shared == self.told)),
                ("ends with process", Cell::Flag(self.is_passing)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_a_wish_is_said() {
        assert_eq!(Kept::default().said(), None);
        let shared = Kept {
            told: 2,
            shared: 2,
            ..Kept::default()
        };
        let said = shared.said();
        assert_eq!(
            said.as_deref(),
            Some("the store keeps it for all proxies that follow it, named here or not")
        );
        let waiting = Kept {
            told: 1,
            waiting: vec!["p1:7410".into()],
            is_passing: true,
            ..Kept::default()
        };
        let said = waiting.said().unwrap_or_default();
        assert!(
            said.starts_with("it holds at p1:7410, and is told to the store")
                && said.contains("ends with the proxy's process"),
            "{said}"
        );
    }
}
