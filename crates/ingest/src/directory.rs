//! Keys, tenants and webhook tokens, as far as requests have asked for them.
//!
//! Filled on demand; a look at one row of the database each second tells whether anything changed, and then everything
//! in here is read again. So a revocation takes effect within seconds, while Postgres is not asked for each request,
//! and what is known goes on being served while Postgres is away. What does not exist is remembered for some seconds, so
//! that who asks for it again and again asks only this process. Changes are followed over connections that no request
//! takes, so that a revocation never waits behind what keeps the others busy.

mod cache;

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::TenantId;
use domain::api_key::{ApiKey, KeyId, SecretHash};
use store::directory::{self, KeyRecord};
use store::{Error, Store};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::cache::{Cache, Known};
use crate::database::ask;
use crate::problem::Problem;

/// How often a change is looked for; with the reading that follows it stays well under the promised 5 s.
const POLL: Duration = Duration::from_secs(1);
/// How often the use of keys is written down.
const TOUCH: Duration = Duration::from_secs(10);
/// How long one question to the database may take; a frozen one must not stop the following of changes for ever.
const PATIENCE: Duration = Duration::from_secs(3);
/// Entries that are looked up at once for requests.
const LOOK_UPS: usize = 4;
/// Entries that are read again in one query.
const CHUNK: usize = 1000;

/// The hashes of a tenant's live webhook tokens.
pub(crate) type Tokens = Arc<[SecretHash]>;

/// A handle on the cache; clones share it.
#[derive(Clone)]
pub(crate) struct Directory {
    store: Store,
    /// For following changes, and for nothing else.
    following: Store,
    keys: Arc<Cache<KeyId, KeyRecord>>,
    tenants: Arc<Cache<TenantId, Tokens>>,
    used: Arc<Mutex<HashSet<KeyId>>>,
    look_ups: Arc<Semaphore>,
}

/// What this process can say of a key by itself.
pub(crate) enum Verdict {
    /// It is good.
    Good(KeyRecord),
    /// It is not.
    Bad,
    /// The database has to be asked.
    Unknown,
}

impl Directory {
    /// One that asks `store` on behalf of requests, and `following` for what has changed.
    pub(crate) fn new(store: Store, following: Store) -> Self {
        Self {
            store,
            following,
            keys: Cache::new(),
            tenants: Cache::new(),
            used: Arc::default(),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
        }
    }

    /// What is known of a key without asking anyone.
    pub(crate) fn known(&self, presented: &ApiKey) -> Verdict {
        match self.keys.get(presented.id) {
            Known::Here(record) => self.judge(presented, record).map_or(Verdict::Bad, Verdict::Good),
            Known::Absent => Verdict::Bad,
            Known::Nothing(_) => Verdict::Unknown,
        }
    }

    /// The record of a key, if it is good; the database is asked.
    pub(crate) async fn key(&self, presented: &ApiKey) -> Result<Option<KeyRecord>, Problem> {
        let id = presented.id;
        let question = async { Ok(directory::keys(&self.store, &[id]).await?.pop()) };
        let record = ask(self.look_up(&self.keys, id, question)).await?;
        Ok(record.and_then(|record| self.judge(presented, record)))
    }

    /// The record, if the key that was presented is the whole of it; then it counts as used.
    fn judge(&self, presented: &ApiKey, record: KeyRecord) -> Option<KeyRecord> {
        if record.hash != presented.hash() || record.test != presented.test {
            return None;
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id);
        Some(record)
    }

    /// The live webhook tokens of a tenant, if there is such a tenant.
    pub(crate) async fn tokens(&self, tenant: TenantId) -> Result<Option<Tokens>, Problem> {
        match self.tenants.get(tenant) {
            Known::Here(tokens) => Ok(Some(tokens)),
            Known::Absent => Ok(None),
            Known::Nothing(_) => {
                let question = async {
                    let found = directory::tenants(&self.store, &[tenant]).await?.pop();
                    Ok(found.map(|record| Tokens::from(record.tokens)))
                };
                ask(self.look_up(&self.tenants, tenant, question)).await
            }
        }
    }

    /// Asks the database for what is not known, a few at a time: strangers who make up ids must not take all connections.
    /// What many ask for at once is known to those who had to wait.
    async fn look_up<K: Copy + Eq + Hash, V: Clone>(
        &self,
        cache: &Cache<K, V>,
        key: K,
        question: impl Future<Output = Result<Option<V>, Error>>,
    ) -> Result<Option<V>, Error> {
        // Never closed, so this only ever waits.
        let _permit = self.look_ups.acquire().await;
        match cache.get(key) {
            Known::Here(value) => Ok(Some(value)),
            Known::Absent => Ok(None),
            Known::Nothing(generation) => {
                let value = question.await?;
                cache.put(key, value.clone(), generation);
                Ok(value)
            }
        }
    }

    /// Follows the database's changes until shutdown, and writes down what was used.
    pub(crate) async fn keep_fresh(self, shutdown: CancellationToken) {
        tokio::join!(self.follow_all(&shutdown), self.note_all(&shutdown));
    }

    async fn follow_all(&self, shutdown: &CancellationToken) {
        let mut seen = None;
        while shutdown.run_until_cancelled(tokio::time::sleep(POLL)).await.is_some() {
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
    async fn note_all(&self, shutdown: &CancellationToken) {
        let mut ending = false;
        while !ending {
            ending = shutdown.run_until_cancelled(tokio::time::sleep(TOUCH)).await.is_none();
            if let Err(fault) = self.note_use().await {
                tracing::debug!(%fault, "the use of keys could not be written down");
            }
        }
    }

    async fn refresh(&self) -> Result<(), Error> {
        for ids in self.keys.stale().chunks(CHUNK) {
            let found = soon(directory::keys(&self.following, ids)).await?;
            self.keys.replace(ids, found.into_iter().map(|record| (record.id, record)).collect());
        }
        for ids in self.tenants.stale().chunks(CHUNK) {
            let found = soon(directory::tenants(&self.following, ids)).await?;
            let found = found.into_iter().map(|record| (record.id, Tokens::from(record.tokens)));
            self.tenants.replace(ids, found.collect());
        }
        Ok(())
    }

    async fn note_use(&self) -> Result<(), Error> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return Ok(());
        }
        let used: Vec<KeyId> = used.into_iter().collect();
        soon(store::api_keys::touch(&self.store, &used)).await
    }
}

async fn soon<T>(question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer,
        Err(late) => Err(Error::Unavailable(Box::new(late))),
    }
}
