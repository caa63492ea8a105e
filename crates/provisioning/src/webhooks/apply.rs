//! From what is wanted to what is told: by a worker that looks, or on request.

use domain::{Action, Actor, TenantId};
use jiff::Timestamp;
use mailjet::Credentials;
use store::managed_tokens;
use store::providers::{AccountDigest, MAILJET};
use store::webhook_registrations::{Registration, Takings};

use super::endpoint::Endpoint;
use super::go::Go;
use super::plan::{self, Ours, Repair, WebhookWish, Wrong};
use super::{former, wanted};
use crate::{Error, Provisioner};

/// How far it went.
#[derive(Debug)]
pub(super) struct Applied {
    /// What was put right.
    pub(super) repaired: Vec<Repair>,
    /// Whether strangers were found in our place, if it was looked.
    found_strangers: Option<bool>,
    /// Whether all of it was done.
    pub(super) result: Result<(), Error>,
}

impl Applied {
    /// For the audit log.
    pub(super) fn done(&self) -> Vec<(Action, String, Option<String>)> {
        let entry = |repair: &Repair| {
            let rank = if repair.is_backup { " (backup)" } else { "" };
            let subject = format!("{}{rank}", repair.event.as_str());
            (Action::WebhooksHealed, subject, Some(repair.wrong.words().to_owned()))
        };
        self.repaired.iter().map(entry).collect()
    }

    /// The count of strangers, after this.
    pub(super) fn takings(&self, before: Takings, now: Timestamp) -> Takings {
        self.found_strangers.map_or(before, |found| plan::count(before, found, now))
    }
}

/// What the audit log says when strangers are left alone from now on.
pub(super) fn contested() -> (Action, String, Option<String>) {
    let detail =
        "somebody else's URLs keep coming back, and are left there until the webhooks are registered again";
    (Action::WebhooksContested, MAILJET.to_owned(), Some(detail.to_owned()))
}

/// What is to be done, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) tenant: TenantId,
    pub(super) by: Actor,
    /// The registration that asks for it; nothing is done for one that has changed.
    pub(super) revision: i64,
    pub(super) wish: &'a WebhookWish,
    /// Where events went by earlier wishes.
    pub(super) former: &'a [Endpoint],
    /// Whether strangers' rows stay.
    pub(super) yields: bool,
}

impl Provisioner {
    /// Puts right what is not as a tenant wants it; strangers are taken the place of unless they have come too often.
    pub(super) async fn heal(&self, registration: &Registration) -> Result<Applied, Error> {
        let takings = registration.takings;
        let (_, account) = self.account(registration.tenant).await?;
        let Some(wish) = wanted(&registration.wish) else {
            return Err(store::Error::Unreadable { column: "webhook_registrations.url_sealed" }.into());
        };
        let job = Job {
            tenant: registration.tenant,
            by: Actor::Worker,
            revision: registration.revision,
            wish: &wish,
            former: &former(registration),
            // One more taking is one too many when the next count says so.
            yields: plan::count(takings, true, Timestamp::now()).contested_at.is_some(),
        };
        Ok(self.apply(&account, job).await)
    }

    /// Compares Mailjet's rows with the wish, and makes them so.
    pub(super) async fn apply(&self, account: &Credentials, job: Job<'_>) -> Applied {
        let mut applied = Applied { repaired: Vec::new(), found_strangers: None, result: Ok(()) };
        applied.result = self.go(account, job, &mut applied).await;
        applied
    }

    async fn go(&self, account: &Credentials, job: Job<'_>, applied: &mut Applied) -> Result<(), Error> {
        let rest = self.mailjet.rest(account);
        let tokens = managed_tokens::known(&self.store, job.tenant).await?;
        let rows = rest.callbacks().await?;
        let ours = Ours { wish: Some(job.wish), former: job.former, tokens: &tokens };
        let mut plan = plan::plan(job.wish, &rows, ours);
        applied.found_strangers = Some(plan.repairs.iter().any(|repair| repair.wrong == Wrong::Foreign));
        if job.yields {
            plan.repairs.retain(|repair| repair.wrong != Wrong::Foreign);
        }
        let carried = rows.iter().filter_map(|row| Some((Some(row.id.clone()), ours.token(row)?.id)));
        let mut go = Go {
            store: &self.store,
            rest,
            account: AccountDigest::of(&account.api_key),
            job,
            minted: None,
            carried: carried.collect(),
        };
        let result = go.put_right(plan, &mut applied.repaired).await;
        let settled = go.settle(tokens, &result).await;
        result.and(settled)
    }
}
