//! What a handler gets, and what it answers.

use bytes::Bytes;

use crate::headers;

/// One message from a queue.
#[derive(Debug)]
pub struct Delivery {
    /// The body.
    pub body: Bytes,
    /// Its id, if it has one.
    pub message_id: Option<String>,
    /// Whether it was delivered before; a hint only.
    pub redelivered: bool,
    pub(crate) properties: lapin::BasicProperties,
}

impl Delivery {
    /// A header that is a text.
    pub fn header(&self, name: &str) -> Option<String> {
        headers::text(&self.properties, name)
    }
}

/// What is to become of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that it asked for is durable elsewhere.
    Done,
    /// It cannot be processed at present, through no fault of its own: keep it and offer it again.
    RetryLater,
    /// It can never be processed: why. It goes to the dead-letter queue with this reason.
    DeadLetter(String),
}
