//! Secrets that a provider's webhooks carry in their URL.

use std::fmt;

use crate::api_key::SecretHash;

/// Random bytes in a token: 192 bits.
pub const TOKEN_BYTES: usize = 24;

/// A webhook token: letters and digits only, so that it survives a URL unescaped. Only its hash is kept.
pub struct WebhookToken(String);

impl WebhookToken {
    /// Makes a token of random bytes.
    pub fn from_random(random: [u8; TOKEN_BYTES]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(4 + TOKEN_BYTES * 2);
        text.push_str("rwt");
        for byte in random {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The token, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }
}

impl fmt::Debug for WebhookToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookToken")
    }
}
