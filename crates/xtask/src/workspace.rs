//! Where this clone is, where cargo builds, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::os;

/// The clone that `cargo xtask` was called in.
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds; `CARGO_TARGET_DIR` and cargo's settings are respected.
    target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .context("cannot start cargo; call this as `cargo xtask`")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory })
    }

    /// `cargo`, called in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }

    /// The directory with the programs of a profile. It has the profile's name, but for that of `dev`.
    pub(crate) fn programs(&self, profile: &str) -> PathBuf {
        self.target.join(if profile == "dev" { "debug" } else { profile })
    }

    /// Tells this clone from others on the machine: in a node's name, a directory outside the clone, a choice of ports.
    pub(crate) fn id(&self) -> String {
        id(&self.root)
    }
}

/// Without what cargo told this process about its own package: build scripts that watch those variables (ring's does)
/// would run again, and all that depends on them be built again, whenever cargo is called in the other way.
fn cargo() -> Command {
    let mut command = Command::new(os::var("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

fn id(root: &Path) -> String {
    format!("{:08x}", digest(root.as_os_str().as_encoded_bytes()) & 0xffff_ffff)
}

/// FNV-1a: the same number in every build and on every machine, which std's hasher does not promise.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_fnv_1a() {
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn clones_differ_in_eight_hexadecimal_digits() {
        let (one, other) = (id(Path::new("/src/raven")), id(Path::new("/src/raven2")));
        assert_ne!(one, other);
        assert_eq!(one.len(), 8);
    }
}
