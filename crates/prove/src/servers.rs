//! RabbitMQ and Postgres: what an administrator may do, and what their machine may do to them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use crate::client::{Answer, ask, http};
use crate::options::Options;

/// The database and the virtual host of a run.
const NAME: &str = "raven_prove";
/// Those of sends, floods and events, each with one for large bodies, and those of dead letters and of what went nowhere.
const QUEUES: usize = 8;
/// A start, recovery included, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// Tries of an order that ends a fault.
const TRIES: usize = 3;
/// For how long a queue may be without a figure.
const FIGURES: Duration = Duration::from_mins(1);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// The servers of a run.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    postgres: Url,
    amqp: Url,
    management: Url,
    xtask: PathBuf,
}

impl Servers {
    /// Gives the run a database and a virtual host of its own, in the place of those that a run before left behind.
    pub(crate) async fn prepare(options: &Options) -> Result<Self> {
        let this = Self {
            postgres: options.postgres.clone(),
            amqp: options.amqp.clone(),
            management: options.management.clone(),
            xtask: options.xtask.clone(),
        };
        let (admin, connection) = tokio_postgres::connect(this.postgres.as_str(), NoTls).await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        admin.execute(&format!("drop database if exists {NAME} with (force)"), &[]).await?;
        admin.execute(&format!("create database {NAME}"), &[]).await?;
        let vhost = format!("api/vhosts/{NAME}");
        // There may be none.
        let _none = this.manage(Method::DELETE, &vhost, &Value::Null).await;
        this.manage(Method::PUT, &vhost, &json!({})).await?;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let user = this.management.username();
        this.manage(Method::PUT, &format!("api/permissions/{NAME}/{user}"), &all).await?;
        Ok(this)
    }

    /// The database's URL, on another port if one is told.
    pub(crate) fn database_url(&self, port: Option<u16>) -> Url {
        let mut url = self.postgres.clone();
        url.set_path(NAME);
        on_port(url, port)
    }

    /// The virtual host's URL, on another port if one is told.
    pub(crate) fn vhost_url(&self, port: Option<u16>) -> Url {
        let mut url = self.amqp.clone();
        url.set_path(NAME);
        on_port(url, port)
    }

    /// The ports of RabbitMQ and Postgres.
    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.amqp.port().unwrap_or(5672), self.postgres.port().unwrap_or(5432))
    }

    /// Has a server killed, started, paused, resumed, alarmed or calmed.
    pub(crate) async fn order(&self, server: &str, what: &str) -> Result<()> {
        let mut command = tokio::process::Command::new(&self.xtask);
        command.args(["prove-server", server, what]).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output());
        let output = output.await.with_context(|| format!("{server} {what}: not in time"))??;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{server} {what}: {words}");
        Ok(())
    }

    /// Gives an order a few times, until it is carried out: a server that stays down would spoil all that follows.
    pub(crate) async fn insist(&self, server: &str, what: &str) -> Result<()> {
        let mut outcome = self.order(server, what).await;
        for _ in 1..TRIES {
            if outcome.is_ok() {
                break;
            }
            sleep(PAUSE).await;
            outcome = self.order(server, what).await;
        }
        outcome
    }

    /// Has both servers go on, whatever state a fault that broke off has left them in.
    pub(crate) async fn mend(&self) -> Result<()> {
        let mut outcome = Ok(());
        for server in ["postgres", "rabbitmq"] {
            // There is nothing to resume in one that is down.
            let _down = self.order(server, "resume").await;
            outcome = outcome.and(self.insist(server, "start").await);
        }
        outcome.and(self.insist("rabbitmq", "calm").await)
    }

    /// What attempts to send came to, by outcome and code: the one thing that no answer of the API tells.
    pub(crate) async fn attempts(&self) -> Result<Vec<(String, i64)>> {
        const COUNT: &str =
            "select coalesce(outcome, 'without an outcome') || coalesce(': ' || code, ''), count(*)
            from attempts group by 1 order by 2 desc, 1";
        let (client, connection) = tokio_postgres::connect(self.database_url(None).as_str(), NoTls).await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(client.query(COUNT, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// How many messages wait, or are being worked at, in each queue. A queue without a figure has none yet, or no leader.
    pub(crate) async fn queues(&self) -> Result<Vec<(String, u64)>> {
        let list = self.manage(Method::GET, &format!("api/queues/{NAME}"), &Value::Null).await?;
        let rows = list.as_array().context("no list of queues")?;
        let row = |row: &Value| {
            let name = row["name"].as_str().unwrap_or_default();
            let waiting =
                row["messages"].as_u64().with_context(|| format!("the queue {name} has no figure"))?;
            Ok((name.to_owned(), waiting))
        };
        ensure!(rows.len() >= QUEUES, "there are {} queues", rows.len());
        rows.iter().map(row).collect()
    }

    /// The same, asked for until every queue has a figure.
    pub(crate) async fn all_queues(&self) -> Result<Vec<(String, u64)>> {
        let begun = Instant::now();
        loop {
            match self.queues().await {
                Err(_) if begun.elapsed() < FIGURES => sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn manage(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = http().request(method, self.management.join(path)?);
        let request = if body.is_null() { request } else { request.json(body) };
        match ask(request).await {
            Answer::Status(200..300, body) => Ok(body),
            other => anyhow::bail!("RabbitMQ's management, {path}: {other:?}"),
        }
    }
}

fn on_port(mut url: Url, port: Option<u16>) -> Url {
    // A URL with a host has a place for a port.
    let _fits = port.map(|port| url.set_port(Some(port)));
    url
}
