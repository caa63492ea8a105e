//! The mails on the terminal: redrawn in place there, a line for each change in a log.

use std::io::IsTerminal;
use std::time::Duration;

use super::messages::Mail;
use crate::progress::flush;

/// What was shown last.
pub(super) struct Table {
    live: bool,
    shown: Vec<String>,
}

impl Table {
    /// Nothing shown yet.
    pub(super) fn new() -> Self {
        Self { live: std::io::stdout().is_terminal(), shown: Vec::new() }
    }

    /// Shows how things stand; nothing when they stand as before.
    pub(super) fn show(&mut self, mails: &[Mail], since: Duration) {
        let rows: Vec<String> = mails.iter().map(row).collect();
        if rows == self.shown {
            return;
        }
        if self.live {
            if !self.shown.is_empty() {
                print!("\x1b[{}A", self.shown.len());
            }
            for row in &rows {
                println!("\x1b[K  {row}");
            }
            flush();
        } else {
            let before = |index: usize| self.shown.get(index);
            let changed = rows.iter().enumerate().filter(|(index, row)| before(*index) != Some(row));
            changed.for_each(|(_, row)| println!("  {:>5.1} s  {row}", since.as_secs_f32()));
        }
        self.shown = rows;
    }
}

fn row(mail: &Mail) -> String {
    let sign = if mail.is_done() { "✓" } else { "·" };
    format!("{sign} {:<28} {}", mail.to, mail.shown())
}
