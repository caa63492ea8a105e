//! The unprivileged account that servers run under when we are root: Postgres refuses root, and RabbitMQ needs nothing of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::os;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Who a server runs as: `None` is ourselves. Data that exists keeps its owner; new data belongs to `preferred`
    /// when the machine knows that name, and to `nobody` otherwise.
    pub(crate) fn for_server(preferred: &str, data: &Path) -> Result<Option<Self>> {
        if !os::is_root() {
            return Ok(None);
        }
        if let Ok(found) = fs::metadata(data)
            && found.uid() != 0
        {
            return Ok(Some(Self { uid: found.uid(), gid: found.gid() }));
        }
        let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        let account = find(&users, preferred).or_else(|| find(&users, "nobody"));
        account
            .map(Some)
            .with_context(|| format!("running as root needs a user {preferred} or nobody for servers"))
    }

    /// Makes a command run as this account.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Hands a file or directory over to this account.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot hand over {}", path.display()))
    }

    /// Whether this account can enter a directory; asked of the system, which knows about every parent and every ACL.
    pub(crate) fn can_enter(&self, dir: &Path) -> bool {
        let mut test = Command::new("test");
        test.arg("-x").arg(dir).current_dir("/").stdin(Stdio::null());
        self.apply(&mut test);
        test.status().is_ok_and(|status| status.success())
    }
}

/// The line of `/etc/passwd` for `name`: `name:password:uid:gid:…`.
fn find(users: &str, name: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        Some(Account { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0::/root:/bin/sh\npostgres:x:101:104:PG,,,:/var:/bin/sh\nnobody:x:65534:65534::/:/x\n";

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        assert_eq!(find(USERS, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(find(USERS, "post"), None);
    }
}
