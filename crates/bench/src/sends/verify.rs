//! Whether each message went out exactly once, by its own tenant's account, and is recorded so.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, ensure};
use tokio_postgres::Client;
use uuid::Uuid;

use super::simulator::{Accepted, Simulator};

/// What Raven's tables say of each message; more than one accepted attempt or recipient makes more than one row.
const RECORDED: &str = "
select m.id, m.status, r.status as recipient_status, r.provider_message_id, a.message_id is not null as accepted
from messages m
left join recipients r on r.message_id = m.id
left join attempts a on a.message_id = m.id and a.outcome = 'accepted'";
/// The status of a message that Mailjet has accepted.
const SENT: i16 = 40;

/// Compares three accounts: what was to be sent (with whose account), the stand-in's ledger, and Raven's tables.
/// Answers the ledger.
pub(super) async fn once(
    client: &Client,
    simulator: &Simulator,
    expected: &HashMap<Uuid, String>,
) -> Result<HashMap<Uuid, Accepted>> {
    let counts = simulator.counts().await?;
    ensure!(
        (counts.refused_calls, counts.refused_messages, counts.duplicates) == (0, 0, 0),
        "something was refused or went out twice: {counts:?}"
    );
    let ledger = by_id(simulator.accepted().await?, expected)?;
    recorded(client, &ledger).await?;
    Ok(ledger)
}

/// The ledger by our ids, if it has each expected message once and nothing else.
fn by_id(accepted: Vec<Accepted>, expected: &HashMap<Uuid, String>) -> Result<HashMap<Uuid, Accepted>> {
    let number = accepted.len();
    let ledger: HashMap<Uuid, Accepted> = accepted.into_iter().map(|one| (one.custom_id, one)).collect();
    let distinct = ledger.len();
    ensure!(
        (number, distinct) == (expected.len(), expected.len()),
        "Mailjet has {number} messages, {distinct} of them distinct, of {}",
        expected.len()
    );
    for (id, account) in expected {
        let by = ledger.get(id).map(|there| &there.api_key);
        ensure!(by == Some(account), "{id} is {account}'s and went out by {by:?}");
    }
    Ok(ledger)
}

/// Checks that the tables have each message of the ledger as sent, and nothing else.
async fn recorded(client: &Client, ledger: &HashMap<Uuid, Accepted>) -> Result<()> {
    let rows = client.query(RECORDED, &[]).await?;
    let distinct: HashSet<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    ensure!(
        (rows.len(), distinct.len()) == (ledger.len(), ledger.len()),
        "{} messages have {} accepted attempts, of {} that went out",
        distinct.len(),
        rows.len(),
        ledger.len()
    );
    for row in &rows {
        let id: Uuid = row.get("id");
        let state: (i16, Option<i16>, bool) =
            (row.get("status"), row.get("recipient_status"), row.get("accepted"));
        ensure!(state == (SENT, Some(SENT), true), "{id} is recorded as {state:?}");
        let number: Option<i64> = row.get("provider_message_id");
        let told = ledger.get(&id).and_then(|there| there.recipients.first()?.message_id.parse().ok());
        ensure!(number.is_some() && number == told, "{id} is recorded as {number:?}, and is {told:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepted(id: u128, account: &str) -> Accepted {
        let json = json!({
            "seq": 1, "customId": Uuid::from_u128(id), "apiKey": account, "receivedAt": "2026-01-15T00:00:00Z",
            "recipients": [{"messageId": "7"}],
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn each_message_is_in_the_ledger_once_by_its_own_account() {
        let expected = HashMap::from([1, 2].map(|id| (Uuid::from_u128(id), format!("of-{id}"))));
        let sound = vec![accepted(1, "of-1"), accepted(2, "of-2")];
        assert_eq!(by_id(sound.clone(), &expected).unwrap().len(), 2);
        let lost = sound[..1].to_vec();
        let doubled = [sound.clone(), sound[..1].to_vec()].concat();
        let strange = vec![accepted(1, "of-1"), accepted(3, "of-2")];
        let anothers = vec![accepted(1, "of-1"), accepted(2, "of-1")];
        for wrong in [lost, doubled, strange, anothers] {
            assert!(by_id(wrong, &expected).is_err());
        }
    }
}
