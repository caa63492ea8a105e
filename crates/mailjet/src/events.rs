//! Reading webhook bodies: one object (Version 1) or an array of objects (Version 2), normalised item by item.

mod fields;
mod fingerprint;
mod normalise;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub use normalise::{normalise, unknown};

/// The provider's name in URLs and in stored events.
pub const PROVIDER: &str = "mailjet";

/// The byte order mark in UTF-8, with which RFC 8259 (section 8.1) lets a reader bear.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The body is no JSON object and no JSON array.
#[derive(Debug, thiserror::Error)]
#[error("the webhook body is no JSON object or array")]
pub struct NotAWebhook;

/// The items of a body, each as its own JSON text: what one holds never harms another. They are normalised one by one,
/// since a body of 10 MiB may have millions.
///
/// Mailjet passes on what mail servers said, in whatever encoding they said it. Bytes inside a string that are no UTF-8
/// become U+FFFD, and all else stays to the letter: a body is not refused for them, since Mailjet holds back, and in the
/// end suspends, a URL that refuses. Outside strings they are no JSON. What the door for webhooks accepts can be read
/// here, and the other way round.
pub fn items(body: &[u8]) -> Result<Vec<Cow<'_, str>>, NotAWebhook> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => Ok(split(text)?.into_iter().map(|item| Cow::Borrowed(item.get())).collect()),
        Cow::Owned(text) => {
            Ok(split(&text)?.into_iter().map(|item| Cow::Owned(item.get().to_owned())).collect())
        }
    }
}

fn split(text: &str) -> Result<Vec<&RawValue>, NotAWebhook> {
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'[') => serde_json::from_str(text).map_err(|_| NotAWebhook),
        Some(b'{') => serde_json::from_str(text).map(|item| vec![item]).map_err(|_| NotAWebhook),
        _ => Err(NotAWebhook),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_are_webhooks_and_nothing_else_is() {
        for body in
            [&b""[..], b" ", b"7", b"\"x\"", b"null", b"{", b"[1", b"[1,]", b"{}{}", b"\xff{}", b"[\xff]"]
        {
            assert!(items(body).is_err(), "{body:?}");
        }
        assert!(items(b"[]").unwrap().is_empty());
        assert_eq!(items(b" {} ").unwrap(), ["{}"]);
        assert_eq!(items(b"\n[ 1.50,{ \"a\" :1e999} ]\t").unwrap(), ["1.50", "{ \"a\" :1e999}"]);
    }

    #[test]
    fn one_byte_order_mark_is_passed_over() {
        assert_eq!(items(b"\xef\xbb\xbf[1]").unwrap(), ["1"]);
        assert_eq!(items(b"\xef\xbb\xbf {}").unwrap(), ["{}"]);
        for body in [&b"\xef\xbb\xbf"[..], b"\xef\xbb\xbf\xef\xbb\xbf[]", b" \xef\xbb\xbf[]", b"\xef\xbb[]"] {
            assert!(items(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn valid_bodies_are_not_copied_and_damaged_strings_are_mended() {
        assert!(
            items("[\"caf\u{e9}\"]".as_bytes()).unwrap().iter().all(|item| matches!(item, Cow::Borrowed(_)))
        );
        // Latin 1, a cut sequence before a quote, and before an escape.
        let body = b"[{\"a\":\"caf\xe9\"},{\"b\":\"\xf0\x9f\x98\"},{\"c\":\"\xc3\\\"\"},1.50]";
        let expected =
            ["{\"a\":\"caf\u{fffd}\"}", "{\"b\":\"\u{fffd}\"}", "{\"c\":\"\u{fffd}\\\"\"}", "1.50"];
        assert_eq!(items(body).unwrap(), expected);
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(items(deep.as_bytes()).unwrap().len(), 1);
        let objects = format!("{}1{}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
        assert_eq!(items(objects.as_bytes()).unwrap(), [objects.as_str()]);
    }
}
