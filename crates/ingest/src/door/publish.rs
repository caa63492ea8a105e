//! Putting messages on the queue, or into the spool while that is away.

use std::sync::{Mutex, PoisonError};

use broker::{Publication, PublishError, Publisher, Queue};
use domain::{Message, MessageId, QueuedMessage, TenantId, limits};
use jiff::Timestamp;
use tokio::time::Instant;

use super::flood::Floods;
use crate::auth::Caller;
use crate::problem::{Code, Problem};
use crate::spool::{Spool, Unspooled};

/// A message on its way to the queue.
pub(super) fn queued(
    caller: Caller,
    id: MessageId,
    now: Timestamp,
    digest: String,
    message: Message,
) -> QueuedMessage {
    QueuedMessage { id, tenant: caller.tenant, accepted_at: now, sandbox: caller.test, digest, message }
}

/// Where accepted messages go.
pub(crate) struct Outlet {
    publisher: Publisher,
    /// Where they go while the queue is away, if anywhere.
    spool: Option<Spool>,
    floods: Mutex<Floods>,
}

impl Outlet {
    pub(crate) fn new(publisher: Publisher, spool: Option<Spool>) -> Self {
        Self { publisher, spool, floods: Mutex::default() }
    }

    /// Publishes all of `messages`, pipelined; all are confirmed, or on disk, when this answers `Ok`.
    pub(super) async fn publish(&self, tenant: TenantId, messages: &[QueuedMessage]) -> Result<(), Problem> {
        let queue = {
            let mut floods = self.floods.lock().unwrap_or_else(PoisonError::into_inner);
            floods.queue(tenant, messages.len(), Instant::now())
        };
        let publications: Vec<Publication> =
            messages.iter().map(|message| publication(message, queue)).collect::<Result<_, _>>()?;
        let several = publications.len() > 1;
        match self.put_all(publications).await {
            Err(_) if several => Err(Problem::new(
                Code::QueueUnavailable,
                "Not all messages were confirmed; some may have been accepted. A batch that came with an \
                 Idempotency-Key can be sent again, and goes out once.",
            )),
            result => Ok(result?),
        }
    }

    /// Publishes one; it is confirmed, or on disk, when this answers `Ok`.
    pub(super) async fn put(&self, publication: Publication) -> Result<(), PublishError> {
        match &self.spool {
            None => self.publisher.publish(publication).await,
            Some(spool) => self.either_way(spool, vec![publication]).await,
        }
    }

    async fn put_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        match &self.spool {
            None => self.publisher.publish_all(publications).await.into_iter().collect(),
            Some(spool) => self.either_way(spool, publications).await,
        }
    }

    /// Onto the queue, or else into the spool, and behind what waits there.
    ///
    /// What the broker did not confirm may be in the queue all the same, and gets there a second time out of the spool.
    /// That does no harm: a worker claims a message id once, and an event counts once by its fingerprint.
    async fn either_way(&self, spool: &Spool, publications: Vec<Publication>) -> Result<(), PublishError> {
        if spool.goes_first() {
            return Ok(spool.append(publications).await?);
        }
        let results = self.publisher.publish_all(publications.clone()).await;
        let Some((left, why)) = left(publications, results)? else { return Ok(()) };
        spool.append(left).await.map_err(|fault| match fault {
            // Where the spool has no room either, what the queue said is the more telling answer.
            Unspooled::Full => why,
            Unspooled::Broken => PublishError::Unconfirmed,
        })
    }
}

/// What the spool is to take, and why the broker did not; or the answer, where the disk is not to be written to.
fn left(
    publications: Vec<Publication>,
    results: Vec<Result<(), PublishError>>,
) -> Result<Option<(Vec<Publication>, PublishError)>, PublishError> {
    // Too many at once is no reason for the disk to be written to, and neither is a queue that is at its limit: it would
    // refuse them again, with everything behind them. The caller is told to slow down, as ever.
    let own = |answer: &&Result<(), PublishError>| {
        matches!(answer, Err(PublishError::Busy | PublishError::Refused))
    };
    if let Some(answer) = results.iter().find(own) {
        answer.clone()?;
    }
    let (mut left, mut why) = (Vec::new(), None);
    for (publication, result) in publications.into_iter().zip(results) {
        if let Err(fault) = result {
            left.push(publication);
            why = Some(fault);
        }
    }
    Ok(why.map(|why| (left, why)))
}

fn publication(queued: &QueuedMessage, queue: Queue) -> Result<Publication, Problem> {
    let body = queued.encode().map_err(|_| Problem::new(Code::Internal, "The message cannot be encoded."))?;
    if body.len() > limits::QUEUED_BYTES {
        let detail = format!("The message has {} bytes; at most {}.", body.len(), limits::QUEUED_BYTES);
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    Ok(Publication {
        queue,
        message_id: queued.id.to_string(),
        content_type: "application/vnd.raven.message.v1".into(),
        headers: vec![("raven-tenant".into(), queued.tenant.to_string())],
        body,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use PublishError::{Blocked, Busy, Down, Refused, Unconfirmed};
    use broker::{BrokerUrl, PublisherSettings};
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::*;
    use crate::spool::SpoolSettings;

    fn publication(id: &str) -> Publication {
        Publication {
            queue: Queue::Sends,
            message_id: id.to_owned(),
            content_type: "text/plain".into(),
            headers: Vec::new(),
            body: Vec::new().into(),
        }
    }

    /// The ids that the spool is to take, and why.
    fn spooled(
        results: &[Result<(), PublishError>],
    ) -> Result<Option<(Vec<String>, PublishError)>, PublishError> {
        let publications = (0..results.len()).map(|number| publication(&number.to_string()));
        let left = left(publications.collect(), results.to_vec())?;
        Ok(left.map(|(left, why)| (left.into_iter().map(|next| next.message_id).collect(), why)))
    }

    #[test]
    fn the_disk_takes_what_the_broker_could_not_and_nothing_it_refused() {
        assert_eq!(spooled(&[Ok(()), Ok(())]), Ok(None));
        for away in [Down, Blocked, Unconfirmed] {
            let both = [Ok(()), Err(away.clone())];
            assert_eq!(spooled(&both), Ok(Some((vec!["1".to_owned()], away))));
        }
        for own in [Busy, Refused] {
            assert_eq!(spooled(&[Ok(()), Err(Unconfirmed), Err(own.clone())]), Err(own));
        }
    }

    /// What is answered while the broker is away, with a spool of so many bytes.
    async fn answered_when_away(limit: u64, is_broken: bool) -> Result<(), PublishError> {
        let dir = tempfile::TempDir::new().unwrap();
        let patience = Duration::from_mins(1);
        let spool = Spool::open(SpoolSettings { dir: dir.path().to_owned(), limit, patience }).await.unwrap();
        if is_broken {
            spool.end().await;
        }
        let settings = PublisherSettings { name: "test".to_owned(), channels: 1, timeout: patience };
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let url = BrokerUrl::parse("amqp://127.0.0.1:1").unwrap();
        let publisher = Publisher::start(url, settings, &TaskTracker::new(), shutdown);
        Outlet::new(publisher, Some(spool)).put(publication("1")).await
    }

    #[tokio::test]
    async fn nothing_accepted_is_said_only_when_that_is_certain() {
        assert_eq!(answered_when_away(1 << 20, false).await, Ok(()));
        assert_eq!(answered_when_away(1, false).await, Err(Down));
        assert_eq!(answered_when_away(1 << 20, true).await, Err(Unconfirmed));
    }
}
