//! What bodies as Mailjet posts them are read as. The bodies are in the folder beside this file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod fingerprints;
mod ids;
mod made_up;
mod properties;
mod table;
mod times;

use domain::DeliveryEvent;
use jiff::Timestamp;
use mailjet::events::{items, normalise};

/// When every body of these tests arrived.
fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// One item as it is read.
fn read(item: &str) -> DeliveryEvent {
    normalise(item, now())
}

/// The items of a body as they are read.
fn read_all(body: &[u8]) -> Vec<DeliveryEvent> {
    items(body).unwrap().iter().map(read).collect()
}

/// An event of Ada's mail with these other fields, as JSON without the braces.
fn ada(event: &str, more: &str) -> DeliveryEvent {
    read(&format!(
        r#"{{"event":"{event}","time":1767225600,"email":"ada@example.com","MessageID":7,{more}}}"#
    ))
}
