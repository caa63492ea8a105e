//! What the figures were measured on.

use std::time::Duration;

use anyhow::Result;

use crate::installation::Installation;
use crate::usage;
use crate::wait::until;

/// The servers' processes.
pub(crate) struct Pids {
    postmaster: u32,
    rabbitmq: u32,
}

impl Pids {
    /// Asks the servers. Should they be on another machine, the processor times shown are meaningless.
    pub(crate) async fn find(installation: &Installation) -> Result<Self> {
        let row = installation.servers.admin.client.query_one("select pg_backend_pid()", &[]).await?;
        let backend = u32::try_from(row.get::<_, i32>(0))?;
        // A node tells of itself only some seconds after its start.
        let limit = (Duration::from_secs(30), Duration::from_millis(200));
        let rabbitmq = until("RabbitMQ's process id", limit, async || {
            let nodes = installation.servers.ask("/api/nodes").await?;
            Ok(nodes[0]["os_pid"].as_str().and_then(|pid| pid.parse().ok()))
        })
        .await?;
        Ok(Self { postmaster: usage::parent(backend).unwrap_or_default(), rabbitmq })
    }

    /// Processor time of Postgres so far.
    pub(crate) fn postgres(&self) -> Duration {
        usage::cpu_of_family(self.postmaster)
    }

    /// Processor time of RabbitMQ so far.
    pub(crate) fn rabbitmq(&self) -> Duration {
        usage::cpu(self.rabbitmq)
    }
}

/// A line about the machine, the servers and the build.
pub(crate) async fn line(installation: &Installation, profile: &str) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let row = installation.servers.admin.client.query_one("show server_version", &[]).await?;
    let postgres: String = row.get(0);
    let fsync: String = installation.servers.admin.client.query_one("show fsync", &[]).await?.get(0);
    let overview = installation.servers.ask("/api/overview").await?;
    let rabbitmq = overview["rabbitmq_version"].as_str().unwrap_or("unknown").to_owned();
    Ok(format!(
        "{cores} cores, PostgreSQL {postgres} (fsync {fsync}), RabbitMQ {rabbitmq}, profile {profile}"
    ))
}
