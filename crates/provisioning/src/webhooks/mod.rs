//! The webhooks at Mailjet: registered as they are wanted, and kept so.
//!
//! What is wanted is stored before Mailjet is told, so that a failure half way is completed by the next check of a worker,
//! or by a repeat. Tokens are stored as hashes: a URL is known as ours by the hash of the token in it, and what is put
//! right always gets a token that is new, without which Mailjet would not revive a URL that it has given up.

mod apply;
mod check;
mod endpoint;
mod go;
mod plan;

use std::time::Duration;

use domain::{Actor, TenantId};
use jiff::Timestamp;
use mailjet::{Callback, CallbackEvent, CallbackStatus, Rest};
use secrecy::{ExposeSecret as _, SecretString};
use store::managed_tokens;
use store::webhook_registrations::{self, Finding, Registration, Takings, Wish};

pub use check::{Checked, Due};
pub use endpoint::{Endpoint, InvalidEndpoint, MOST_CHARACTERS};
pub use plan::WebhookWish;

use crate::{Error, Provisioner};
use apply::Job;
use endpoint::masked;
use go::delete_revoked;
use plan::Ours;

/// How long workers keep away from a registration that is being made.
const LEASE: Duration = Duration::from_mins(2);
/// How often a removal starts again because somebody registered meanwhile.
const REMOVALS: usize = 3;

/// A webhook at Mailjet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it hears of.
    pub event: String,
    /// Where events go, without secrets.
    pub url: String,
    /// Whether it only stands in for one that died.
    pub is_backup: bool,
    /// 2 for events in groups; nothing where Mailjet does not say.
    pub version: Option<u8>,
    /// Whether Mailjet uses it.
    pub status: CallbackStatus,
    /// Whether it is of Raven's making, for this tenant.
    pub ours: bool,
}

/// What is kept registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Where events go, without secrets.
    pub url: String,
    /// Where they go while that URL is dead, without secrets.
    pub backup_url: Option<String>,
    /// Which events.
    pub events: Vec<CallbackEvent>,
    /// When Mailjet was last found to have, or was given, what is wanted.
    pub checked_at: Option<Timestamp>,
    /// What was in the way of that since.
    pub fault: Option<String>,
    /// Since when strangers' URLs are left where ours should be, because they keep coming back.
    pub contested_at: Option<Timestamp>,
}

/// What is at Mailjet, and what should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhooks {
    /// Every webhook of the account, those of other people among them.
    pub rows: Vec<Webhook>,
    /// What is kept registered, if anything is.
    pub registered: Option<Registered>,
}

impl Provisioner {
    /// Has Mailjet post events as is wanted, in place of what was registered there for these events, and remembers that.
    /// What is right already stays as it is, so this may be repeated.
    pub async fn register_webhooks(
        &self,
        tenant: TenantId,
        wish: &WebhookWish,
        by: Actor,
    ) -> Result<Webhooks, Error> {
        // Without an account there is nothing to remember.
        let (_, account) = self.account(tenant).await?;
        let (registration, is_news) =
            webhook_registrations::put(&self.store, &self.keyring, (tenant, by), &stored(wish), LEASE)
                .await?;
        let job = Job {
            tenant,
            by,
            revision: registration.revision,
            wish,
            former: &former(&registration),
            yields: false,
        };
        let applied = self.apply(&account, job).await;
        let finding = Finding {
            fault: applied.result.as_ref().err().map(ToString::to_string),
            // What is new is told by what was wanted.
            done: if is_news { Vec::new() } else { applied.done() },
            takings: Takings::default(),
            again_in: Duration::ZERO,
        };
        webhook_registrations::note_check(&self.store, (tenant, registration.revision), by, &finding).await?;
        applied.result?;
        self.webhooks(tenant).await
    }

