//! What a refusal of Mailjet's means, in words that a user can act on.
//!
//! The codes are those of the Send API's error table
//! (<https://dev.mailjet.com/email/guides/send-api-v31/#send-api-errors>); its words are kept, and what to do is added.

use domain::{Outcome, Reason};

use crate::answer::WireError;

/// What became of a message that Mailjet refused for this error.
pub(crate) fn outcome(error: &WireError, words: &str) -> Outcome {
    match error.status {
        Some(500..) => Outcome::Uncertain(reason(error, "mailjet_error", words)),
        Some(429) => Outcome::NotSent(reason(error, "rate_limited", words)),
        // The message itself is as good as it was.
        _ if is_limit(error, words) => Outcome::NotSent(limit(words)),
        _ => Outcome::Refused(reason(error, "refused", words)),
    }
}

/// The reason of a refusal: Mailjet's code, or `default` without one, and its words with what to do.
pub(crate) fn reason(error: &WireError, default: &str, words: &str) -> Reason {
    let code = error.code.as_deref().unwrap_or(default);
    match advice(code) {
        Some(advice) => Reason::new(code, format!("{words} {advice}")),
        None => Reason::new(code, words),
    }
}

fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "send-0006" => "Mailjet's support can enable the Sender property for the account.",
        "send-0007" | "send-0008" => {
            "The sender is not verified: add and validate the address, or its whole domain, under the account's sender \
             addresses at Mailjet, then retry the message."
        }
        "send-0010" => "The template does not exist in this Mailjet account.",
        "mj-0013" => "Correct the address and send the message anew.",
        _ => return None,
    })
}

/// Codes of Mailjet's table that speak of the message; those of limits are not among them, since no code of a limit is
/// documented.
const OF_THE_MESSAGE: [&str; 2] = ["send-", "mj-00"];

/// Whether the words speak of what an account may send in a time: a daily or hourly limit, or its quarantine. Words in
/// quotation marks are the message's own, and may say anything.
pub(crate) fn is_limit(error: &WireError, words: &str) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    if OF_THE_MESSAGE.iter().any(|known| code.starts_with(known)) {
        return false;
    }
    let said: String = words.split('"').step_by(2).collect();
    let said = said.to_lowercase();
    let time = ["daily", "hourly", "per day", "per hour", "sending"].iter().any(|time| said.contains(time));
    (said.contains("limit") && time) || said.contains("quota") || said.contains("quarantine")
}

/// The reason that says so.
pub(crate) fn limit(words: &str) -> Reason {
    let advice = "The account's sending limit at Mailjet is used up; the message is tried again while its retry window \
                  lasts. A higher plan, or Mailjet's support, can raise the limit.";
    Reason::new("sending_limit", format!("{words} {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, status: i64) -> WireError {
        let code = Some(code.to_owned()).filter(|code| !code.is_empty());
        WireError { code, words: None, status: Some(status) }
    }

    #[test]
    fn an_unverified_sender_is_told_what_to_do() {
        let outcome =
            outcome(&error("send-0008", 403), "\"a@b.co\" is not an authorized sender email address.");
        let Outcome::Refused(reason) = outcome else { panic!("{outcome:?}") };
        assert_eq!(reason.code, "send-0008");
        assert!(
            reason.message.contains("a@b.co") && reason.message.contains("validate"),
            "{}",
            reason.message
        );
    }

    #[test]
    fn a_limit_in_time_is_no_fault_of_the_message() {
        for words in
            ["You have reached your daily sending limit.", "Sending quota exceeded", "Account in Quarantine"]
        {
            let outcome = outcome(&error("", 403), words);
            assert!(
                matches!(&outcome, Outcome::NotSent(reason) if reason.code == "sending_limit"),
                "{outcome:?}"
            );
        }
        for (code, words) in [
            ("mj-0006", "Characters limit exceeded"),
            ("send-0015", "Total number of recipients exceeded. Max allowed - 50."),
            ("send-0008", "\"daily-limit@quota.example\" is not an authorized sender"),
            ("x", "\"quota@example.com\" is an invalid email address."),
        ] {
            assert_eq!(outcome(&error(code, 400), words).name(), "refused", "{words}");
        }
        assert_eq!(outcome(&error("", 500), "quota exceeded").name(), "uncertain");
    }
}
