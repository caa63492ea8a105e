//! Putting messages on the queue.

use std::sync::{Mutex, PoisonError};

use broker::{Publication, Publisher, Queue};
use domain::{Message, MessageId, QueuedMessage, TenantId, limits};
use jiff::Timestamp;
use tokio::time::Instant;

use super::flood::Floods;
use crate::auth::Caller;
use crate::problem::{Code, Problem};

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
    floods: Mutex<Floods>,
}

impl Outlet {
    pub(crate) fn new(publisher: Publisher) -> Self {
        Self { publisher, floods: Mutex::default() }
    }

    /// Publishes all of `messages`, pipelined; all are confirmed when this answers `Ok`.
    pub(super) async fn publish(&self, tenant: TenantId, messages: &[QueuedMessage]) -> Result<(), Problem> {
        let queue = {
            let mut floods = self.floods.lock().unwrap_or_else(PoisonError::into_inner);
            floods.queue(tenant, messages.len(), Instant::now())
        };
        let publications: Vec<Publication> =
            messages.iter().map(|message| publication(message, queue)).collect::<Result<_, _>>()?;
        let several = publications.len() > 1;
        let results = self.publisher.publish_all(publications).await;
        match results.into_iter().collect::<Result<(), _>>() {
            Err(_) if several => Err(Problem::new(
                Code::QueueUnavailable,
                "Not all messages were confirmed; some may have been accepted. A batch that came with an \
                 Idempotency-Key can be sent again, and goes out once.",
            )),
            result => Ok(result?),
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
        content_type: "application/vnd.raven.message.v1",
        headers: vec![("raven-tenant", queued.tenant.to_string())],
        body,
    })
}
