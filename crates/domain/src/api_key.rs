//! The tenants' API keys: `rk_live_<8 hex>_<secret>`.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Random bytes in a secret: 160 bits.
const SECRET_BYTES: usize = 20;
/// Hex digits of a secret: the random bytes and their CRC-32.
const SECRET_CHARS: usize = (SECRET_BYTES + 4) * 2;

/// The public part of a key, by which it is found; not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let hex = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !hex {
            return Err(InvalidKey);
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| InvalidKey)
    }
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Sending, and reading messages and events.
    Send,
    /// Everything.
    Manage,
}

impl Scope {
    /// The name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Manage => "manage",
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        match text {
            "send" => Ok(Self::Send),
            "manage" => Ok(Self::Manage),
            _ => Err(InvalidKey),
        }
    }
}

/// The text is no key that this system ever made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an API key")]
pub struct InvalidKey;

/// A whole key. It is shown once, to the one who asked for it; only its hash is kept. The secret is wiped from memory with
/// the value, and never printed by accident.
#[derive(Clone)]
pub struct ApiKey {
    /// By which it is found.
    pub id: KeyId,
    /// Whether mail sent with it stays in the provider's sandbox.
    pub test: bool,
    secret: Zeroizing<String>,
}

impl ApiKey {
    /// Makes a key of random bytes.
    pub fn from_random(id: u32, test: bool, random: [u8; SECRET_BYTES]) -> Self {
        use fmt::Write as _;
        let random = Zeroizing::new(random);
        // Never grows, so that no copy of it is left behind.
        let mut secret = Zeroizing::new(String::with_capacity(SECRET_CHARS));
        for byte in random.iter().copied().chain(crc32fast::hash(&*random).to_be_bytes()) {
            // Writing to a string cannot fail.
            let _ = write!(secret, "{byte:02x}");
        }
        Self { id: KeyId(id), test, secret }
    }

    /// Reads a key; junk is found out by its form and checksum, without any look-up.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let (test, rest) = match (text.strip_prefix("rk_live_"), text.strip_prefix("rk_test_")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(InvalidKey),
        };
        let (id, secret) = rest.split_once('_').ok_or(InvalidKey)?;
        let id = id.parse()?;
        let bytes = unhex(secret).ok_or(InvalidKey)?;
        let (random, checksum) = bytes.split_at(SECRET_BYTES);
        if crc32fast::hash(random).to_be_bytes() != checksum {
            return Err(InvalidKey);
        }
        Ok(Self { id, test, secret: Zeroizing::new(secret.to_owned()) })
    }

    /// The whole key, to be shown once.
    pub fn reveal(&self) -> String {
        [self.prefix().as_str(), self.secret.as_str()].concat()
    }

    /// What stands before the secret.
    fn prefix(&self) -> String {
        let kind = if self.test { "test" } else { "live" };
        format!("rk_{kind}_{}_", self.id)
    }

    /// What is stored of the key: SHA-256 of all of it. A slow hash would add nothing to 160 random bits.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of_parts([self.prefix().as_bytes(), self.secret.as_bytes()])
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        // The hash covers all of a key, and is compared in constant time.
        self.hash() == other.hash()
    }
}

impl Eq for ApiKey {}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

fn unhex(text: &str) -> Option<Zeroizing<[u8; SECRET_BYTES + 4]>> {
    if text.len() != SECRET_CHARS || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let mut bytes = Zeroizing::new([0; SECRET_BYTES + 4]);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The SHA-256 of a secret. Two are compared in constant time.
#[derive(Clone, Copy)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// Hashes a secret of high entropy.
    pub fn of(secret: &[u8]) -> Self {
        Self::of_parts([secret])
    }

    /// Hashes a secret that stands in parts, without a copy of the whole.
    fn of_parts<const N: usize>(parts: [&[u8]; N]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_revealed_is_read_again() {
        let key = ApiKey::from_random(0xab, true, [7; 20]);
        let text = key.reveal();
        assert!(text.starts_with("rk_test_000000ab_"));
        assert_eq!(ApiKey::parse(&text).unwrap(), key);
        assert!(!format!("{key:?}").contains(&text[20..]));
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        let key = ApiKey::from_random(0xab, false, [7; 20]);
        assert_eq!(key.hash(), SecretHash::of(key.reveal().as_bytes()));
        assert_ne!(key, ApiKey::from_random(0xab, true, [7; 20]));
        assert_ne!(key, ApiKey::from_random(0xab, false, [8; 20]));
    }

    proptest! {
        #[test]
        fn one_changed_character_is_found_out(place in 17usize..65, random in any::<[u8; 20]>()) {
            let text = ApiKey::from_random(1, false, random).reveal();
            let mut bytes = text.into_bytes();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(ApiKey::parse(&String::from_utf8(bytes).unwrap()), Err(InvalidKey));
        }

        #[test]
        fn junk_never_panics(text in "(rk_(live|test)_)?.{0,80}") {
            let _ = ApiKey::parse(&text);
        }
    }
}
