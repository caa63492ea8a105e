//! The address fields, each in any of its forms.

use std::collections::HashSet;

use domain::{Mailbox, limits};
use serde_json::Value;

use super::fields::Fields;

/// `to`, `cc` and `bcc`, and the rules over all three.
pub(super) fn recipients(fields: &mut Fields) -> (Vec<Mailbox>, Vec<Mailbox>, Vec<Mailbox>) {
    let has_to = fields.has("to");
    let [to, cc, bcc] = ["to", "cc", "bcc"].map(|name| several(fields, name));
    if !has_to {
        fields.fault("to", "is needed: at least one recipient");
    }
    let distinct: HashSet<String> =
        to.iter().chain(&cc).chain(&bcc).map(|mailbox| mailbox.email.key()).collect();
    if distinct.len() > limits::RECIPIENTS {
        fields.fault(
            "to",
            format!("has {} recipients with cc and bcc; at most {}", distinct.len(), limits::RECIPIENTS),
        );
    }
    (to, cc, bcc)
}

/// A field of one address.
pub(super) fn single(fields: &mut Fields, name: &str) -> Option<Mailbox> {
    let value = fields.take(name)?;
    one(fields, name, value)
}

fn several(fields: &mut Fields, name: &str) -> Vec<Mailbox> {
    match fields.take(name) {
        None => Vec::new(),
        Some(Value::Array(list)) => {
            if list.len() > limits::RECIPIENTS {
                fields.fault(name, format!("has over {} entries", limits::RECIPIENTS));
            }
            let mut mailboxes = Vec::with_capacity(list.len().min(limits::RECIPIENTS));
            for (place, value) in list.into_iter().enumerate() {
                mailboxes.extend(one(fields, &format!("{name}/{place}"), value));
            }
            mailboxes
        }
        Some(value) => one(fields, name, value).into_iter().collect(),
    }
}

/// `"a@b.c"`, `"Name <a@b.c>"` or `{"email", "name"}`.
fn one(fields: &mut Fields, path: &str, value: Value) -> Option<Mailbox> {
    let mailbox = match value {
        Value::String(text) => Mailbox::parse(&text),
        Value::Object(_) => {
            let mut nested = Fields::of(value, &fields.pointer(path)).ok()?;
            let (email, name) = (nested.text("email"), nested.text("name"));
            if email.is_none() {
                nested.fault("email", "is needed");
            }
            let (email, name) = fields.adopt(nested.finish((email, name)))?;
            Mailbox::new(&email?, name.as_deref())
        }
        _ => {
            fields.fault(path, "is neither a text nor an object with email and name");
            return None;
        }
    };
    match mailbox {
        Ok(mailbox) => Some(mailbox),
        Err(fault) => {
            fields.fault(path, fault.to_string());
            None
        }
    }
}
