//! What has to be done so that Mailjet has what is wanted: a comparison, without any I/O.

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
}

/// What tells rows of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    /// What is wanted, if anything is.
    pub(super) wish: Option<&'a WebhookWish>,
    /// Where events went by earlier wishes.
    pub(super) former: &'a [Endpoint],
    /// The tokens that were made for this tenant, revoked ones too.
    pub(super) tokens: &'a [ManagedToken],
}

impl Ours<'_> {
    /// The token of ours that a row's URL carries, whether or not it is still good.
    pub(super) fn token(&self, row: &Callback) -> Option<&ManagedToken> {
        let hash = SecretHash::of(secret_of(&row.url.parse().ok()?)?.as_bytes());
        self.tokens.iter().find(|token| token.hash == hash)
    }

    /// Whether a row is of our making: it carries a token of ours, or is a URL with the tenant's own credentials that is or
    /// was wanted.
    pub(super) fn has(&self, row: &Callback) -> bool {
        let Ok(url) = row.url.parse::<Url>() else { return false };
        let wanted =
            self.wish.into_iter().flat_map(|wish| [Some(&wish.url), wish.backup_url.as_ref()]).flatten();
        let own = |endpoint: &Endpoint| !endpoint.is_managed() && endpoint.is_at(&url);
        self.token(row).is_some() || wanted.chain(self.former).any(own)
    }
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

/// Compares what is there with what is wanted.
pub(super) fn plan(wish: &WebhookWish, rows: &[Callback], ours: Ours<'_>) -> Plan {
    let mut plan = Plan::default();
    for (event, is_backup, endpoint) in wish.places() {
        let row = rows.iter().find(|row| row.is(event, is_backup));
        let url = row.and_then(|row| row.url.parse::<Url>().ok());
        let is_good = row.and_then(|row| ours.token(row)).is_some_and(|token| token.is_live);
        let is_there = url.is_some_and(|url| endpoint.is_at(&url)) && (is_good || !endpoint.is_managed());
        let wrong = match row {
            None => Wrong::Missing,
            Some(row) if !is_there && !ours.has(row) => Wrong::Foreign,
            Some(row) if row.status == CallbackStatus::Dead => Wrong::Dead,
            Some(row) if !is_there || row.is_ungrouped() => Wrong::Differs,
            Some(_) => continue,
        };
        plan.repairs.push(Repair { event, is_backup, id: row.map(|row| row.id.clone()), wrong });
    }
    let is_wanted = |row: &&Callback| wish.places().any(|(event, is_backup, _)| row.is(event, is_backup));
    let surplus = rows.iter().filter(|row| !is_wanted(row) && ours.has(row));
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
    use domain::TokenId;
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

    fn token(text: &str, is_live: bool) -> ManagedToken {
        ManagedToken {
            id: TokenId(Uuid::nil()),
            hash: SecretHash::of(text.as_bytes()),
            is_live,
            is_unused: false,
        }
    }

    fn compare(wish: &WebhookWish, rows: &[Callback]) -> Plan {
        let tokens = [token("rwt1", true), token("rwt9", false)];
        plan(wish, rows, Ours { wish: Some(wish), former: &[], tokens: &tokens })
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
        compare(wish, rows).repairs.into_iter().map(|repair| repair.wrong).collect()
    }

    const OURS: &str = "https://raven:rwt1@h.example/hook";

    #[test]
    fn what_is_right_is_left_alone() {
        let rows =
            [row("sent", false, OURS), row("open", false, OURS), row("click", false, "https://x.example")];
        let plan = compare(&wish(false), &rows);
        assert_eq!((plan.repairs, plan.surplus), (vec![], vec![]));
    }

    #[test]
    fn each_kind_of_wrong_is_told_apart() {
        let one = |row: Callback| wrongs(&wish(false), &[row, self::row("open", false, OURS)]);
        assert_eq!(wrongs(&wish(false), &[]), [Wrong::Missing, Wrong::Missing]);
        assert_eq!(one(Callback { status: CallbackStatus::Dead, ..row("sent", false, OURS) }), [Wrong::Dead]);
        assert_eq!(one(Callback { version: Some(1), ..row("sent", false, OURS) }), [Wrong::Differs]);
        assert_eq!(one(row("sent", false, "https://raven:rwt1@old.example/hook")), [Wrong::Differs]);
        assert_eq!(one(row("sent", false, "https://raven:rwt0@h.example/hook")), [Wrong::Foreign]);
        // Of ours, though it is not good any more: nobody has to be blamed for it.
        assert_eq!(one(row("sent", false, "https://raven:rwt9@h.example/hook")), [Wrong::Differs]);
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
        let with = compare(&wish(true), &rows);
        assert_eq!((with.repairs.len(), with.repairs[0].is_backup), (1, true));
        let without = compare(&wish(false), &rows);
        assert_eq!((without.repairs, without.surplus), (vec![], vec!["senttrue".to_owned()]));
    }

    #[test]
    fn credentials_of_the_tenants_own_are_recognised_whatever_the_mark() {
        let own = WebhookWish { url: Endpoint::read("https://u:p@h.example/hook").unwrap(), ..wish(false) };
        let rows = [
            row("sent", false, "https://u:p@h.example/hook"),
            row("open", false, "https://u:p@h.example/hook?renewed=7"),
        ];
        let none = Ours { wish: None, former: &[], tokens: &[] };
        let ours = Ours { wish: Some(&own), ..none };
        assert_eq!(plan(&own, &rows, ours).repairs, []);
        assert!(ours.has(&rows[1]) && !none.has(&rows[1]));
    }

    #[test]
    fn what_an_earlier_wish_left_is_ours_if_it_has_credentials_of_its_own() {
        let endpoint = |text| Endpoint::read(text).unwrap();
        let former = [endpoint("https://u:p@old.example/hook"), endpoint("https://h.example/plain")];
        let wish = wish(false);
        let ours = Ours { wish: Some(&wish), former: &former, tokens: &[] };
        let rows = [
            row("sent", false, "https://u:p@old.example/hook"),
            row("click", false, "https://u:p@old.example/hook?renewed=7"),
            row("spam", false, "https://h.example/plain"),
        ];
        let plan = plan(&wish, &rows, ours);
        assert_eq!((plan.repairs[0].wrong, plan.repairs[1].wrong), (Wrong::Differs, Wrong::Missing));
        assert_eq!(plan.surplus, ["clickfalse"], "without credentials anybody may have registered it");
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
