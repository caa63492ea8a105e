//! Tasks that must not end unnoticed, and errors told whole.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

/// A task begins again this long after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Runs a loop that ends by itself only on shutdown; should it panic, tells so and begins it again.
pub async fn keep_running<F, R>(name: &'static str, task: F)
where
    F: Fn() -> R,
    R: Future<Output = ()>,
{
    while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
        tracing::error!(task = name, "a background task panicked; it begins again");
        metrics::counter!("raven_task_panics_total", "task" => name).increment(1);
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

/// An error with all its causes, in one line.
pub fn describe(fault: &dyn std::error::Error) -> String {
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_begins_the_task_again() {
        let runs = AtomicU32::new(0);
        keep_running("test", || async { assert!(runs.fetch_add(1, Ordering::Relaxed) > 1, "not yet") }).await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }
}
