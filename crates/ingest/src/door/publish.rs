//! Putting messages on the queue.

use broker::{Publication, Publisher, Queue};
use domain::{Message, MessageId, QueuedMessage, limits};
use futures_util::future::try_join_all;
use jiff::Timestamp;

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

/// Publishes all of `messages`, pipelined; all are confirmed when this answers `Ok`.
pub(super) async fn publish(publisher: &Publisher, messages: &[QueuedMessage]) -> Result<(), Problem> {
    let publications: Vec<Publication> = messages.iter().map(publication).collect::<Result<_, _>>()?;
    try_join_all(publications.into_iter().map(|next| publisher.publish(next))).await?;
    Ok(())
}

fn publication(queued: &QueuedMessage) -> Result<Publication, Problem> {
    let body = queued.encode().map_err(|_| Problem::new(Code::Internal, "The message cannot be encoded."))?;
    if body.len() > limits::QUEUED_BYTES {
        let detail = format!("The message has {} bytes; at most {}.", body.len(), limits::QUEUED_BYTES);
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    Ok(Publication {
        queue: Queue::Sends,
        message_id: queued.id.to_string(),
        content_type: "application/vnd.raven.message.v1",
        headers: vec![("raven-tenant", queued.tenant.to_string())],
        body,
    })
}
