//! `raven completions`.

use clap::CommandFactory as _;
use serde_json::json;

use crate::args::{Arguments, Completions};
use crate::output::{Output, print};

pub(super) fn run(wanted: &Completions, output: Output) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut Arguments::command(), "raven", &mut script);
    let script = String::from_utf8(script)?;
    if output.json {
        return output.one(&json!({ "shell": wanted.shell.to_string(), "script": script }));
    }
    print(&script)
}
