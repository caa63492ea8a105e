//! Readers that nobody else may call, by what has to hold of what they read; for tests and the fuzz targets only.

mod query;
mod send;

pub use query::{cursor_holds, idempotency_key_holds, paging_holds};
pub use send::send_request_holds;
