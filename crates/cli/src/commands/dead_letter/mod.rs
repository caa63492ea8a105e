//! `raven dead-letter`.

mod act;
mod list;
mod show;

use broker::BrokerUrl;
use broker::dead_letters::{Letter, Outcome};
use serde_json::{Value, json};
use service::Environment;
use service::shared::AMQP_URL;

use crate::args::DeadLetter;
use crate::failure::Failure;
use crate::output::{Output, note};

pub(super) async fn run(
    command: DeadLetter,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let url = environment.read(&AMQP_URL, BrokerUrl::parse)?;
    match command {
        DeadLetter::List { queue, limit } => list::run(&url, queue, limit, output).await,
        DeadLetter::Show { id, raw: true, .. } => show::raw(&url, &id, None).await,
        DeadLetter::Show { id, output: Some(file), .. } => show::raw(&url, &id, Some(&file)).await,
        DeadLetter::Show { id, .. } => show::run(&url, &id, output).await,
        DeadLetter::Replay(selection) => act::replay(&url, &selection, output).await,
        DeadLetter::Discard { selection, yes: _ } => act::discard(&url, &selection, output).await,
    }
}

/// What the list tells of a letter.
fn summary(letter: &Letter) -> Value {
    json!({
        "id": letter.id,
        "queue": letter.queue,
        "reason": letter.reason,
        "tenantId": letter.header("raven-tenant"),
        "provider": letter.header("raven-provider"),
        "receivedAt": letter.header("raven-received-at"),
        "buriedAt": letter.buried_at,
        "bytes": letter.body.len(),
        "deaths": letter.deaths,
    })
}

/// Says when letters were not seen, and fails when the walk ended early.
fn check(outcome: Outcome, stopped: bool) -> anyhow::Result<()> {
    let unseen = outcome.waiting.saturating_sub(outcome.seen);
    match outcome.fault {
        Some(fault) => Err(anyhow::Error::new(fault).context(format!(
            "ended early, after {} of {} letters; what was not acted upon stays",
            outcome.seen, outcome.waiting
        ))),
        None if unseen > 0 && !stopped => note(&format!(
            "{unseen} of {} letters were not seen: another program holds them",
            outcome.waiting
        )),
        None => Ok(()),
    }
}

fn no_such(ids: &str) -> Failure {
    Failure::NoSuchThing(format!("there is no dead letter {ids}"))
}
