//! What the figures were measured on.

use anyhow::Result;

use crate::servers::Servers;

/// A line about the machine, the servers and the build.
pub(crate) async fn line(servers: &Servers, profile: &str) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let client = &servers.admin.client;
    let postgres: String = client.query_one("show server_version", &[]).await?.get(0);
    let fsync: String = client.query_one("show fsync", &[]).await?.get(0);
    let overview = servers.ask("/api/overview").await?;
    let rabbitmq = overview["rabbitmq_version"].as_str().unwrap_or("of unknown version");
    let postgres = postgres.split(' ').next().unwrap_or_default();
    Ok(format!(
        "{cores} cores, PostgreSQL {postgres} with fsync {fsync}, RabbitMQ {rabbitmq}, build profile {profile}"
    ))
}
