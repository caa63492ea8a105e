//! The operator's command line, used as an operator would.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Settings;

/// The `raven` program with this stack's settings.
pub(crate) struct Raven {
    program: PathBuf,
    environment: [(&'static str, String); 2],
}

impl Raven {
    /// The program of these settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            program: settings.programs.join("raven"),
            environment: [
                ("DATABASE_URL", settings.database_url.clone()),
                ("RAVEN_ENCRYPTION_KEYS", settings.encryption_keys.clone()),
            ],
        }
    }

    /// Runs a command, with `input` on its standard input, and answers what it printed.
    pub(crate) fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // A command that ends without reading says why below.
            let _unread = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        let words =
            arguments.iter().take_while(|word| !word.starts_with('-')).copied().collect::<Vec<_>>().join(" ");
        ensure!(
            output.status.success(),
            "`raven {words}` failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a command that answers JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(&[arguments, &["--json"]].concat(), None)?;
        serde_json::from_str(&text)
            .with_context(|| format!("`raven {}` answered no JSON", arguments.join(" ")))
    }
}
