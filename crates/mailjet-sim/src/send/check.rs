//! What is wrong with one message, taken by itself. Every fault is told, not only the first.

use serde_json::{Map, Value};

use super::{
    address, files,
    properties::{Kind, MOST_ELEMENTS, is_forbidden_header, kind_of},
    refusal::Refusal,
};

/// Checks a message into which the globals are already merged.
pub(super) fn message(message: &Map<String, Value>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut attached = 0;
    for (name, value) in message {
        match kind_of(name) {
            None => refusals.push(Refusal::unexpected(name)),
            Some(_) if value.is_null() => {
                refusals.push(Refusal::new("mj-0003", "The property must not be null.").about(name));
            }
            Some(Kind::Attachments) => attached += files::check(value, name, false, &mut refusals),
            Some(Kind::InlinedAttachments) => attached += files::check(value, name, true, &mut refusals),
            Some(kind) => property(kind, value, name, &mut refusals),
        }
    }
    files::check_total(attached, &mut refusals);
    together(message, &mut refusals);
    refusals
}

fn property(kind: Kind, value: &Value, name: &str, refusals: &mut Vec<Refusal>) {
    match kind {
        Kind::Address => address::check(value, name, refusals),
        Kind::Addresses => addresses(value, name, refusals),
        Kind::Text(most) => match value.as_str() {
            None => refusals.push(Refusal::mismatch(name, "string")),
            Some(text) if text.chars().count() > most => refusals.push(Refusal::too_long(name, most)),
            Some(_) => {}
        },
        Kind::Integer(least, most) => match value.as_i64() {
            None => refusals.push(Refusal::mismatch(name, "int")),
            Some(number) if (least..=most).contains(&number) => {}
            Some(_) => refusals.push(not_allowed(name)),
        },
        Kind::Flag if !value.is_boolean() => refusals.push(Refusal::mismatch(name, "bool")),
        Kind::Choice(words) => match value.as_str() {
            None => refusals.push(Refusal::mismatch(name, "string")),
            Some(word) if words.contains(&word) => {}
            Some(_) => refusals.push(not_allowed(name)),
        },
        Kind::Object | Kind::Headers => members(kind, value, name, refusals),
        Kind::Flag | Kind::Attachments | Kind::InlinedAttachments => {}
    }
}

fn not_allowed(name: &str) -> Refusal {
    Refusal::new("mj-0005", "The value is not one of those that are allowed.").about(name)
}

fn addresses(value: &Value, name: &str, refusals: &mut Vec<Refusal>) {
    let Value::Array(list) = value else {
        refusals.push(Refusal::mismatch(name, "array of emails"));
        return;
    };
    // Cc and Bcc may be empty: Mailjet's own answers show them so, and only a message without To is refused.
    if list.is_empty() && name == "To" {
        refusals.push(Refusal::empty_list(name));
    }
    for (at, one) in list.iter().enumerate() {
        address::check(one, &format!("{name}[{at}]"), refusals);
    }
}

fn members(kind: Kind, value: &Value, name: &str, refusals: &mut Vec<Refusal>) {
    let Value::Object(members) = value else {
        refusals.push(Refusal::mismatch(name, "object"));
        return;
    };
    if members.len() > MOST_ELEMENTS {
        refusals.push(Refusal::too_many(name, MOST_ELEMENTS));
    }
    if !matches!(kind, Kind::Headers) {
        return;
    }
    for (header, value) in members {
        let path = format!("{name}.{header}");
        if is_forbidden_header(header) {
            let message = format!("The header \"{header}\" cannot be customized.");
            refusals.push(Refusal::new("send-0011", message).about(path));
        } else if !value.is_string() {
            refusals.push(Refusal::mismatch(&path, "string"));
        }
    }
}

