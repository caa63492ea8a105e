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
    pub(super) fn news(&self, is_trouble: bool, now: Instant) -> News {
        if !is_trouble {
            return if self.open { News::Well } else { News::None };
        }
        if self.trouble_at.is_some_and(|at| now.duration_since(at) < REMINDER) {
            News::None
        } else {
            News::Trouble
        }
    }

    /// Notes that it is told. What is not, since others had too much to tell, is news with the next call again.
    pub(super) fn tell(&mut self, news: News, now: Instant) {
        match news {
            News::None => {}
            News::Trouble => (self.trouble_at, self.open) = (Some(now), true),
            News::Well => self.open = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(told: &mut Told, is_trouble: bool, now: Instant) -> News {
        let news = told.news(is_trouble, now);
        told.tell(news, now);
        news
    }

    #[test]
    fn trouble_is_told_when_it_begins_and_when_it_ends() {
        let (mut state, now) = (Told::default(), Instant::now());
        assert_eq!(told(&mut state, false, now), News::None);
        assert_eq!(told(&mut state, true, now), News::Trouble);
        assert_eq!(told(&mut state, true, now), News::None);
        assert_eq!(told(&mut state, false, now), News::Well);
        assert_eq!(told(&mut state, true, now), News::None, "it comes and goes");
        assert_eq!(told(&mut state, false, now), News::None);
        assert_eq!(told(&mut state, true, now + REMINDER), News::Trouble);
        assert_eq!(told(&mut state, true, now + REMINDER * 2), News::Trouble, "it lasts");
    }

    #[test]
    fn what_is_not_told_stays_news() {
        let (mut state, now) = (Told::default(), Instant::now());
        assert_eq!(state.news(true, now), News::Trouble);
        assert_eq!(state.news(false, now), News::None, "nobody was told that it began");
        assert_eq!(told(&mut state, true, now), News::Trouble);
        assert_eq!(state.news(false, now), News::Well);
        assert_eq!(told(&mut state, false, now), News::Well);
        assert_eq!(state.news(false, now), News::None);
    }
}
