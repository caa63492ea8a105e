//! Finding the one delivery that spoils a batch.

use std::future::Future;

use broker::Verdict;
use store::Error;

/// Processes a batch at once; where the database will not take it, halves it until the culprit is alone, so that its
/// neighbours go through. `items` are places in the batch.
pub(crate) async fn bisect<F, R>(items: Vec<usize>, process: F, verdicts: &mut [Verdict])
where
    F: Fn(Vec<usize>) -> R,
    R: Future<Output = Result<(), Error>>,
{
    let mut open = vec![items];
    while let Some(mut part) = open.pop() {
        if part.is_empty() {
            continue;
        }
        let verdict = match process(part.clone()).await {
            Ok(()) => Verdict::Done,
            Err(fault) if fault.is_transient() => {
                tracing::debug!(%fault, "the batch is kept for later");
                Verdict::RetryLater
            }
            Err(fault) if part.len() == 1 => Verdict::DeadLetter(describe(&fault)),
            Err(_) => {
                let rest = part.split_off(part.len() / 2);
                open.extend([rest, part]);
                continue;
            }
        };
        for item in part {
            if let Some(place) = verdicts.get_mut(item) {
                *place = verdict.clone();
            }
        }
    }
}

/// An error with its causes, in one line.
pub(crate) fn describe(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn the_culprit_is_found_and_its_neighbours_go_through() {
        let calls = Mutex::new(0);
        let process = |items: Vec<usize>| {
            *calls.lock().unwrap() += 1;
            let bad = items.contains(&5);
            async move { if bad { Err(Error::Constraint("c".to_owned())) } else { Ok(()) } }
        };
        let mut verdicts = vec![Verdict::RetryLater; 16];
        bisect((0..16).collect(), process, &mut verdicts).await;
        for (item, verdict) in verdicts.iter().enumerate() {
            assert_eq!(matches!(verdict, Verdict::DeadLetter(_)), item == 5, "{item}");
            assert_ne!(*verdict, Verdict::RetryLater);
        }
        assert!(*calls.lock().unwrap() <= 10);
    }

    #[tokio::test]
    async fn a_database_that_is_away_costs_no_delivery() {
        let process = |_| async { Err(Error::Unavailable("away".into())) };
        let mut verdicts = vec![Verdict::Done; 4];
        bisect((0..4).collect(), process, &mut verdicts).await;
        assert_eq!(verdicts, [const { Verdict::RetryLater }; 4]);
    }
}
