//! Random values of a development stack, made once and kept.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::files;

/// Bytes from the operating system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
        text
    })
}

/// Standard base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The content of a private file, made on first use.
pub(crate) fn kept(path: &Path, make: impl FnOnce() -> Result<String>) -> Result<String> {
    if let Some(text) = files::read(path)? {
        return Ok(text.trim().to_owned());
    }
    let made = make()?;
    files::write_private(path, made.as_bytes())?;
    Ok(made)
}

/// A value for `RAVEN_ENCRYPTION_KEYS`: one key named `dev`.
pub(crate) fn encryption_keys() -> Result<String> {
    Ok(format!("dev:{}", base64(&random::<32>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_value_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let first = kept(&path, encryption_keys).unwrap();
        assert_eq!(kept(&path, encryption_keys).unwrap(), first);
    }

    #[test]
    fn hexadecimal_keeps_leading_zeros() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa5]), "000fa5");
    }

    #[test]
    fn encryption_keys_hold_thirty_two_bytes() {
        let keys = encryption_keys().unwrap();
        let encoded = keys.strip_prefix("dev:").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap().len(), 32);
    }
}
