//! `raven dead-letter replay` and `discard`.

use std::collections::HashSet;

use broker::BrokerUrl;
use broker::dead_letters::{Choice, Outcome, walk};
use serde_json::json;

use super::{check, no_such};
use crate::args::Selection;
use crate::output::{Output, note};

pub(super) async fn replay(url: &BrokerUrl, selection: &Selection, output: Output) -> anyhow::Result<()> {
    let (outcome, unknown) = act(url, selection, Choice::Replay).await?;
    for (id, why) in &outcome.failed {
        note(&format!("{id}: not replayed: {why}"))?;
    }
    let failed = outcome.failed.len();
    output.one(&json!({ "replayed": outcome.replayed, "failed": failed }))?;
    conclude(outcome, &unknown)?;
    anyhow::ensure!(failed == 0, "not all letters were replayed; those stay dead letters");
    Ok(())
}

pub(super) async fn discard(url: &BrokerUrl, selection: &Selection, output: Output) -> anyhow::Result<()> {
    let (outcome, unknown) = act(url, selection, Choice::Discard).await?;
    output.one(&json!({ "discarded": outcome.discarded }))?;
    conclude(outcome, &unknown)
}

/// Does the same to all that are selected; answers also the ids that no letter has.
async fn act(
    url: &BrokerUrl,
    selection: &Selection,
    choice: Choice,
) -> anyhow::Result<(Outcome, Vec<String>)> {
    let mut unknown: HashSet<&str> = selection.ids.iter().map(String::as_str).collect();
    let wanted = unknown.clone();
    let outcome = walk(url, |letter| {
        let selected = if selection.all {
            selection.queue.is_none_or(|queue| queue.is(letter.queue.as_deref()))
        } else {
            unknown.remove(letter.id.as_str());
            wanted.contains(letter.id.as_str())
        };
        if selected { choice } else { Choice::Keep }
    })
    .await?;
    let mut unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
    unknown.sort_unstable();
    Ok((outcome, unknown))
}

fn conclude(outcome: Outcome, unknown: &[String]) -> anyhow::Result<()> {
    check(outcome, false)?;
    if unknown.is_empty() { Ok(()) } else { Err(no_such(&unknown.join(", ")).into()) }
}
