//! Table `webhook_registrations`: the webhooks that a tenant wants Raven to keep registered, and how they were found.

use std::time::Duration;

use domain::{Action, Actor, TenantId};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Row;

use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::providers::MAILJET;
use crate::seal::Place;
use crate::sealed::seal;
use crate::{Error, Keyring, Store, managed_tokens};

const TABLE: &str = "webhook_registrations";
const URL: &str = "url_sealed";
const BACKUP_URL: &str = "backup_url_sealed";
const FORMER: &str = "former_sealed";
/// URLs of earlier wishes that are remembered.
const MOST_FORMER: usize = 8;

/// What is wanted. URLs may carry credentials of the tenant's own.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where events go.
    pub url: SecretString,
    /// Where they go while that URL is dead.
    pub backup_url: Option<SecretString>,
    /// The types of event, in the provider's words.
    pub events: Vec<String>,
}

/// Strangers' URLs that were found in our place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takings {
    /// How many checks found some.
    pub count: i32,
    /// Since when they are counted.
    pub since: Option<Timestamp>,
    /// Since when they are left alone.
    pub contested_at: Option<Timestamp>,
}

/// What is wanted, and how it was found.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Whose it is.
    pub tenant: TenantId,
    /// What is wanted.
    pub wish: Wish,
    /// URLs of earlier wishes that the provider may still have: since the wish changed, no check has succeeded.
    pub former: Vec<SecretString>,
    /// Another with each change of the wish, and never the same again.
    pub revision: i64,
    /// When the provider was last found to have, or was given, what is wanted.
    pub checked_at: Option<Timestamp>,
    /// What was in the way of that since.
    pub fault: Option<String>,
    /// Strangers in our place.
    pub takings: Takings,
}

/// How a check went.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// What was in the way, if anything was.
    pub fault: Option<String>,
    /// Strangers in our place, by now.
    pub takings: Takings,
    /// What was done: for the audit log, with its subject and detail.
    pub done: Vec<(Action, String, Option<String>)>,
    /// When a worker looks again.
    pub again_in: Duration,
}

const COLUMNS: &str = "tenant_id, url_sealed, backup_url_sealed, former_sealed, events, revision, checked_at, \
                       fault, takings, takings_since, contested_at";

fn place(tenant: TenantId, column: &'static str) -> Place<'static> {
    Place { tenant, table: TABLE, column, row: MAILJET }
}

fn registration(row: &Row, ring: &Keyring) -> Result<Registration, Error> {
    let tenant = TenantId(row.get("tenant_id"));
    let open = |column| {
        let sealed: Option<&[u8]> = row.get(column);
        sealed.map(|sealed| ring.open(place(tenant, column), sealed)).transpose()
    };
    let former = open(FORMER)?;
    let lines = former.iter().flat_map(|text| text.expose_secret().lines());
    Ok(Registration {
        tenant,
        wish: Wish {
            url: ring.open(place(tenant, URL), row.get(URL))?,
            backup_url: open(BACKUP_URL)?,
            events: row.get("events"),
        },
        former: lines.map(SecretString::from).collect(),
        revision: row.get("revision"),
        checked_at: row.get("checked_at"),
        fault: row.get("fault"),
        takings: Takings {
            count: row.get("takings"),
            since: row.get("takings_since"),
            contested_at: row.get("contested_at"),
        },
    })
}

/// Sets what is wanted; answers whether it is news as well. Strangers are no longer left alone, and workers keep away for
/// the time of `lease`, in which the caller has the provider told.
pub async fn put(
    store: &Store,
    ring: &Keyring,
    (tenant, by): (TenantId, Actor),
    wish: &Wish,
    lease: Duration,
) -> Result<(Registration, bool), Error> {
    let url = seal(ring, place(tenant, URL), &wish.url)?;
    let sealed = |secret| seal(ring, place(tenant, BACKUP_URL), secret);
    let backup = wish.backup_url.as_ref().map(sealed).transpose()?;
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    // Of two requests at once, the second sees what the first made.
    transaction.execute("select 1 from tenants where id = $1 for update", &[&tenant.0]).await?;
    // What does not open any more is replaced.
    let before = find(&transaction, ring, tenant).await.ok().flatten();
    let former = before.as_ref().and_then(|before| before.left_by(wish));
    let former = former.map(|urls| seal(ring, place(tenant, FORMER), &urls)).transpose()?;
    let row = transaction
        .query_one(
            &format!(
                "insert into webhook_registrations
                     (tenant_id, url_sealed, backup_url_sealed, events, due_at, former_sealed)
                 values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6)
                 on conflict on constraint webhook_registrations_pkey do update
                 set url_sealed = excluded.url_sealed, backup_url_sealed = excluded.backup_url_sealed,
                     events = excluded.events, due_at = excluded.due_at, revision = default,
                     former_sealed = excluded.former_sealed,
                     takings = 0, takings_since = null, contested_at = null
                 returning {COLUMNS}"
            ),
            &[&tenant.0, &url, &backup, &wish.events, &lease.as_secs_f64(), &former],
        )
        .await?;
    let is_news = !before.is_some_and(|before| before.wish.is(wish));
    if is_news {
        let detail = wish.events.join(" ") + if backup.is_some() { ", with a backup" } else { "" };
        note(&transaction, tenant, by, (Action::WebhooksRegistered, MAILJET, Some(&detail))).await?;
    }
    let registration = registration(&row, ring)?;
    transaction.commit().await?;
    Ok((registration, is_news))
}

