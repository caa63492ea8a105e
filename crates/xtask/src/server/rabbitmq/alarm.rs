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
    /// The arguments of `rabbitmqctl`, one command after the other, when these are told.
    fn commands(self, told: Told) -> Vec<&'static [&'static str]> {
        match self {
            // Documented as the way to have publishers blocked at once.
            Self::Memory => vec![&["set_vm_memory_high_watermark", "0"]],
            Self::Disk => vec![&["set_disk_free_limit", ENDLESS]],
            Self::None => {
                let memory: &[&str] = &["set_vm_memory_high_watermark", "absolute", MEMORY];
                let disk: &[&str] = &["set_disk_free_limit", DISK];
                // Each takes seconds, so only what is needed; all when it is not known what that is.
                match (told.memory, told.disk) {
                    (true, false) => vec![memory],
                    (false, true) => vec![disk],
                    _ => vec![memory, disk],
                }
            }
        }
    }

    /// Whether these are told.
    fn are(self, told: Told) -> bool {
        match self {
            Self::Memory => told.memory,
            Self::Disk => told.disk,
            Self::None => !told.memory && !told.disk,
        }
    }

    /// Raises or ends alarms of the running node, and waits until it says so itself.
    pub(crate) fn raise(self, stack: &Stack) -> Result<()> {
        stack.state.alive(NAME).context("RabbitMQ does not run")?;
        let ports = recorded_ports(stack)?;
        let home = stack.state.data().unwrap_or(&stack.dir).join(NAME);
        let account = Account::for_server("rabbitmq", &home)?;
        let node = Node { name: format!("raven_{}@localhost", stack.state.id()), home, account };
        let http = Http::new();
        let told = || Told::by(&http, ports.management);
        let begun = self.commands(told()?).into_iter().map(|arguments| begin(&node, &ports, arguments));
        for command in begun.collect::<Result<Vec<_>>>()? {
            let output = command.wait_with_output()?;
            ensure!(
                output.status.success(),
                "rabbitmqctl: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let mut step = Step::begin("RabbitMQ's alarms");
        step.wait(PATIENCE, &stack.interrupt, || Ok(self.are(told()?).then_some(())))?;
        step.done("as they should be");
        Ok(())
    }
}

/// The alarms that the management API tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    memory: bool,
    disk: bool,
}

impl Told {
    fn by(http: &Http, port: u16) -> Result<Self> {
        let url = format!("http://127.0.0.1:{port}/api/health/checks/alarms");
        let answer = http.get(&url, Some(&basic("guest", "guest")))?;
        ensure!(matches!(answer.status, 200 | 503), "{url} answers {}", answer.status);
        Ok(Self::read(&answer.body))
    }

    /// Versions differ in whether it is the disk that is told of or its space.
    fn read(body: &Value) -> Self {
        let all = body["alarms"].as_array().map(Vec::as_slice).unwrap_or_default();
        let told = |what: &str| {
            all.iter().filter_map(|alarm| alarm["resource"].as_str()).any(|name| name.starts_with(what))
        };
        Self { memory: told("memory"), disk: told("disk") }
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
    fn an_alarm_is_told_by_its_resource() {
        let body =
            |resource: &str| json!({"status": "failed", "alarms": [{"node": "n", "resource": resource}]});
        assert_eq!(Told::read(&body("memory")), Told { memory: true, disk: false });
        for disk in ["disk", "disk space"] {
            assert_eq!(Told::read(&body(disk)), Told { memory: false, disk: true });
        }
        assert_eq!(Told::read(&json!({"status": "ok"})), Told { memory: false, disk: false });
    }

    #[test]
    fn what_is_told_is_put_back_and_both_in_doubt() {
        let count = |memory, disk| Alarms::None.commands(Told { memory, disk }).len();
        assert_eq!(
            [count(true, false), count(false, true), count(true, true), count(false, false)],
            [1, 1, 2, 2]
        );
    }
}
