//! How the demo speaks: one line per step, a moving one while it waits at a terminal, colour only there.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two pictures of the waiting line.
const FRAME: Duration = Duration::from_millis(120);

const FRAMES: [&str; 6] = ["·  ", "·· ", "···", " ··", "  ·", "   "];

/// Column at which times stand.
const WIDTH: usize = 100;

/// The voice of the demo.
#[derive(Debug)]
pub struct Telling {
    terminal: bool,
    colour: bool,
}

impl Telling {
    /// Looks at where its words go.
    #[must_use]
    pub fn to_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            terminal,
            colour: terminal && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Begins.
    pub fn title(&self, text: &str) {
        say(&format!("\n{}\n\n", self.paint("1", text)));
    }

    /// A line.
    pub fn words(&self, text: &str) {
        say(&format!("{text}\n"));
    }

    /// Ends with a promise that was not kept.
    pub fn failed(&self, error: &anyhow::Error) {
        say(&format!(
            "\n{} {error:#}\n",
            self.paint("1;31", "Not as promised:")
        ));
    }

    /// Does a step; `doing` is shown while it runs, the returned words and the time when it is done.
    ///
    /// # Errors
    /// The step's, with what was being done.
    pub fn step<T>(&self, doing: &str, act: impl FnOnce() -> Result<(String, T)>) -> Result<T> {
        self.line("1;32", "✓", doing, act)
    }

    /// A blow that is dealt.
    ///
    /// # Errors
    /// The blow's, with what was being done.
    pub fn blow<T>(&self, doing: &str, act: impl FnOnce() -> Result<(String, T)>) -> Result<T> {
        self.line("1;31", "✗", doing, act)
    }

    fn line<T>(
        &self,
        colour: &str,
        mark: &str,
        doing: &str,
        act: impl FnOnce() -> Result<(String, T)>,
    ) -> Result<T> {
        let started = Instant::now();
        let waiting = self.terminal.then(|| Waiting::show(doing));
        let done = act();
        let took = started.elapsed();
        drop(waiting);
        let (seen, value) = done.with_context(|| format!("this step failed: {doing}"))?;
        let dots = WIDTH.saturating_sub(seen.chars().count());
        let time = self.paint("2", &format!("{}{}", ".".repeat(dots.max(2)), duration(took)));
        say(&format!("  {} {seen} {time}\n", self.paint(colour, mark)));
        Ok(value)
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A duration as people say it.
pub fn duration(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{:>5} ms", took.as_millis())
    } else {
        format!("{:>6.1} s", took.as_secs_f64())
    }
}

/// The moving line; wiped when dropped.
struct Waiting {
    ended: Arc<AtomicBool>,
    painter: Option<std::thread::JoinHandle<()>>,
}

impl Waiting {
    fn show(doing: &str) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (watch, doing) = (Arc::clone(&ended), doing.to_owned());
        let painter = std::thread::spawn(move || {
            for frame in FRAMES.iter().cycle() {
                if watch.load(Ordering::Acquire) {
                    break;
                }
                say(&format!("\r\u{1b}[K  {frame} {doing}"));
                std::thread::park_timeout(FRAME);
            }
            say("\r\u{1b}[K");
        });
        Self {
            ended,
            painter: Some(painter),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(painter) = self.painter.take() {
            painter.thread().unpark();
            // A painter that panicked has nothing more to wipe.
            let _ = painter.join();
        }
    }
}

/// A reader that went away (a closed pipe) does not stop the demo: its exit code still counts.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
