//! Processor time that a measurement took, by whom.

use std::time::Duration;

use anyhow::Result;

use crate::servers::Servers;
use crate::usage;
use crate::wait::until;

/// The servers' processes. Should they be on another machine, the times shown are meaningless.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    postmaster: u32,
    rabbitmq: u32,
    simulator: Option<u32>,
}

/// Processor time: so far, or within a measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// The program that is measured.
    pub(crate) program: Duration,
    pub(crate) postgres: Duration,
    pub(crate) rabbitmq: Duration,
    /// The stand-in for Mailjet, where there is one.
    pub(crate) simulator: Duration,
}

impl Meter {
    /// Asks the servers who they are.
    pub(crate) async fn find(servers: &Servers) -> Result<Self> {
        let row = servers.admin.client.query_one("select pg_backend_pid()", &[]).await?;
        let backend = u32::try_from(row.get::<_, i32>(0))?;
        // A node tells of itself only some seconds after its start.
        let limit = (Duration::from_secs(30), Duration::from_millis(200));
        let rabbitmq = until("RabbitMQ's process id", limit, async || {
            let nodes = servers.ask("/api/nodes").await?;
            Ok(nodes[0]["os_pid"].as_str().and_then(|pid| pid.parse().ok()))
        })
        .await?;
        Ok(Self { postmaster: usage::parent(backend).unwrap_or_default(), rabbitmq, simulator: None })
    }

    /// The same with a stand-in for Mailjet.
    pub(crate) fn with_simulator(self, pid: u32) -> Self {
        Self { simulator: Some(pid), ..self }
    }

    /// So far, by this program and the servers.
    pub(crate) fn read(self, program: u32) -> Spent {
        Spent {
            program: usage::cpu(program),
            postgres: usage::cpu_of_family(self.postmaster),
            rabbitmq: usage::cpu(self.rabbitmq),
            simulator: self.simulator.map(usage::cpu).unwrap_or_default(),
        }
    }
}

impl Spent {
    /// What was spent after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            program: self.program.saturating_sub(earlier.program),
            postgres: self.postgres.saturating_sub(earlier.postgres),
            rabbitmq: self.rabbitmq.saturating_sub(earlier.rabbitmq),
            simulator: self.simulator.saturating_sub(earlier.simulator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ended_never_makes_a_time_negative() {
        let of = |ms| Spent { postgres: Duration::from_millis(ms), ..Spent::default() };
        assert_eq!(of(30).since(of(10)), of(20));
        assert_eq!(of(10).since(of(30)), of(0));
    }
}
