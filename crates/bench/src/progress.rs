//! A line that says what goes on; only for people who watch.

use std::io::{IsTerminal as _, Write as _, stderr};

/// Shows what is being measured, in the place of what was shown before.
pub(crate) fn doing(what: &str) {
    show(&format!("\r\x1b[K  {what} …"));
}

/// Makes room for figures.
pub(crate) fn done() {
    show("\r\x1b[K");
}

fn show(text: &str) {
    let mut stream = stderr();
    if stream.is_terminal() {
        // A terminal that went away is no reason to stop.
        let _gone = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }
}
