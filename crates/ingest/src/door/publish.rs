//! Putting messages on the queue, or into the spool while that is away.

use std::sync::{Mutex, PoisonError};

use broker::{Publication, PublishError, Publisher, Queue};
use domain::{Message, MessageId, QueuedMessage, TenantId, limits};
use jiff::Timestamp;
use tokio::time::Instant;

use super::flood::Floods;
use crate::auth::Caller;
use crate::problem::{Code, Problem};
use crate::spool::Spool;

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
        // Too many at once is no reason for the disk to be written to: the caller is told to slow down, as ever.
        if results.contains(&Err(PublishError::Busy)) {
            return Err(PublishError::Busy);
        }
        let (mut left, mut why) = (Vec::new(), None);
        for (publication, result) in publications.into_iter().zip(results) {
            if let Err(fault) = result {
                left.push(publication);
                why = Some(fault);
            }
        }
        match why {
            None => Ok(()),
            // Where the spool has no room either, what the queue said is the more telling answer.
            Some(why) => spool.append(left).await.map_err(|_| why),
        }
    }
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
