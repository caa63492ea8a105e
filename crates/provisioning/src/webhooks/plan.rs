//! What has to be done so that Mailjet has what is wanted: a comparison, without any I/O.

use domain::TokenId;
use domain::api_key::SecretHash;
use jiff::{SignedDuration, Timestamp};
use mailjet::{Callback, CallbackEvent, CallbackStatus, Url};
use store::managed_tokens::ManagedToken;
use store::webhook_registrations::Takings;

use super::endpoint::{Endpoint, secret_of};

/// Checks that may find a stranger's URL in our place, and take the place back, within [`WINDOW`]. Two installations on
/// one account would otherwise go on like that for ever, and each would miss events.
const MOST_TAKINGS: i32 = 3;
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What is wanted at Mailjet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookWish {
    /// Where events go.
    pub url: Endpoint,
    /// Where they go while that URL is dead.
    pub backup_url: Option<Endpoint>,
    /// Which events.
    pub events: Vec<CallbackEvent>,
}

/// What is wrong in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is nothing.
    Missing,
    /// Mailjet has given the URL up, and revives it only by another.
    Dead,
    /// It is a URL of ours that is not wanted any more, or events come one by one.
    Differs,
    /// A stranger's URL is there.
    Foreign,
}

impl Wrong {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Missing => "there was no URL",
            Self::Dead => "Mailjet had given its URL up",
            Self::Differs => "its URL or version was not the one wanted",
            Self::Foreign => "somebody else's URL was in its place",
        }
    }
}

/// A place to be put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repair {
    pub(super) event: CallbackEvent,
    pub(super) is_backup: bool,
    /// The row that is there.
    pub(super) id: Option<String>,
    pub(super) wrong: Wrong,
}

/// What has to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) repairs: Vec<Repair>,
    /// Rows of ours that are not wanted any more.
    pub(super) surplus: Vec<String>,
    /// The tokens of rows that stay as they are.
    pub(super) used: Vec<TokenId>,
}

impl WebhookWish {
    /// The URL of a rank.
    pub(super) fn endpoint(&self, is_backup: bool) -> Option<&Endpoint> {
        if is_backup { self.backup_url.as_ref() } else { Some(&self.url) }
    }

    fn places(&self) -> impl Iterator<Item = (CallbackEvent, bool, &Endpoint)> {
        [false, true]
            .into_iter()
            .filter_map(|is_backup| Some((is_backup, self.endpoint(is_backup)?)))
            .flat_map(|(is_backup, endpoint)| {
                self.events.iter().map(move |event| (*event, is_backup, endpoint))
            })
    }
}

/// The token of ours that a URL carries.
fn token(url: &Url, tokens: &[ManagedToken]) -> Option<TokenId> {
    let hash = SecretHash::of(secret_of(url)?.as_bytes());
    tokens.iter().find(|token| token.hash == hash).map(|token| token.id)
}

/// Whether a row is of our making: it carries a token of ours, or is the URL with the tenant's own credentials that is
/// wanted.
pub(super) fn is_ours(row: &Callback, wish: Option<&WebhookWish>, tokens: &[ManagedToken]) -> bool {
    let Ok(url) = row.url.parse::<Url>() else { return false };
    let endpoints = wish.into_iter().flat_map(|wish| [Some(&wish.url), wish.backup_url.as_ref()]).flatten();
    let own = |endpoint: &Endpoint| !endpoint.is_managed() && endpoint.is_at(&url);
    token(&url, tokens).is_some() || endpoints.into_iter().any(own)
}

/// Compares what is there with what is wanted.
pub(super) fn plan(wish: &WebhookWish, rows: &[Callback], tokens: &[ManagedToken]) -> Plan {
    let mut plan = Plan::default();
    for (event, is_backup, endpoint) in wish.places() {
        let row = rows.iter().find(|row| row.is(event, is_backup));
        let url = row.and_then(|row| row.url.parse::<Url>().ok());
        let carried = url.as_ref().and_then(|url| token(url, tokens));
        let is_there = url.as_ref().is_some_and(|url| endpoint.is_at(url))
            && (carried.is_some() || !endpoint.is_managed());
        let wrong = match row {
            None => Wrong::Missing,
            Some(row) if !is_there && !is_ours(row, Some(wish), tokens) => Wrong::Foreign,
            Some(row) if row.status == CallbackStatus::Dead => Wrong::Dead,
            Some(row) if !is_there || row.is_ungrouped() => Wrong::Differs,
            Some(_) => {
                plan.used.extend(carried);
                continue;
            }
        };
        plan.repairs.push(Repair { event, is_backup, id: row.map(|row| row.id.clone()), wrong });
    }
    let is_wanted = |row: &&Callback| wish.places().any(|(event, is_backup, _)| row.is(event, is_backup));
    let surplus = rows.iter().filter(|row| !is_wanted(row) && is_ours(row, Some(wish), tokens));
    plan.surplus = surplus.map(|row| row.id.clone()).collect();
    plan
}

