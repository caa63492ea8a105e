//! Typed ids: a tenant's id cannot be passed where a message's is asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

typed_id!(
    /// One customer of this installation; owns keys, credentials, messages, events, suppressions.
    TenantId
);
typed_id!(
    /// One accepted message. At Mailjet it is the message's `CustomID`.
    MessageId
);
typed_id!(
    /// One normalised delivery event.
    EventId
);
typed_id!(
    /// One webhook token (not the secret itself).
    TokenId
);
typed_id!(
    /// One domain that a tenant sends from.
    DomainId
);

/// The name space of ids that are derived from an idempotency key (a random UUID, fixed for ever:
/// another value would give known keys new ids, and so send their mail twice).
const IDEMPOTENCY: Uuid = Uuid::from_u128(0x6f5d_3a5e_8c41_4b07_9d1c_52b0_7e94_a1f3);

impl MessageId {
    /// The id of the message that `key` stands for in `tenant`: a UUIDv5 (RFC 9562, section 5.5), so that
    /// racing requests on different processes agree without asking anyone.
    pub fn derived(tenant: TenantId, key: &str) -> Self {
        let mut name = Vec::with_capacity(16 + key.len());
        name.extend_from_slice(tenant.0.as_bytes());
        name.extend_from_slice(key.as_bytes());
        Self(Uuid::new_v5(&IDEMPOTENCY, &name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_depend_on_tenant_and_key_only() {
        let (a, b) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        assert_eq!(MessageId::derived(a, "k"), MessageId::derived(a, "k"));
        assert_ne!(MessageId::derived(a, "k"), MessageId::derived(b, "k"));
        assert_ne!(MessageId::derived(a, "k"), MessageId::derived(a, "K"));
    }

    #[test]
    fn the_derivation_never_changes() {
        let tenant = TenantId(Uuid::from_u128(7));
        let id = MessageId::derived(tenant, "order-42").to_string();
        insta::assert_snapshot!(id);
    }
}
