//! `cargo xtask prove`, run to its end.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Far longer than a short proof takes; an interrupt then has it stop its servers.
const LIMIT: [&str; 3] = ["--signal=INT", "--kill-after=2m", "20m"];

/// What a proof came to.
pub(crate) struct Proof {
    /// Whether it says so by its exit code.
    pub(crate) success: bool,
    /// All that it wrote.
    pub(crate) output: String,
}

impl Proof {
    /// Its last line but for what the task runner says.
    pub(crate) fn verdict(&self) -> &str {
        self.output.lines().rfind(|line| line.starts_with("verdict: ")).unwrap_or_default()
    }

    /// How often the verdict counts this.
    pub(crate) fn count(&self, what: &str) -> usize {
        let counts = self.verdict().rsplit(": ").next().unwrap_or_default();
        let count = counts.split(", ").find_map(|count| count.strip_suffix(what)?.trim().parse().ok());
        count.unwrap_or_else(|| panic!("no number of {what}:\n{}", self.output))
    }
}

/// Runs the short proof, one at a time: each needs all of the machine.
pub(crate) fn prove(arguments: &[&str]) -> Proof {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // In the foreground, so that Ctrl-C reaches it as it reaches this test.
    let mut command = Command::new("timeout");
    command.arg("--foreground").args(LIMIT).arg(variable("RAVEN_TEST_XTASK"));
    command.args(["prove", "--no-build", "--short", "--seed", "6"]).args(arguments);
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|fault| panic!("timeout, which is part of coreutils: {fault}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let output_text = format!("{}\n{}", text(&output.stderr), text(&output.stdout));
    Proof { success: output.status.success(), output: output_text }
}

/// The folder of the built programs.
pub(crate) fn programs() -> PathBuf {
    variable("RAVEN_TEST_BIN").into()
}

#[expect(clippy::disallowed_methods, reason = "these are settings of the tests, not of a service")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests with: cargo xtask test"))
}
