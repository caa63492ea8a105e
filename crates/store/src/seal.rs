//! Sealing of secrets: XChaCha20-Poly1305 under a key of the installation's ring.
//!
//! Guarantee: a sealed value opens only in the tenant, table, column and row for which it was sealed, with the key
//! that its record names. A record is `version (1) | length of key id (1) | key id | nonce (24) | ciphertext`.
//! The nonce is random; at 192 bits that is safe without a counter (draft-irtf-cfrg-xchacha-03, section 1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::TenantId;
use secrecy::SecretString;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE: usize = 24;
/// Longest id of a key. A key in the place of an id, in base64 or hex, is longer, and must not be shown as one.
const ID: usize = 40;

/// The keys of an installation: the first seals, all open.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(String, XChaCha20Poly1305)>,
}

/// Where a sealed value lives.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The tenant that owns the row.
    pub tenant: TenantId,
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row, by its key within the tenant.
    pub row: &'a str,
}

/// Why `RAVEN_ENCRYPTION_KEYS` cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Not of the form `id:key`.
    #[error("has an entry that is not id:base64-of-32-bytes, with an id of at most {ID} characters")]
    Form,
    /// Not base64, or not 32 bytes.
    #[error("has a key, {0}, that is not 32 bytes in base64 (make one with: openssl rand -base64 32)")]
    Key(String),
    /// Two entries have one id.
    #[error("names the key {0} twice")]
    Twice(String),
}

/// A sealed value does not open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// The ring lacks the key.
    #[error("a stored secret was sealed with the key {0:?}, which RAVEN_ENCRYPTION_KEYS lacks")]
    MissingKey(String),
    /// The record was changed, or belongs elsewhere.
    #[error("a stored secret was changed, or copied from another place")]
    Tampered,
}

impl Keyring {
    /// Reads `id:base64[,id:base64…]`.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let mut keys: Vec<(String, XChaCha20Poly1305)> = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (id, key) = entry.split_once(':').ok_or(InvalidKeys::Form)?;
            if id.is_empty() || id.len() > ID {
                return Err(InvalidKeys::Form);
            }
            if keys.iter().any(|(known, _)| known == id) {
                return Err(InvalidKeys::Twice(id.to_owned()));
            }
            let bytes = STANDARD.decode(key).map(Zeroizing::new).unwrap_or_default();
            let cipher =
                XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| InvalidKeys::Key(id.to_owned()))?;
            keys.push((id.to_owned(), cipher));
        }
        Ok(Self { keys })
    }

    /// The ids of the keys, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| id.as_str())
    }

    /// The id of the key that seals.
    pub(crate) fn first(&self) -> &str {
        self.ids().next().unwrap_or_default()
    }

    /// Whether the record says that the first key sealed it.
    pub(crate) fn is_first(&self, record: &[u8]) -> bool {
        split(record).is_some_and(|(id, ..)| id == self.first())
    }

    /// Seals `secret` for `place` under the first key.
    pub fn seal(&self, place: Place<'_>, secret: &[u8], nonce: [u8; NONCE]) -> Result<Vec<u8>, Unsealable> {
        let (id, cipher) = self.keys.first().ok_or_else(|| Unsealable::MissingKey(String::new()))?;
        let aad = associated(place, id);
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: &aad })
            .map_err(|_| Unsealable::Tampered)?;
        let length = u8::try_from(id.len()).map_err(|_| Unsealable::MissingKey(id.clone()))?;
        let mut record = Vec::with_capacity(2 + id.len() + NONCE + sealed.len());
        record.extend_from_slice(&[VERSION, length]);
        record.extend_from_slice(id.as_bytes());
        record.extend_from_slice(&nonce);
        record.extend_from_slice(&sealed);
        Ok(record)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: Place<'_>, record: &[u8]) -> Result<SecretString, Unsealable> {
        let (id, nonce, sealed) = split(record).ok_or(Unsealable::Tampered)?;
        let cipher = self.keys.iter().find(|(known, _)| known == id).map(|(_, cipher)| cipher);
        let cipher = cipher.ok_or_else(|| Unsealable::MissingKey(id.to_owned()))?;
        let aad = associated(place, id);
        let secret = cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| Unsealable::Tampered)?;
        let text = std::str::from_utf8(&secret).map_err(|_| Unsealable::Tampered)?;
        Ok(SecretString::from(text))
    }
}

fn split(record: &[u8]) -> Option<(&str, [u8; NONCE], &[u8])> {
    let (&[version, length], rest) = record.split_first_chunk()?;
    let (id, rest) = rest.split_at_checked(usize::from(length))?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
    (version == VERSION).then_some((std::str::from_utf8(id).ok()?, *nonce, sealed))
}

/// Each part goes in behind its length, so that no two places have the same associated data.
fn associated(place: Place<'_>, key_id: &str) -> Vec<u8> {
    let tenant = place.tenant.to_string();
    let mut data = Vec::with_capacity(128);
    for part in [tenant.as_str(), place.table, place.column, place.row, key_id] {
        data.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use domain::TenantId;
    use secrecy::ExposeSecret as _;
    use uuid::Uuid;

    use super::*;

    const A: &str = "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const B: &str = "b:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn place(tenant: u128, row: &'static str) -> Place<'static> {
        Place { tenant: TenantId(Uuid::from_u128(tenant)), table: "providers", column: "api_secret", row }
    }

    #[test]
    fn opens_where_it_was_sealed_and_nowhere_else() {
        let ring = Keyring::parse(A).unwrap();
        let record = ring.seal(place(1, "mailjet"), b"secret", [3; NONCE]).unwrap();
        assert_eq!(ring.open(place(1, "mailjet"), &record).unwrap().expose_secret(), "secret");
        assert_eq!(ring.open(place(2, "mailjet"), &record).unwrap_err(), Unsealable::Tampered);
        assert_eq!(ring.open(place(1, "other"), &record).unwrap_err(), Unsealable::Tampered);
    }

    #[test]
    fn any_changed_byte_is_found_out() {
        let ring = Keyring::parse(A).unwrap();
        let record = ring.seal(place(1, "mailjet"), b"secret", [3; NONCE]).unwrap();
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert!(ring.open(place(1, "mailjet"), &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn old_keys_open_and_lost_keys_are_named() {
        let record = Keyring::parse(A).unwrap().seal(place(1, "r"), b"s", [0; NONCE]).unwrap();
        assert!(Keyring::parse(&format!("{B},{A}")).unwrap().open(place(1, "r"), &record).is_ok());
        let lost = Keyring::parse(B).unwrap().open(place(1, "r"), &record).unwrap_err();
        assert_eq!(lost, Unsealable::MissingKey("a".to_owned()));
    }

    #[test]
    fn bad_rings_are_refused_by_name() {
        assert_eq!(Keyring::parse("").unwrap_err(), InvalidKeys::Form);
        assert_eq!(Keyring::parse("k:short").unwrap_err(), InvalidKeys::Key("k".to_owned()));
        assert_eq!(Keyring::parse(&format!("{A},{A}")).unwrap_err(), InvalidKeys::Twice("a".to_owned()));
        assert!(!format!("{:?}", Keyring::parse(A).unwrap()).contains("AAAA"));
        let (_, key) = A.split_once(':').unwrap();
        let swapped = Keyring::parse(&format!("{key}:a")).unwrap_err();
        assert!(!swapped.to_string().contains("AAAA"), "{swapped}");
    }
}
