//! The clock of a drain: from the first body that leaves the queue to the last row that is committed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio_postgres::Client;

use crate::process::Process;
use crate::queue::Broker;
use crate::wait::until;

/// A start, and a first batch.
const START: Duration = Duration::from_secs(30);
/// When nothing was added for so long, nothing more will come.
const STUCK: Duration = Duration::from_secs(30);
/// Between two counts: the shortest and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Waits until a consumer has taken the first of so many in a queue; answers when that was, within two milliseconds.
pub(crate) async fn begun(
    (broker, queue): (&Broker, &str),
    waiting: usize,
    worker: &mut Process,
) -> Result<Instant> {
    until("the first delivery", (START, Duration::from_millis(2)), async || {
        worker.check()?;
        Ok((broker.waiting(queue).await? < waiting).then(Instant::now))
    })
    .await
}

/// Waits until a query counts so many rows. The count costs what is being measured, so it comes seldom at first, and often
/// when the end is near. Its time is that of its snapshot.
pub(crate) async fn counted(
    (client, count): (&Client, &str),
    rows: usize,
    begun: Instant,
    worker: &mut Process,
) -> Result<Duration> {
    let count = client.prepare(count).await?;
    let mut latest = (0, Duration::ZERO);
    loop {
        worker.check()?;
        let elapsed = begun.elapsed();
        let found = usize::try_from(client.query_one(&count, &[]).await?.get::<_, i64>(0))?;
        if found >= rows {
            return Ok(elapsed);
        }
        if found > latest.0 {
            latest = (found, elapsed);
        }
        ensure!(elapsed < latest.1 + STUCK, "{found} of {rows} rows, and no more come");
        tokio::time::sleep(next_look(elapsed, found, rows)).await;
    }
}

/// A quarter of the time that is left at the pace so far, since the pace of a beginning is the slowest.
fn next_look(elapsed: Duration, found: usize, rows: usize) -> Duration {
    let (shortest, longest) = LOOKS;
    if found == 0 {
        return shortest;
    }
    let each = elapsed / u32::try_from(found).unwrap_or(u32::MAX);
    let left = each * u32::try_from(rows.saturating_sub(found)).unwrap_or(u32::MAX);
    (left / 4).clamp(shortest, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_closer_together_towards_the_end() {
        let look = |found| next_look(Duration::from_secs(1), found, 1000);
        assert_eq!(look(0), LOOKS.0, "an empty table is counted quickly");
        assert_eq!(look(100), LOOKS.1);
        assert_eq!(look(800), Duration::from_micros(62_500));
        assert_eq!(look(999), LOOKS.0);
    }
}
