//! One go at Mailjet's rows: they are told one after the other, and whatever came of it, what they carry is noted.

use domain::TokenId;
use domain::webhook_token::{TOKEN_BYTES, WebhookToken};
use mailjet::{Rest, RestError};
use store::Store;
use store::managed_tokens::{self, ManagedToken, NewToken};
use store::providers::AccountDigest;
use store::webhook_registrations;
use uuid::Uuid;

use super::apply::Job;
use super::endpoint::Endpoint;
use super::plan::{Ours, Plan, Repair, Wrong};
use crate::Error;

/// What a go has made so far.
pub(super) struct Go<'a> {
    pub(super) store: &'a Store,
    pub(super) rest: Rest<'a>,
    pub(super) account: AccountDigest,
    pub(super) job: Job<'a>,
    /// A token for the rows of this go. It is stored before any URL with it is given away, and at first only if one needs it.
    pub(super) minted: Option<(TokenId, WebhookToken)>,
    /// Which row carries which token, by now; a row that was just made has no number yet.
    pub(super) carried: Vec<(Option<String>, TokenId)>,
}

impl Go<'_> {
    /// Does what is planned, up to the first failure.
    pub(super) async fn put_right(&mut self, plan: Plan, repaired: &mut Vec<Repair>) -> Result<(), Error> {
        for repair in plan.repairs {
            let Some(endpoint) = self.job.wish.endpoint(repair.is_backup) else { continue };
            let url = self.url(endpoint, repair.wrong).await?;
            self.stop_if_changed().await?;
            tell(self.rest, &repair, &url).await?;
            self.carried.retain(|(id, _)| id.is_none() || *id != repair.id);
            let minted = self.minted.as_ref().filter(|_| endpoint.is_managed());
            self.carried.extend(minted.map(|(token, _)| (None, *token)));
            repaired.push(repair);
        }
        for id in plan.surplus {
            self.stop_if_changed().await?;
            self.rest.delete_callback(&id).await?;
            self.carried.retain(|(row, _)| row.as_ref() != Some(&id));
        }
        // What was told last may have been told too late.
        self.stop_if_changed().await
    }

    async fn url(&mut self, endpoint: &Endpoint, wrong: Wrong) -> Result<String, Error> {
        if !endpoint.is_managed() {
            let mark = (wrong == Wrong::Dead).then(|| Uuid::new_v4().simple().to_string());
            return Ok(endpoint.with_mark(mark.as_deref()));
        }
        let (_, token) = match &mut self.minted {
            Some(minted) => minted,
            none => none.insert(make(self.store, self.account, self.job).await?),
        };
        Ok(endpoint.with_token(token.reveal()))
    }

    /// What another request wants by now, or does not want any more, must not be undone.
    async fn stop_if_changed(&self) -> Result<(), Error> {
        let Job { tenant, revision, .. } = self.job;
        if webhook_registrations::is_current(self.store, tenant, revision).await? {
            Ok(())
        } else {
            Err(Error::Changed)
        }
    }

    /// Notes which tokens are in use, also when not all was done: else those that work would one day be taken for unused,
    /// and those that came to nothing would pile up.
    pub(super) async fn settle(
        &self,
        known: Vec<ManagedToken>,
        result: &Result<(), Error>,
    ) -> Result<(), Error> {
        let (Job { tenant, by, .. }, mut known) = (self.job, known);
        let used: Vec<TokenId> = self.carried.iter().map(|(_, token)| *token).collect();
        if let Some((id, token)) = &self.minted {
            if matches!(result, Err(Error::Changed)) && used.contains(id) {
                self.withdraw().await?;
            }
            known.push(ManagedToken { id: *id, hash: token.hash(), is_live: true, is_unused: true });
            // Without an answer, Mailjet may have taken it all the same; the next look tells.
            let is_doubtful = matches!(result, Err(Error::Mailjet(RestError::Unavailable(_))));
            if result.is_err() && !is_doubtful && !used.contains(id) {
                managed_tokens::discard(self.store, tenant, *id, by).await?;
            }
        }
        Ok(managed_tokens::note_use(self.store, (tenant, self.account), &known, &used).await?)
    }

    /// Takes back what was told while the registration was removed. Of one that only changed, the next go does what is left.
    async fn withdraw(&self) -> Result<(), Error> {
        let Job { tenant, .. } = self.job;
        if webhook_registrations::is_gone(self.store, tenant).await? {
            let tokens = managed_tokens::known(self.store, tenant).await?;
            delete_revoked(self.rest, &tokens).await?;
        }
        Ok(())
    }
}

/// Deletes the rows whose tokens are revoked.
pub(super) async fn delete_revoked(rest: Rest<'_>, tokens: &[ManagedToken]) -> Result<(), Error> {
    let ours = Ours { wish: None, former: &[], tokens };
    for row in rest.callbacks().await? {
        if ours.token(&row).is_some_and(|token| !token.is_live) {
            rest.delete_callback(&row.id).await?;
        }
    }
    Ok(())
}

async fn make(
    store: &Store,
    account: AccountDigest,
    Job { tenant, by, revision, .. }: Job<'_>,
) -> Result<(TokenId, WebhookToken), Error> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(|fault| store::Error::Unavailable(Box::new(fault)))?;
    let (id, token) = (TokenId(Uuid::now_v7()), WebhookToken::from_random(random));
    let new = NewToken { id, token: &token, account };
    if managed_tokens::create(store, (tenant, revision), &new, by).await? {
        Ok((id, token))
    } else {
        Err(Error::Changed)
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
