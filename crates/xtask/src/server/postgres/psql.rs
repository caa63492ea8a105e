//! One statement by `psql`: enough to see that a server is ours and ready, without a Postgres library to compile.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// How to reach the private server.
pub(super) struct Psql {
    pub(super) program: PathBuf,
    pub(super) port: u16,
    pub(super) password: String,
}

impl Psql {
    /// Runs a statement in a database and answers its rows as text.
    pub(super) fn run(&self, database: &str, statement: &str) -> Result<String> {
        let target = format!(
            "host=127.0.0.1 port={} user=postgres dbname={database} sslmode=disable connect_timeout=5",
            self.port
        );
        let output = Command::new(&self.program)
            .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d", &target, "-c", statement])
            .env("PGPASSWORD", &self.password)
            .env_remove("PGOPTIONS")
            .stdin(Stdio::null())
            .output()
            .context("cannot start psql")?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
