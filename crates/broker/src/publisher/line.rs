//! One channel, shared by all who publish.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lapin::Channel;
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::admission::Admitted;
use super::flight::Flying;
use super::put::confirmed;
use super::{Answer, Publication};
use crate::{PublishError, headers};

/// A message with its place among those in flight, which it keeps until the broker has answered.
pub(super) struct Message {
    pub(super) publication: Publication,
    pub(super) room: OwnedSemaphorePermit,
    pub(super) admitted: Admitted,
}

pub(super) struct Line {
    channel: Channel,
    /// Held while a publish is first polled.
    turn: Mutex<()>,
    /// Set when a confirm was not to be understood: then none on this channel counts any more.
    distrusted: Arc<AtomicBool>,
    faults: mpsc::UnboundedSender<String>,
}

impl Line {
    pub(super) fn new(channel: Channel, faults: mpsc::UnboundedSender<String>) -> Self {
        Self { channel, turn: Mutex::default(), distrusted: Arc::default(), faults }
    }

    /// Begins a publish: when this returns it has its number, and its frames are on their way.
    pub(super) fn begin(&self, message: Message, context: &mut Context<'_>) -> Flying {
        let mut flying: Flying = Box::pin(self.publish(message));
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let first = flying.as_mut().poll(context);
        drop(turn);
        match first {
            Poll::Ready(answer) => Box::pin(std::future::ready(answer)),
            Poll::Pending => flying,
        }
    }

    fn publish(&self, message: Message) -> impl Future<Output = Answer> + Send + use<> {
        let (channel, distrusted, faults) =
            (self.channel.clone(), Arc::clone(&self.distrusted), self.faults.clone());
        async move {
            let Publication { queue, message_id, content_type, headers, body } = message.publication;
            let mut table = FieldTable::default();
            for (name, value) in headers {
                table.insert(name.into_owned().into(), AMQPValue::LongString(value.into()));
            }
            let properties = headers::persistent(table)
                .with_message_id(message_id.into())
                .with_content_type(content_type.into_owned().into());
            let (answer, channel_is_good) = confirmed(&channel, queue, (properties, &body)).await;
            drop(message.room);
            if matches!(answer, Ok(()) | Err(PublishError::Refused)) {
                message.admitted.answered();
            }
            if let Err(why) = channel_is_good {
                distrusted.store(true, Ordering::Release);
                let _ = faults.send(why);
            }
            if distrusted.load(Ordering::Acquire) {
                answer.and(Err(PublishError::Unconfirmed))
            } else {
                answer
            }
        }
    }
}
