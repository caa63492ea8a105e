//! The items of a webhook's body, one after the other.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The byte order mark in UTF-8, with which RFC 8259 (section 8.1) lets a reader bear.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The body is no JSON object and no JSON array.
#[derive(Debug, thiserror::Error)]
#[error("the webhook body is no JSON object or array")]
pub struct NotAWebhook;

/// A body that is a JSON object or array. A body of 10 MiB may have millions of items, so they are never all in memory,
/// and each is normalised on its own: what one holds never harms another.
#[derive(Debug)]
pub struct Items<'a> {
    text: Cow<'a, str>,
}

/// Reads a body as far as its shape.
///
/// Mailjet passes on what mail servers said, in whatever encoding they said it. Bytes inside a string that are no UTF-8
/// become U+FFFD, and all else stays to the letter: a body is not refused for them, since Mailjet holds back, and in the
/// end suspends, a URL that refuses. Outside strings they are no JSON. What the door for webhooks accepts can be read
/// here, and the other way round.
pub fn items(body: &[u8]) -> Result<Items<'_>, NotAWebhook> {
    let text = String::from_utf8_lossy(body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body));
    let opens = text.trim_ascii_start().starts_with(['{', '[']);
    if opens && serde_json::from_str::<IgnoredAny>(&text).is_ok() {
        Ok(Items { text })
    } else {
        Err(NotAWebhook)
    }
}

impl Items<'_> {
    /// Each item as its own JSON text, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let text = self.text.trim_ascii();
        match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(inside) => Split { rest: inside },
            // An object is the only item.
            None => Split { rest: text },
        }
    }
}

/// Cuts the inside of an array at the commas that belong to it. The text is known to be JSON, so only strings and depth
/// have to be minded.
struct Split<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (item, rest) = match end(self.rest.as_bytes()) {
            Some(comma) => (&self.rest[..comma], &self.rest[comma + 1..]),
            None => (self.rest, ""),
        };
        self.rest = rest;
        let item = item.trim_ascii();
        // Only an array without items has nothing between its brackets.
        (!item.is_empty()).then_some(item)
    }
}

/// Where the first item ends, if others follow.
fn end(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (place, &byte) in text.iter().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return Some(place),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &[u8]) -> Vec<String> {
        items(body).unwrap().iter().map(str::to_owned).collect()
    }

    #[test]
    fn objects_and_arrays_are_webhooks_and_nothing_else_is() {
        for body in
            [&b""[..], b" ", b"7", b"\"x\"", b"null", b"{", b"[1", b"[1,]", b"{}{}", b"\xff{}", b"[\xff]"]
        {
            assert!(items(body).is_err(), "{body:?}");
        }
        assert!(all(b"[]").is_empty() && all(b" [ ] ").is_empty());
        assert_eq!(all(b" {} "), ["{}"]);
        assert_eq!(all(b"\n[ 1.50,{ \"a\" :1e999} ]\t"), ["1.50", "{ \"a\" :1e999}"]);
    }

    #[test]
    fn only_commas_of_the_array_itself_part_items() {
        let body = br#"[{"a":[1,2],"b":"},{"},[[],[3,4]],"x,y","\\","\",\"",{"k,":{"l":",]"}},null]"#;
        let expected = [
            r#"{"a":[1,2],"b":"},{"}"#,
            "[[],[3,4]]",
            r#""x,y""#,
            r#""\\""#,
            r#""\",\"""#,
            r#"{"k,":{"l":",]"}}"#,
            "null",
        ];
        assert_eq!(all(body), expected);
        assert_eq!(all(br#"{"a":[1,2],"b":"]"}"#), [r#"{"a":[1,2],"b":"]"}"#]);
    }

    #[test]
    fn one_byte_order_mark_is_passed_over() {
        assert_eq!(all(b"\xef\xbb\xbf[1]"), ["1"]);
        assert_eq!(all(b"\xef\xbb\xbf {}"), ["{}"]);
        for body in [&b"\xef\xbb\xbf"[..], b"\xef\xbb\xbf\xef\xbb\xbf[]", b" \xef\xbb\xbf[]", b"\xef\xbb[]"] {
            assert!(items(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn valid_bodies_are_not_copied_and_damaged_strings_are_mended() {
        assert!(matches!(items("[\"caf\u{e9}\"]".as_bytes()).unwrap().text, Cow::Borrowed(_)));
        // Latin 1, a cut sequence before a quote, and before an escape.
        let body = b"[{\"a\":\"caf\xe9\"},{\"b\":\"\xf0\x9f\x98\"},{\"c\":\"\xc3\\\"\"},1.50]";
        let expected =
            ["{\"a\":\"caf\u{fffd}\"}", "{\"b\":\"\u{fffd}\"}", "{\"c\":\"\u{fffd}\\\"\"}", "1.50"];
        assert_eq!(all(body), expected);
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(all(deep.as_bytes()).len(), 1);
        let objects = format!("{}1{}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
        assert_eq!(all(objects.as_bytes()), [objects.as_str()]);
    }
}
