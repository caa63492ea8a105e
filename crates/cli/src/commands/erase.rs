//! `raven erase`.

use anyhow::Context as _;
use domain::Actor;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use store::Store;
use store::erasure::{Erased, Erasure, Request, kept};

use super::require;
use crate::args::Erase;
use crate::output::{Output, note};

pub(super) async fn run(command: Erase, store: &Store, output: Output) -> anyhow::Result<()> {
    let Erase { email, tenant, forget_suppression } = command;
    require(store, tenant).await?;
    let request = Request {
        tenant,
        email_key: email.key(),
        keep_suppression: !forget_suppression,
        actor: Actor::Operator,
    };
    let mut erasure = Erasure::new(store, request);
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    while !erasure.is_done() {
        erasure
            .step()
            .await
            .context("the erasure was interrupted; what was erased stays so, run it again")?;
        let Erased { messages, events, .. } = erasure.erased();
        bar.set_message(format!("{messages} messages, {events} events"));
        bar.tick();
    }
    bar.finish_and_clear();
    let erased = erasure.erased();
    let mut document = json!({
        "id": erasure.id(),
        "complete": erased.pending == 0,
        "messages": erased.messages,
        "canceled": erased.canceled,
        "later": erased.later,
        "pending": erased.pending,
        "events": erased.events,
        "auditEntries": erased.audit_entries,
        "suppressions": u8::from(erased.unsuppressed),
    });
    let kept = kept(&erased);
    if output.json {
        let kept: Vec<Value> = kept.iter().map(|one| json!({ "what": one.what, "why": one.why })).collect();
        document["kept"] = json!(kept);
        return output.one(&document);
    }
    output.one(&document)?;
    for one in kept {
        note(&format!("kept: {}: {}", one.what, one.why))?;
    }
    Ok(())
}