    /// What is at Mailjet, and what should be.
    pub async fn webhooks(&self, tenant: TenantId) -> Result<Webhooks, Error> {
        let (_, account) = self.account(tenant).await?;
        let registration = webhook_registrations::get(&self.store, &self.keyring, tenant).await?;
        let tokens = managed_tokens::known(&self.store, tenant).await?;
        let rows = self.mailjet.rest(&account).callbacks().await?;
        let wish = registration.as_ref().and_then(|registration| wanted(&registration.wish));
        let former = registration.as_ref().map(former).unwrap_or_default();
        let ours = Ours { wish: wish.as_ref(), former: &former, tokens: &tokens };
        let rows = rows.into_iter().map(|row| webhook(row, ours)).collect();
        let registered = registration.zip(wish).map(|(registration, wish)| Registered {
            url: wish.url.to_string(),
            backup_url: wish.backup_url.map(|url| url.to_string()),
            events: wish.events,
            checked_at: registration.checked_at,
            fault: registration.fault,
            contested_at: registration.takings.contested_at,
        });
        Ok(Webhooks { rows, registered })
    }

    /// Takes the webhooks of Raven's making off the account, revokes their tokens and forgets what was wanted; answers
    /// whether anything was. Of an account that was forgotten or exchanged meanwhile, they stay at Mailjet.
    pub async fn remove_webhooks(&self, tenant: TenantId, by: Actor) -> Result<bool, Error> {
        // Somebody may register again meanwhile; then what that made has to go as well.
        for _ in 0..REMOVALS {
            let registration = webhook_registrations::get(&self.store, &self.keyring, tenant).await?;
            let Some(registration) = registration else { return Ok(false) };
            let Some(revision) = webhook_registrations::hold(&self.store, tenant, LEASE).await? else {
                return Ok(false);
            };
            let account = match self.account(tenant).await {
                Ok((_, account)) => Some(account),
                Err(Error::NoAccount) => None,
                Err(fault) => return Err(fault),
            };
            if let Some(account) = &account {
                self.clear(self.mailjet.rest(account), &registration).await?;
            }
            // Last, so that whatever fails before can be repeated.
            if !webhook_registrations::delete(&self.store, (tenant, revision), by).await? {
                continue;
            }
            if let Some(account) = &account {
                // What a check that was under way told Mailjet since the rows were listed.
                let tokens = managed_tokens::known(&self.store, tenant).await?;
                if let Err(fault) = delete_revoked(self.mailjet.rest(account), &tokens).await {
                    tracing::warn!(%tenant, %fault, "whether webhooks were registered during their removal is not known");
                }
            }
            return Ok(true);
        }
        Err(Error::Changed)
    }

    async fn clear(&self, rest: Rest<'_>, registration: &Registration) -> Result<(), Error> {
        let tokens = managed_tokens::known(&self.store, registration.tenant).await?;
        let (wish, former) = (wanted(&registration.wish), former(registration));
        let ours = Ours { wish: wish.as_ref(), former: &former, tokens: &tokens };
        for row in rest.callbacks().await? {
            if ours.has(&row) {
                rest.delete_callback(&row.id).await?;
            }
        }
        Ok(())
    }
}

fn webhook(row: Callback, ours: Ours<'_>) -> Webhook {
    let ours = ours.has(&row);
    let Callback { event, is_backup, status, url, version, id: _ } = row;
    Webhook { event, url: masked(&url), is_backup, version, status, ours }
}

fn stored(wish: &WebhookWish) -> Wish {
    let secret = |endpoint: &Endpoint| SecretString::from(endpoint.reveal());
    Wish {
        url: secret(&wish.url),
        backup_url: wish.backup_url.as_ref().map(secret),
        events: wish.events.iter().map(|event| event.as_str().to_owned()).collect(),
    }
}

/// What is stored as it was understood when it was wanted; nothing only if another version wrote what this one does not
/// understand.
fn wanted(wish: &Wish) -> Option<WebhookWish> {
    let read = |secret: &SecretString| Endpoint::read(secret.expose_secret()).ok();
    let backup_url = match &wish.backup_url {
        Some(secret) => Some(read(secret)?),
        None => None,
    };
    let events = wish.events.iter().filter_map(|event| event.parse().ok()).collect();
    Some(WebhookWish { url: read(&wish.url)?, backup_url, events })
}

/// Where events went by earlier wishes; what is not understood any more is left out.
fn former(registration: &Registration) -> Vec<Endpoint> {
    registration.former.iter().filter_map(|url| Endpoint::read(url.expose_secret()).ok()).collect()
}
