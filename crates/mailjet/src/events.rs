//! Reading webhook bodies: one object (Version 1) or an array of objects (Version 2), normalised item by item.

mod fields;
mod normalise;

use serde_json::value::RawValue;

pub use normalise::{normalise, unknown};

/// The provider's name in URLs and in stored events.
pub const PROVIDER: &str = "mailjet";

/// The body is no JSON object and no JSON array.
#[derive(Debug, thiserror::Error)]
#[error("the webhook body is no JSON object or array")]
pub struct NotAWebhook;

/// The items of a body, each as its own JSON text: what one holds never harms another. They are normalised one by one,
/// since a body of 10 MiB may have millions.
pub fn items(body: &[u8]) -> Result<Vec<&str>, NotAWebhook> {
    let text = std::str::from_utf8(body).map_err(|_| NotAWebhook)?;
    let items: Vec<&RawValue> = match text.trim_start().chars().next() {
        Some('[') => serde_json::from_str(text).map_err(|_| NotAWebhook)?,
        Some('{') => vec![serde_json::from_str(text).map_err(|_| NotAWebhook)?],
        _ => return Err(NotAWebhook),
    };
    Ok(items.into_iter().map(RawValue::get).collect())
}
