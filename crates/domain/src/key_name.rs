//! What people call an API key.

use std::fmt;

/// Characters of a name.
pub const MOST_CHARS: usize = 100;

/// A name of at most [`MOST_CHARS`] characters, without control characters and without white space around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// Text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyName {
    /// It is too long.
    #[error("has more than {MOST_CHARS} characters")]
    TooLong,
    /// It would garble a list.
    #[error("holds a control character")]
    Control,
}

impl KeyName {
    /// Reads a name; a blank one is none.
    pub fn read(text: &str) -> Result<Option<Self>, InvalidKeyName> {
        if text.chars().any(char::is_control) {
            return Err(InvalidKeyName::Control);
        }
        if text.chars().count() > MOST_CHARS {
            return Err(InvalidKeyName::TooLong);
        }
        let name = text.trim();
        Ok((!name.is_empty()).then(|| Self(name.to_owned())))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_blank_ones_are_none() {
        let read = |text: &str| KeyName::read(text).map(|name| name.map(|name| name.to_string()));
        assert_eq!(read(" Shop, live "), Ok(Some("Shop, live".to_owned())));
        assert_eq!((read(""), read("  ")), (Ok(None), Ok(None)));
        assert_eq!(read(&"é".repeat(100)), Ok(Some("é".repeat(100))));
        assert_eq!(read(&"é".repeat(101)), Err(InvalidKeyName::TooLong));
        assert_eq!((read("a\nb"), read("a\0")), (Err(InvalidKeyName::Control), Err(InvalidKeyName::Control)));
    }
}
