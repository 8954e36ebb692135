//! What is wrong with a file, gathered while it is checked.
//!
//! Invariants: every fault names the file, and the line wherever there is one · checking goes on after a fault, so that
//! one edit can cure all that one start reports; the value that goes on is then the faulty one, which nobody gets to
//! see.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use remora_process::config::{Fault, Faults, Period, Source, Spanned};

/// The faults of one file so far.
pub(super) struct Report<'a> {
    source: &'a Source,
    /// Whether files that it names are read.
    reads_files: bool,
    faults: Vec<Fault>,
}

/// A kind of bound: how it is written in a file, and shown to people.
pub(super) trait Bound: Copy + PartialOrd {
    /// What stands in the file.
    type Written: Copy + Display;

    fn of(written: Self::Written) -> Self;

    fn shown(self) -> String;
}

impl Bound for Duration {
    type Written = Period;

    fn of(written: Period) -> Self {
        written.duration()
    }

    fn shown(self) -> String {
        match self.is_zero() {
            true => "0s".to_owned(),
            false => format!("{self:?}"),
        }
    }
}

/// Numbers are written and shown as they are.
macro_rules! numbers {
    ($( $number:ty ),+) => {
        $( impl Bound for $number {
            type Written = Self;

            fn of(written: Self) -> Self {
                written
            }

            fn shown(self) -> String {
                self.to_string()
            }
        } )+
    };
}

numbers!(usize, u32, u16);

impl<'a> Report<'a> {
    /// Nothing is wrong yet.
    pub(super) fn on(source: &'a Source, reads_files: bool) -> Self {
        Self {
            source,
            reads_files,
            faults: Vec::new(),
        }
    }

    /// The value, if nothing was found.
    pub(super) fn or<T>(self, value: T) -> Result<T, Faults> {
        Faults(self.faults).or(value)
    }

    /// Whether files that the checked one names are read, too.
    pub(super) fn reads_files(&self) -> bool {
        self.reads_files
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

    /// What was written; a fault when it is out of range.
    pub(super) fn within<T: Bound>(
        &mut self,
        key: &str,
        written: &Spanned<T::Written>,
        range: RangeInclusive<T>,
    ) -> T {
        let given = T::of(*written.get_ref());
        if !range.contains(&given) {
            let (least, most) = (range.start().shown(), range.end().shown());
            let sentence = format!("{key} is {}: choose {least} to {most}", written.get_ref());
            self.fault(written.span(), sentence);
        }
        given
    }
}