/// Rules that concern more than one property.
fn together(message: &Map<String, Value>, refusals: &mut Vec<Refusal>) {
    let has = |name: &str| message.contains_key(name);
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_true = |name: &str| message.get(name) == Some(&Value::Bool(true));

    if !has("To") {
        refusals.push(Refusal::missing("To"));
    }
    if !has("From") && !has("TemplateID") {
        refusals.push(Refusal::missing("From"));
    }
    let given = |name: &str| message.get(name).is_some_and(|value| value.as_str() != Some(""));
    if !given("TextPart") && !given("HTMLPart") && !has("TemplateID") {
        let words = "At least \"HTMLPart\", \"TextPart\" or \"TemplateID\" must be provided.";
        refusals.push(Refusal::new("send-0003", words).about("HTMLPart").about("TextPart"));
    }
    if (has("TemplateErrorReporting") || has("TemplateErrorDeliver")) && !is_true("TemplateLanguage") {
        let words = "\"TemplateLanguage\" must be true for template error reporting.";
        refusals.push(Refusal::new("send-0016", words).about("TemplateLanguage"));
    }
    if is_true("DeduplicateCampaign") && text("CustomCampaign").is_empty() {
        let words = "\"CustomCampaign\" must be set to deduplicate a campaign.";
        refusals.push(Refusal::new("send-0012", words).about("DeduplicateCampaign"));
    }
    if has("Sender") {
        let words = "The API key may not send on behalf of others.";
        refusals.push(Refusal::new("send-0006", words).with_status(403).about("Sender"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The codes of a sound message after `change` is laid over it; null removes.
    fn codes(change: &Value) -> Vec<&'static str> {
        let mut draft = json!({"From": {"Email": "a@b.co"}, "To": [{"Email": "c@d.co"}], "TextPart": "hi"});
        for (name, value) in change.as_object().unwrap() {
            draft[name] = value.clone();
        }
        message(draft.as_object().unwrap()).iter().map(|refusal| refusal.code).collect()
    }

    #[test]
    fn each_fault_has_its_code() {
        let file = |name: &str, content: &str| json!([{"ContentType": "a/b", "Filename": name, "Base64Content": content}]);
        let cases = [
            (json!({}), vec![]),
            (json!({"Nonsense": 1}), vec!["send-0001"]),
            (json!({"TextPart": ""}), vec!["send-0003"]),
            (json!({"Subject": "x".repeat(256)}), vec!["mj-0006"]),
            (json!({"CustomID": "x".repeat(65)}), vec!["mj-0006"]),
            (json!({"CustomID": 7}), vec!["mj-0004"]),
            (json!({"To": []}), vec!["mj-0007"]),
            (json!({"To": {"Email": "c@d.co"}}), vec!["mj-0004"]),
            (json!({"To": [{"Email": "nobody"}]}), vec!["mj-0013"]),
            (json!({"To": [{"Name": "n"}]}), vec!["mj-0003"]),
            (json!({"To": [{"Email": "c@d.co", "Age": 3}]}), vec!["send-0001"]),
            (json!({"From": null}), vec!["mj-0003"]),
            (json!({"Attachments": file("", "aGk=")}), vec!["mj-0012"]),
            (json!({"Attachments": file("a", "?")}), vec!["mj-0004"]),
            (json!({"Attachments": []}), vec!["mj-0007"]),
            (json!({"Attachments": file("a", &"AAAA".repeat(5 * 1024 * 1024 + 1))}), vec!["mj-0011"]),
            (json!({"Headers": {"Message-ID": "x"}}), vec!["send-0011"]),
            (json!({"Headers": {"List-Unsubscribe": "<https://x.co>"}}), vec![]),
            (json!({"TemplateErrorReporting": {"Email": "e@f.co"}}), vec!["send-0016"]),
            (json!({"DeduplicateCampaign": true}), vec!["send-0012"]),
            (json!({"Priority": 4}), vec!["mj-0005"]),
            (json!({"TrackOpens": "maybe"}), vec!["mj-0005"]),
            (json!({"Sender": {"Email": "e@f.co"}}), vec!["send-0006"]),
        ];
        for (change, expected) in cases {
            let shown = change.to_string().chars().take(80).collect::<String>();
            assert_eq!(codes(&change), expected, "{shown}");
        }
    }

    #[test]
    fn more_than_fifty_members_are_too_many() {
        let many: Map<String, Value> = (0..51).map(|n| (format!("X-{n}"), json!("v"))).collect();
        assert_eq!(codes(&json!({"Headers": many.clone()})), ["mj-0008"]);
        assert_eq!(codes(&json!({"Variables": many})), ["mj-0008"]);
    }
}
