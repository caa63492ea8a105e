//! Looking after the webhooks at Mailjet: whichever worker comes first takes what is due, and puts right what is not as it
//! should be.

use std::time::Duration;

use domain::TenantId;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use provisioning::Provisioner;
use provisioning::webhooks::Due;
use service::Liveness;
use service::tasks::describe;
use tokio_util::sync::CancellationToken;

use crate::settings::WebhookPace;

/// Tenants that are taken at once. Each makes one call of Mailjet at a time.
const AT_ONCE: i64 = 4;
/// Looks into the database in one period, so that a check is late by a small part of it.
const LOOKS: u32 = 20;
/// The longest pause between two such looks.
const LONGEST: Duration = Duration::from_secs(5);
/// The shortest.
const SHORTEST: Duration = Duration::from_millis(50);
/// How long one check may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long others keep away from what was taken: longer than a check may take.
const LEASE: Duration = Duration::from_secs(90);

/// Looks after the webhooks until shutdown. A check that is cut off is completed by the next.
pub(crate) async fn run(
    provisioner: Provisioner,
    pace: WebhookPace,
    liveness: Liveness,
    shutdown: CancellationToken,
) {
    let pause = (pace.check / LOOKS).clamp(SHORTEST, LONGEST);
    let work = async {
        loop {
            let alive = liveness.turn("webhooks");
            let taken = turn(&provisioner, pace).await;
            drop(alive);
            match taken {
                // There may be more.
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(pause).await,
                Err(fault) => {
                    if !fault.is_transient() {
                        tracing::warn!(fault = describe(&fault), "webhooks could not be looked after");
                    }
                    tokio::time::sleep(LONGEST).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(work).await;
}

/// Answers whether there may be more to do at once.
async fn turn(provisioner: &Provisioner, pace: WebhookPace) -> Result<bool, store::Error> {
    let due = provisioner.take_due_webhooks(AT_ONCE, LEASE).await?;
    let is_full = i64::try_from(due.len()).is_ok_and(|count| count >= AT_ONCE);
    let mut checks: FuturesUnordered<_> =
        due.into_iter().map(|due| check(provisioner, due, pace.check)).collect();
    while checks.next().await.is_some() {}
    let revoked = provisioner.revoke_unused_webhook_tokens(pace.token_grace).await?;
    if revoked > 0 {
        tracing::info!(revoked, "webhook tokens revoked that no webhook carries any more");
    }
    Ok(is_full)
}

async fn check(provisioner: &Provisioner, due: Due, again_in: Duration) {
    let tenant = due.tenant();
    match tokio::time::timeout(PATIENCE, provisioner.check_webhooks(due, again_in)).await {
        Ok(Ok(checked)) => tell(tenant, &checked),
        Ok(Err(fault)) if fault.is_transient() => {}
        Ok(Err(fault)) => {
            tracing::warn!(%tenant, fault = describe(&fault), "the check of webhooks was not written down");
        }
        Err(_) => tracing::warn!(%tenant, "the check of webhooks took too long, and is tried again"),
    }
}

/// Once for each change: what stays as it was found has been told.
fn tell(tenant: TenantId, checked: &provisioning::webhooks::Checked) {
    if checked.healed > 0 {
        metrics::counter!("raven_webhooks_healed_total")
            .increment(u64::try_from(checked.healed).unwrap_or(u64::MAX));
        tracing::info!(%tenant, healed = checked.healed, "webhooks at Mailjet put right");
    }
    if checked.newly_contested {
        tracing::warn!(%tenant, "somebody else keeps replacing the webhooks at Mailjet; theirs are left alone");
    }
    if let Some(fault) = &checked.fault {
        tracing::warn!(%tenant, fault, "webhooks at Mailjet could not be looked after");
    }
}
