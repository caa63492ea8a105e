//! A connection that the pool lends to one caller.
//!
//! Guarantee: one on which a statement was abandoned is not given back. Whoever had it next would wait behind that
//! statement, and take the wait for the silence of a server that is gone.

use std::sync::atomic::{AtomicU32, Ordering};

use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, SimpleQueryMessage, Statement, ToStatement};

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Statements that were sent and not yet answered.
#[derive(Debug, Default)]
struct Owed(AtomicU32);

impl Owed {
    /// Counts a statement until its answer has come; of one that is dropped before, it goes on counting.
    async fn until<T>(&self, answer: impl Future<Output = T>) -> T {
        self.0.fetch_add(1, Ordering::Relaxed);
        let answer = answer.await;
        self.0.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A connection; it goes back to the pool when this is dropped, if nothing was abandoned on it.
pub(crate) struct Lent {
    /// There until this is dropped.
    object: Option<Object>,
    owed: Owed,
}

impl Lent {
    pub(crate) fn new(object: Object) -> Self {
        Self { object: Some(object), owed: Owed::default() }
    }

    /// Takes it out of the pool for good; it is closed when what this answers is dropped.
    pub(crate) fn keep(mut self) -> ClientWrapper {
        let Some(object) = self.object.take() else { unreachable!("it is taken only together with this") };
        Object::take(object)
    }

    fn client(&self) -> &ClientWrapper {
        let Some(object) = &self.object else { unreachable!("it is taken only together with this") };
        object
    }

    pub(crate) async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        self.owed.until(self.client().prepare_cached(query)).await
    }

    pub(crate) async fn query<T>(&self, query: &T, with: Parameters<'_>) -> Result<Vec<Row>, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.client().query(query, with)).await
    }

    pub(crate) async fn query_one<T>(&self, query: &T, with: Parameters<'_>) -> Result<Row, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.client().query_one(query, with)).await
    }

    pub(crate) async fn query_opt<T>(&self, query: &T, with: Parameters<'_>) -> Result<Option<Row>, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.client().query_opt(query, with)).await
    }

    pub(crate) async fn execute<T>(&self, query: &T, with: Parameters<'_>) -> Result<u64, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.client().execute(query, with)).await
    }

    pub(crate) async fn simple_query(&self, query: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.owed.until(self.client().simple_query(query)).await
    }

    /// Begins a transaction, which is rolled back unless it is committed.
    pub(crate) async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let Self { object, owed } = self;
        let Some(object) = object else { unreachable!("it is taken only together with this") };
        let inner = owed.until(object.transaction()).await?;
        Ok(Transaction { inner, owed })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.owed.is_any() {
            // Its end tells the server that nobody waits.
            drop(self.object.take().map(Object::take));
        }
    }
}

/// A transaction on such a connection.
pub(crate) struct Transaction<'a> {
    inner: deadpool_postgres::Transaction<'a>,
    owed: &'a Owed,
}

impl Transaction<'_> {
    pub(crate) async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        self.owed.until(self.inner.prepare_cached(query)).await
    }

    pub(crate) async fn query<T>(&self, query: &T, with: Parameters<'_>) -> Result<Vec<Row>, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.inner.query(query, with)).await
    }

    pub(crate) async fn query_one<T>(&self, query: &T, with: Parameters<'_>) -> Result<Row, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.inner.query_one(query, with)).await
    }

    pub(crate) async fn query_opt<T>(&self, query: &T, with: Parameters<'_>) -> Result<Option<Row>, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.inner.query_opt(query, with)).await
    }

    pub(crate) async fn execute<T>(&self, query: &T, with: Parameters<'_>) -> Result<u64, Error>
    where
        T: ?Sized + ToStatement + Sync,
    {
        self.owed.until(self.inner.execute(query, with)).await
    }

    pub(crate) async fn batch_execute(&self, query: &str) -> Result<(), Error> {
        self.owed.until(self.inner.batch_execute(query)).await
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.owed.until(self.inner.commit()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_abandoned_is_owed_for_ever() {
        let owed = Owed::default();
        owed.until(async {}).await;
        assert!(!owed.is_any(), "it was answered");
        let patience = std::time::Duration::from_secs(5);
        let abandoned = tokio::time::timeout(patience, owed.until(std::future::pending::<()>())).await;
        assert!(abandoned.is_err() && owed.is_any());
        owed.until(async {}).await;
        assert!(owed.is_any(), "another answer is not its");
    }
}
