//! What stands on a dead letter: why it died, where it came from, and what goes back there with it.

use bytes::Bytes;
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use sha2::{Digest as _, Sha256};

use crate::Queue;
use crate::headers::{self, BURIED_AT, QUEUE, REASON};

/// A dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The message id; of a message without one, a name made from its body. Several letters may have the same.
    pub id: String,
    /// The queue in which it could not be processed, by its name; none when the letter does not tell.
    pub queue: Option<String>,
    /// Why it is here.
    pub reason: String,
    /// When it came here, in RFC 3339.
    pub buried_at: Option<String>,
    /// How many times RabbitMQ itself has dead-lettered it.
    pub deaths: u64,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
    properties: BasicProperties,
}

/// An entry of the header `x-death`: RabbitMQ keeps one for each queue and reason, the latest first.
struct Death {
    queue: String,
    reason: String,
    count: u64,
    time: Option<u64>,
}

impl Letter {
    pub(crate) fn new(properties: BasicProperties, body: Bytes) -> Self {
        let deaths = deaths(&properties);
        let latest = deaths.first();
        let died_at = || {
            let seconds = i64::try_from(latest?.time?).ok()?;
            Some(Timestamp::from_second(seconds).ok()?.to_string())
        };
        let said = |name| headers::text(&properties, name);
        Self {
            id: message_id(&properties).unwrap_or_else(|| name_of(&body)),
            queue: said(QUEUE).or_else(|| Some(latest?.queue.clone())).map(plain),
            reason: said(REASON).unwrap_or_else(|| in_words(latest)),
            buried_at: said(BURIED_AT).or_else(died_at),
            deaths: deaths.iter().fold(0, |sum: u64, death| sum.saturating_add(death.count)),
            content_type: properties.content_type().as_ref().map(ToString::to_string),
            body,
            properties,
        }
    }

    /// A header that is a text.
    pub fn header(&self, name: &str) -> Option<String> {
        headers::text(&self.properties, name)
    }

    /// All headers, readable.
    pub fn headers(&self) -> Vec<(String, String)> {
        let table = self.properties.headers().iter().flat_map(FieldTable::inner);
        table.map(|(name, value)| (name.to_string(), headers::readable(value))).collect()
    }

    /// The queue that it can go back to.
    pub(super) fn origin(&self) -> Option<Queue> {
        Queue::origin(self.queue.as_deref()?).filter(|queue| matches!(queue, Queue::Sends | Queue::Events))
    }

    /// What it had when it was first published. Headers that the broker understands stay out: some versions act on an
    /// `x-death`, `CC` or `BCC` that a client sends.
    pub(crate) fn original_properties(&self) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, value) in self.properties.headers().iter().flat_map(FieldTable::inner) {
            let ours = name.as_str().starts_with("raven-");
            if ours && ![REASON, QUEUE, BURIED_AT].contains(&name.as_str()) {
                table.insert(name.clone(), value.clone());
            }
        }
        let mut properties = headers::persistent(table);
        if let Some(id) = message_id(&self.properties) {
            properties = properties.with_message_id(id.into());
        }
        if let Some(content_type) = &self.content_type {
            properties = properties.with_content_type(content_type.as_str().into());
        }
        properties
    }
}

fn message_id(properties: &BasicProperties) -> Option<String> {
    properties.message_id().as_ref().map(ToString::to_string).filter(|id| !id.is_empty())
}

