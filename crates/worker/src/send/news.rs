//! What is to be told of an account: that its calls fail, once, and that they go well again.

use std::time::Duration;

use tokio::time::Instant;

/// Trouble that lasts is told again after this long; what comes and goes is told no more often.
const REMINDER: Duration = Duration::from_mins(1);

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// The account's calls fail.
    Trouble,
    /// They go well again.
    Well,
}

/// What was told of an account.
#[derive(Default)]
pub(super) struct Told {
    /// When trouble was told last.
    trouble_at: Option<Instant>,
    /// Whether its end is to be told.
    open: bool,
}

impl Told {
    /// What there is to tell, now that a call has met trouble or gone well.
    pub(super) fn news(&mut self, is_trouble: bool, now: Instant) -> News {
        if !is_trouble {
            return if std::mem::take(&mut self.open) { News::Well } else { News::None };
        }
        if self.trouble_at.is_some_and(|at| now.duration_since(at) < REMINDER) {
            return News::None;
        }
        (self.trouble_at, self.open) = (Some(now), true);
        News::Trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_when_it_begins_and_when_it_ends() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.news(false, now), News::None);
        assert_eq!(told.news(true, now), News::Trouble);
        assert_eq!(told.news(true, now), News::None);
        assert_eq!(told.news(false, now), News::Well);
        assert_eq!(told.news(true, now), News::None, "it comes and goes");
        assert_eq!(told.news(false, now), News::None);
        assert_eq!(told.news(true, now + REMINDER), News::Trouble);
        assert_eq!(told.news(true, now + REMINDER * 2), News::Trouble, "it lasts");
    }
}
