//! Who did what: the words of the audit log.

use std::fmt;

use crate::api_key::KeyId;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The holder of this API key, over HTTP.
    Key(KeyId),
    /// An operator, with the command line.
    Operator,
    /// A worker, by itself.
    Worker,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Operator => f.write_str("cli"),
            Self::Worker => f.write_str("worker"),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What was done. The log holds nothing else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in the API and the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

actions! {
    /// A tenant was created; the subject is its name.
    TenantCreated = "tenant.created",
    /// An API key was created; the subject is its id.
    KeyCreated = "key.created",
    /// An API key was revoked; the subject is its id.
    KeyRevoked = "key.revoked",
    /// The account at a provider was set; the subject is the provider.
    ProviderSet = "provider.set",
    /// The account at a provider was forgotten; the subject is the provider.
    ProviderDeleted = "provider.deleted",
    /// Stored secrets were sealed with another key; the subject is the row that holds them.
    SecretsRotated = "secrets.rotated",
    /// A webhook token was created; the subject is its id.
    WebhookTokenCreated = "webhook_token.created",
    /// A webhook token was revoked; the subject is its id.
    WebhookTokenRevoked = "webhook_token.revoked",
    /// A sending domain was added; the subject is its name.
    DomainAdded = "domain.added",
    /// All three records of a sending domain were found; the subject is its name.
    DomainVerified = "domain.verified",
    /// A record of a verified sending domain is missing again; the subject is its name, the detail says which.
    DomainLapsed = "domain.lapsed",
    /// A sending domain was removed; the subject is its name.
    DomainRemoved = "domain.removed",
    /// An address was put on the suppression list by hand; the subject is the address.
    SuppressionAdded = "suppression.added",
    /// An address was taken off the suppression list; the subject is the address.
    SuppressionRemoved = "suppression.removed",
    /// The webhooks to be registered at a provider were set; the subject is the provider.
    WebhooksRegistered = "webhooks.registered",
    /// The webhooks at a provider were removed; the subject is the provider.
    WebhooksRemoved = "webhooks.removed",
    /// A webhook at the provider was put right; the subject is its type of event, the detail what was wrong.
    WebhooksHealed = "webhooks.healed",
    /// Somebody else keeps taking the place of a webhook, which is left to them; the subject is the provider.
    WebhooksContested = "webhooks.contested",
    /// A file of addresses was put on the suppression list; the detail has the counts.
    SuppressionsImported = "suppressions.imported",
    /// A person was erased; the subject is the erasure's id, since the address must not stand here.
    PersonErased = "person.erased",
}

impl std::str::FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL.iter().find(|action| action.as_str() == text).copied().ok_or(UnknownAction)
    }
}

/// No such action is ever logged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no action of the audit log")]
pub struct UnknownAction;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_by_its_name_and_has_one_of_its_own() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert_eq!("key.borrowed".parse::<Action>(), Err(UnknownAction));
    }
}
