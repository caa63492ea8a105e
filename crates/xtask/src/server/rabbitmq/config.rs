//! Everything a private node is told: environment and files. None of it is read from the system's `/etc/rabbitmq`.

use std::path::PathBuf;
use std::process::Command;

use crate::account::Account;
use crate::stack::Purpose;

/// The ports of one node.
pub(super) struct Ports {
    pub(super) amqp: u16,
    pub(super) management: u16,
    pub(super) distribution: u16,
    pub(super) epmd: u16,
}

/// Who a node is.
pub(super) struct Node {
    /// `name@localhost`: a name that every machine resolves, whatever it calls itself.
    pub(super) name: String,
    pub(super) home: PathBuf,
    pub(super) account: Option<Account>,
}

impl Node {
    /// Where the virtual machine writes its pid.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.home.join("pid")
    }

    /// The node's environment; what the caller's shell says about RabbitMQ and Erlang is left out.
    pub(super) fn environment(&self, ports: &Ports, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("RABBITMQ_") || text.starts_with("ERL_") {
                command.env_remove(&name);
            }
        }
        let in_home = |name: &str| self.home.join(name);
        command
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
            .env("ERL_EPMD_PORT", ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_BASE", &self.home)
            .env("RABBITMQ_MNESIA_BASE", in_home("db"))
            .env("RABBITMQ_LOG_BASE", in_home("log"))
            .env("RABBITMQ_SCHEMA_DIR", in_home("schema"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", in_home("config"))
            .env("RABBITMQ_PID_FILE", self.pid_file())
            .env("RABBITMQ_CONFIG_FILE", in_home("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", in_home("enabled_plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", in_home("rabbitmq-env.conf"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG);
    }
}

/// The distribution port on the loopback interface too, and schedulers that sleep instead of spinning: a node shares
/// the machine with compilers.
const ERLANG: &str = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";

/// The files in a node's home, by name.
pub(super) fn files(purpose: Purpose, ports: &Ports) -> [(&'static str, String); 3] {
    [
        ("rabbitmq.conf", config(purpose, ports)),
        ("enabled_plugins", "[rabbitmq_management].\n".to_owned()),
        // Empty: it stands in for the system's file of the same name.
        ("rabbitmq-env.conf", String::new()),
    ]
}

/// Limits that let a laptop live: a node that takes 40 % of memory for its own may be right on a server.
const SMALL: &str = "raft.wal_max_size_bytes = 64000000\n";
/// The memory that such a node may take.
pub(super) const MEMORY: &str = "768MB";
/// With less room than this on the disk, a node takes no messages.
pub(super) const DISK: &str = "50MB";

/// What is measured is a node with the limits of a server.
fn config(purpose: Purpose, ports: &Ports) -> String {
    let limits = match purpose {
        Purpose::Up | Purpose::Test | Purpose::ApiTest | Purpose::Prove => {
            format!("vm_memory_high_watermark.absolute = {MEMORY}\n{SMALL}")
        }
        Purpose::Bench => String::new(),
    };
    format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {management}\n\
         disk_free_limit.absolute = {DISK}\n\
         {limits}\
         log.console = true\n\
         log.console.level = info\n\
         log.file = false\n",
        amqp = ports.amqp,
        management = ports.management,
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    const PORTS: Ports = Ports { amqp: 20_001, management: 20_002, distribution: 20_003, epmd: 20_004 };

    fn node() -> Node {
        Node { name: "raven_1@localhost".to_owned(), home: PathBuf::from("/a b/mq"), account: None }
    }

    #[test]
    fn the_configuration_binds_to_this_machine_only() {
        let [(_, config), ..] = files(Purpose::Up, &PORTS);
        assert!(config.starts_with("listeners.tcp.1 = 127.0.0.1:20001\n"));
        assert!(config.contains("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = 20002\n"));
        assert!(config.lines().all(|line| line.contains(" = ")), "one setting a line:\n{config}");
    }

    #[test]
    fn only_what_is_measured_has_the_limits_of_a_server() {
        let limits = |purpose| files(purpose, &PORTS)[0].1.contains("vm_memory_high_watermark");
        assert!(limits(Purpose::Up) && limits(Purpose::Test) && !limits(Purpose::Bench));
    }

    #[test]
    fn nothing_of_a_node_lies_outside_its_home() {
        let mut command = Command::new("true");
        node().environment(&PORTS, &mut command);
        let set: Vec<_> = command.get_envs().filter_map(|(name, value)| Some((name, value?))).collect();
        for name in ["HOME", "RABBITMQ_MNESIA_BASE", "RABBITMQ_CONFIG_FILE", "RABBITMQ_CONF_ENV_FILE"] {
            let (_, value) = set.iter().find(|(set, _)| *set == OsStr::new(name)).unwrap();
            assert!(value.to_str().unwrap().starts_with("/a b/mq"), "{name} is {value:?}");
        }
    }
}
