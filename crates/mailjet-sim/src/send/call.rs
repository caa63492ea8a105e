//! The call as a whole: its root, the globals, and what refuses everything at once.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    properties::{MOST_ELEMENTS, kind_of},
    refusal::Refusal,
};
use crate::util::word;

/// Mail for such an address has the whole call refused, without a word of which message it was. What in a message does
/// that to the real service is not documented, apart from values that its parser does not take.
const POISON: &str = "poison";

/// A call whose root is sound. Its messages are not checked yet.
#[derive(Debug)]
pub(super) struct Call {
    /// Each message with the globals merged in; what is not an object is left for the message's own check.
    pub(super) messages: Vec<Value>,
    /// Nothing shall be sent.
    pub(super) sandbox: bool,
}

/// Reads the body of a call. [`Call::check`] says whether it may be that large.
pub(super) fn read(body: &[u8]) -> Result<Call, Refusal> {
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
    Ok(Call { messages, sandbox })
}

impl Call {
    /// Recipients of all its messages; one that a message names twice counts once for it.
    pub(super) fn recipients(&self) -> usize {
        self.messages.iter().map(|message| recipients_of(message).len()).sum()
    }

    /// What stands against the call for its size, or for the sake of one of its messages.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let messages = &self.messages;
        if self.recipients() > MOST_ELEMENTS {
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
        let poisonous = |message| recipients_of(message).iter().any(|email| word(email) == POISON);
        if messages.iter().any(poisonous) {
            return Err(malformed());
        }
        Ok(())
    }
}

fn malformed() -> Refusal {
    Refusal::new("mj-0002", "Malformed JSON, please review the syntax and properties types.")
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

/// Addresses of a message, each once.
fn recipients_of(message: &Value) -> HashSet<String> {
    let lists = ["To", "Cc", "Bcc"].into_iter().filter_map(|list| message.get(list)?.as_array());
    let emails = lists.flatten().filter_map(|address| address.get("Email")?.as_str());
    emails.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> &'static str {
        read(body.to_string().as_bytes()).and_then(|call| call.check()).unwrap_err().code
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
        let poison = json!({"Messages": [{"To": to(1)}, {"Bcc": [{"Email": "Poison+1@x.co"}]}]});
        assert_eq!(refused(&poison), "mj-0002");
    }

    #[test]
    fn fifty_recipients_in_all_and_no_more() {
        let halves = |first, second| json!({"Messages": [{"To": to(first)}, {"Cc": to(second)}]});
        assert_eq!(refused(&halves(25, 26)), "send-0015");
        let twice = json!({"Messages": [{"To": to(50), "Cc": to(50)}]});
        for sound in [halves(25, 25), twice] {
            let call = read(sound.to_string().as_bytes()).unwrap();
            assert_eq!((call.recipients(), call.check()), (50, Ok(())));
        }
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
