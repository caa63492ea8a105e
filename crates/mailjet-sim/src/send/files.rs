//! Attachments: their shape, and their size taken together.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{properties::MOST_ELEMENTS, refusal::Refusal};

/// Bytes that all attachments of a message may have after decoding. Mailjet says 15 MB and not how it
/// measures; we read that as 15 MiB of content.
const MOST_BYTES: usize = 15 * 1024 * 1024;

/// Checks a list of attachments and answers the bytes they decode to.
pub(super) fn check(value: &Value, path: &str, inline: bool, refusals: &mut Vec<Refusal>) -> usize {
    let Value::Array(files) = value else {
        refusals.push(Refusal::mismatch(path, "array of attachments"));
        return 0;
    };
    if files.is_empty() {
        refusals.push(Refusal::empty_list(path));
    }
    if files.len() > MOST_ELEMENTS {
        refusals.push(Refusal::too_many(path, MOST_ELEMENTS));
    }
    let sizes =
        files.iter().enumerate().map(|(at, file)| one(file, &format!("{path}[{at}]"), inline, refusals));
    sizes.sum()
}

/// Refuses a message whose attachments are too large together.
pub(super) fn check_total(bytes: usize, refusals: &mut Vec<Refusal>) {
    if bytes > MOST_BYTES {
        let message = format!("The attachments have {bytes} bytes together. Max allowed - {MOST_BYTES}.");
        refusals.push(Refusal::new("mj-0011", message).about("Attachments"));
    }
}

fn one(value: &Value, path: &str, inline: bool, refusals: &mut Vec<Refusal>) -> usize {
    let Value::Object(file) = value else {
        refusals.push(Refusal::mismatch(path, "attachment"));
        return 0;
    };
    for name in ["ContentType", "Filename", "Base64Content"] {
        if !file.contains_key(name) {
            refusals.push(Refusal::missing(&format!("{path}.{name}")));
        }
    }
    let mut bytes = 0;
    for (name, value) in file {
        let inner = format!("{path}.{name}");
        match (name.as_str(), value) {
            ("Base64Content", Value::String(content)) => match STANDARD.decode(content) {
                Ok(decoded) => bytes = decoded.len(),
                Err(_) => refusals.push(Refusal::mismatch(&inner, "base64")),
            },
            ("Filename" | "ContentType", Value::String(text)) if text.is_empty() => {
                refusals.push(Refusal::new("mj-0012", "An empty string is not allowed here.").about(inner));
            }
            ("Filename" | "ContentType", Value::String(_)) => {}
            ("ContentID", Value::String(_)) if inline => {}
            ("Filename" | "ContentType" | "Base64Content", _) => {
                refusals.push(Refusal::mismatch(&inner, "string"));
            }
            ("ContentID", _) if inline => refusals.push(Refusal::mismatch(&inner, "string")),
            _ => refusals.push(Refusal::unexpected(&inner)),
        }
    }
    bytes
}
