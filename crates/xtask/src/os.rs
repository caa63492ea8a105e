//! The few calls that the services are forbidden and a synchronous task runner needs.

use std::time::Duration;

/// An environment variable, or `None` when it is unset, empty or not UTF-8.
#[expect(
    clippy::disallowed_methods,
    reason = "the ban is for the services, whose settings live in one crate"
)]
pub(crate) fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Waits between two looks at a condition; never a substitute for looking.
#[expect(clippy::disallowed_methods, reason = "no async runtime lives here whose thread could be blocked")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A file of this name in one of the directories of `PATH`.
pub(crate) fn on_path(name: &str) -> Option<std::path::PathBuf> {
    let path = var("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
