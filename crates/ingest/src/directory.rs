//! Keys, tenants and webhook tokens, as far as requests have asked for them.
//!
//! Filled on demand; a look at one row of the database each second tells whether anything changed, and then everything
//! in here is read again. So a revocation takes effect within seconds, while Postgres is not asked for each request,
//! and what is known goes on being served while Postgres is away. What does not exist is remembered for some seconds, so
//! that who asks for it again and again asks only this process. Changes are followed over connections that no request
//! takes, so that a revocation never waits behind what keeps the others busy.

mod cache;
mod shelf;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::TenantId;
use domain::api_key::{ApiKey, KeyId, SecretHash};
use service::Liveness;
use store::directory::{self, KeyRecord};
use store::{Error, Store};
use tokio_util::sync::CancellationToken;

pub(crate) use self::shelf::Verdict;
use self::shelf::{Found, Shelf};
use crate::database::ask;
use crate::problem::Problem;

/// How often a change is looked for; with the reading that follows it stays well under the promised 5 s.
const POLL: Duration = Duration::from_secs(1);
/// How often the use of keys is written down.
const TOUCH: Duration = Duration::from_secs(10);
/// How long one question to the database may take; a frozen one must not stop the following of changes for ever.
const PATIENCE: Duration = Duration::from_secs(3);
/// Entries that are read again, or written down, in one query.
const CHUNK: usize = 1000;

/// The hashes of a tenant's live webhook tokens.
pub(crate) type Tokens = Arc<[SecretHash]>;

/// A handle on the cache; clones share it.
#[derive(Clone)]
pub(crate) struct Directory {
    store: Store,
    /// For following changes, and for nothing else.
    following: Store,
    keys: Arc<Shelf<KeyId, KeyRecord>>,
    tenants: Arc<Shelf<TenantId, Tokens>>,
    used: Arc<Mutex<HashSet<KeyId>>>,
}

impl Directory {
    /// One that asks `store` on behalf of requests, and `following` for what has changed.
    pub(crate) fn new(store: Store, following: Store) -> Self {
        Self {
            store,
            following,
            keys: Arc::new(Shelf::new()),
            tenants: Arc::new(Shelf::new()),
            used: Arc::default(),
        }
    }

    /// What is known of a key without asking anyone.
    pub(crate) fn known(&self, presented: &ApiKey) -> Verdict<KeyRecord> {
        match self.keys.known(presented.id) {
            Verdict::Good(record) => self.judge(presented, record).map_or(Verdict::Bad, Verdict::Good),
            other => other,
        }
    }

    /// The record of a key, if it is good; the database is asked.
    pub(crate) async fn key(&self, presented: &ApiKey) -> Result<Found<KeyRecord>, Problem> {
        let id = presented.id;
        let question = async || Ok(directory::keys(&self.store, &[id]).await?.pop());
        let found = ask(self.keys.look_up(id, question)).await?;
        Ok(found.and_then(|record| self.judge(presented, record)))
    }

    /// The record, if the key that was presented is the whole of it; then it counts as used.
    fn judge(&self, presented: &ApiKey, record: KeyRecord) -> Option<KeyRecord> {
        if record.hash != presented.hash() || record.test != presented.test {
            return None;
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id);
        Some(record)
    }

    /// What is known of a tenant's live webhook tokens without asking anyone.
    pub(crate) fn known_tokens(&self, tenant: TenantId) -> Verdict<Tokens> {
        self.tenants.known(tenant)
    }

    /// The live webhook tokens of a tenant, if there is such a tenant; the database is asked.
    pub(crate) async fn tokens(&self, tenant: TenantId) -> Result<Found<Tokens>, Problem> {
        let question = async || {
            let found = directory::tenants(&self.store, &[tenant]).await?.pop();
            Ok(found.map(|record| Tokens::from(record.tokens)))
        };
        ask(self.tenants.look_up(tenant, question)).await
    }

    /// Follows the database's changes until shutdown, and writes down what was used.
    pub(crate) async fn keep_fresh(self, liveness: Liveness, shutdown: CancellationToken) {
        tokio::join!(self.follow_all(&liveness, &shutdown), self.note_all(&liveness, &shutdown));
    }

    async fn follow_all(&self, liveness: &Liveness, shutdown: &CancellationToken) {
        let mut seen = None;
        while shutdown.run_until_cancelled(tokio::time::sleep(POLL)).await.is_some() {
            let _turn = liveness.turn("directory");
            if let Err(fault) = self.follow(&mut seen).await {
                // Readiness tells that the database is away; what is known stays good.
                tracing::debug!(%fault, "the directory could not be refreshed");
            }
        }
    }

    async fn follow(&self, seen: &mut Option<i64>) -> Result<(), Error> {
        let version = soon(directory::version(&self.following)).await?;
        if *seen != Some(version) {
            self.refresh().await?;
            *seen = Some(version);
        }
        Ok(())
    }

    /// Apart from the following of changes, since it writes, and so may wait for others who do.
    async fn note_all(&self, liveness: &Liveness, shutdown: &CancellationToken) {
        let mut ending = false;
        while !ending {
            ending = shutdown.run_until_cancelled(tokio::time::sleep(TOUCH)).await.is_none();
            let _turn = liveness.turn("directory");
            if let Err(fault) = self.note_use().await {
                tracing::debug!(%fault, "the use of keys could not be written down");
            }
        }
    }

    async fn refresh(&self) -> Result<(), Error> {
        for ids in self.keys.cache.stale().chunks(CHUNK) {
            let found = soon(directory::keys(&self.following, ids)).await?;
            self.keys.cache.replace(ids, found.into_iter().map(|record| (record.id, record)).collect());
        }
        for ids in self.tenants.cache.stale().chunks(CHUNK) {
            let found = soon(directory::tenants(&self.following, ids)).await?;
            let found = found.into_iter().map(|record| (record.id, Tokens::from(record.tokens)));
            self.tenants.cache.replace(ids, found.collect());
        }
        Ok(())
    }

    async fn note_use(&self) -> Result<(), Error> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let used: Vec<KeyId> = used.into_iter().collect();
        for (number, some) in used.chunks(CHUNK).enumerate() {
            if let Err(fault) = soon(store::api_keys::touch(&self.store, some)).await {
                // There are no more of them than keys.
                let left = used.iter().skip(number * CHUNK);
                self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
                return Err(fault);
            }
        }
        Ok(())
    }
}

async fn soon<T>(question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer,
        Err(late) => Err(Error::Unavailable(Box::new(late))),
    }
}
