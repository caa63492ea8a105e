//! Lines that say what takes so long.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt::Interrupt;
use crate::os;

/// How often a condition is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(100);
/// How often a log without a terminal is told that a step still goes on.
const REMIND: u64 = 10;

/// One step that takes seconds: on a terminal a line that counts, elsewhere a line now and then.
pub(crate) struct Step {
    label: String,
    begun: Instant,
    shown: u64,
    live: bool,
}

impl Step {
    /// Says that the step begins.
    pub(crate) fn begin(label: impl Into<String>) -> Self {
        let step = Self {
            label: label.into(),
            begun: Instant::now(),
            shown: 0,
            live: std::io::stdout().is_terminal(),
        };
        if step.live {
            print!("  {} …", step.label);
            flush();
        }
        step
    }

    /// Waits until `probe` has an answer. A probe that fails ends the wait at once.
    pub(crate) fn wait<T>(
        &mut self,
        limit: Duration,
        interrupt: &Interrupt,
        mut probe: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        loop {
            interrupt.check()?;
            if let Some(answer) = probe()? {
                return Ok(answer);
            }
            if self.begun.elapsed() > limit {
                bail!("{}: not done within {} s", self.label, limit.as_secs());
            }
            self.tick();
            os::pause(LOOK);
        }
    }

    /// Says how it ended.
    pub(crate) fn done(self, note: &str) {
        let start = if self.live { "\r\x1b[K" } else { "" };
        println!("{start}  {}: {note} ({:.1} s)", self.label, self.begun.elapsed().as_secs_f32());
    }

    fn tick(&mut self) {
        let seconds = self.begun.elapsed().as_secs();
        if self.live && seconds > self.shown {
            print!("\r\x1b[K  {} … {seconds} s", self.label);
            flush();
            self.shown = seconds;
        } else if !self.live && seconds >= self.shown + REMIND {
            println!("  {} … {seconds} s", self.label);
            self.shown = seconds;
        }
    }
}

/// A line about something that took no time.
pub(crate) fn say(line: impl AsRef<str>) {
    println!("  {}", line.as_ref());
}

/// A heading before a group of steps.
pub(crate) fn heading(line: impl AsRef<str>) {
    println!("\n{}", line.as_ref());
}

/// Pushes out a line that has no end yet; a closed pipe is no reason to stop servers halfway.
pub(crate) fn flush() {
    let _closed = std::io::stdout().flush();
}
