//! `raven dead-letter list`.

use broker::BrokerUrl;
use broker::dead_letters::{Choice, walk};
use serde_json::{Value, json};

use super::{check, summary};
use crate::args::Origin;
use crate::output::{Output, note, printable};

/// Characters of a reason that the table has room for.
const REASON: usize = 72;

pub(super) async fn run(
    url: &BrokerUrl,
    queue: Option<Origin>,
    limit: u32,
    output: Output,
) -> anyhow::Result<()> {
    let (mut rows, mut left) = (Vec::new(), limit);
    let outcome = walk(url, |letter| {
        if left > 0 && queue.is_none_or(|queue| queue.is(letter.queue.as_deref())) {
            rows.push(summary(letter));
            left -= 1;
        }
        if left > 0 { Choice::Keep } else { Choice::Stop }
    })
    .await?;
    rows.sort_by(|a, b| a["buriedAt"].as_str().cmp(&b["buriedAt"].as_str()));
    let stopped = left == 0;
    if output.json {
        // Letters have no order to go on in, so this only says whether there may be more.
        let complete = outcome.seen >= outcome.waiting;
        output.list_with(&rows, &[], &[("complete", json!(complete))])?;
    } else {
        rows.iter_mut().for_each(shorten);
        output.list(&rows, &["id", "queue", "tenantId", "receivedAt", "bytes", "reason"])?;
    }
    if stopped && outcome.waiting > limit {
        note(&format!("{limit} of {} dead letters; --limit shows more", outcome.waiting))?;
    }
    check(outcome, stopped)
}

fn shorten(row: &mut Value) {
    for value in row.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        if let Value::String(text) = value {
            *text = printable(text).replace('\n', " ");
        }
    }
    let reason = row["reason"].as_str().unwrap_or_default();
    if reason.chars().count() > REASON {
        row["reason"] = json!(reason.chars().take(REASON - 1).chain(['…']).collect::<String>());
    }
}
