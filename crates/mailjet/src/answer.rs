//! Reading what the Send API answers: which of the four outcomes it means for each message.

use domain::address::key_of;
use domain::{Acceptance, Outcome, Reason};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::client::SendAnswer;
use crate::request::Outgoing;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    messages: Option<Vec<Entry>>,
    #[serde(flatten)]
    error: WireError,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    status: String,
    to: Vec<Recipient>,
    cc: Vec<Recipient>,
    bcc: Vec<Recipient>,
    errors: Vec<WireError>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Recipient {
    email: String,
    #[serde(rename = "MessageUUID")]
    message_uuid: Value,
    #[serde(rename = "MessageID")]
    message_id: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct WireError {
    error_code: Option<String>,
    error_message: Option<String>,
    status_code: Option<u16>,
}

/// Reads an answer that arrived whole. A list of messages counts whatever the HTTP status is: Mailjet sends the good
/// messages of a call that it answers with 400.
pub(crate) fn read(status: StatusCode, body: &[u8], sent: &[Outgoing<'_>]) -> SendAnswer {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let (messages, error) = match answer {
        Some(answer) => (answer.messages, answer.error),
        None => (None, WireError::default()),
    };
    match messages {
        Some(entries) => SendAnswer::Each(each(entries, sent)),
        None => whole(status, &error),
    }
}

fn each(entries: Vec<Entry>, sent: &[Outgoing<'_>]) -> Vec<Outcome> {
    let missing =
        || Outcome::Uncertain(Reason::new("answer_incomplete", "Mailjet's answer leaves this message out."));
    let mut outcomes: Vec<_> = entries.into_iter().map(outcome).take(sent.len()).collect();
    outcomes.resize_with(sent.len(), missing);
    outcomes
}

fn outcome(entry: Entry) -> Outcome {
    if entry.status.eq_ignore_ascii_case("success") {
        let recipients = entry.to.into_iter().chain(entry.cc).chain(entry.bcc);
        return Outcome::Accepted(recipients.map(Recipient::acceptance).collect());
    }
    let Some(first) = entry.errors.first() else {
        let words = "Mailjet's answer for this message is neither success nor error.";
        return Outcome::Uncertain(Reason::new("answer_unreadable", words));
    };
    let code = first.error_code.clone().unwrap_or_else(|| "refused".to_owned());
    let words: Vec<&str> = entry.errors.iter().filter_map(|error| error.error_message.as_deref()).collect();
    let reason = Reason::new(code, words.join(" "));
    match first.status_code {
        Some(429) => Outcome::NotSent(reason),
        Some(500..) => Outcome::Uncertain(reason),
        _ => Outcome::Refused(reason),
    }
}

impl Recipient {
    fn acceptance(self) -> Acceptance {
        Acceptance {
            email_key: key_of(&self.email),
            // Sandbox mode answers 0 and "": those are no ids.
            message_id: exact(&self.message_id).filter(|&id| id != 0),
            message_uuid: self.message_uuid.as_str().and_then(|text| Uuid::try_parse(text).ok()),
        }
    }
}

/// An integer, whether it came as a number or as a text; never by way of a float.
pub(crate) fn exact(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// An answer about the call as a whole: none of its messages was taken on, or nobody knows.
fn whole(status: StatusCode, error: &WireError) -> SendAnswer {
    let code = error.error_code.as_deref();
    let words = error.error_message.as_deref().unwrap_or_default();
    let reason = |default: &str, text: String| Reason::new(code.unwrap_or(default), text);
    match status.as_u16() {
        401 if code == Some("mj-0001") => SendAnswer::All(Outcome::NotSent(reason(
            "mj-0001",
            format!("Mailjet has blocked this account: {words}"),
        ))),
        401 => SendAnswer::All(Outcome::NotSent(reason(
            "unauthorized",
            format!(
                "401 Unauthorized: Mailjet does not accept the API key or the secret; set them again. {words}"
            ),
        ))),
        429 => SendAnswer::All(Outcome::NotSent(Reason::new(
            "rate_limited",
            "Mailjet takes no more calls from this account for the moment.",
        ))),
        // A time-out of the gateway says nothing of what stands behind it.
        408 => SendAnswer::All(Outcome::Uncertain(reason("http_408", "Mailjet answered 408.".to_owned()))),
        400..=499 => SendAnswer::Culprit(reason(
            &format!("http_{}", status.as_u16()),
            if words.is_empty() { format!("Mailjet answered {status}.") } else { words.to_owned() },
        )),
        300..=399 => SendAnswer::All(Outcome::NotSent(reason(
            "redirected",
            format!("Mailjet's address answered {status}; MAILJET_URL is probably wrong."),
        ))),
        200..=299 => SendAnswer::All(Outcome::Uncertain(reason(
            "answer_unreadable",
            format!("Mailjet answered {status} with a body that cannot be read."),
        ))),
        _ => SendAnswer::All(Outcome::Uncertain(reason(
            &format!("http_{}", status.as_u16()),
            format!("Mailjet answered {status}. {words}"),
        ))),
    }
}

/// A call that got no whole answer. Only one that never had a connection is certain not to have been heard.
pub(crate) fn failure(fault: &reqwest::Error) -> Outcome {
    if fault.is_connect() {
        Outcome::NotSent(words("connection_failed", fault))
    } else if fault.is_builder() {
        Outcome::NotSent(words("request_invalid", fault))
    } else if fault.is_timeout() {
        Outcome::Uncertain(words("timeout", fault))
    } else {
        Outcome::Uncertain(words("connection_lost", fault))
    }
}

/// The words of a fault and its causes. URLs here carry no secrets: credentials go in a header.
pub(crate) fn words(code: &str, fault: &reqwest::Error) -> Reason {
    let mut text = fault.to_string();
    let mut cause = std::error::Error::source(fault);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    Reason::new(code, text)
}

#[cfg(test)]
mod tests {
    use domain::{Mailbox, Message, MessageId};

    use super::*;

    fn read_for(count: usize, status: u16, body: &str) -> SendAnswer {
        let from = Mailbox::parse("a@example.com").unwrap();
        let message = Message::default();
        let sent = vec![Outgoing { id: MessageId(Uuid::nil()), from: &from, message: &message }; count];
        read(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &sent)
    }

    #[test]
    fn a_mixed_answer_counts_message_by_message_whatever_the_status() {
        let body = r#"{"Messages":[
            {"Status":"error","Errors":[{"ErrorCode":"mj-0013","StatusCode":400,"ErrorMessage":"Bad address."}]},
            {"Status":"success","CustomID":"x","To":[{"Email":"B@example.com",
             "MessageUUID":"6fa459ea-ee8a-3ca4-894e-db77e160355e","MessageID":1152921505370435001}]}]}"#;
        let SendAnswer::Each(outcomes) = read_for(3, 400, body) else { panic!("not each") };
        assert_eq!(outcomes[0], Outcome::Refused(Reason::new("mj-0013", "Bad address.")));
        let Outcome::Accepted(recipients) = &outcomes[1] else { panic!("not accepted") };
        assert_eq!(recipients[0].email_key, "b@example.com");
        assert_eq!(recipients[0].message_id, Some(1_152_921_505_370_435_001));
        assert_eq!(outcomes[2].name(), "uncertain");
    }

    #[test]
    fn sandbox_ids_are_none() {
        let body =
            r#"{"Messages":[{"Status":"success","To":[{"Email":"a@b.co","MessageUUID":"","MessageID":0}]}]}"#;
        let SendAnswer::Each(outcomes) = read_for(1, 200, body) else { panic!("not each") };
        let Outcome::Accepted(recipients) = &outcomes[0] else { panic!("not accepted") };
        assert_eq!((recipients[0].message_id, recipients[0].message_uuid), (None, None));
    }

    #[test]
    fn what_the_whole_answer_means() {
        let name = |status, body| match read_for(2, status, body) {
            SendAnswer::Each(_) => "each",
            SendAnswer::All(outcome) => outcome.name(),
            SendAnswer::Culprit(_) => "culprit",
        };
        assert_eq!(name(429, "<html>Rate limit exceeded</html>"), "not_sent");
        assert_eq!(name(401, r#"{"StatusCode":401,"ErrorMessage":"x"}"#), "not_sent");
        assert_eq!(name(400, r#"{"ErrorCode":"mj-0002","StatusCode":400,"ErrorMessage":"x"}"#), "culprit");
        assert_eq!(name(413, ""), "culprit");
        assert_eq!(name(500, r#"{"ErrorIdentifier":"x"}"#), "uncertain");
        assert_eq!(name(504, "<html>"), "uncertain");
        assert_eq!(name(200, r#"{"Messages":[{"Status":"succ"#), "uncertain");
    }

    #[test]
    fn a_refused_key_says_so() {
        let SendAnswer::All(outcome) = read_for(1, 401, "") else { panic!("not all") };
        let reason = outcome.reason().unwrap();
        assert!(reason.message.starts_with("401 Unauthorized"), "{}", reason.message);
    }
}
