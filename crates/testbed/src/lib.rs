//! What black-box tests and `raven-prove` are built of: programs that can be killed and connections that can fail.
//!
//! Made for tests: what cannot go on panics, with words.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking, what it is built of included"
)]

pub mod ports;
pub mod process;
pub mod proxy;
