//! How a process of Raven starts, tells how it is, and stops.
//!
//! Guarantees: settings are all checked before anything is connected, and a wrong one ends the program with one line
//! that names it; secrets are in no log, help text or debug output; on SIGTERM or Ctrl-C the program's own shutdown
//! runs, and the exit code tells *ended*, *failed*, *misconfigured* and *panicked* apart.
//!
//! This crate must never know what Raven is for.

pub mod core_dumps;
pub mod descriptors;
pub mod health;
pub mod liveness;
pub mod ops;
pub mod program;
pub mod ration;
pub mod settings;
pub mod shared;
pub mod tasks;
pub mod telemetry;

pub use health::{Check, Readiness};
pub use liveness::Liveness;
pub use program::Program;
pub use ration::Ration;
pub use settings::{Environment, Invalid, Variable};
