//! Live progress: a line that is written over on a terminal, and one every ten seconds elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::faults::Struck;
use crate::load::Load;

/// Shows what goes on until it is dropped; each kind of fault is to strike at least `rounds` times.
pub(crate) async fn show(load: &Load, struck: &Struck, rounds: usize) {
    let terminal = stderr().is_terminal();
    let begun = Instant::now();
    loop {
        sleep(Duration::from_secs(if terminal { 1 } else { 10 })).await;
        let line = format!("{:>5} s: {}", begun.elapsed().as_secs(), state(load, struck, rounds));
        // A terminal that went away is no reason to stop.
        let _gone = if terminal {
            write!(stderr(), "\r\x1b[K  {line}").and_then(|()| stderr().flush())
        } else {
            writeln!(stderr(), "  {line}")
        };
    }
}

/// Ends the line that was written over.
pub(crate) fn done() {
    if stderr().is_terminal() {
        let _gone = write!(stderr(), "\r\x1b[K").and_then(|()| stderr().flush());
    }
}

fn state(load: &Load, struck: &Struck, rounds: usize) -> String {
    let (messages, events, refused, unanswered) = {
        let book = load.told.book();
        let count = |status: u16| book.answers.get(&status).copied().unwrap_or_default();
        let answered = book.sent.iter().filter(|sent| sent.id.is_some()).count();
        (answered, book.events.len(), count(503), count(0))
    };
    let record = struck.record();
    let now: Vec<&str> = record.now.values().map(String::as_str).collect();
    format!(
        "{messages} messages and {events} events answered, {refused} refused, {unanswered} unanswered, {} open; {} faults \
         (each kind {} of {rounds} times), now {}",
        load.open.load(Ordering::Relaxed),
        record.total(),
        record.fewest(),
        if now.is_empty() { "none".to_owned() } else { now.join(" + ") },
    )
}