/// Notes whether a check found strangers. While [`Takings::contested_at`] is set they are left alone; that ends when none
/// is found any more, or when somebody registers again.
pub(super) fn count(before: Takings, found: bool, now: Timestamp) -> Takings {
    if before.contested_at.is_some() {
        return if found { before } else { Takings::default() };
    }
    if !found {
        return before;
    }
    let recent = before.since.filter(|since| now.duration_since(*since) < WINDOW);
    let count = if recent.is_some() { before.count.saturating_add(1) } else { 1 };
    let contested_at = (count > MOST_TAKINGS).then_some(now);
    Takings { count, since: recent.or(Some(now)), contested_at }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn wish(backup: bool) -> WebhookWish {
        let endpoint = |text| Endpoint::read(text).unwrap();
        WebhookWish {
            url: endpoint("https://h.example/hook"),
            backup_url: backup.then(|| endpoint("https://b.example/hook")),
            events: vec![CallbackEvent::Sent, CallbackEvent::Open],
        }
    }

    fn tokens() -> [ManagedToken; 1] {
        [ManagedToken { id: TokenId(Uuid::nil()), hash: SecretHash::of(b"rwt1"), is_unused: false }]
    }

    fn row(event: &str, is_backup: bool, url: &str) -> Callback {
        Callback {
            id: format!("{event}{is_backup}"),
            event: event.to_owned(),
            is_backup,
            status: CallbackStatus::Alive,
            url: url.to_owned(),
            version: Some(2),
        }
    }

    fn wrongs(wish: &WebhookWish, rows: &[Callback]) -> Vec<Wrong> {
        plan(wish, rows, &tokens()).repairs.into_iter().map(|repair| repair.wrong).collect()
    }

    const OURS: &str = "https://raven:rwt1@h.example/hook";

    #[test]
    fn what_is_right_is_left_alone() {
        let rows =
            [row("sent", false, OURS), row("open", false, OURS), row("click", false, "https://x.example")];
        let plan = plan(&wish(false), &rows, &tokens());
        assert_eq!((plan.repairs, plan.surplus), (vec![], vec![]));
        assert_eq!(plan.used.len(), 2);
    }

    #[test]
    fn each_kind_of_wrong_is_told_apart() {
        let one = |row: Callback| wrongs(&wish(false), &[row, self::row("open", false, OURS)]);
        assert_eq!(wrongs(&wish(false), &[]), [Wrong::Missing, Wrong::Missing]);
        assert_eq!(one(Callback { status: CallbackStatus::Dead, ..row("sent", false, OURS) }), [Wrong::Dead]);
        assert_eq!(one(Callback { version: Some(1), ..row("sent", false, OURS) }), [Wrong::Differs]);
        assert_eq!(one(row("sent", false, "https://raven:rwt1@old.example/hook")), [Wrong::Differs]);
        assert_eq!(one(row("sent", false, "https://raven:rwt0@h.example/hook")), [Wrong::Foreign]);
        assert_eq!(one(row("sent", false, "no url")), [Wrong::Foreign]);
        assert_eq!(one(Callback { version: None, ..row("sent", false, OURS) }), []);
        assert_eq!(one(Callback { status: CallbackStatus::Unknown, ..row("sent", false, OURS) }), []);
    }

    #[test]
    fn a_backup_has_places_of_its_own_and_goes_with_the_wish() {
        let backup = "https://raven:rwt1@b.example/hook";
        let rows = [
            row("sent", false, OURS),
            row("open", false, OURS),
            row("sent", true, backup),
            row("open", true, "https://x.example/"),
        ];
        let with = plan(&wish(true), &rows, &tokens());
        assert_eq!((with.repairs.len(), with.repairs[0].is_backup), (1, true));
        let without = plan(&wish(false), &rows, &tokens());
        assert_eq!((without.repairs, without.surplus), (vec![], vec!["senttrue".to_owned()]));
    }

    #[test]
    fn credentials_of_the_tenants_own_are_recognised_whatever_the_mark() {
        let own = WebhookWish { url: Endpoint::read("https://u:p@h.example/hook").unwrap(), ..wish(false) };
        let rows = [
            row("sent", false, "https://u:p@h.example/hook"),
            row("open", false, "https://u:p@h.example/hook?renewed=7"),
        ];
        assert_eq!(plan(&own, &rows, &[]).repairs, []);
        assert!(is_ours(&rows[1], Some(&own), &[]) && !is_ours(&rows[1], None, &[]));
    }

    #[test]
    fn strangers_are_left_alone_after_some_takings_in_a_while() {
        let now = Timestamp::UNIX_EPOCH;
        let hour = |hours| now + SignedDuration::from_hours(hours);
        let mut takings = Takings::default();
        for hours in 0..3 {
            takings = count(takings, true, hour(hours));
            takings = count(takings, false, hour(hours));
            assert_eq!(takings.contested_at, None);
        }
        assert_eq!(count(takings, true, hour(30)).count, 1, "a day later it is another matter");
        takings = count(takings, true, hour(3));
        assert_eq!(takings.contested_at, Some(hour(3)));
        assert_eq!(count(takings, true, hour(40)), takings, "for as long as they are there");
        assert_eq!(count(takings, false, hour(41)), Takings::default());
    }
}
