//! The servers that are measured with: where they are, and what only an administrator may do there.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::http::Base;
use crate::wait::until;

/// Held while a run goes on ("raven-be" in ASCII): two at once would measure each other.
const LOCK: i64 = 0x72_6176_656e_2d62;

/// What `cargo xtask bench` tells.
#[derive(Debug, clap::Args)]
#[group(id = "servers")]
pub(crate) struct Options {
    /// Postgres, as a user who may create databases, with any database
    #[arg(long, env = "RAVEN_BENCH_POSTGRES_URL", hide_env_values = true)]
    postgres: String,
    /// RabbitMQ, without a virtual host
    #[arg(long, env = "RAVEN_BENCH_AMQP_URL", hide_env_values = true)]
    amqp: String,
    /// RabbitMQ's management API, with user and password
    #[arg(long, env = "RAVEN_BENCH_RABBITMQ_API", hide_env_values = true)]
    management: String,
    /// The directory of the built programs
    #[arg(long, env = "RAVEN_BENCH_BIN")]
    pub(crate) programs: PathBuf,
    /// A directory for logs
    #[arg(long, env = "RAVEN_BENCH_DIR")]
    pub(crate) logs: PathBuf,
}

/// A session with Postgres.
pub(crate) struct Session {
    pub(crate) client: Client,
    _driver: JoinSet<()>,
}

impl Session {
    /// Connects.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("no Postgres")?;
        let mut driver = JoinSet::new();
        // What goes wrong with the connection is told to whoever asks next.
        driver.spawn(async { connection.await.unwrap_or_default() });
        Ok(Self { client, _driver: driver })
    }

    /// Lets no measurement pay for what was written before it.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.client.batch_execute("vacuum analyze").await?;
        self.client.batch_execute("checkpoint").await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

/// The servers, ready for use.
pub(crate) struct Servers {
    pub(crate) admin: Session,
    postgres: String,
    amqp: String,
    pub(crate) management: Base,
}

impl Servers {
    /// Connects, and makes sure that no other run is at work here.
    pub(crate) async fn open(options: &Options) -> Result<Self> {
        let admin = Session::open(&options.postgres).await?;
        let limit = (Duration::from_mins(10), Duration::from_millis(500));
        let mut told = false;
        until("the end of another raven-bench on these servers", limit, async || {
            let row = admin.client.query_one("select pg_try_advisory_lock($1)", &[&LOCK]).await?;
            let ours: bool = row.get(0);
            if !ours && !std::mem::replace(&mut told, true) {
                println!("another raven-bench is at work on these servers; waiting for it");
            }
            Ok(ours.then_some(()))
        })
        .await?;
        let management = Base::parse(&options.management)?;
        Ok(Self { admin, postgres: options.postgres.clone(), amqp: options.amqp.clone(), management })
    }

    /// The URL of a database.
    pub(crate) fn database_url(&self, name: &str) -> String {
        with_database(&self.postgres, name)
    }

    /// Creates a database, in the place of one that a run before left behind.
    pub(crate) async fn create_database(&self, name: &str, template: &str) -> Result<()> {
        self.drop_database(name).await?;
        let create = format!("create database {name} template {template}");
        let limit = (Duration::from_secs(20), Duration::from_millis(50));
        // The session that filled the template may need a moment to leave it.
        until("a copy of the template", limit, async || {
            match self.admin.client.execute(&create, &[]).await {
                Err(fault) if fault.code() == Some(&SqlState::OBJECT_IN_USE) => Ok(None),
                other => Ok(Some(other?)),
            }
        })
        .await?;
        Ok(())
    }

    /// Drops a database if it is there.
    pub(crate) async fn drop_database(&self, name: &str) -> Result<()> {
        self.admin.client.execute(&format!("drop database if exists {name} with (force)"), &[]).await?;
        Ok(())
    }

    /// The URL of a virtual host.
    pub(crate) fn vhost_url(&self, name: &str) -> String {
        format!("{}/{name}", self.amqp.trim_end_matches('/'))
    }

    /// Creates a virtual host, in the place of one that a run before left behind.
    pub(crate) async fn create_vhost(&self, name: &str) -> Result<()> {
        self.drop_vhost(name).await?;
        self.management.succeed("PUT", &format!("/api/vhosts/{name}"), "{}").await?;
        let path = format!("/api/permissions/{name}/{}", self.management.user);
        let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        self.management.succeed("PUT", &path, all).await?;
        Ok(())
    }

    /// Deletes a virtual host, with its queues, if it is there.
    pub(crate) async fn drop_vhost(&self, name: &str) -> Result<()> {
        let reply = self.management.request("DELETE", &format!("/api/vhosts/{name}"), "").await?;
        ensure!(
            [204, 404].contains(&reply.status),
            "the vhost {name} stays: {} {}",
            reply.status,
            reply.body
        );
        Ok(())
    }

    /// What the management API says at a path.
    pub(crate) async fn ask(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.management.succeed("GET", path, "").await?).context("no JSON")
    }
}

/// The same URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let host = base.find("://").map_or(0, |at| at + 3);
    let server = base[host..].find('/').map_or(base, |at| &base[..host + at]);
    format!("{server}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced_and_nothing_else() {
        for (url, expected) in [
            ("postgres://u:p@h:1/postgres", "postgres://u:p@h:1/raven"),
            ("postgres://u:p@h:1", "postgres://u:p@h:1/raven"),
            ("postgres://h/a?sslmode=disable", "postgres://h/raven?sslmode=disable"),
        ] {
            assert_eq!(with_database(url, "raven"), expected);
        }
    }
}
