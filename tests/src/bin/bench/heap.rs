//! What a JVM allocates and keeps, from its own counters: `jstat` and `jcmd` come with every JDK.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Kilobytes are what `jstat` counts in.
const KILOBYTE: f64 = 1_024.0;

/// One look at a JVM's heap. Meaningful where the young generation has a fixed size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heap {
    /// Bytes in use in all generations.
    pub(crate) used: f64,
    /// Bytes allocated since some moment before the first look: Eden's, as often as it was emptied.
    allocated: f64,
}

impl Heap {
    /// Looks at the JVM of that process id.
    ///
    /// # Errors
    /// When `jstat` is missing or does not know the JVM.
    pub(crate) fn of(pid: u32) -> Result<Heap> {
        let output = Command::new("jstat").args(["-gc", &pid.to_string()]).output();
        let text = String::from_utf8(output.context("run jstat")?.stdout)?;
        parse(&text).with_context(|| format!("jstat printed something else:\n{text}"))
    }

    /// Collects all garbage first.
    ///
    /// # Errors
    /// When `jcmd` is missing or does not know the JVM.
    pub(crate) fn without_garbage(pid: u32) -> Result<Heap> {
        let pid_text = pid.to_string();
        let status = Command::new("jcmd").args([&pid_text, "GC.run"]).output();
        ensure!(
            status.context("run jcmd")?.status.success(),
            "jcmd does not know JVM {pid}"
        );
        Self::of(pid)
    }

    /// Bytes allocated since an earlier look.
    pub(crate) fn allocated_since(self, earlier: Heap) -> f64 {
        self.allocated - earlier.allocated
    }
}

fn parse(text: &str) -> Option<Heap> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next()?.split_whitespace().collect();
    let values: Vec<&str> = lines.next()?.split_whitespace().collect();
    let value = |name: &str| {
        let place = names.iter().position(|other| *other == name)?;
        values.get(place)?.parse::<f64>().ok()
    };
    let used = value("S0U")? + value("S1U")? + value("EU")? + value("OU")?;
    Some(Heap {
        used: used * KILOBYTE,
        allocated: (value("YGC")? * value("EC")? + value("EU")?) * KILOBYTE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_allocated_is_eden_as_often_as_it_was_emptied() {
        let before = parse("S0U S1U EC EU OU YGC\n 0.0 1.0 100.0 30.0 9.0 2\n").unwrap();
        let after = parse("S0U S1U EC EU OU YGC\n 2.0 0.0 100.0 10.0 9.0 5\n").unwrap();
        assert_eq!(before.used, 40.0 * 1_024.0);
        assert_eq!(after.allocated_since(before), 280.0 * 1_024.0);
    }
}
