//! Which callback URL gets which event: at most one primary and one backup for each API key and type,
//! for at most [`MOST_KEYS`] API keys.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::{
    callback::{Callback, Change, Element, Life},
    kind::EventType,
};
use crate::util::{lock, number_of};

/// API keys that may have callback URLs.
const MOST_KEYS: usize = 10_000;

/// Why a registration cannot be made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The API key has another row for this type and rank.
    Taken(EventType, bool),
    /// There is no such row.
    Unknown,
    /// There are too many API keys.
    Full,
}

/// Where an event goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The callback URL.
    pub(crate) url: String,
    /// Several events may share a request.
    pub(crate) grouped: bool,
}

/// The way of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// To this URL.
    To(Route),
    /// Nowhere: there are URLs for it, and all are dead.
    Dead,
    /// Nowhere: nobody asked for it.
    Nobody,
}

/// Every callback URL.
#[derive(Debug)]
pub(crate) struct Registry {
    rows: Mutex<HashMap<String, Vec<Callback>>>,
    last: AtomicU64,
    changed: watch::Sender<()>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { rows: Mutex::default(), last: AtomicU64::new(0), changed: watch::Sender::new(()) }
    }

    /// Registers a URL.
    pub(crate) fn add(
        &self,
        api_key: &str,
        kind: EventType,
        url: String,
        change: Change,
    ) -> Result<Callback, Refused> {
        let mut all = lock(&self.rows);
        if !all.contains_key(api_key) && all.len() >= MOST_KEYS {
            return Err(Refused::Full);
        }
        let rows = all.entry(api_key.to_owned()).or_default();
        let mut row = Callback {
            id: 0,
            api_key_id: number_of(&["key", api_key]),
            event_type: kind,
            is_backup: false,
            status: Life::Alive,
            url,
            version: 1,
        };
        change.apply(&mut row);
        if rows.iter().any(|other| Element::Key(row.event_type, row.is_backup).is(other)) {
            return Err(Refused::Taken(row.event_type, row.is_backup));
        }
        row.id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        rows.push(row.clone());
        self.changed.send_replace(());
        Ok(row)
    }

    /// Changes a row; nothing if it is so already.
    pub(crate) fn change(
        &self,
        api_key: &str,
        element: Element,
        change: Change,
    ) -> Result<Option<Callback>, Refused> {
        let mut all = lock(&self.rows);
        let rows = all.get_mut(api_key).ok_or(Refused::Unknown)?;
        let at = rows.iter().position(|row| element.is(row)).ok_or(Refused::Unknown)?;
        let mut row = rows[at].clone();
        change.apply(&mut row);
        let key = Element::Key(row.event_type, row.is_backup);
        if rows.iter().any(|other| other.id != row.id && key.is(other)) {
            return Err(Refused::Taken(row.event_type, row.is_backup));
        }
        if row == rows[at] {
            return Ok(None);
        }
        rows[at] = row.clone();
        self.changed.send_replace(());
        Ok(Some(row))
    }

    /// Deletes a row; whether there was one.
    pub(crate) fn remove(&self, api_key: &str, element: Element) -> bool {
        let mut all = lock(&self.rows);
        let Some(rows) = all.get_mut(api_key) else { return false };
        let before = rows.len();
        rows.retain(|row| !element.is(row));
        let removed = rows.len() < before;
        if removed {
            self.changed.send_replace(());
        }
        removed
    }

    /// The rows of an API key.
    pub(crate) fn rows(&self, api_key: &str) -> Vec<Callback> {
        lock(&self.rows).get(api_key).cloned().unwrap_or_default()
    }

    /// Where an event of this type goes now.
    pub(crate) fn way(&self, api_key: &str, kind: EventType) -> Way {
        let all = lock(&self.rows);
        let Some(rows) = all.get(api_key) else { return Way::Nobody };
        let find = |backup| rows.iter().find(|row| Element::Key(kind, backup).is(row));
        // A backup alone gets nothing: it stands in for a primary that died.
        let Some(primary) = find(false) else { return Way::Nobody };
        let alive = [Some(primary), find(true)].into_iter().flatten().find(|row| row.status == Life::Alive);
        alive.map_or(Way::Dead, |row| Way::To(Route { url: row.url.clone(), grouped: row.version == 2 }))
    }

    /// Whether the API key still has this URL, alive.
    pub(crate) fn has(&self, api_key: &str, url: &str) -> bool {
        let all = lock(&self.rows);
        all.get(api_key)
            .is_some_and(|rows| rows.iter().any(|row| row.url == url && row.status == Life::Alive))
    }

    /// Calls a URL dead, in every row of the API key that has it.
    pub(crate) fn bury(&self, api_key: &str, url: &str) {
        let mut all = lock(&self.rows);
        for row in all.get_mut(api_key).into_iter().flatten().filter(|row| row.url == url) {
            row.status = Life::Dead;
        }
        self.changed.send_replace(());
    }

    /// Calls the URL of one row dead; whether there is such a row.
    pub(crate) fn bury_row(&self, api_key: &str, element: Element) -> bool {
        let mut all = lock(&self.rows);
        let row = all.get_mut(api_key).and_then(|rows| rows.iter_mut().find(|row| element.is(row)));
        let Some(row) = row else { return false };
        row.status = Life::Dead;
        self.changed.send_replace(());
        true
    }

    /// Tells when any row changes.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Change {
        Change { url: Some(text.to_owned()), ..Change::default() }
    }

    fn to(text: &str) -> Way {
        Way::To(Route { url: text.to_owned(), grouped: false })
    }

    #[test]
    fn a_backup_stands_in_while_the_primary_is_dead() {
        let registry = Registry::new();
        let backup = Change { is_backup: Some(true), ..Change::default() };
        assert_eq!(registry.way("k", EventType::Sent), Way::Nobody);
        registry.add("k", EventType::Sent, "http://p".into(), Change::default()).unwrap();
        registry.add("k", EventType::Sent, "http://b".into(), backup).unwrap();
        let again = registry.add("k", EventType::Sent, "http://x".into(), Change::default());
        assert_eq!(again, Err(Refused::Taken(EventType::Sent, false)));
        assert_eq!(registry.way("k", EventType::Sent), to("http://p"));

        registry.bury("k", "http://p");
        assert_eq!(registry.way("k", EventType::Sent), to("http://b"));
        let primary = Element::Key(EventType::Sent, false);
        assert_eq!(registry.change("k", primary, url("http://p")), Ok(None), "the same URL does not revive");
        assert_eq!(registry.way("k", EventType::Sent), to("http://b"));
        assert!(registry.change("k", primary, url("http://new")).unwrap().is_some());
        assert_eq!(registry.way("k", EventType::Sent), to("http://new"));
        registry.bury("k", "http://new");
        registry.bury("k", "http://b");
        assert_eq!(registry.way("k", EventType::Sent), Way::Dead);
    }

    #[test]
    fn elements_have_two_names() {
        assert!(matches!(Element::parse("12"), Some(Element::Id(12))));
        assert!(matches!(Element::parse("open|false"), Some(Element::Key(EventType::Open, false))));
        assert!(matches!(Element::parse("7|true"), Some(Element::Key(EventType::Sent, true))));
        assert!(Element::parse("open").is_none());
    }
}