impl Registration {
    /// The URLs that another wish leaves behind, one a line.
    fn left_by(&self, next: &Wish) -> Option<SecretString> {
        let wanted: Vec<&str> = next.urls().collect();
        let mut left: Vec<&str> = Vec::new();
        // The last are the ones most likely to be there.
        for url in self.wish.urls().chain(self.former.iter().map(ExposeSecret::expose_secret)) {
            if !wanted.contains(&url) && !left.contains(&url) && left.len() < MOST_FORMER {
                left.push(url);
            }
        }
        (!left.is_empty()).then(|| left.join("\n").into())
    }
}

impl Wish {
    fn urls(&self) -> impl Iterator<Item = &str> {
        [Some(&self.url), self.backup_url.as_ref()].into_iter().flatten().map(ExposeSecret::expose_secret)
    }

    fn is(&self, other: &Self) -> bool {
        let plain = |wish: &Self| {
            let backup = wish.backup_url.as_ref().map(|url| url.expose_secret().to_owned());
            (wish.url.expose_secret().to_owned(), backup)
        };
        self.events == other.events && plain(self) == plain(other)
    }
}

/// What a tenant wants, if anything.
pub async fn get(store: &Store, ring: &Keyring, tenant: TenantId) -> Result<Option<Registration>, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    find(&transaction, ring, tenant).await
}

async fn find(
    transaction: &Transaction<'_>,
    ring: &Keyring,
    tenant: TenantId,
) -> Result<Option<Registration>, Error> {
    let select = format!("select {COLUMNS} from webhook_registrations where tenant_id = $1");
    let row = transaction.query_opt(&select, &[&tenant.0]).await?;
    row.map(|row| registration(&row, ring)).transpose()
}

/// Takes up to `most` that are due, of any tenants; other workers keep away from them for the time of `lease`. One that
/// does not open is an error of that one.
pub async fn take_due(
    store: &Store,
    ring: &Keyring,
    most: i64,
    lease: Duration,
) -> Result<Vec<(TenantId, Result<Registration, Error>)>, Error> {
    let client = store.client().await?;
    let statement = client
        .prepare_cached(&format!(
            "with due as materialized (
                 select tenant_id as due_tenant from webhook_registrations where due_at <= now()
                 order by due_at limit $1 for update skip locked)
             update webhook_registrations set due_at = now() + make_interval(secs => $2)
             from due where tenant_id = due_tenant
             returning {COLUMNS}"
        ))
        .await?;
    let rows = client.query(&statement, &[&most, &lease.as_secs_f64()]).await?;
    Ok(rows.iter().map(|row| (TenantId(row.get("tenant_id")), registration(row, ring))).collect())
}