/// A name that is the same at every look.
fn name_of(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    digest.iter().take(8).fold("unnamed-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// The name of the queue beside which a large body, or one of many, waited.
fn plain(name: String) -> String {
    Queue::origin(&name).map_or(name, |queue| queue.name().to_owned())
}

fn in_words(latest: Option<&Death>) -> String {
    let Some(death) = latest else { return "it does not say why it is here".to_owned() };
    let words = match death.reason.as_str() {
        "delivery_limit" => "delivered too often without being settled",
        "rejected" => "rejected by a consumer",
        "expired" => "waited for too long",
        "maxlen" => "pushed out of a full queue",
        _ => "dead-lettered by RabbitMQ",
    };
    format!("{words} ({})", death.reason)
}

fn deaths(properties: &BasicProperties) -> Vec<Death> {
    let header = properties.headers().as_ref().and_then(|table| table.inner().get("x-death"));
    let Some(AMQPValue::FieldArray(entries)) = header else { return Vec::new() };
    let death = |entry: &AMQPValue| {
        let AMQPValue::FieldTable(entry) = entry else { return None };
        let text = |name| entry.inner().get(name).map(headers::readable);
        Some(Death {
            queue: text("queue")?,
            reason: text("reason").unwrap_or_default(),
            count: text("count").and_then(|count| count.parse().ok()).unwrap_or(1),
            time: match entry.inner().get("time") {
                Some(AMQPValue::Timestamp(seconds)) => Some(*seconds),
                _ => None,
            },
        })
    };
    entries.as_slice().iter().filter_map(death).collect()
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;

    use super::*;

    fn text(value: &str) -> AMQPValue {
        AMQPValue::LongString(value.into())
    }

    fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn letter(headers: &[(&str, AMQPValue)]) -> Letter {
        let properties = BasicProperties::default().with_headers(table(headers)).with_message_id("m".into());
        Letter::new(properties.with_content_type("application/json".into()), Bytes::from_static(b"[]"))
    }

    fn x_death(queue: &str, reason: &str) -> AMQPValue {
        let latest = table(&[
            ("queue", text(queue)),
            ("reason", text(reason)),
            ("count", AMQPValue::LongLongInt(2)),
            ("time", AMQPValue::Timestamp(1_767_225_600)),
            ("routing-keys", AMQPValue::FieldArray(FieldArray::from(vec![text("event")]))),
        ]);
        let earlier = table(&[("queue", text("elsewhere")), ("reason", text("expired"))]);
        AMQPValue::FieldArray(FieldArray::from(vec![
            AMQPValue::FieldTable(latest),
            AMQPValue::FieldTable(earlier),
        ]))
    }

    #[test]
    fn a_letter_of_ours_says_why_itself() {
        let letter = letter(&[
            (REASON, text("it is no webhook")),
            (QUEUE, text("events")),
            (BURIED_AT, text("2026-01-01T00:00:00Z")),
            ("raven-tenant", text("t")),
        ]);
        assert_eq!((letter.reason.as_str(), letter.queue.as_deref()), ("it is no webhook", Some("events")));
        assert_eq!(letter.buried_at.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!((letter.deaths, letter.origin()), (0, Some(Queue::Events)));
        assert_eq!(letter.header("raven-tenant").as_deref(), Some("t"));
    }

    #[test]
    fn a_letter_of_the_broker_is_understood() {
        let letter = letter(&[("x-death", x_death("sends", "delivery_limit"))]);
        assert_eq!(letter.reason, "delivered too often without being settled (delivery_limit)");
        assert_eq!((letter.deaths, letter.origin()), (3, Some(Queue::Sends)));
        assert_eq!(letter.buried_at.as_deref(), Some("2026-01-01T00:00:00Z"));
        let headers = letter.headers();
        assert!(headers[0].1.contains("routing-keys: [event]"), "{headers:?}");
    }

    #[test]
    fn a_letter_that_says_nothing_goes_nowhere() {
        let stranger = letter(&[("x-death", x_death("theirs", "rejected"))]);
        assert_eq!((stranger.queue.as_deref(), stranger.origin()), (Some("theirs"), None));
        let blank = letter(&[("x-death", text("nonsense"))]);
        assert_eq!((blank.queue.as_deref(), blank.origin(), blank.deaths), (None, None, 0));
        assert!(blank.reason.contains("does not say"), "{}", blank.reason);
        assert_eq!(letter(&[(QUEUE, text("dead-letters"))]).origin(), None);
    }

    #[test]
    fn what_goes_back_is_what_came() {
        let headers = [
            (REASON, text("why")),
            (QUEUE, text("events")),
            (BURIED_AT, text("when")),
            ("raven-tenant", text("t")),
            ("raven-later", text("kept")),
            ("x-death", x_death("events", "rejected")),
            ("x-delivery-count", AMQPValue::LongLongInt(7)),
            ("CC", AMQPValue::FieldArray(FieldArray::from(vec![text("sends")]))),
        ];
        let original = letter(&headers).original_properties();
        let kept = table(&[("raven-tenant", text("t")), ("raven-later", text("kept"))]);
        assert_eq!(original.headers().as_ref(), Some(&kept));
        assert_eq!(original.message_id().as_ref().map(ToString::to_string).as_deref(), Some("m"));
        assert_eq!(
            original.content_type().as_ref().map(ToString::to_string).as_deref(),
            Some("application/json")
        );
        assert_eq!(*original.delivery_mode(), Some(2));
    }

    #[test]
    fn a_message_without_id_gets_a_name_that_stays() {
        let nameless = |id: Option<&str>, body: &'static str| {
            let properties = id.map_or_else(BasicProperties::default, |id| {
                BasicProperties::default().with_message_id(id.into())
            });
            Letter::new(properties, Bytes::from_static(body.as_bytes()))
        };
        let name = nameless(None, "a").id;
        assert_eq!(name, nameless(Some(""), "a").id);
        assert_ne!(name, nameless(None, "b").id);
        assert_eq!(name, "unnamed-ca978112ca1bbdca");
        assert_eq!(nameless(Some(""), "a").original_properties().message_id().as_ref(), None);
    }
}
