//! Reading what the Send API answers: which of the four outcomes it means for each message.

use domain::address::key_of;
use domain::{Acceptance, Outcome, Reason};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::client::SendAnswer;
use crate::refusal;
use crate::request::Outgoing;

/// Reads an answer that arrived whole. A list of messages counts whatever the HTTP status is: Mailjet sends the good
/// messages of a call that it answers with 400. Every part is read on its own, so that a surprise in one message's
/// entry makes nothing else unreadable; and what cannot be read is never taken for a refusal.
pub(crate) fn read(status: StatusCode, body: &[u8], sent: &[Outgoing<'_>]) -> SendAnswer {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer.get("Messages") {
        Some(Value::Array(entries)) => SendAnswer::Each(each(entries, sent)),
        Some(_) => SendAnswer::All(unreadable(status)),
        None => whole(status, &WireError::of(&answer)),
    }
}

fn each(entries: &[Value], sent: &[Outgoing<'_>]) -> Vec<Outcome> {
    let missing =
        || Outcome::Uncertain(Reason::new("answer_incomplete", "Mailjet's answer leaves this message out."));
    let mut outcomes: Vec<_> = entries.iter().map(outcome).take(sent.len()).collect();
    outcomes.resize_with(sent.len(), missing);
    outcomes
}

fn outcome(entry: &Value) -> Outcome {
    if entry["Status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case("success")) {
        let recipients = ["To", "Cc", "Bcc"].iter().filter_map(|list| entry[list].as_array()).flatten();
        return Outcome::Accepted(recipients.filter_map(acceptance).collect());
    }
    let errors: Vec<WireError> =
        entry["Errors"].as_array().into_iter().flatten().map(WireError::of).collect();
    let Some(first) = errors.first().filter(|error| error.says_something()) else {
        let words = "Mailjet's answer for this message is neither success nor error.";
        return Outcome::Uncertain(Reason::new("answer_unreadable", words));
    };
    let words: Vec<&str> = errors.iter().filter_map(|error| error.words.as_deref()).collect();
    refusal::outcome(first, &words.join(" "))
}

fn acceptance(recipient: &Value) -> Option<Acceptance> {
    Some(Acceptance {
        email_key: key_of(recipient["Email"].as_str()?),
        // Sandbox mode answers 0 and "": those are no ids.
        message_id: exact(&recipient["MessageID"]).filter(|&id| id != 0),
        message_uuid: recipient["MessageUUID"].as_str().and_then(|text| Uuid::try_parse(text).ok()),
    })
}

/// What Mailjet says is wrong, as far as it says so.
pub(crate) struct WireError {
    pub(crate) code: Option<String>,
    pub(crate) words: Option<String>,
    pub(crate) status: Option<i64>,
}

impl WireError {
    const fn says_something(&self) -> bool {
        self.code.is_some() || self.words.is_some() || self.status.is_some()
    }

    fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self { code: text("ErrorCode"), words: text("ErrorMessage"), status: exact(&value["StatusCode"]) }
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
    let code = error.code.as_deref();
    let words = error.words.as_deref().unwrap_or_default();
    let number = format!("http_{}", status.as_u16());
    let reason = |default: &str, text: String| Reason::new(code.unwrap_or(default), text);
    let not_sent = |reason| SendAnswer::All(Outcome::NotSent(reason));
    match status.as_u16() {
        401 if code == Some("mj-0001") => {
            not_sent(reason("mj-0001", format!("Mailjet has blocked this account: {words}")))
        }
        401 => not_sent(reason(
            "unauthorized",
            format!(
                "401 Unauthorized: Mailjet does not accept the API key or the secret; set them again. {words}"
            ),
        )),
        400..=499 if refusal::is_limit(error, words) => not_sent(refusal::limit(words)),
        429 => {
            let words = "Mailjet takes no more calls from this account for the moment.";
            not_sent(Reason::new("rate_limited", words))
        }
        // The only ones that a message can be the cause of. Mailjet says which rule was broken; a gateway that found
        // the request too large may not.
        400 | 422 if code.is_some() || !words.is_empty() => {
            SendAnswer::Culprit(refusal::reason(error, &number, words))
        }
        // A sender that may not send, or a template of somebody else's.
        403 if code.is_some_and(|code| code.starts_with("send-")) => {
            SendAnswer::Culprit(refusal::reason(error, &number, words))
        }
        413 => SendAnswer::Culprit(reason(&number, format!("The message is too large for Mailjet. {words}"))),
        // A time-out of the gateway says nothing of what stands behind it; and a refusal of messages that cannot be
        // read may have been a mixed answer, whose good messages were sent.
        200..=299 | 400 | 408 | 422 => SendAnswer::All(unreadable(status)),
        // The address or the account is wrong, not the message.
        300..=499 => not_sent(reason(
            &number,
            format!(
                "Mailjet answered {status}; the address in MAILJET_URL or the account may be wrong. {words}"
            ),
        )),
        _ => {
            let words = format!("Mailjet answered {status}. {words}");
            SendAnswer::All(Outcome::Uncertain(reason(&number, words)))
        }
    }
}

fn unreadable(status: StatusCode) -> Outcome {
    let words = format!("Mailjet answered {status} with a body that cannot be read.");
    Outcome::Uncertain(Reason::new("answer_unreadable", words))
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
        let Outcome::Refused(reason) = &outcomes[0] else { panic!("not refused") };
        assert!(reason.code == "mj-0013" && reason.message.starts_with("Bad address."), "{reason:?}");
        let Outcome::Accepted(recipients) = &outcomes[1] else { panic!("not accepted") };
        assert_eq!(recipients[0].email_key, "b@example.com");
        assert_eq!(recipients[0].message_id, Some(1_152_921_505_370_435_001));
        assert_eq!(outcomes[2].name(), "uncertain");
    }

    #[test]
    fn a_surprise_in_one_entry_harms_no_other_and_is_no_refusal() {
        let body = r#"{"Messages":[{"Status":"success","To":null},{"Status":"error","Errors":null},{"Status":7,"Errors":[{}]},
            {"Status":"error","Errors":[{"ErrorCode":7,"StatusCode":"400","ErrorMessage":"Bad."}]}]}"#;
        let SendAnswer::Each(outcomes) = read_for(4, 400, body) else { panic!("not each") };
        let names: Vec<_> = outcomes.iter().map(Outcome::name).collect();
        assert_eq!(names, ["accepted", "uncertain", "uncertain", "refused"]);
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
        assert_eq!(name(400, r#"{"Messages":[{"Status":"success"},{"Sta"#), "uncertain");
        assert_eq!(name(400, r#"{"Messages":null}"#), "uncertain");
        assert_eq!(name(400, "<html>"), "uncertain");
        assert_eq!(name(404, "<html>"), "not_sent");
        assert_eq!(name(403, "<html>"), "not_sent");
        assert_eq!(name(403, r#"{"ErrorCode":"send-0008","StatusCode":403,"ErrorMessage":"x"}"#), "culprit");
        assert_eq!(name(400, r#"{"ErrorCode":"x","ErrorMessage":"Daily limit reached"}"#), "not_sent");
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
