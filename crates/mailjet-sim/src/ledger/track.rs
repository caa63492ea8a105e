//! What became of one recipient's mail: its status and its history, moved by events.

use jiff::Timestamp;

use crate::events::happening::Happening;

/// Most entries of a history; later ones are not kept.
const LONGEST: usize = 100;

/// One line of the history that the look-up shows.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// When it happened.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) happening: Happening,
}

/// Status and history of one recipient.
#[derive(Debug, Default)]
pub(crate) struct Track {
    latest: Option<Happening>,
    history: Vec<Entry>,
}

impl Track {
    /// Notes what happened. The status never goes back, in whatever order things are told.
    pub(crate) fn note(&mut self, happening: Happening, at: Timestamp) {
        if self.latest.is_none_or(|latest| happening.rank() >= latest.rank()) {
            self.latest = Some(happening);
        }
        if self.history.len() < LONGEST {
            self.history.push(Entry { at, happening });
        }
    }

    /// The status word of the look-up.
    pub(crate) fn status(&self) -> &'static str {
        self.latest.map_or("queued", Happening::status)
    }

    /// What happened that decides the status.
    pub(crate) fn latest(&self) -> Option<Happening> {
        self.latest
    }

    /// What happened so far.
    pub(crate) fn history(&self) -> &[Entry] {
        &self.history
    }
}
