//! Alarms of a node that has all it needs: its limits are set beyond what any machine has, while it runs.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::config::{DISK, MEMORY, Node, Ports};
use super::{NAME, find, recorded_ports};
use crate::account::Account;
use crate::http::{Http, basic};
use crate::progress::Step;
use crate::stack::Stack;

/// More than any disk holds.
const ENDLESS: &str = "1000000GB";
/// The command line boots a virtual machine of its own, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which of a node's alarms are up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarms {
    /// It has too little memory; also for a node that uses none.
    Memory,
    /// The disk is too full.
    Disk,
    /// The limits are those of the configuration.
    None,
}

impl Alarms {
    /// The arguments of `rabbitmqctl`, one command a line.
    fn commands(self) -> Vec<Vec<&'static str>> {
        match self {
            // Documented as the way to have publishers blocked at once.
            Self::Memory => vec![vec!["set_vm_memory_high_watermark", "0"]],
            Self::Disk => vec![vec!["set_disk_free_limit", ENDLESS]],
            Self::None => vec![
                vec!["set_vm_memory_high_watermark", "absolute", MEMORY],
                vec!["set_disk_free_limit", DISK],
            ],
        }
    }

    /// Whether these are what the management API tells of.
    fn are_told(self, status: u16, body: &Value) -> bool {
        // Versions differ in whether it is the disk or its space.
        let told = |resource: &str| {
            let all = body["alarms"].as_array().map(Vec::as_slice).unwrap_or_default();
            all.iter().filter_map(|alarm| alarm["resource"].as_str()).any(|name| name.starts_with(resource))
        };
        match self {
            Self::Memory => told("memory"),
            Self::Disk => told("disk"),
            Self::None => status == 200,
        }
    }

    /// Raises or ends alarms of the running node, and waits until it says so itself.
    pub(crate) fn raise(self, stack: &Stack) -> Result<()> {
        stack.state.alive(NAME).context("RabbitMQ does not run")?;
        let ports = recorded_ports(stack)?;
        let home = stack.state.data().unwrap_or(&stack.dir).join(NAME);
        let account = Account::for_server("rabbitmq", &home)?;
        let node = Node { name: format!("raven_{}@localhost", stack.state.id()), home, account };
        let begun = self.commands().into_iter().map(|arguments| begin(&node, &ports, &arguments));
        for command in begun.collect::<Result<Vec<_>>>()? {
            let output = command.wait_with_output()?;
            ensure!(
                output.status.success(),
                "rabbitmqctl: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let url = format!("http://127.0.0.1:{}/api/health/checks/alarms", ports.management);
        let (http, header) = (Http::new(), basic("guest", "guest"));
        let mut step = Step::begin("RabbitMQ's alarms");
        step.wait(PATIENCE, &stack.interrupt, || {
            let answer = http.get(&url, Some(&header))?;
            Ok(self.are_told(answer.status, &answer.body).then_some(()))
        })?;
        step.done("as they should be");
        Ok(())
    }
}

fn begin(node: &Node, ports: &Ports, arguments: &[&str]) -> Result<std::process::Child> {
    let server = find().context("rabbitmq-server is not found")?;
    let mut command = Command::new(server.with_file_name("rabbitmqctl"));
    node.environment(ports, &mut command);
    if let Some(account) = &node.account {
        account.apply(&mut command);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context("cannot start rabbitmqctl")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alarm_is_told_by_its_resource_and_calm_by_the_status() {
        let body =
            json!({"status": "failed", "alarms": [{"node": "raven_1@localhost", "resource": "memory"}]});
        assert!(Alarms::Memory.are_told(503, &body));
        assert!(!Alarms::Disk.are_told(503, &body));
        assert!(!Alarms::None.are_told(503, &body));
        let body = json!({"status": "failed", "alarms": [{"node": "n", "resource": "disk space"}]});
        assert!(Alarms::Disk.are_told(503, &body) && !Alarms::Memory.are_told(503, &body));
        assert!(Alarms::None.are_told(200, &json!({"status": "ok"})));
    }
}
