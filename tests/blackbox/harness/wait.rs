//! Waiting for a condition, never for a time.

use std::{thread, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before it counts as never. Generous, since machines that test are busy; a test that
/// passes never waits so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(45);

/// The pause between two looks at a condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(40);

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        sleep(PAUSE).await;
    }
}

/// Reads until what is read passes; the last reading stands in the panic.
pub(crate) async fn until<T: std::fmt::Debug>(
    what: &str,
    mut read: impl AsyncFnMut() -> T,
    passes: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let reading = read().await;
        if passes(&reading) {
            return reading;
        }
        assert!(Instant::now() < deadline, "never came: {what}; last seen: {reading:#?}");
        sleep(PAUSE).await;
    }
}

/// Fails if the future is not done within the time.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    timeout(limit, future).await.unwrap_or_else(|_| panic!("took longer than {limit:?}: {what}"))
}

/// Runs a future to its end on a thread of its own, for places that cannot wait: `Drop`.
pub(crate) fn finish<T: Send>(future: impl Future<Output = T> + Send) -> thread::Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for cleaning up").block_on(future)
        });
        thread.join()
    })
}
