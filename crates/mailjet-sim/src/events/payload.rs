//! The body of an event, field by field as Mailjet documents them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::happening::Happening;
use crate::{ledger::message::Message, util::number_of};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The event that tells what happened to one recipient of a message.
pub(crate) fn event(
    message: &Message,
    recipient: usize,
    happening: Happening,
    at: Timestamp,
) -> Map<String, Value> {
    let mut event = Map::new();
    let Some(recipient) = message.recipients.get(recipient) else { return event };
    let draft = &message.draft;
    let campaign = draft.custom_campaign.as_deref().unwrap_or_default();
    let mut put = |name: &str, value: Value| event.insert(name.to_owned(), value);

    put("event", happening.event_type().name().into());
    put("time", at.as_second().into());
    put("MessageID", recipient.id.into());
    put("Message_GUID", recipient.uuid_text().into());
    put("email", recipient.email.clone().into());
    put("mj_campaign_id", number_of(&["campaign", &message.api_key, campaign]).into());
    put("mj_contact_id", number_of(&["contact", &recipient.email]).into());
    put("customcampaign", campaign.into());
    put("CustomID", draft.custom_id.clone().into());
    put("Payload", draft.event_payload.clone().unwrap_or_default().into());
    for (name, value) in details(happening, recipient.id, at) {
        put(name, value);
    }
    event
}

/// The fields that only this type of event has.
fn details(happening: Happening, id: u64, at: Timestamp) -> Vec<(&'static str, Value)> {
    let (related_to, error) = happening.error();
    match happening {
        Happening::Sent => vec![
            ("mj_message_id", id.to_string().into()),
            ("smtp_reply", format!("sent (250 2.0.0 OK {} - sim)", at.as_second()).into()),
        ],
        Happening::Open => reader(),
        Happening::Click => [reader(), vec![("url", "https://example.com/".into())]].concat(),
        Happening::Unsub => [reader(), vec![("mj_list_id", json!(1))]].concat(),
        Happening::Spam => vec![("source", "JMRPP".into())],
        Happening::Blocked | Happening::Repeated => {
            vec![("error_related_to", related_to.into()), ("error", error.into())]
        }
        Happening::HardBounce | Happening::SoftBounce | Happening::Greylisted => vec![
            ("blocked", false.into()),
            ("hard_bounce", (happening == Happening::HardBounce).into()),
            ("error_related_to", related_to.into()),
            ("error", error.into()),
            ("comment", happening.comment().into()),
        ],
    }
}

fn reader() -> Vec<(&'static str, Value)> {
    vec![("ip", "127.0.0.1".into()), ("geo", "FR".into()), ("agent", AGENT.into())]
}
