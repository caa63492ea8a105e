//! The arguments of `raven dead-letter`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const LIST: &str = "Example: raven dead-letter list --queue events --limit 20";
const SHOW: &str = "Example: raven dead-letter show 019a4d2e-… -o letter.bin";
const REPLAY: &str = "Example: raven dead-letter replay --all --queue events

A letter leaves the dead letters only when its copy is confirmed on the queue it came from. What dies again while this
runs stays; the next replay takes it. Interrupting it loses nothing, and may leave a letter that was replayed already:
messages and events count once, so replaying it again does no harm.";
const DISCARD: &str = "Examples: raven dead-letter discard 019a4d2e-…
          raven dead-letter discard --all --yes --queue events";

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetter {
    /// List dead letters and why they are here.
    #[command(after_help = LIST)]
    List {
        /// Only what came from this queue.
        #[arg(long, value_enum)]
        queue: Option<Origin>,
        /// Show so many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show all letters with an id: reason, headers and body.
    #[command(after_help = SHOW)]
    Show {
        /// The id, as the list shows it.
        id: String,
        /// Write the exact bytes of the body to standard output, and nothing else.
        #[arg(long, conflicts_with = "output")]
        raw: bool,
        /// Write the exact bytes of the body to this file.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Put letters back on the queues they came from, to be processed again.
    #[command(after_help = REPLAY)]
    Replay(Selection),
    /// Delete letters for good.
    #[command(after_help = DISCARD, mut_arg("all", |all| all.requires("yes")))]
    Discard {
        #[command(flatten)]
        selection: Selection,
        /// Confirms --all.
        #[arg(long, requires = "all")]
        yes: bool,
    },
}

/// Which letters.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The ids of the letters. All letters with the same id are meant.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) ids: Vec<String>,
    /// All dead letters that are here when the command begins.
    #[arg(long)]
    pub(crate) all: bool,
    /// With --all: only what came from this queue.
    #[arg(long, value_enum, requires = "all")]
    pub(crate) queue: Option<Origin>,
}

/// A queue that letters come from.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Origin {
    Events,
    Sends,
}

impl Origin {
    /// Whether a letter of this queue is meant.
    pub(crate) fn is(self, queue: Option<&str>) -> bool {
        queue
            == Some(match self {
                Self::Events => broker::Queue::Events.name(),
                Self::Sends => broker::Queue::Sends.name(),
            })
    }
}