/// Writes down how a check of this revision went; if the wish has changed since, only what was done.
pub async fn note_check(
    store: &Store,
    (tenant, revision): (TenantId, i64),
    by: Actor,
    finding: &Finding,
) -> Result<(), Error> {
    let Finding { fault, takings, done, again_in } = finding;
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "update webhook_registrations
             set due_at = now() + make_interval(secs => $3), fault = $4, takings = $5, takings_since = $6,
                 contested_at = $7, checked_at = case when $4::text is null then now() else checked_at end,
                 former_sealed = case when $4::text is null then null else former_sealed end
             where tenant_id = $1 and revision = $2",
            &[
                &tenant.0,
                &revision,
                &again_in.as_secs_f64(),
                fault,
                &takings.count,
                &takings.since,
                &takings.contested_at,
            ],
        )
        .await?;
    for (action, subject, detail) in done {
        note(&transaction, tenant, by, (*action, subject, detail.as_deref())).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Puts off one that cannot be read, and answers whether the fault is news.
pub async fn note_fault(
    store: &Store,
    tenant: TenantId,
    fault: &str,
    again_in: Duration,
) -> Result<bool, Error> {
    let client = store.client().await?;
    let row = client
        .query_opt(
            "update webhook_registrations w set fault = $2, due_at = now() + make_interval(secs => $3)
             from webhook_registrations before
             where w.tenant_id = $1 and before.tenant_id = w.tenant_id
             returning before.fault is distinct from $2 as is_news",
            &[&tenant.0, &fault, &again_in.as_secs_f64()],
        )
        .await?;
    Ok(row.is_some_and(|row| row.get("is_news")))
}

/// Whether the registration still has this revision.
pub async fn is_current(store: &Store, tenant: TenantId, revision: i64) -> Result<bool, Error> {
    Ok(current_revision(store, tenant).await? == Some(revision))
}

/// Whether there is none any more.
pub async fn is_gone(store: &Store, tenant: TenantId) -> Result<bool, Error> {
    Ok(current_revision(store, tenant).await?.is_none())
}

async fn current_revision(store: &Store, tenant: TenantId) -> Result<Option<i64>, Error> {
    let client = store.client().await?;
    let select = "select revision from webhook_registrations where tenant_id = $1";
    Ok(client.query_opt(select, &[&tenant.0]).await?.map(|row| row.get("revision")))
}

/// Has workers keep away for a time: what is being removed must not be put right. Answers the revision that this makes, if
/// there is a registration.
pub async fn hold(store: &Store, tenant: TenantId, lease: Duration) -> Result<Option<i64>, Error> {
    let client = store.client().await?;
    let row = client
        .query_opt(
            "update webhook_registrations set due_at = now() + make_interval(secs => $2), revision = default
             where tenant_id = $1 returning revision",
            &[&tenant.0, &lease.as_secs_f64()],
        )
        .await?;
    Ok(row.map(|row| row.get("revision")))
}

/// Forgets what a tenant wants, if that still has this revision, and revokes the tokens that were made for it; answers
/// whether it had.
pub async fn delete(store: &Store, (tenant, revision): (TenantId, i64), by: Actor) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let delete = "delete from webhook_registrations where tenant_id = $1 and revision = $2";
    let deleted = transaction.execute(delete, &[&tenant.0, &revision]).await?;
    if deleted == 1 {
        managed_tokens::revoke_all(&transaction, tenant, by).await?;
        note(&transaction, tenant, by, (Action::WebhooksRemoved, MAILJET, None)).await?;
        transaction.commit().await?;
    }
    Ok(deleted == 1)
}

async fn note(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    actor: Actor,
    (action, subject, detail): (Action, &str, Option<&str>),
) -> Result<(), Error> {
    audit::record(transaction, Entry { tenant, actor, action, subject, detail }).await
}
