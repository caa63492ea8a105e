//! What a connection is doing.

use std::fmt;

/// The state of one role's connection; readiness and load shedding go by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not connected yet, or not connected any more: why.
    Down(String),
    /// Connected; channels are open.
    Up,
    /// The broker takes nothing at present (`connection.blocked`: an alarm of memory or disk): why.
    Blocked(String),
}

impl State {
    /// Whether work can be done now.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(why) => write!(f, "not connected: {why}"),
            Self::Up => f.write_str("connected"),
            Self::Blocked(why) => write!(f, "blocked by the broker: {why}"),
        }
    }
}
