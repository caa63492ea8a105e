//! The connections to Postgres, bounded in number and in every wait.

use std::time::Duration;

use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use futures_util::future::BoxFuture;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// Bounds that the server keeps, so that no statement of ours outlives the interest in its result.
const SESSION: &str = "set statement_timeout = '30s'; set lock_timeout = '20s'; \
     set idle_in_transaction_session_timeout = '30s'; set time zone 'UTC'";

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
}

/// Connects on the runtime that prepared the store, whichever runtime asks: a connection that lived on the one thread
/// of an HTTP worker would wait for that worker's requests, and die with it.
struct On<T> {
    runtime: Handle,
    tls: T,
}

impl<T> Connect for On<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(
        &self,
        config: &Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let (config, tls, runtime) = (config.clone(), self.tls.clone(), self.runtime.clone());
        let connecting = self.runtime.spawn(async move {
            let (client, connection) = config.connect(tls).await?;
            let task = runtime.spawn(async move {
                if let Err(fault) = connection.await {
                    tracing::debug!(%fault, "a database connection ended");
                }
            });
            Ok((client, task))
        });
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected,
                // The runtime is ending. There is no error to make of that; the pool's time limit will end the wait.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// Where Postgres is. The password in it stays out of debug output.
#[derive(Clone)]
pub struct DatabaseUrl(Config);

impl DatabaseUrl {
    /// Checks the form of a URL.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let config: Config = text.parse().map_err(|_| InvalidUrl::Syntax)?;
        if config.get_hosts().is_empty() { Err(InvalidUrl::Syntax) } else { Ok(Self(config)) }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

/// The text of `DATABASE_URL` is no Postgres URL.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// It cannot be read.
    #[error("is not a Postgres URL such as postgres://user:password@host:5432/database")]
    Syntax,
    /// The system's certificates cannot be loaded.
    #[error("asks for TLS, and the system's certificates cannot be loaded: {0}")]
    Tls(String),
}

impl Store {
    /// Prepares up to `connections` connections to `url`; the first is made when it is needed, so the database need
    /// not be there yet. With `sslmode=require` the server's certificate is verified; otherwise TLS is not used.
    pub fn new(url: DatabaseUrl, connections: usize) -> Result<Self, InvalidUrl> {
        let DatabaseUrl(mut config) = url;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        config.keepalives_idle(Duration::from_secs(15)).tcp_user_timeout(Duration::from_secs(20));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let runtime = Handle::current();
        let manager = if config.get_ssl_mode() == SslMode::Require {
            let tls = rustls::ClientConfig::with_platform_verifier()
                .map_err(|fault| InvalidUrl::Tls(fault.to_string()))?;
            Manager::from_connect(config, On { runtime, tls: MakeRustlsConnect::new(tls) }, recycling)
        } else {
            config.ssl_mode(SslMode::Disable);
            Manager::from_connect(config, On { runtime, tls: NoTls }, recycling)
        };
        let bounds = Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .timeouts(Timeouts {
                wait: Some(Duration::from_secs(5)),
                create: Some(Duration::from_secs(6)),
                recycle: Some(Duration::from_secs(2)),
            })
            .runtime(Runtime::Tokio1)
            .post_create(bounds)
            .build()
            .map_err(|_| InvalidUrl::Syntax)?;
        Ok(Self { pool })
    }

    /// A connection from the pool.
    pub(crate) async fn client(&self) -> Result<Object, Error> {
        Ok(self.pool.get().await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        let client = self.client().await?;
        client.simple_query("select 1").await?;
        Ok(())
    }

    /// How many connections are in use, open, and allowed.
    pub fn usage(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (status.size.saturating_sub(status.available), status.size, status.max_size)
    }

    /// Closes the pool; calls after this fail.
    pub fn close(&self) {
        self.pool.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("usage", &self.usage()).finish()
    }
}
