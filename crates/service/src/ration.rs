//! A log that stays readable in trouble: so many lines in a while, and then the number of those that were left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines of one kind that may be told within [`WHILE`].
const MOST: u32 = 10;
/// After this long the first one is told again.
const WHILE: Duration = Duration::from_mins(1);

/// How many lines of one kind were told lately.
#[derive(Debug, Default)]
pub struct Ration(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    since: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Ration {
    /// Whether a line is to be told now; if so, how many were left out before it.
    pub fn take(&self) -> Option<u64> {
        let now = Instant::now();
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.since.is_none_or(|since| now.duration_since(since) >= WHILE) {
            (lately.since, lately.told) = (Some(now), 0);
        }
        if lately.told == MOST {
            lately.left_out += 1;
            return None;
        }
        lately.told += 1;
        Some(std::mem::take(&mut lately.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_in_a_while_whatever_happens() {
        let ration = Ration::default();
        let told = (0..1000).filter_map(|_| ration.take()).count();
        assert_eq!(told, 10);
        tokio::time::advance(WHILE).await;
        assert_eq!(ration.take(), Some(990));
        assert_eq!(ration.take(), Some(0));
    }
}
