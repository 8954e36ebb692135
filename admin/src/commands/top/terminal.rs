//! The terminal: opened, drawn on, listened to, and left as it was.
//!
//! Invariant: whoever leaves, by a key, a signal, a failure or a panic, leaves an ordinary terminal behind.

use std::io;
use std::thread;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::model::{Key, Message, Model};
use super::view;

/// A terminal that is drawn on.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Screen> {
        // Puts a hook before that of panics, which gives the terminal back before anything is told.
        match ratatui::try_init() {
            Ok(terminal) => Ok(Screen { terminal }),
            Err(failed) => {
                // It may have failed half way, when no key is echoed any more.
                ratatui::restore();
                Err(failed)
            }
        }
    }

    /// Draws what has changed.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| view::draw(frame, model))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nothing that one could draw a complaint on.
        let _ = ratatui::try_restore();
    }
}

/// Tells of keys, on a thread of its own, which ends with the process or with whoever listens.
pub(super) fn keys(said: mpsc::Sender<Message>) {
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            let message = match event {
                Event::Key(key) if key.kind == KeyEventKind::Press => {
                    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
                    match key.code {
                        KeyCode::Char('c' | 'd') if is_control => Message::Key(Key::Letter('q')),
                        KeyCode::Char(letter) => Message::Key(Key::Letter(letter)),
                        KeyCode::Tab => Message::Key(Key::Next),
                        KeyCode::Esc => Message::Key(Key::Back),
                        KeyCode::Down => Message::Key(Key::Down),
                        KeyCode::Up => Message::Key(Key::Up),
                        _ => continue,
                    }
                }
                Event::Resize(..) => Message::Resized,
                _ => continue,
            };
            if said.blocking_send(message).is_err() {
                return;
            }
        }
    });
}
