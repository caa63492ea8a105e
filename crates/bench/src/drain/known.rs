//! Messages that Raven sent before: what half of the events are about.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::corpus::{Copy, Corpus};

/// The status of a message that Mailjet has accepted.
const SENT: i16 = 40;
/// Rows of one statement.
const ROWS: usize = 5000;

const MESSAGES: &str = "
insert into messages (id, tenant_id, status, sandbox, attempts, envelope, digest, created_at)
select id, $2, $3, false, 1, '{\"from\":{\"email\":\"shop@example.com\"}}', 'bench', $4 from unnest($1::uuid[]) as t(id)";
const RECIPIENTS: &str = "
insert into recipients (message_id, email_key, tenant_id, position, email, status, provider_message_id,
    provider_message_uuid)
select message_id, email, $5, 0, email, $6, number, guid
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[]) as t(message_id, email, number, guid)";

/// Stores the messages and recipients that the corpus is about.
pub(crate) async fn insert(client: &Client, tenant: Uuid, corpus: &Corpus) -> Result<()> {
    let copies: Vec<&Copy> = corpus.copies().collect();
    for part in copies.chunks(ROWS) {
        let messages: Vec<Option<Uuid>> = part.iter().map(|copy| copy.message).collect();
        let emails: Vec<&str> = part.iter().map(|copy| copy.email.as_str()).collect();
        let numbers: Vec<i64> = part.iter().map(|copy| copy.number).collect();
        let guids: Vec<Uuid> = part.iter().map(|copy| copy.guid).collect();
        client.execute(MESSAGES, &[&messages, &tenant, &SENT, &Timestamp::now()]).await?;
        client.execute(RECIPIENTS, &[&messages, &emails, &numbers, &guids, &tenant, &SENT]).await?;
    }
    Ok(())
}

/// Where each message stands when all of its events have been recorded.
pub(super) fn statuses(corpus: &Corpus) -> HashMap<Uuid, i16> {
    let mut statuses: HashMap<Uuid, i16> =
        corpus.copies().filter_map(|copy| Some((copy.message?, SENT))).collect();
    for event in &corpus.events {
        if let (Some(id), Some(to)) = (event.copy.message, event.kind.status()) {
            statuses.entry(id).and_modify(|status| *status = to.max(*status));
        }
    }
    statuses
}

/// Checks that every event has a row, is linked if it is ours, and has moved its message to where it belongs.
pub(super) async fn verify(client: &Client, corpus: &Corpus) -> Result<()> {
    let row = client.query_one("select count(*), count(message_id) from delivery_events", &[]).await?;
    let (rows, linked): (i64, i64) = (row.get(0), row.get(1));
    let ours = corpus.events.iter().filter(|event| event.copy.message.is_some()).count();
    ensure!(
        (usize::try_from(rows)?, usize::try_from(linked)?) == (corpus.events.len(), ours),
        "{rows} rows, {linked} of them linked, of {} events, {ours} of them ours",
        corpus.events.len()
    );
    let mut expected: BTreeMap<i16, i64> = BTreeMap::new();
    for status in statuses(corpus).into_values() {
        *expected.entry(status).or_default() += 1;
    }
    let found = client.query("select status, count(*) from messages group by status", &[]).await?;
    let found: BTreeMap<i16, i64> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    ensure!(found == expected, "messages by status are {found:?} instead of {expected:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_stands_where_its_most_serious_event_moves_it() {
        let corpus = Corpus::new(2000);
        let statuses = statuses(&corpus);
        assert_eq!(statuses.len(), corpus.copies().count());
        let found: BTreeMap<i16, usize> = statuses.values().fold(BTreeMap::new(), |mut all, status| {
            *all.entry(*status).or_default() += 1;
            all
        });
        // Every message has an outcome here, so none stays where it was.
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [50, 60, 80, 90, 100]);
    }
}
