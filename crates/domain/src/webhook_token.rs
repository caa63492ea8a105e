//! Secrets that a provider's webhooks carry in their URL.

use std::fmt;

use zeroize::Zeroizing;

use crate::api_key::SecretHash;

/// Random bytes in a token: 192 bits.
pub const TOKEN_BYTES: usize = 24;

/// A webhook token: letters and digits only, so that it survives a URL unescaped. Only its hash is kept; the text is
/// wiped from memory with the value, and never printed by accident.
pub struct WebhookToken(Zeroizing<String>);

impl WebhookToken {
    /// Makes a token of random bytes.
    pub fn from_random(random: [u8; TOKEN_BYTES]) -> Self {
        use fmt::Write as _;
        let random = Zeroizing::new(random);
        // Never grows, so that no copy of it is left behind.
        let mut text = Zeroizing::new(String::with_capacity(4 + TOKEN_BYTES * 2));
        text.push_str("rwt");
        for byte in random.iter() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_printed_by_accident() {
        let token = WebhookToken::from_random([0xab; TOKEN_BYTES]);
        assert_eq!(token.reveal(), "rwt".to_owned() + &"ab".repeat(TOKEN_BYTES));
        assert_eq!(format!("{token:?}"), "WebhookToken");
    }
}
