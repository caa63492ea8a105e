//! Keys, tenants and webhook tokens, as far as requests have asked for them.
//!
//! Filled on demand; a look at one row of the database each second tells whether anything changed, and then everything
//! in here is read again. So a revocation takes effect within seconds, while Postgres is not asked for each request,
//! and what is known goes on being served while Postgres is away.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::TenantId;
use domain::api_key::{ApiKey, KeyId, SecretHash};
use store::directory::{self, KeyRecord};
use store::{Error, Store};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::database::ask;
use crate::problem::Problem;

/// How often a change is looked for; with the reading that follows it stays well under the promised 5 s.
const POLL: Duration = Duration::from_secs(1);
/// Looks after which the use of keys is written down.
const TOUCH_EVERY: u32 = 30;
/// How long one question to the database may take; a frozen one must not stop the following of changes for ever.
const PATIENCE: Duration = Duration::from_secs(3);
/// Entries of each kind. Only what exists in the database gets in, so this bounds memory, not attacks.
const MOST: usize = 200_000;
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
    keys: Arc<Cache<KeyId, KeyRecord>>,
    tenants: Arc<Cache<TenantId, Tokens>>,
    used: Arc<Mutex<HashSet<KeyId>>>,
    look_ups: Arc<Semaphore>,
}

struct Cache<K, V>(Mutex<Entries<K, V>>);

struct Entries<K, V> {
    map: HashMap<K, V>,
    /// Counts refreshes: what was looked up before one must not be put in after it.
    generation: u64,
}

impl<K: Copy + Eq + Hash, V: Clone> Cache<K, V> {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Entries { map: HashMap::new(), generation: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: K) -> (Option<V>, u64) {
        let entries = self.lock();
        (entries.map.get(&key).cloned(), entries.generation)
    }

    fn put(&self, key: K, value: V, generation: u64) {
        let mut entries = self.lock();
        if entries.generation == generation {
            if entries.map.len() >= MOST {
                entries.map.clear();
            }
            entries.map.insert(key, value);
        }
    }

    /// Begins a refresh: what has to be read again.
    fn stale(&self) -> Vec<K> {
        let mut entries = self.lock();
        entries.generation += 1;
        entries.map.keys().copied().collect()
    }

    fn replace(&self, asked: &[K], found: HashMap<K, V>) {
        let mut entries = self.lock();
        for key in asked {
            entries.map.remove(key);
        }
        entries.map.extend(found);
    }
}

impl Directory {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            keys: Cache::new(),
            tenants: Cache::new(),
            used: Arc::default(),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
        }
    }

    /// The record of a key, if it is good.
    pub(crate) async fn key(&self, presented: &ApiKey) -> Result<Option<KeyRecord>, Problem> {
        let (known, generation) = self.keys.get(presented.id);
        let record = if let Some(record) = known {
            record
        } else {
            let Some(record) = ask(self.look_up(directory::keys(&self.store, &[presented.id]))).await?.pop()
            else {
                return Ok(None);
            };
            self.keys.put(presented.id, record.clone(), generation);
            record
        };
        if record.hash != presented.hash() || record.test != presented.test {
            return Ok(None);
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id);
        Ok(Some(record))
    }

    /// The live webhook tokens of a tenant, if there is such a tenant.
    pub(crate) async fn tokens(&self, tenant: TenantId) -> Result<Option<Tokens>, Problem> {
        let (known, generation) = self.tenants.get(tenant);
        if known.is_some() {
            return Ok(known);
        }
        let found = ask(self.look_up(directory::tenants(&self.store, &[tenant]))).await?.pop();
        let tokens = found.map(|record| Tokens::from(record.tokens));
        if let Some(tokens) = &tokens {
            self.tenants.put(tenant, Arc::clone(tokens), generation);
        }
        Ok(tokens)
    }

    /// Asks the database for what is not known, a few at a time: strangers who make up ids must not take all connections.
    async fn look_up<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // Never closed, so this only ever waits.
        let _permit = self.look_ups.acquire().await;
        question.await
    }

    /// Follows the database's changes until shutdown.
    pub(crate) async fn keep_fresh(self, shutdown: CancellationToken) {
        let mut seen = None;
        let mut looks = 0_u32;
        while shutdown.run_until_cancelled(tokio::time::sleep(POLL)).await.is_some() {
            looks = looks.wrapping_add(1);
            if let Err(fault) = self.follow(&mut seen, looks.is_multiple_of(TOUCH_EVERY)).await {
                // Readiness tells that the database is away; what is known stays good.
                tracing::debug!(%fault, "the directory could not be refreshed");
            }
        }
        let _ = self.note_use().await;
    }

    async fn follow(&self, seen: &mut Option<i64>, note_use: bool) -> Result<(), Error> {
        let version = soon(directory::version(&self.store)).await?;
        if *seen != Some(version) {
            self.refresh().await?;
            *seen = Some(version);
        }
        if note_use {
            self.note_use().await?;
        }
        Ok(())
    }

    async fn refresh(&self) -> Result<(), Error> {
        for ids in self.keys.stale().chunks(CHUNK) {
            let found = soon(directory::keys(&self.store, ids)).await?;
            self.keys.replace(ids, found.into_iter().map(|record| (record.id, record)).collect());
        }
        for ids in self.tenants.stale().chunks(CHUNK) {
            let found = soon(directory::tenants(&self.store, ids)).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_up_before_a_refresh_does_not_get_in_after_it() {
        let cache = Cache::<u8, &str>::new();
        let (_, generation) = cache.get(1);
        assert!(cache.stale().is_empty());
        cache.put(1, "old", generation);
        assert_eq!(cache.get(1).0, None);
        let (_, generation) = cache.get(1);
        cache.put(1, "new", generation);
        assert_eq!(cache.get(1).0, Some("new"));
    }

    #[test]
    fn what_is_gone_from_the_database_goes_from_the_cache() {
        let cache = Cache::<u8, &str>::new();
        cache.put(1, "a", 0);
        cache.put(2, "b", 0);
        let stale = cache.stale();
        cache.replace(&stale, HashMap::from([(2, "c")]));
        assert_eq!((cache.get(1).0, cache.get(2).0), (None, Some("c")));
    }
}
