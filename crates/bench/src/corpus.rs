//! Made-up events as Mailjet words them, in a realistic mix.

use bytes::Bytes;
use fastrand::Rng;
use jiff::Timestamp;
use uuid::Uuid;

/// The same in every run.
const SEED: u64 = 20_260_115;
/// Opens and clicks are about one of the latest so many messages.
const RECENT: usize = 2000;
/// So old is the latest event; none lies in the future, and all of a run in the present month or the one before.
const AGE: i64 = 60;

/// What an event says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sent,
    Open,
    Click,
    SoftBounce,
    HardBounce,
    Spam,
    Unsub,
}

impl Kind {
    /// By its place among a hundred.
    fn of(place: usize) -> Self {
        match place {
            0..60 => Self::Sent,
            60..86 => Self::Open,
            86..92 => Self::Click,
            92..95 => Self::HardBounce,
            95..98 => Self::SoftBounce,
            98 => Self::Spam,
            _ => Self::Unsub,
        }
    }

    /// Whether it is the first that is heard of a copy.
    fn is_outcome(self) -> bool {
        matches!(self, Self::Sent | Self::SoftBounce | Self::HardBounce)
    }

    /// Where it moves its message, as the column `status` has it.
    pub(crate) fn status(self) -> Option<i16> {
        match self {
            Self::Open | Self::Click => None,
            Self::SoftBounce => Some(50),
            Self::Sent => Some(60),
            Self::HardBounce => Some(80),
            Self::Unsub => Some(90),
            Self::Spam => Some(100),
        }
    }

    /// The column `kind`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "delivered",
            Self::Open => "open",
            Self::Click => "click",
            Self::SoftBounce => "soft_bounce",
            Self::HardBounce => "hard_bounce",
            Self::Spam => "spam_complaint",
            Self::Unsub => "unsubscribe",
        }
    }
}

/// A recipient's copy of a message.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    pub(crate) email: String,
    /// Mailjet's number of it.
    pub(crate) number: i64,
    pub(crate) guid: Uuid,
    /// Our message id, if it is a message of ours.
    pub(crate) message: Option<Uuid>,
}

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) copy: Copy,
    pub(crate) at: Timestamp,
    pub(crate) json: String,
}

/// Events, half of them of messages that Raven knows.
pub(crate) struct Corpus {
    pub(crate) events: Vec<Event>,
}

impl Corpus {
    /// So many events of ours and of others in turn.
    pub(crate) fn new(count: usize) -> Self {
        let mut rng = Rng::with_seed(SEED);
        let mut sides = [Side::default(), Side::default()];
        let latest = Timestamp::now().as_second() - AGE;
        let first = latest - i64::try_from(count / 100).unwrap_or_default();
        let mut events = Vec::with_capacity(count);
        for number in 0..count {
            let ours = number % 2 == 0;
            let at = first + i64::try_from(number / 100).unwrap_or_default();
            let (kind, copy) = sides[usize::from(ours)].next(ours, at, &mut rng);
            let json = json(kind, &copy, at, number);
            let at = Timestamp::from_second(at).unwrap_or_default();
            events.push(Event { kind, copy, at, json });
        }
        Self { events }
    }

    /// Bodies of webhooks with one event each (Mailjet's version 1).
    pub(crate) fn singles(&self) -> Vec<Bytes> {
        self.events.iter().map(|event| Bytes::from(event.json.clone())).collect()
    }

    /// Bodies of webhooks with so many events each (version 2).
    pub(crate) fn groups(&self, size: usize) -> Vec<Bytes> {
        let body = |events: &[Event]| {
            let items: Vec<&str> = events.iter().map(|event| event.json.as_str()).collect();
            Bytes::from(format!("[{}]", items.join(",")))
        };
        self.events.chunks(size).map(body).collect()
    }

    /// Our messages, each once.
    pub(crate) fn copies(&self) -> impl Iterator<Item = &Copy> {
        self.events
            .iter()
            .filter(|event| event.kind.is_outcome() && event.copy.message.is_some())
            .map(|event| &event.copy)
    }
}

/// One half of the events: ours, or others'.
#[derive(Default)]
struct Side {
    /// Each with the time of the latest event about it: two alike of one second would be one event to Raven.
    copies: Vec<(Copy, i64)>,
    made: usize,
}

