//! Schemathesis in a virtual environment of this clone's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::files;
use crate::interrupt::Interrupt;
use crate::os;
use crate::packages;
use crate::process::Foreground;
use crate::progress::say;
use crate::workspace::Workspace;

/// What is installed; another version makes another environment.
const PACKAGE: &str = "schemathesis==4.32.5";

/// The program, installed if it is not there.
pub(super) fn ensure(workspace: &Workspace, interrupt: &Interrupt) -> Result<PathBuf> {
    let home = workspace.root.join(".raven").join(PACKAGE.replace("==", "-"));
    let program = home.join("bin/schemathesis");
    // Written last, so that an environment that was not finished is made anew.
    let whole = home.join("installed");
    if whole.exists() && program.exists() {
        say(format!("{PACKAGE} is in {}", home.display()));
        return Ok(program);
    }
    files::remove(&home)?;
    environment(&home, interrupt)?;
    let mut pip = Command::new(home.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    ensure!(Foreground::new(interrupt).run(&mut pip)?.success(), "pip could not install {PACKAGE}");
    files::write_private(&whole, PACKAGE.as_bytes())?;
    say(format!("installed {PACKAGE} in {}", home.display()));
    Ok(program)
}

/// Debian and Ubuntu have what makes an environment in a package of its own.
fn environment(home: &Path, interrupt: &Interrupt) -> Result<()> {
    if os::on_path("python3").is_none() {
        bail!("python3 is not installed: Schemathesis needs Python 3.10 or later, with its module venv");
    }
    let make = || Foreground::new(interrupt).run(Command::new("python3").args(["-m", "venv"]).arg(home));
    if make()?.success() {
        return Ok(());
    }
    files::remove(home)?;
    packages::install("python3-venv")?;
    ensure!(make()?.success(), "`python3 -m venv {}` failed", home.display());
    Ok(())
}
