//! `/v3/REST/eventcallbackurl`: which URL hears of which events. There is one URL, and one backup, for each type of event
//! and API key.
//!
//! URLs carry secrets. They never stand in an error or a debug print.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::rest::{Changed, Rest, RestError};
use crate::unsaid::without_secrets;

const RESOURCE: &str = "eventcallbackurl";
/// The code in Mailjet's words when there is a row for this type and rank already.
const TAKEN: &str = "MJ18";
/// Groups of events in an array; version 1 posts each by itself.
const GROUPED: u8 = 2;

/// A type of event that a URL can hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallbackEvent {
    /// The destination took the mail.
    Sent,
    /// It was opened.
    Open,
    /// A link in it was clicked.
    Click,
    /// The destination refused it.
    Bounce,
    /// Mailjet refused it.
    Blocked,
    /// The recipient complained.
    Spam,
    /// The recipient unsubscribed.
    Unsub,
}

impl CallbackEvent {
    /// Every type.
    pub const ALL: [Self; 7] =
        [Self::Sent, Self::Open, Self::Click, Self::Bounce, Self::Blocked, Self::Spam, Self::Unsub];

    /// Mailjet's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Open => "open",
            Self::Click => "click",
            Self::Bounce => "bounce",
            Self::Blocked => "blocked",
            Self::Spam => "spam",
            Self::Unsub => "unsub",
        }
    }

    /// Mailjet's number, by which a row can be addressed.
    const fn number(self) -> u8 {
        match self {
            Self::Click => 1,
            Self::Bounce => 2,
            Self::Spam => 3,
            Self::Blocked => 4,
            Self::Unsub => 5,
            Self::Open => 6,
            Self::Sent => 7,
        }
    }
}

/// Mailjet tells of no such events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none of sent, open, click, bounce, blocked, spam and unsub")]
pub struct UnknownEvent;

impl FromStr for CallbackEvent {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(UnknownEvent)
    }
}

/// Whether Mailjet uses a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackStatus {
    /// It does.
    Alive,
    /// Not any more, since it failed for too long; only another URL makes it go on.
    Dead,
    /// It says something else.
    Unknown,
}

/// A row.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Mailjet's number of it.
    pub id: String,
    /// What it hears of: one of [`CallbackEvent`], or a word that is not among them.
    pub event: String,
    /// Whether it only stands in for one that died.
    pub is_backup: bool,
    /// Whether it is used.
    pub status: CallbackStatus,
    /// Where events go, with the secrets that they carry.
    pub url: String,
    /// 1 or 2, where Mailjet says so.
    pub version: Option<u8>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, event, is_backup, status, url: _, version } = self;
        write!(f, "Callback({id}, {event}, backup {is_backup}, {status:?}, version {version:?})")
    }
}

impl Callback {
    /// Whether it is the row of this type and rank.
    pub fn is(&self, event: CallbackEvent, is_backup: bool) -> bool {
        self.event == event.as_str() && self.is_backup == is_backup
    }

    /// Whether events come one by one. A version that is not told is taken for the right one: it is missing from the
    /// documentation of the present API.
    pub fn is_ungrouped(&self) -> bool {
        self.version.is_some_and(|version| version != GROUPED)
    }

    fn of(row: &Value) -> Option<Self> {
        let event = text(&row["EventType"])?;
        let by_number = |event: &CallbackEvent| event.number().to_string();
        let known = CallbackEvent::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(&event) || by_number(known) == event);
        Some(Self {
            id: text(&row["ID"])?,
            event: known.map_or(event, |known| known.as_str().to_owned()),
            is_backup: matches!(text(&row["IsBackup"]).as_deref(), Some("true" | "True" | "1")),
            status: match text(&row["Status"]).unwrap_or_default().to_lowercase().as_str() {
                "alive" => CallbackStatus::Alive,
                "dead" => CallbackStatus::Dead,
                _ => CallbackStatus::Unknown,
            },
            url: text(&row["Url"]).unwrap_or_default(),
            version: text(&row["Version"]).and_then(|version| version.parse().ok()),
        })
    }
}

/// Numbers and booleans come as such and as texts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

