//! `raven encryption`.

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use service::Environment;
use service::shared::ENCRYPTION_KEYS;
use store::sealed::{self, Rotation};
use store::{Keyring, Store};

use crate::args::Encryption;
use crate::output::{Output, note};

/// These two look into a ring that lacks keys, and so take it as it is.
pub(super) async fn run(
    command: Encryption,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let ring = environment.read(&ENCRYPTION_KEYS, Keyring::parse)?;
    match command {
        Encryption::Rotate => rotate(store, &ring, output).await,
        Encryption::Status => status(store, &ring, output).await,
    }
}

async fn rotate(store: &Store, ring: &Keyring, output: Output) -> anyhow::Result<()> {
    let bar = bar(sealed::count(store).await.context("the secrets were not counted")?);
    let rotated = sealed::rotate(store, ring, |seen| bar.set_position(seen)).await;
    bar.finish_and_clear();
    let Rotation { rotated, already, unreadable, locked } =
        rotated.context("not every secret was sealed anew; what was done stays, run it again")?;
    for (tenant, why) in &unreadable {
        note(&format!("tenant {tenant}: {why}"))?;
    }
    let mut tenants: Vec<_> = unreadable.iter().map(|(tenant, _)| *tenant).collect();
    tenants.dedup();
    output.one(&json!({ "rotated": rotated, "already": already, "unreadable": tenants }))?;
    anyhow::ensure!(locked == 0, "{locked} rows stayed locked by others all the while; run it again");
    anyhow::ensure!(tenants.is_empty(), "not every secret opens; those were left as they are");
    Ok(())
}

async fn status(store: &Store, ring: &Keyring, output: Output) -> anyhow::Result<()> {
    let census = sealed::census(store, ring).await.context("the secrets were not counted")?;
    let rows = census.iter().map(|key| {
        json!({
            "keyId": key.id,
            "secrets": key.secrets,
            "inRing": key.place.is_some(),
            "seals": key.place == Some(0),
            "removable": key.is_removable(),
        })
    });
    output.list(&rows.collect::<Vec<_>>(), &["keyId", "secrets", "inRing", "seals", "removable"])
}

/// A bar on standard error, where that is a terminal.
fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template("{wide_bar} {percent:>3}% {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
