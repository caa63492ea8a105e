//! Which PostgreSQL of the machine is used.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::version_of;
use crate::os;
use crate::packages;
use crate::server::version::newest_first;

/// Debian and Ubuntu keep each major version here, outside `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// One installation.
pub(super) struct Programs {
    pub(super) dir: PathBuf,
    /// The major version.
    pub(super) version: String,
}

impl Programs {
    /// Whether `pg_stat_statements` is there, which some systems keep in a package of its own. A server that is to load
    /// a library that it does not find does not start, so what is not seen for certain is left out.
    pub(super) fn can_count_statements(&self) -> bool {
        let libraries = ["../lib", "../lib/postgresql", "../lib64/pgsql", "../lib64/postgresql"];
        libraries.iter().any(|place| self.dir.join(place).join("pg_stat_statements.so").is_file())
    }
}

/// The installation to use for `data`: one of the version that made it, else the newest; installed if there is none.
pub(super) fn programs(data: &Path) -> Result<Programs> {
    let mut found = candidates()?;
    if found.is_empty() {
        packages::install("postgresql")?;
        found = candidates()?;
    }
    choose(found, version_of(data).as_deref())
        .with_context(|| format!("for the data in {} (`--fresh` deletes it)", data.display()))
}

/// In the order of preference: `PG_BIN` alone if set, else Debian's directories, else `PATH`.
fn candidates() -> Result<Vec<Programs>> {
    if let Some(dir) = os::var("PG_BIN").map(PathBuf::from) {
        if !has_server(&dir) {
            bail!("PG_BIN={} has no postgres, initdb and psql", dir.display());
        }
        return Ok(vec![describe(dir)?]);
    }
    let mut dirs = newest_first(Path::new(DEBIAN), "bin");
    dirs.extend(os::on_path("postgres").and_then(|file| file.parent().map(Path::to_owned)));
    dirs.into_iter().filter(|dir| has_server(dir)).map(describe).collect()
}

/// Some packages bring clients only.
fn has_server(dir: &Path) -> bool {
    ["postgres", "initdb", "psql"].iter().all(|program| dir.join(program).is_file())
}

fn choose(found: Vec<Programs>, wanted: Option<&str>) -> Result<Programs> {
    let fits = |programs: &Programs| wanted.is_none_or(|wanted| programs.version == wanted);
    let names: Vec<String> = found.iter().map(|programs| programs.version.clone()).collect();
    match found.into_iter().find(fits) {
        Some(programs) => Ok(programs),
        None => bail!(
            "PostgreSQL {} is needed and found is: {}",
            wanted.unwrap_or("of any version"),
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ),
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
fn describe(dir: PathBuf) -> Result<Programs> {
    let output = Command::new(dir.join("postgres")).arg("--version").output()?;
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let version =
        major(&line).with_context(|| format!("{}/postgres --version says {line:?}", dir.display()))?;
    Ok(Programs { dir, version })
}

/// The first number of the version, which is all that decides about data directories since version 10.
fn major(line: &str) -> Option<String> {
    let number = line.split_whitespace().nth(2)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(versions: &[&str]) -> Vec<Programs> {
        let one = |version: &&str| Programs { dir: PathBuf::from(version), version: (*version).to_owned() };
        versions.iter().map(one).collect()
    }

    #[test]
    fn new_data_gets_the_first_and_old_data_its_own_version() {
        assert_eq!(choose(installed(&["17", "15"]), None).unwrap().version, "17");
        assert_eq!(choose(installed(&["17", "15"]), Some("15")).unwrap().version, "15");
    }

    #[test]
    fn a_version_that_is_missing_is_named() {
        let error = choose(installed(&["17"]), Some("15")).err().unwrap().to_string();
        assert!(error.contains("PostgreSQL 15 is needed") && error.contains("17"), "{error}");
    }

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").as_deref(), Some("15"));
        assert_eq!(major("postgres (PostgreSQL) 18beta1").as_deref(), Some("18"));
        assert_eq!(major("postgres"), None);
    }
}