impl Rest<'_> {
    /// Every row of the account. What is no row is left out.
    pub async fn callbacks(self) -> Result<Vec<Callback>, RestError> {
        Ok(self.list(RESOURCE, &[]).await?.iter().filter_map(Callback::of).collect())
    }

    /// Has events of a type posted to a URL in groups, in place of whatever was there for this type and rank.
    pub async fn set_callback(
        self,
        event: CallbackEvent,
        is_backup: bool,
        url: &str,
    ) -> Result<(), RestError> {
        let row = json!({
            "EventType": event.as_str(), "IsBackup": is_backup, "Url": url, "Version": GROUPED,
        });
        match self.post(RESOURCE, &row).await {
            Err(RestError::Refused { message, .. }) if message.contains(TAKEN) => {}
            made => return made.map(drop).map_err(|fault| without(url, fault)),
        }
        // The list tells the number of the row that is in the way; should it not, the row has another name.
        let rows = self.callbacks().await?;
        let id = rows.into_iter().find(|row| row.is(event, is_backup)).map(|row| row.id);
        let element = id.unwrap_or_else(|| format!("{}%7C{is_backup}", event.number()));
        if self.change_callback(&element, url).await? {
            return Ok(());
        }
        Err(RestError::Unavailable(format!("its URL for {} changes at the same time", event.as_str())))
    }

    /// Has a row post to another URL, in groups. Answers whether there is such a row.
    pub async fn change_callback(self, id: &str, url: &str) -> Result<bool, RestError> {
        match self.put(&format!("{RESOURCE}/{id}"), &json!({ "Url": url, "Version": GROUPED })).await {
            Ok(Changed::To(_) | Changed::Already) => Ok(true),
            Err(RestError::Refused { status: 404, .. }) => Ok(false),
            Err(fault) => Err(without(url, fault)),
        }
    }

    /// Deletes a row; answers whether there was one.
    pub async fn delete_callback(self, id: &str) -> Result<bool, RestError> {
        self.delete(&format!("{RESOURCE}/{id}")).await
    }
}

fn without(url: &str, fault: RestError) -> RestError {
    match fault {
        RestError::Refused { status, message } => {
            RestError::Refused { status, message: without_secrets(url, &message) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_however_their_values_are_written() {
        let exact = json!({
            "ID": 576_460_756_513_665_525_u64, "APIKeyID": 1, "EventType": "open", "IsBackup": true,
            "Status": "dead", "Url": "https://a.example/", "Version": 2,
        });
        let loose = json!({
            "ID": "576460756513665525", "EventType": 6, "IsBackup": "true", "Status": "Dead",
            "Url": "https://a.example/", "Version": "2",
        });
        let expected = Callback {
            id: "576460756513665525".to_owned(),
            event: "open".to_owned(),
            is_backup: true,
            status: CallbackStatus::Dead,
            url: "https://a.example/".to_owned(),
            version: Some(2),
        };
        assert_eq!((Callback::of(&exact), Callback::of(&loose)), (Some(expected.clone()), Some(expected)));
    }

    #[test]
    fn what_is_missing_or_strange_harms_nobody() {
        let row = Callback::of(&json!({"ID": 3, "EventType": "typofix", "Status": "resting"})).unwrap();
        assert_eq!((row.event.as_str(), row.status), ("typofix", CallbackStatus::Unknown));
        assert_eq!((row.version, row.is_backup, row.is_ungrouped()), (None, false, false));
        assert_eq!(Callback::of(&json!({"EventType": "open"})), None);
        assert_eq!(Callback::of(&json!(7)), None);
    }

    #[test]
    fn secrets_in_urls_stay_out_of_sight() {
        let url = "https://raven:rwt1@host.example/hook";
        let row = json!({"ID": 1, "EventType": "open", "Url": url});
        assert!(!format!("{:?}", Callback::of(&row)).contains("rwt1"));
        let fault =
            RestError::Refused { status: 400, message: format!("Invalid value for \"Url\": \"{url}\"") };
        assert!(!without(url, fault).to_string().contains("rwt1"));
    }

    #[test]
    fn every_event_is_read_by_its_name_and_has_a_number_of_its_own() {
        let mut numbers: Vec<u8> = CallbackEvent::ALL.iter().map(|event| event.number()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
        for event in CallbackEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        assert_eq!("typofix".parse::<CallbackEvent>(), Err(UnknownEvent));
    }
}
