//! A cache, and looking up what is not in it.

use std::hash::Hash;
use std::time::Duration;

use store::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::cache::{Cache, Known};

/// Entries that are looked up at once for requests. Each kind has its own number, so that who makes up ids of one keeps
/// nobody from the other.
const LOOK_UPS: usize = 4;
/// How long what crossed a refresh may take to be asked for once more; and it is only where the first time took no longer,
/// since somebody waits.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Shelf<K, V> {
    pub(super) cache: Cache<K, V>,
    look_ups: Semaphore,
}

/// What is known without asking anyone.
pub(crate) enum Verdict<V> {
    /// It is good.
    Good(V),
    /// It is not.
    Bad,
    /// The database has to be asked.
    Unknown,
}

/// What a look-up came to.
pub(crate) struct Found<V> {
    /// What was looked for, if there is such a thing.
    pub(crate) value: Option<V>,
    /// Whether the database was asked: while this one waited for its turn, another may have found out.
    asked: bool,
}

impl<V> Found<V> {
    /// Whether the database was asked for nothing.
    pub(crate) fn in_vain(&self) -> bool {
        self.asked && self.value.is_none()
    }

    pub(super) fn and_then<T>(self, judge: impl FnOnce(V) -> Option<T>) -> Found<T> {
        Found { value: self.value.and_then(judge), asked: self.asked }
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Shelf<K, V> {
    pub(super) fn new() -> Self {
        Self { cache: Cache::new(), look_ups: Semaphore::new(LOOK_UPS) }
    }

    pub(super) fn known(&self, key: K) -> Verdict<V> {
        match self.cache.get(key) {
            Known::Here(value) => Verdict::Good(value),
            Known::Absent => Verdict::Bad,
            Known::Nothing(_) => Verdict::Unknown,
        }
    }

    /// Asks the database for what is not known, a few at a time: strangers who make up ids must not take all connections.
    /// What many ask for at once is known to those who had to wait. An answer that crossed a refresh serves this request
    /// only, so the question is put once more: whoever was made a moment ago shall be known should the database go away.
    pub(super) async fn look_up(
        &self,
        key: K,
        question: impl AsyncFn() -> Result<Option<V>, Error>,
    ) -> Result<Found<V>, Error> {
        // Never closed, so this only ever waits.
        let _permit = self.look_ups.acquire().await;
        match self.cache.get(key) {
            Known::Here(value) => Ok(Found { value: Some(value), asked: false }),
            Known::Absent => Ok(Found { value: None, asked: false }),
            Known::Nothing(generation) => {
                let began = Instant::now();
                let mut value = question().await?;
                if !self.cache.put(key, value.clone(), generation) && began.elapsed() < AGAIN {
                    value = match self.cache.get(key) {
                        Known::Here(value) => Some(value),
                        Known::Absent => None,
                        Known::Nothing(generation) => match timeout(AGAIN, question()).await {
                            Ok(Ok(later)) => {
                                self.cache.put(key, later.clone(), generation);
                                later
                            }
                            _ => value,
                        },
                    };
                }
                Ok(Found { value, asked: true })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_who_asked_the_database_asked_in_vain() {
        let shelf = Shelf::<u8, &str>::new();
        let first = shelf.look_up(1, async || Ok(None)).await.unwrap();
        let never = async || panic!("what is known is not asked for");
        let second = shelf.look_up(1, never).await.unwrap();
        assert_eq!((first.in_vain(), second.in_vain()), (true, false));
        let good = shelf.look_up(2, async || Ok(Some("a"))).await.unwrap();
        assert!(!good.in_vain());
        assert!(good.and_then(|_| None::<()>).in_vain(), "with another secret it is as if there were none");
    }

    /// Looks up what a refresh crosses, and finds these one after the other.
    async fn crossed(
        answers: [Result<Option<&'static str>, Error>; 2],
    ) -> (Option<&'static str>, Known<&'static str>) {
        let shelf = Shelf::<u8, &str>::new();
        let answers = std::cell::RefCell::new(answers.into_iter());
        let question = async || {
            let answer = answers.borrow_mut().next().expect("it is asked twice at most");
            if answers.borrow().len() == 1 {
                shelf.cache.stale();
            }
            answer
        };
        let found = shelf.look_up(1, question).await.unwrap();
        (found.value, shelf.cache.get(1))
    }

    #[tokio::test]
    async fn what_crossed_a_refresh_is_asked_for_once_more() {
        assert_eq!(crossed([Ok(Some("a")), Ok(Some("b"))]).await, (Some("b"), Known::Here("b")));
        assert_eq!(crossed([Ok(Some("a")), Ok(None)]).await, (None, Known::Absent));
        let away = Err(Error::Unavailable("away".into()));
        let (found, known) = crossed([Ok(Some("a")), away]).await;
        assert!(found == Some("a") && matches!(known, Known::Nothing(_)), "{known:?}");
    }
}
