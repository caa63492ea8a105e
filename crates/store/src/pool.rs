//! The connections to Postgres, bounded in number and in every wait.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::runtime::Handle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::connection::On;
use crate::doubt::Doubt;
use crate::lent::Lent;

/// Bounds that the server keeps, so that no statement of ours outlives the interest in its result, nor a session or its
/// locks the process that had them: a network may lose the end of a connection. Not every system has the server look
/// after the connection of a statement under way, and one that has not refuses to.
const SESSION: &str = "set statement_timeout = '30s'; set lock_timeout = '20s'; \
     set idle_in_transaction_session_timeout = '10s'; set time zone 'UTC'; \
     set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3; \
     select set_config('client_connection_check_interval', '5s', false) where version() like '%linux%'";

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    doubt: Arc<Doubt>,
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

/// As a server does that is being replaced, or has run out of space.
#[derive(Debug, thiserror::Error)]
#[error("it only reads")]
pub(crate) struct OnlyReads;

impl Store {
    /// Prepares up to `connections` connections to `url`; the first is made when it is needed, so the database need
    /// not be there yet. With `sslmode=require` the server's certificate is verified; otherwise TLS is not used.
    pub fn new(url: DatabaseUrl, connections: usize) -> Result<Self, InvalidUrl> {
        let DatabaseUrl(mut config) = url;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        // A network that is gone says nothing, so the system has to ask, and give up while somebody still waits.
        config
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (runtime, doubt) = (Handle::current(), Arc::<Doubt>::default());
        let manager = if config.get_ssl_mode() == SslMode::Require {
            let tls = rustls::ClientConfig::with_platform_verifier()
                .map_err(|fault| InvalidUrl::Tls(fault.to_string()))?;
            Manager::from_connect(
                config,
                On::new(runtime, MakeRustlsConnect::new(tls), Arc::clone(&doubt)),
                recycling,
            )
        } else {
            config.ssl_mode(SslMode::Disable);
            Manager::from_connect(config, On::new(runtime, NoTls, Arc::clone(&doubt)), recycling)
        };
        let bounds = Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(connections)
            // Those in use stay in use, and are known to be good; the others are closed after a while.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts {
                wait: Some(Duration::from_secs(5)),
                create: Some(Duration::from_secs(6)),
                recycle: Some(Duration::from_secs(2)),
            })
            .runtime(Runtime::Tokio1)
            .post_create(bounds)
            .pre_recycle(Doubt::hook(Arc::clone(&doubt)))
            .build()
            .map_err(|_| InvalidUrl::Syntax)?;
        Ok(Self { pool, doubt })
    }

    /// A connection from the pool.
    pub(crate) async fn client(&self) -> Result<Lent, Error> {
        Ok(Lent::new(self.pool.get().await?))
    }

    /// Whether the database answers, and takes what is written.
    pub async fn ping(&self) -> Result<(), Error> {
        let client = self.client().await?;
        let answer = client.simple_query("show transaction_read_only").await?;
        let says = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
            _ => false,
        };
        if answer.iter().any(says) { Err(Error::Unavailable(Box::new(OnlyReads))) } else { Ok(()) }
    }

    /// From now on, lets statements take as long as they will.
    pub(crate) fn be_patient(&self) {
        self.doubt.be_patient();
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
