//! What a request to register webhooks says, read strictly.

use std::collections::BTreeSet;

use domain::TenantId;
use mailjet::CallbackEvent;
use provisioning::webhooks::{Endpoint, WebhookWish};
use serde_json::Value;
use utoipa::ToSchema;

use crate::openapi::words::WebhookEvent;
use crate::problem::Fault;

/// The webhooks to register. `{}` means all events at this installation.
#[derive(ToSchema)]
#[schema(as = RegisterWebhooks, rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what `parse` reads, for the document of the API")]
pub(super) struct RegisterWebhooks {
    /// Where Mailjet posts events: `https://` or `http://`, without a fragment. A bare origin gets the path of this tenant.
    /// Without it, this installation at its public address.
    #[schema(
        format = "uri",
        pattern = r"^https?://[^\s\\#]+$",
        max_length = 2000,
        example = "https://raven.example.com",
        required = false
    )]
    url: String,
    /// A second one, which Mailjet uses while the first is dead.
    #[schema(
        format = "uri",
        pattern = r"^https?://[^\s\\#]+$",
        max_length = 2000,
        example = "https://standby.example.com",
        required = false
    )]
    backup_url: String,
    /// Which events, each once. Without it, all seven.
    #[schema(min_items = 1, max_items = 7, required = false)]
    events: BTreeSet<WebhookEvent>,
}

/// Reads a request; `base` is where this installation is reached.
pub(super) fn parse(body: Value, base: &str, tenant: TenantId) -> Result<WebhookWish, Vec<Fault>> {
    let Value::Object(mut object) = body else { return Err(vec![fault("", "is not an object")]) };
    let mut faults = Vec::new();
    let mut endpoint = |name: &str| {
        let read = match object.remove(name)? {
            Value::String(text) => Endpoint::parse(&text, tenant).map_err(|why| why.to_string()),
            _ => Err("is not a text".to_owned()),
        };
        read.map_err(|why| faults.push(fault(name, &why))).ok()
    };
    let (url, backup_url) = (endpoint("url"), endpoint("backupUrl"));
    let events = match object.remove("events") {
        None => CallbackEvent::ALL.to_vec(),
        Some(value) => events(&value, &mut faults),
    };
    faults.extend(object.keys().map(|name| fault(&escaped(name), "is not a field that is known here")));
    if !faults.is_empty() {
        return Err(faults);
    }
    let here = || Endpoint::below(base, tenant);
    match url.map_or_else(here, Ok) {
        Ok(url) => Ok(WebhookWish { url, backup_url, events }),
        Err(why) => Err(vec![fault("url", &format!("is needed, since RAVEN_PUBLIC_URL {why}"))]),
    }
}

fn events(value: &Value, faults: &mut Vec<Fault>) -> Vec<CallbackEvent> {
    let mut events = Vec::new();
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        faults.push(fault("events", "is not a list of at least one event"));
        return events;
    };
    for (place, item) in items.iter().enumerate() {
        match item.as_str().map(str::parse::<CallbackEvent>) {
            Some(Ok(event)) if events.contains(&event) => {
                faults.push(fault(&format!("events/{place}"), "occurs twice"));
            }
            Some(Ok(event)) => events.push(event),
            Some(Err(why)) => faults.push(fault(&format!("events/{place}"), &why.to_string())),
            None => faults.push(fault(&format!("events/{place}"), "is not a text")),
        }
    }
    // In an order of their own, so that the same wish in another order is the same.
    CallbackEvent::ALL.into_iter().filter(|event| events.contains(event)).collect()
}

fn fault(name: &str, detail: &str) -> Fault {
    let pointer = if name.is_empty() { String::new() } else { format!("/{name}") };
    Fault { pointer, detail: detail.to_owned() }
}

/// A name as a part of a JSON pointer (RFC 6901, section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const BASE: &str = "https://raven.example.com";

    fn read(body: Value) -> Result<WebhookWish, Vec<String>> {
        parse(body, BASE, TenantId(Uuid::nil()))
            .map_err(|faults| faults.into_iter().map(|fault| fault.pointer).collect())
    }

    #[test]
    fn nothing_means_everything_here() {
        let wish = read(json!({})).unwrap();
        assert_eq!(wish.url, Endpoint::below(BASE, TenantId(Uuid::nil())).unwrap());
        assert_eq!((wish.backup_url, wish.events), (None, CallbackEvent::ALL.to_vec()));
    }

    #[test]
    fn the_order_of_events_means_nothing() {
        let read = |events| read(json!({ "events": events })).unwrap();
        assert_eq!(read(json!(["spam", "sent"])), read(json!(["sent", "spam"])));
    }

    #[test]
    fn the_schema_says_what_is_read() {
        use utoipa::PartialSchema as _;
        let schema = json!(RegisterWebhooks::schema());
        assert_eq!(
            (&schema["additionalProperties"], schema.get("required")),
            (&json!(false), None),
            "{schema}"
        );
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["backupUrl", "events", "url"]);
        for name in ["url", "backupUrl"] {
            let property = &schema["properties"][name];
            assert_eq!(
                (&property["type"], &property["format"]),
                (&json!("string"), &json!("uri")),
                "{schema}"
            );
            assert_eq!(property["maxLength"], provisioning::webhooks::MOST_CHARACTERS);
        }
        assert_eq!(schema["properties"]["events"]["minItems"], 1);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let body = json!({
            "url": "ftp://x", "backupUrl": 7, "events": ["sent", "typofix", 3, "sent"], "a/b": null,
        });
        let expected = ["/url", "/backupUrl", "/events/1", "/events/2", "/events/3", "/a~1b"];
        assert_eq!(read(body).unwrap_err(), expected);
        assert_eq!(read(json!({"events": []})).unwrap_err(), ["/events"]);
        assert_eq!(read(json!({"url": null})).unwrap_err(), ["/url"]);
        assert_eq!(read(json!([])).unwrap_err(), [""]);
    }
}
