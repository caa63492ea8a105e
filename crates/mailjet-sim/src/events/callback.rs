//! One registered callback URL, and the registration of one API key's.

use serde::Serialize;

use super::kind::EventType;

/// A row of `eventcallbackurl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Callback {
    /// Number of the row.
    #[serde(rename = "ID")]
    pub(crate) id: u64,
    /// Number of the API key.
    #[serde(rename = "APIKeyID")]
    pub(crate) api_key_id: u64,
    /// What it is called for.
    pub(crate) event_type: EventType,
    /// It is only used while the primary URL is dead.
    pub(crate) is_backup: bool,
    /// Whether it is used at all.
    pub(crate) status: Life,
    /// Where events go; may carry credentials.
    pub(crate) url: String,
    /// 1: one event a request, bare; 2: a list of events.
    pub(crate) version: u8,
}

/// Whether a callback URL is used. One that died is only revived by another URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Life {
    Alive,
    Dead,
}

/// What a caller gives to make or change a row; absent means as it is.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) event_type: Option<EventType>,
    pub(crate) is_backup: Option<bool>,
    pub(crate) url: Option<String>,
    pub(crate) version: Option<u8>,
}

impl Change {
    /// Lays the change over a row.
    pub(super) fn apply(self, row: &mut Callback) {
        row.event_type = self.event_type.unwrap_or(row.event_type);
        row.is_backup = self.is_backup.unwrap_or(row.is_backup);
        row.version = self.version.unwrap_or(row.version);
        if let Some(url) = self.url.filter(|url| *url != row.url) {
            row.url = url;
            row.status = Life::Alive;
        }
    }
}

/// How a row is addressed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Element {
    /// By its number.
    Id(u64),
    /// By what is unique for an API key.
    Key(EventType, bool),
}

impl Element {
    /// Reads `12`, `open|false` or `6|false`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once('|') {
            None => text.parse().ok().map(Self::Id),
            Some((kind, backup)) => Some(Self::Key(EventType::parse(kind)?, backup.parse().ok()?)),
        }
    }

    /// Whether this is the row meant.
    pub(crate) fn is(self, row: &Callback) -> bool {
        match self {
            Self::Id(id) => row.id == id,
            Self::Key(kind, backup) => row.event_type == kind && row.is_backup == backup,
        }
    }
}
