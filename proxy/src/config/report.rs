//! What is wrong with a file, gathered while it is checked.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use remora_process::config::{Fault, Faults, Period, Source, Spanned};

/// The faults of one file so far.
pub(super) struct Report<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl<'a> Report<'a> {
    /// Nothing is wrong yet.
    pub(super) fn on(source: &'a Source) -> Self {
        Self {
            source,
            faults: Vec::new(),
        }
    }

    /// The value, if nothing was found.
    pub(super) fn or<T>(self, value: T) -> Result<T, Faults> {
        Faults(self.faults).or(value)
    }

    /// A fault at one place.
    pub(super) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(self.source.fault(span, message));
    }

    /// A fault of the file as a whole, which has no line.
    pub(super) fn fault_of_file(&mut self, message: impl Into<String>) {
        let Fault { place, message } = self.source.fault(0..0, message);
        let file = place.rsplit_once(':').map(|(file, _)| file.to_owned());
        self.faults.push(Fault {
            place: file.unwrap_or(place),
            message,
        });
    }

    /// A number; a fault when it is out of range.
    pub(super) fn within<T: PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        key: &str,
        value: &Spanned<T>,
        range: RangeInclusive<T>,
    ) -> T {
        let given = *value.get_ref();
        if !range.contains(&given) {
            let (least, most) = range.into_inner();
            self.fault(
                value.span(),
                format!("{key} is {given}: choose {least} to {most}"),
            );
        }
        given
    }

    /// A period; a fault when it is out of range.
    pub(super) fn period(
        &mut self,
        key: &str,
        value: &Spanned<Period>,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let given = value.get_ref().duration();
        if !range.contains(&given) {
            let sentence = format!(
                "{key} is {}: choose {:?} to {:?}",
                value.get_ref(),
                range.start(),
                range.end()
            );
            self.fault(value.span(), sentence);
        }
        given
    }
}
