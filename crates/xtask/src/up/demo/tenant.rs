//! The demo's tenant: made once, found again as long as the database has it.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{KEY, SECRET};
use crate::files;
use crate::progress::say;
use crate::up::raven::Raven;

/// What `raven tenant create --json` answers, kept because the key is shown only once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tenant {
    pub(crate) tenant_id: String,
    pub(crate) api_key: String,
}

/// The kept tenant if the database knows it, else a new one.
pub(super) fn ensure(raven: &Raven, path: &Path) -> Result<Tenant> {
    if let Some(kept) = kept(path)? {
        let known = raven.json(&["tenant", "list"])?;
        let known = known["data"].as_array().context("`raven tenant list` answered no list")?;
        if known.iter().any(|tenant| tenant["tenantId"] == kept.tenant_id.as_str()) {
            say("the tenant `demo` is there already");
            return Ok(kept);
        }
    }
    let created = raven.json(&["tenant", "create", "demo"])?;
    let tenant: Tenant =
        serde_json::from_value(created).context("`raven tenant create` answered something else")?;
    files::write_private(path, &serde_json::to_vec_pretty(&tenant)?)?;
    say("created the tenant `demo`");
    Ok(tenant)
}

/// A file that cannot be understood is as good as none: a new tenant costs nothing.
fn kept(path: &Path) -> Result<Option<Tenant>> {
    Ok(files::read(path)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Sets the provider, each time: it costs one command and heals whatever was tried with the tenant since.
pub(super) fn set_provider(raven: &Raven, tenant: &Tenant) -> Result<()> {
    let mut command = vec!["provider", "set", "mailjet", "--tenant", tenant.tenant_id.as_str()];
    command.extend(["--from-email", "hello@demo.example", "--from-name", "Raven demo"]);
    command.extend(["--api-key", KEY, "--api-secret-stdin"]);
    raven.run(&command, Some(SECRET))?;
    say("its provider is the simulator");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_read_from_the_answer_and_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo.json");
        let answer = serde_json::json!({"tenantId": "t", "name": "demo", "apiKey": "rk_live_x"});
        let tenant: Tenant = serde_json::from_value(answer).unwrap();
        files::write_private(&path, &serde_json::to_vec(&tenant).unwrap()).unwrap();
        let again = kept(&path).unwrap().unwrap();
        assert_eq!((again.tenant_id.as_str(), again.api_key.as_str()), ("t", "rk_live_x"));
    }

    #[test]
    fn no_file_or_a_damaged_one_is_no_tenant() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo.json");
        assert!(kept(&path).unwrap().is_none());
        std::fs::write(&path, "{").unwrap();
        assert!(kept(&path).unwrap().is_none());
    }
}
