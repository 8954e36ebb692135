//! Where exchanges are noted, and how.

use std::path::PathBuf;

use super::super::file::AccessLogTable;
use super::super::report::Report;
use super::super::values::{LogConfig, LogFormat, LogTarget};

impl Report<'_> {
    pub(super) fn access_log(&mut self, table: AccessLogTable) -> LogConfig {
        let to = table.to.map_or(LogTarget::Stdout, target);
        let format = match &table.format {
            None => LogFormat::default(),
            Some(word) => LogFormat::from_word(word.get_ref()).unwrap_or_else(|| {
                let sentence = format!(
                    "access_log.format is `{}`: write \"combined\" or \"json\"",
                    word.get_ref()
                );
                self.fault(word.span(), sentence);
                LogFormat::default()
            }),
        };
        let errors = table.errors.map_or(LogTarget::Off, |errors| {
            let span = errors.span();
            let errors = target(errors.into_inner());
            if errors == to && errors != LogTarget::Off {
                let sentence = "access_log.errors is where all exchanges are noted already: name another place, or remove it";
                self.fault(span, sentence);
            }
            errors
        });
        LogConfig { to, format, errors }
    }
}

/// What a word or a path stands for.
fn target(path: PathBuf) -> LogTarget {
    match path.to_str() {
        Some("stdout") => LogTarget::Stdout,
        Some("stderr") => LogTarget::Stderr,
        Some("off") => LogTarget::Off,
        _ => LogTarget::File(path),
    }
}
