//! Telling Mailjet, one row after the other.

use domain::webhook_token::{TOKEN_BYTES, WebhookToken};
use domain::{Action, Actor, TenantId, TokenId};
use jiff::Timestamp;
use mailjet::{Credentials, Rest};
use store::managed_tokens::{self, ManagedToken};
use store::providers::MAILJET;
use store::webhook_registrations::{Registration, Takings};
use uuid::Uuid;

use super::endpoint::Endpoint;
use super::plan::{self, Plan, Repair, WebhookWish, Wrong};
use super::wanted;
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

/// A token for the rows of one go. It is stored before any URL with it is given away, and at first only if one needs it.
struct Mint<'a> {
    provisioner: &'a Provisioner,
    owner: (TenantId, Actor),
    minted: Option<(TokenId, WebhookToken)>,
}

impl Mint<'_> {
    async fn url(&mut self, endpoint: &Endpoint, wrong: Wrong) -> Result<String, Error> {
        if !endpoint.is_managed() {
            let mark = (wrong == Wrong::Dead).then(|| Uuid::new_v4().simple().to_string());
            return Ok(endpoint.with_mark(mark.as_deref()));
        }
        let (_, token) = match &mut self.minted {
            Some(minted) => minted,
            none => none.insert(make(self.provisioner, self.owner).await?),
        };
        Ok(endpoint.with_token(token.reveal()))
    }
}

async fn make(
    provisioner: &Provisioner,
    (tenant, by): (TenantId, Actor),
) -> Result<(TokenId, WebhookToken), Error> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(|fault| store::Error::Unavailable(Box::new(fault)))?;
    let (id, token) = (TokenId(Uuid::now_v7()), WebhookToken::from_random(random));
    managed_tokens::create(&provisioner.store, tenant, id, &token, by).await?;
    Ok((id, token))
}

impl Provisioner {
    /// Puts right what is not as a tenant wants it; strangers are taken the place of unless they have come too often.
    pub(super) async fn heal(&self, registration: &Registration) -> Result<Applied, Error> {
        let (tenant, takings) = (registration.tenant, registration.takings);
        let (_, account) = self.account(tenant).await?;
        let Some(wish) = wanted(&registration.wish) else {
            return Err(store::Error::Unreadable { column: "webhook_registrations.url_sealed" }.into());
        };
        // One more taking is one too many when the next count says so.
        let yields = plan::count(takings, true, Timestamp::now()).contested_at.is_some();
        Ok(self.apply(&account, (tenant, Actor::Worker), &wish, yields).await)
    }

    /// Compares Mailjet's rows with the wish, and makes them so; with `yields`, strangers' rows stay.
    pub(super) async fn apply(
        &self,
        account: &Credentials,
        owner: (TenantId, Actor),
        wish: &WebhookWish,
        yields: bool,
    ) -> Applied {
        let mut applied = Applied { repaired: Vec::new(), found_strangers: None, result: Ok(()) };
        applied.result = self.go(self.mailjet.rest(account), owner, (wish, yields), &mut applied).await;
        applied
    }

    async fn go(
        &self,
        rest: Rest<'_>,
        owner: (TenantId, Actor),
        (wish, yields): (&WebhookWish, bool),
        applied: &mut Applied,
    ) -> Result<(), Error> {
        let tokens = managed_tokens::live(&self.store, owner.0).await?;
        let rows = rest.callbacks().await?;
        let Plan { mut repairs, surplus, mut used } = plan::plan(wish, &rows, &tokens);
        applied.found_strangers = Some(repairs.iter().any(|repair| repair.wrong == Wrong::Foreign));
        if yields {
            repairs.retain(|repair| repair.wrong != Wrong::Foreign);
        }
        let mut mint = Mint { provisioner: self, owner, minted: None };
        for repair in repairs {
            let Some(endpoint) = wish.endpoint(repair.is_backup) else { continue };
            let url = mint.url(endpoint, repair.wrong).await?;
            tell(rest, &repair, &url).await?;
            applied.repaired.push(repair);
        }
        for id in surplus {
            rest.delete_callback(&id).await?;
        }
        used.extend(mint.minted.as_ref().map(|(id, _)| *id));
        self.note_use(owner.0, &tokens, &used).await
    }

    /// Only once all is done: the rows of a failure half way are looked at again.
    async fn note_use(
        &self,
        tenant: TenantId,
        tokens: &[ManagedToken],
        used: &[TokenId],
    ) -> Result<(), Error> {
        Ok(managed_tokens::note_use(&self.store, tenant, tokens, used).await?)
    }
}

async fn tell(rest: Rest<'_>, repair: &Repair, url: &str) -> Result<(), Error> {
    if let Some(id) = &repair.id
        && rest.change_callback(id, url).await?
    {
        return Ok(());
    }
    Ok(rest.set_callback(repair.event, repair.is_backup, url).await?)
}
