//! Events as Mailjet words them.

use serde_json::{Value, json};

/// A recipient's copy of a message, about which Mailjet tells.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// Our message id.
    pub(crate) custom_id: String,
    pub(crate) email: String,
    /// Mailjet's number, beyond what a double holds.
    pub(crate) number: u64,
    pub(crate) guid: String,
}

impl Copy {
    /// The copy of one recipient of a message that the API shows as sent.
    pub(crate) fn of(message: &Value, recipient: usize) -> Self {
        let row = &message["recipients"][recipient];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {message}")).to_owned();
        Self {
            custom_id: text(&message["id"]),
            email: text(&row["email"]),
            number: text(&row["providerMessageId"]).parse().expect("a number"),
            guid: text(&row["providerMessageUuid"]),
        }
    }

    /// An event about it, so many seconds after the first of January 2026.
    pub(crate) fn event(&self, event: &str, seconds: u64, more: &Value) -> Value {
        let mut body = json!({
            "event": event, "time": 1_767_225_600 + seconds, "MessageID": self.number, "Message_GUID": self.guid,
            "email": self.email, "mj_campaign_id": 7_276, "mj_contact_id": 187_424_050, "customcampaign": "",
            "CustomID": self.custom_id, "Payload": "",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    }

    pub(crate) fn sent(&self, seconds: u64) -> Value {
        let id = self.number.to_string();
        self.event("sent", seconds, &json!({"mj_message_id": id, "smtp_reply": "sent (250 2.0.0 OK)"}))
    }

    pub(crate) fn open(&self, seconds: u64) -> Value {
        self.event("open", seconds, &json!({"ip": "192.0.2.7", "geo": "FR", "agent": "Test/1.0"}))
    }

    pub(crate) fn hard_bounce(&self, seconds: u64) -> Value {
        let more = json!({
            "blocked": false, "hard_bounce": true, "error_related_to": "recipient", "error": "user unknown",
            "comment": "550 5.1.1 no such user",
        });
        self.event("bounce", seconds, &more)
    }

    pub(crate) fn soft_bounce(&self, seconds: u64) -> Value {
        let more = json!({
            "blocked": false, "hard_bounce": false, "error_related_to": "", "error": "",
            "comment": "421 4.7.0 try again",
        });
        self.event("bounce", seconds, &more)
    }

    pub(crate) fn blocked(&self, seconds: u64) -> Value {
        self.event("blocked", seconds, &json!({"error_related_to": "mailjet", "error": "preblocked"}))
    }

    pub(crate) fn spam(&self, seconds: u64) -> Value {
        self.event("spam", seconds, &json!({"source": "JMRPP"}))
    }

    pub(crate) fn unsub(&self, seconds: u64) -> Value {
        self.event("unsub", seconds, &json!({"mj_list_id": 1, "ip": "192.0.2.7", "agent": "Test/1.0"}))
    }
}
