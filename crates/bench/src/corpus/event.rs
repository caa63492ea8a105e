//! One event, as Mailjet words it.

use fastrand::Rng;
use jiff::Timestamp;
use uuid::Uuid;

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
    pub(super) fn of(place: usize) -> Self {
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
    pub(super) fn is_outcome(self) -> bool {
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

/// A copy of a message of ours, or of another's.
pub(super) fn copy(ours: bool, rng: &mut Rng) -> Copy {
    Copy {
        email: format!("customer{}@example{}.com", rng.u32(1_000_000..), rng.u8(..)),
        number: rng.i64(1_152_921_504_606_846_976..1_200_000_000_000_000_000),
        guid: uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid(),
        // Of version 7, which rise with time, as the ids that ingest makes do.
        message: ours.then(Uuid::now_v7),
    }
}

/// In the order in which Mailjet writes the fields.
pub(super) fn json(kind: Kind, copy: &Copy, at: i64, number: usize) -> String {
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
