//! Reading webhook bodies: one object (Version 1) or an array of objects (Version 2), normalised item by item.

mod fields;
mod normalise;

use domain::DeliveryEvent;
use jiff::Timestamp;
use serde_json::value::RawValue;

pub use normalise::normalise;

/// The provider's name in URLs and in stored events.
pub const PROVIDER: &str = "mailjet";

/// The body is no JSON object and no JSON array.
#[derive(Debug, thiserror::Error)]
#[error("the webhook body is no JSON object or array")]
pub struct NotAWebhook;

/// Reads a body that arrived at `received_at`. What one item holds never harms another; an item that is not
/// understood becomes an event of type `unknown`.
pub fn read(body: &[u8], received_at: Timestamp) -> Result<Vec<DeliveryEvent>, NotAWebhook> {
    let text = std::str::from_utf8(body).map_err(|_| NotAWebhook)?;
    let items: Vec<&RawValue> = match text.trim_start().chars().next() {
        Some('[') => serde_json::from_str(text).map_err(|_| NotAWebhook)?,
        Some('{') => vec![serde_json::from_str(text).map_err(|_| NotAWebhook)?],
        _ => return Err(NotAWebhook),
    };
    Ok(items.into_iter().map(|item| normalise(item.get(), received_at)).collect())
}
