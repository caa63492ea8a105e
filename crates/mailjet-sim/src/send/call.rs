//! The call as a whole: its root, the globals, and the limits that refuse everything at once.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    properties::{MOST_ELEMENTS, kind_of},
    refusal::Refusal,
};

/// A call whose root is sound. Its messages are not checked yet.
#[derive(Debug)]
pub(super) struct Call {
    /// Each message with the globals merged in; what is not an object is left for the message's own check.
    pub(super) messages: Vec<Value>,
    /// Nothing shall be sent.
    pub(super) sandbox: bool,
}

/// Reads the body of a call.
pub(super) fn read(body: &[u8]) -> Result<Call, Refusal> {
    let malformed =
        || Refusal::new("mj-0002", "Malformed JSON, please review the syntax and properties types.");
    let Ok(Value::Object(root)) = serde_json::from_slice::<Value>(body) else { return Err(malformed()) };

    let (mut messages, mut globals, mut sandbox) = (None, Map::new(), false);
    for (name, value) in root {
        match (name.as_str(), value) {
            ("Messages", Value::Array(list)) => messages = Some(list),
            ("Messages", Value::Null) | ("AdvanceErrorHandling", Value::Bool(_)) => {}
            ("Messages", _) => return Err(Refusal::mismatch("Messages", "array of messages")),
            ("Globals", Value::Object(members)) => globals = members,
            ("Globals", _) => return Err(Refusal::mismatch("Globals", "object")),
            ("SandboxMode" | "SandBoxMode", Value::Bool(flag)) => sandbox = flag,
            ("SandboxMode" | "SandBoxMode" | "AdvanceErrorHandling", _) => {
                return Err(Refusal::mismatch(&name, "bool"));
            }
            _ => return Err(Refusal::unexpected(&name)),
        }
    }
    let mut messages = messages.ok_or_else(|| Refusal::missing("Messages"))?;
    if let Some(stray) = globals.keys().find(|name| *name == "To" || kind_of(name).is_none()) {
        return Err(Refusal::unexpected(&format!("Globals.{stray}")));
    }
    if messages.is_empty() {
        return Err(Refusal::empty_list("Messages"));
    }
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        merge(&globals, message);
    }
    check_limits(&messages)?;
    Ok(Call { messages, sandbox })
}

/// Lays a message over the globals: lists are appended to the global ones, objects merged, the rest replaced.
fn merge(globals: &Map<String, Value>, message: &mut Map<String, Value>) {
    for (name, global) in globals {
        match (global, message.get_mut(name)) {
            (_, None) => {
                message.insert(name.clone(), global.clone());
            }
            (Value::Array(global), Some(Value::Array(own))) => {
                own.splice(0..0, global.iter().cloned());
            }
            (Value::Object(global), Some(Value::Object(own))) => {
                for (key, value) in global {
                    own.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            (_, Some(_)) => {}
        }
    }
}

fn check_limits(messages: &[Value]) -> Result<(), Refusal> {
    let recipients: usize = messages.iter().map(recipients_of).sum();
    if recipients > MOST_ELEMENTS {
        let words = format!("Total number of recipients exceeded. Max allowed - {MOST_ELEMENTS}.");
        return Err(Refusal::new("send-0015", words).about("Messages"));
    }
    if messages.len() > MOST_ELEMENTS {
        return Err(Refusal::too_many("Messages", MOST_ELEMENTS));
    }
    // The real service breaks on a null variable instead of refusing it.
    let null_variable = |message: &Value| {
        let variables = message.get("Variables").and_then(Value::as_object);
        variables.is_some_and(|variables| variables.values().any(Value::is_null))
    };
    if messages.iter().any(null_variable) {
        return Err(Refusal::new("", "Cannot convert data from Null value").with_status(500));
    }
    Ok(())
}

/// Recipients of a message; one that is named twice counts once.
fn recipients_of(message: &Value) -> usize {
    let lists = ["To", "Cc", "Bcc"].into_iter().filter_map(|list| message.get(list)?.as_array());
    let emails = lists.flatten().filter_map(|address| address.get("Email")?.as_str());
    emails.map(str::to_lowercase).collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> &'static str {
        read(body.to_string().as_bytes()).unwrap_err().code
    }

    fn to(n: usize) -> Value {
        (0..n).map(|at| json!({"Email": format!("r{at}@x.co")})).collect()
    }

    #[test]
    fn a_root_that_is_not_sound_refuses_everything() {
        assert_eq!(read(b"{").unwrap_err().code, "mj-0002");
        assert_eq!(read(b"[]").unwrap_err().code, "mj-0002");
        assert_eq!(refused(&json!({})), "mj-0003");
        assert_eq!(refused(&json!({"Messages": []})), "mj-0007");
        assert_eq!(refused(&json!({"Messages": {}})), "mj-0004");
        assert_eq!(refused(&json!({"Messages": [{}], "Else": 1})), "send-0001");
        assert_eq!(refused(&json!({"Messages": [{}], "Globals": {"To": []}})), "send-0001");
        assert_eq!(refused(&json!({"Messages": vec![json!({}); 51]})), "mj-0008");
        assert_eq!(refused(&json!({"Messages": [{"Variables": {"a": null}}]})), "");
    }

    #[test]
    fn fifty_recipients_in_all_and_no_more() {
        let halves = |first, second| json!({"Messages": [{"To": to(first)}, {"Cc": to(second)}]});
        assert_eq!(refused(&halves(25, 26)), "send-0015");
        assert_eq!(read(halves(25, 25).to_string().as_bytes()).unwrap().messages.len(), 2);
        let twice = json!({"Messages": [{"To": to(50), "Cc": to(50)}]});
        assert!(read(twice.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn globals_are_merged_by_kind() {
        let body = json!({
            "Globals": {"Subject": "g", "TextPart": "g", "From": {"Email": "g@x.co", "Name": "G"}, "Cc": [{"Email": "g@x.co"}]},
            "Messages": [{"Subject": "m", "From": {"Email": "m@x.co"}, "Cc": [{"Email": "m@x.co"}]}],
            "SandBoxMode": true
        });
        let call = read(body.to_string().as_bytes()).unwrap();
        assert!(call.sandbox);
        let merged = json!({
            "Subject": "m", "TextPart": "g", "From": {"Email": "m@x.co", "Name": "G"},
            "Cc": [{"Email": "g@x.co"}, {"Email": "m@x.co"}]
        });
        assert_eq!(call.messages, [merged]);
    }
}
