//! Guarantees that a build with the feature `sabotage` breaks on purpose. What proves that nothing is lost or doubled is
//! put to the proof itself by such builds: it has to find them out. Every other build has none of this: there
//! [`is`] is constantly false, and the environment is not asked.

/// What is broken. They stand here together because this is the crate that both services are built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A delivery is acknowledged before it was handled.
    AckBeforeCommit,
    /// An attempt of which nobody knows the outcome counts as not accepted, without asking.
    ResendWithoutLookUp,
    /// A publish is answered before the broker has confirmed it.
    AnswerBeforeConfirm,
}

/// Whether this is broken on purpose.
#[cfg(not(feature = "sabotage"))]
#[inline]
pub const fn is(_: Sabotage) -> bool {
    false
}

#[cfg(feature = "sabotage")]
pub use self::chosen::{Unknown, check, is};

#[cfg(feature = "sabotage")]
mod chosen {
    use std::sync::LazyLock;

    use super::Sabotage;

    const VARIABLE: &str = "RAVEN_SABOTAGE";
    const KINDS: [(&str, Sabotage); 3] = [
        ("ack-before-commit", Sabotage::AckBeforeCommit),
        ("resend-without-look-up", Sabotage::ResendWithoutLookUp),
        ("answer-before-confirm", Sabotage::AnswerBeforeConfirm),
    ];

    /// Read once: it is asked for with every message.
    static CHOSEN: LazyLock<Option<Sabotage>> = LazyLock::new(|| named(&value()));

    /// No guarantee was named that this build could break.
    #[derive(Debug, thiserror::Error)]
    #[error("{VARIABLE} is {0:?}; this build breaks a guarantee, and has to be told which")]
    pub struct Unknown(String);

    /// Whether this is broken on purpose.
    pub fn is(kind: Sabotage) -> bool {
        *CHOSEN == Some(kind)
    }

    /// Fails unless it was said what to break: a build like this one is never started by mistake.
    pub fn check() -> Result<(), Unknown> {
        let chosen = CHOSEN.ok_or_else(|| Unknown(value()))?;
        tracing::warn!(sabotage = ?chosen, "this program breaks a guarantee on purpose");
        Ok(())
    }

    fn named(text: &str) -> Option<Sabotage> {
        KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind)
    }

    #[expect(clippy::disallowed_methods, reason = "it is not a setting, and no other build reads it")]
    fn value() -> String {
        std::env::var(VARIABLE).unwrap_or_default()
    }
}
