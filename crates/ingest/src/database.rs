//! Asking the database on behalf of a caller who waits.

use std::time::Duration;

use store::Error;

use crate::problem::{Code, Problem};

/// How long a caller waits for the database. The server's own limit is longer, and does not hold while it is frozen.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer of the database, if it comes in time.
pub(crate) async fn ask<T>(question: impl Future<Output = Result<T, Error>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            Err(Problem::new(Code::DatabaseUnavailable, "The database did not answer in time. Try again."))
        }
    }
}
