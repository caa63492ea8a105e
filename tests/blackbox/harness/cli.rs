//! The `raven` command line.

use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    servers::servers,
    wait::{DEADLINE, within},
};

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

impl Ended {
    /// The one JSON document on standard output of a success.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.success(), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|fault| panic!("no JSON ({fault}): {self:?}"))
    }
}

/// Runs `raven` to its end with these variables and no others.
pub(crate) async fn run(variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Ended {
    run_program("raven", variables, arguments, input).await
}

/// Runs a program of ours to its end.
pub(crate) async fn run_program(
    program: &str,
    variables: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Ended {
    let path = servers().programs.join(program);
    let mut command = Command::new(&path);
    command.env_clear().envs(variables.iter().copied()).args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = within(DEADLINE, program, child.wait_with_output()).await.expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}
