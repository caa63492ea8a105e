//! Work at the provider on behalf of a caller who waits.

use std::time::Duration;

use provisioning::Error;

use crate::problem::{Code, Problem};

/// How long a caller waits: fourteen webhooks are as many calls, one after the other.
const PATIENCE: Duration = Duration::from_mins(1);

/// The outcome of some work, if it comes in time. What is cut off half way is completed by a repeat, or by a worker.
pub(super) async fn in_time<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, Error>, Problem> {
    let late = |_| {
        let detail = "It took too long, and may be done in part. Try again: a repeat completes it.";
        Problem::new(Code::ProviderUnavailable, detail)
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(late)
}
