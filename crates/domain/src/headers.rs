//! Headers that a sender may add to a message.

/// Headers that Mailjet refuses, since a field stands for them or since they are its own (error `send-0011`).
const FORBIDDEN: [&str; 22] = [
    "authentication-results",
    "bcc",
    "cc",
    "date",
    "delivered-to",
    "dkim-signature",
    "domainkey-status",
    "from",
    "list-id",
    "message-id",
    "received",
    "received-spf",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "user-agent",
    "x-csa-complaints",
    "x-feedback-id",
    "x-mailer",
    "content-transfer-encoding",
];

/// Prefixes of Mailjet's own headers.
const FORBIDDEN_PREFIXES: [&str; 2] = ["x-mailjet-", "x-mj-"];

/// Why a header cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// RFC 5322, section 3.6.8: printable ASCII without space and colon.
    #[error("is not a header name")]
    Name,
    /// A field stands for it, or it is the provider's own.
    #[error("cannot be set here; use the field of the message, or leave it to the provider")]
    Forbidden,
    /// It would begin another header.
    #[error("holds a line break or another control character")]
    Value,
}

/// Checks one header.
pub fn check(name: &str, value: &str) -> Result<(), InvalidHeader> {
    let printable = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || name.len() > 76 || !name.bytes().all(printable) {
        return Err(InvalidHeader::Name);
    }
    let lower = name.to_ascii_lowercase();
    let reserved = FORBIDDEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    if reserved || FORBIDDEN.contains(&lower.as_str()) {
        return Err(InvalidHeader::Forbidden);
    }
    if value.chars().any(|char| char.is_control() && char != '\t') {
        return Err(InvalidHeader::Value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_headers_pass_and_others_are_named() {
        assert_eq!(check("List-Unsubscribe", "<https://example.com/u>"), Ok(()));
        assert_eq!(check("x-order", "42"), Ok(()));
        for forbidden in ["From", "MESSAGE-ID", "X-MJ-CustomID", "x-mailjet-campaign"] {
            assert_eq!(check(forbidden, "x"), Err(InvalidHeader::Forbidden), "{forbidden}");
        }
        for broken in ["", "a b", "a:b", "é", "a\r\nb"] {
            assert_eq!(check(broken, "x"), Err(InvalidHeader::Name), "{broken:?}");
        }
    }

    #[test]
    fn no_value_begins_another_header() {
        for value in ["a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\0b"] {
            assert_eq!(check("X-Order", value), Err(InvalidHeader::Value), "{value:?}");
        }
    }
}
