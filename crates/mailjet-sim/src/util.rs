//! Helpers that every part uses.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Locks, also after another holder panicked: what we guard has no half-written states worth refusing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A 64-bit mark of the parts, the same in every run; good for "seen before", not against an adversary.
pub(crate) fn fingerprint(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// A small positive number that stands for a name, as Mailjet numbers contacts and campaigns.
pub(crate) fn number_of(parts: &[&str]) -> u64 {
    fingerprint(parts) % 1_000_000_000 + 1
}

/// The word of an address that tells us what to do: its local part up to the first `+`, `-` or `.`, in lower case.
pub(crate) fn word(email: &str) -> String {
    let local = email.split('@').next().unwrap_or_default();
    local.split(['+', '-', '.']).next().unwrap_or_default().to_ascii_lowercase()
}
