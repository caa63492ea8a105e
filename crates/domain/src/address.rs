//! E-mail addresses as RFC 5321 and 5322 spell them, with internationalised domains.

use std::fmt;

use email_address::Options;
use serde::{Deserialize, Serialize};

/// A syntactically valid address, kept as it was written.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address: {0}")]
pub struct InvalidAddress(String);

impl EmailAddress {
    /// Reads one bare address, such as `ada@example.com`.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(InvalidAddress("it holds a control character".to_owned()));
        }
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        email_address::EmailAddress::parse_with_options(text, options)
            .map_err(|fault| InvalidAddress(fault.to_string()))?;
        let address = Self(text.to_owned());
        // A domain that has no ASCII form cannot be looked up, so no mail can reach it.
        if idna::domain_to_ascii(address.split().1).is_err() {
            return Err(InvalidAddress("its domain is not a valid international domain name".to_owned()));
        }
        Ok(address)
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('@').unwrap_or((&self.0, ""))
    }

    /// The address with its domain in ASCII (RFC 5890), as it goes on the wire.
    pub fn to_ascii(&self) -> String {
        let (local, domain) = self.split();
        let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        format!("{local}@{ascii}")
    }

    /// The form by which addresses are compared: ASCII domain, all in lower case. Local parts could differ by
    /// case (RFC 5321, section 2.4), but no provider keeps them apart, and Mailjet's events are in lower case.
    pub fn key(&self) -> String {
        self.to_ascii().to_lowercase()
    }
}

/// The comparison form of an address that may not be valid, as events bring them.
pub fn key_of(text: &str) -> String {
    // What is all ASCII has its domain in ASCII already. This is done for every event.
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    EmailAddress::parse(text).map_or_else(|_| text.trim().to_lowercase(), |address| address.key())
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address with the name that a reader sees beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mailbox {
    /// The address.
    pub email: EmailAddress,
    /// The display name, if one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
}

impl Mailbox {
    /// Joins an address and a name; an empty name is none.
    pub fn new(email: &str, name: Option<&str>) -> Result<Self, InvalidAddress> {
        if name.is_some_and(|name| name.chars().any(char::is_control)) {
            return Err(InvalidAddress("its name holds a control character".to_owned()));
        }
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        Ok(Self { email: EmailAddress::parse(email)?, name: name.map(str::to_owned) })
    }

    /// Reads `ada@example.com` or `Ada Lovelace <ada@example.com>` (the name may be quoted).
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let Some((name, rest)) = text.strip_suffix('>').and_then(|front| front.rsplit_once('<')) else {
            return Self::new(text, None);
        };
        Self::new(rest, Some(&unquote(name.trim())))
    }
}

fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_what_the_rfcs_accept() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "o'hara@example.ie", "\"a b\"@example.com"] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for bad in ["", "a", "a@", "@b.co", "a@b", "a b@c.de", "a@b.co\r\nBcc: x@y.z", "a@@b.co", "a@b..co"] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn international_domains_compare_by_their_ascii_form() {
        let typed = EmailAddress::parse("Zoë@Bücher.example").unwrap();
        assert_eq!(typed.to_ascii(), "Zoë@xn--bcher-kva.example");
        assert_eq!(key_of("zoë@xn--bcher-kva.example"), typed.key());
    }

    #[test]
    fn reads_names() {
        let ada = Mailbox::parse("\"Lovelace, Ada\" <ada@example.com>").unwrap();
        assert_eq!((ada.name.as_deref(), ada.email.as_str()), (Some("Lovelace, Ada"), "ada@example.com"));
        assert_eq!(Mailbox::parse("<ada@example.com>").unwrap().name, None);
        assert!(Mailbox::parse("Ada\r\nX: y <ada@example.com>").is_err());
    }

    proptest! {
        #[test]
        fn the_short_way_to_a_key_ends_where_the_long_one_does(
            text in "[a-zA-Z0-9.+_-]{1,8}@([a-zA-Z0-9-]{1,8}|xn--bcher-kva|XN--BCHER-KVA)\\.(com|ORG)",
        ) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(key_of(&text), address.key());
            }
        }

        #[test]
        fn reading_never_panics_and_keys_are_stable(text in ".{0,60}") {
            let key = key_of(&text);
            prop_assert_eq!(key_of(&key), key);
            let _ = Mailbox::parse(&text);
        }

        #[test]
        fn no_valid_mailbox_can_break_a_header(text in "\\PC{0,20}[\r\n\0]\\PC{0,20}@example.com") {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                let whole = format!("{:?}{}", mailbox.name, mailbox.email);
                prop_assert!(!whole.contains(['\r', '\n', '\0']));
            }
        }
    }
}
