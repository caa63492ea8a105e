//! Debian packages of what the machine lacks.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::os;
use crate::progress::{heading, say};

/// Installs packages without letting their services start: a policy that forbids it stands for that time unless the
/// machine has one of its own, and the services are taken out of the boot afterwards. Package lists that are missing
/// or old make the first try fail.
const SCRIPT: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }
install "$@" || { apt-get update -q; install "$@"; }
if [ -d /run/systemd/system ]; then
    systemctl disable "$@" >/dev/null 2>&1 || true
fi
"#;

/// Installs `package`, whose program was looked for in vain, as root or by `sudo`.
pub(crate) fn install(package: &str) -> Result<()> {
    ensure!(
        os::on_path("apt-get").is_some(),
        "{package} is not installed, and there is no apt-get to install it with. Install PostgreSQL and RabbitMQ \
         with your system's packages, or set DATABASE_URL and AMQP_URL to servers that run"
    );
    let mut command = if os::is_root() {
        Command::new("sh")
    } else if os::on_path("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        if !std::io::stdin().is_terminal() {
            // Nobody is there to type a password.
            sudo.arg("-n");
        }
        sudo.arg("sh");
        sudo
    } else {
        bail!("{package} is not installed; as root: apt-get install --no-install-recommends {package}");
    };
    heading(format!("{package} is not installed: installing it with apt-get (its system service stays off)"));
    let status = command.args(["-euc", SCRIPT, "install", package]).stdin(stdin()).status()?;
    ensure!(status.success(), "apt-get could not install {package}; install it by hand and try again");
    say(format!("installed {package}"));
    Ok(())
}

/// `sudo` asks at the terminal when there is one; apt-get itself is told to ask nothing.
fn stdin() -> Stdio {
    if std::io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() }
}