impl Side {
    fn next(&mut self, ours: bool, at: i64, rng: &mut Rng) -> (Kind, Copy) {
        // 37 has no divisor in common with 100, so every hundred holds each place once, well mixed.
        let kind = Kind::of(self.made * 37 % 100);
        self.made += 1;
        if kind.is_outcome() {
            let copy = copy(ours, rng);
            self.copies.push((copy.clone(), at));
            return (kind, copy);
        }
        let oldest = self.copies.len().saturating_sub(RECENT);
        for _ in 0..RECENT {
            let place = rng.usize(oldest..self.copies.len());
            if self.copies[place].1 < at {
                self.copies[place].1 = at;
                return (kind, self.copies[place].0.clone());
            }
        }
        // In the first second there is none older, and one that was told of already would not be distinct.
        let copy = copy(ours, rng);
        (Kind::Sent, copy)
    }
}

fn copy(ours: bool, rng: &mut Rng) -> Copy {
    Copy {
        email: format!("customer{}@example{}.com", rng.u32(1_000_000..), rng.u8(..)),
        number: rng.i64(1_152_921_504_606_846_976..1_200_000_000_000_000_000),
        guid: uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid(),
        // Of version 7, which rise with time, as the ids that ingest makes do.
        message: ours.then(Uuid::now_v7),
    }
}

/// In the order in which Mailjet writes the fields.
fn json(kind: Kind, copy: &Copy, at: i64, number: usize) -> String {
    let Copy { email, number: id, guid, message } = copy;
    let custom = message.map(|id| id.to_string()).unwrap_or_default();
    let event = match kind {
        Kind::Sent => "sent",
        Kind::Open => "open",
        Kind::Click => "click",
        Kind::SoftBounce | Kind::HardBounce => "bounce",
        Kind::Spam => "spam",
        Kind::Unsub => "unsub",
    };
    let agent =
        "\"agent\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)\"";
    let more = match kind {
        Kind::Sent => format!(
            "\"mj_message_id\":\"{id}\",\"smtp_reply\":\"sent (250 2.0.0 OK 4242{number} b1-20020a056402gsmtp.{number} - gsmtp)\""
        ),
        Kind::Open => format!("\"ip\":\"192.0.2.{}\",\"geo\":\"FR\",{agent}", number % 250),
        Kind::Click => format!(
            "\"url\":\"https://www.example.com/offers/{number}?utm_source=mail\",\"ip\":\"192.0.2.7\",\"geo\":\"DE\",{agent}"
        ),
        Kind::HardBounce => "\"blocked\":false,\"hard_bounce\":true,\"error_related_to\":\"recipient\",\
            \"error\":\"user unknown\",\"comment\":\"550 5.1.1 The e-mail account that you tried to reach does not exist\""
            .to_owned(),
        Kind::SoftBounce => "\"blocked\":false,\"hard_bounce\":false,\"error_related_to\":\"\",\"error\":\"\",\
            \"comment\":\"421 4.7.0 Temporary server error. Please try again later.\""
            .to_owned(),
        Kind::Spam => "\"source\":\"JMRPP\"".to_owned(),
        Kind::Unsub => format!("\"mj_list_id\":1,\"ip\":\"192.0.2.7\",\"geo\":\"\",{agent}"),
    };
    format!(
        "{{\"event\":\"{event}\",\"time\":{at},\"MessageID\":{id},\"Message_GUID\":\"{guid}\",\"email\":\"{email}\",\
         \"mj_campaign_id\":7276{number},\"mj_contact_id\":187424050,\"customcampaign\":\"\",{more},\
         \"CustomID\":\"{custom}\",\"Payload\":\"{{\\\"order\\\":{number}}}\"}}"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn half_are_ours_and_all_are_distinct() {
        let corpus = Corpus::new(1000);
        let bodies: HashSet<&str> = corpus.events.iter().map(|event| event.json.as_str()).collect();
        assert_eq!(bodies.len(), 1000);
        assert_eq!(corpus.events.iter().filter(|event| event.copy.message.is_some()).count(), 500);
        let known: HashSet<Uuid> = corpus.copies().filter_map(|copy| copy.message).collect();
        assert!(corpus.events.iter().filter_map(|event| event.copy.message).all(|id| known.contains(&id)));
    }

    #[test]
    fn bodies_are_json_of_the_size_that_mailjet_sends() {
        let corpus = Corpus::new(1000);
        let singles = corpus.singles();
        assert!(singles.iter().all(|body| serde_json::from_slice::<Value>(body).is_ok()));
        let mean = singles.iter().map(Bytes::len).sum::<usize>() / singles.len();
        assert!((400..500).contains(&mean), "{mean}");
        let groups = corpus.groups(100);
        let items: Vec<Value> = serde_json::from_slice(&groups[3]).unwrap();
        assert_eq!((groups.len(), items.len()), (10, 100));
    }
}
