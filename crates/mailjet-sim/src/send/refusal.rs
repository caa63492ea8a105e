//! One entry of an `Errors` list, or the whole answer when a call is refused at once.

use serde_json::{Value, json};
use uuid::Uuid;

/// Why a message or a call is refused, in the shape of version 3.1 of the send API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Code such as `mj-0013`; empty where the gateway answers without one.
    pub(crate) code: &'static str,
    /// HTTP status that belongs to the code.
    pub(crate) status: u16,
    message: String,
    related: Vec<String>,
}

impl Refusal {
    /// A refusal with status 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, status: 400, message: message.into(), related: Vec::new() }
    }

    /// The same with another HTTP status.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Names a property that the refusal is about, such as `To[0].Email`.
    pub(crate) fn about(mut self, property: impl Into<String>) -> Self {
        self.related.push(property.into());
        self
    }

    /// The wire shape, with a fresh identifier.
    pub(crate) fn to_json(&self) -> Value {
        let mut shape = json!({
            "ErrorIdentifier": Uuid::new_v4(),
            "StatusCode": self.status,
            "ErrorMessage": self.message,
        });
        if !self.code.is_empty() {
            shape["ErrorCode"] = self.code.into();
        }
        if !self.related.is_empty() {
            shape["ErrorRelatedTo"] = json!(self.related);
        }
        shape
    }

    /// A property that has to be there and is not.
    pub(super) fn missing(property: &str) -> Self {
        Self::new("mj-0003", format!("The \"{property}\" property is mandatory and was not given."))
            .about(property)
    }

    /// A property of the wrong kind.
    pub(super) fn mismatch(property: &str, expected: &str) -> Self {
        Self::new("mj-0004", format!("Type mismatch. Expected type \"{expected}\".")).about(property)
    }

    /// A property nobody knows.
    pub(super) fn unexpected(property: &str) -> Self {
        Self::new("send-0001", format!("The property \"{property}\" is not expected here.")).about(property)
    }

    /// A list or an object with nothing in it.
    pub(super) fn empty_list(property: &str) -> Self {
        Self::new("mj-0007", "At least one element is required.").about(property)
    }

    /// More elements than a list or an object may have.
    pub(super) fn too_many(property: &str, most: usize) -> Self {
        Self::new("mj-0008", format!("Too many elements. Max allowed - {most}.")).about(property)
    }

    /// Text with more characters than it may have.
    pub(super) fn too_long(property: &str, most: usize) -> Self {
        Self::new("mj-0006", format!("Characters limit exceeded. Max allowed - {most}.")).about(property)
    }
}
