//! Has publications take off in their order, and none behind one that is known to have failed.
//!
//! What would take off after a connection broke, on the next one, would overtake what broke off with the first.

use std::collections::BTreeMap;
use std::pin::pin;

use broker::PublishError;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

/// What became of those that took off.
#[derive(Debug, Default)]
pub(super) struct Landed {
    pub(super) confirmed: Vec<u64>,
    pub(super) failed: BTreeMap<u64, PublishError>,
}

impl Landed {
    fn note(&mut self, number: u64, answer: Result<(), PublishError>) {
        match answer {
            Ok(()) => self.confirmed.push(number),
            Err(fault) => drop(self.failed.insert(number, fault)),
        }
    }
}

/// Begins one after the other until one has failed, and waits for all that have begun.
pub(super) async fn fly<P, B, F>(publications: Vec<(u64, P)>, begin: impl Fn(P) -> B) -> Landed
where
    B: Future<Output = Result<F, PublishError>>,
    F: Future<Output = Result<(), PublishError>>,
{
    let (mut landed, mut flights) = (Landed::default(), FuturesUnordered::new());
    for (number, publication) in publications {
        let mut beginning = pin!(begin(publication));
        while landed.failed.is_empty() {
            tokio::select! {
                biased;
                Some((number, answer)) = flights.next() => landed.note(number, answer),
                begun = &mut beginning => {
                    match begun {
                        Ok(flight) => flights.push(async move { (number, flight.await) }),
                        Err(fault) => landed.note(number, Err(fault)),
                    }
                    break;
                }
            }
        }
        if !landed.failed.is_empty() {
            break;
        }
    }
    while let Some((number, answer)) = flights.next().await {
        landed.note(number, answer);
    }
    landed
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn nothing_takes_off_behind_one_that_failed() {
        let begun = RefCell::new(Vec::new());
        let begin = |number: u64| {
            begun.borrow_mut().push(number);
            ready(Ok(ready(if number == 3 { Err(PublishError::Unconfirmed) } else { Ok(()) })))
        };
        let landed = fly((1..=10).map(|number| (number, number)).collect(), begin).await;
        assert_eq!(*begun.borrow(), [1, 2, 3, 4], "the future of the fourth is made, and not polled");
        assert_eq!(landed.confirmed, [1, 2]);
        assert_eq!(landed.failed, BTreeMap::from([(3, PublishError::Unconfirmed)]));
    }

    #[tokio::test]
    async fn one_that_cannot_begin_is_the_last() {
        let begin =
            |number: u64| ready(if number == 2 { Err(PublishError::Down) } else { Ok(ready(Ok(()))) });
        let landed = fly((1..=10).map(|number| (number, number)).collect(), begin).await;
        assert_eq!((landed.confirmed, landed.failed.into_keys().collect()), (vec![1], vec![2]));
    }
}
