//! One message on one channel.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};

use super::Answer;
use crate::{PublishError, Queue};

/// Opens a channel that confirms.
pub(crate) async fn open(connection: &Connection) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Publishes one message and waits for its confirm. The first result is the message's, the second the channel's, which is
/// of no more use after an error.
pub(super) async fn confirmed(
    channel: &Channel,
    queue: Queue,
    (properties, body): (BasicProperties, &[u8]),
) -> (Answer, Result<(), String>) {
    let (exchange, key) = queue.route(body.len());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let publishing = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
    let confirm = async { publishing.await?.await };
    match confirm.await {
        Ok(Confirmation::Ack(None)) => (Ok(()), Ok(())),
        Ok(Confirmation::Nack(_)) => (Err(PublishError::Refused), Ok(())),
        // lapin may hang a returned message on another publish's confirm, so none in flight here can be trusted.
        Ok(Confirmation::Ack(Some(_))) => {
            (Err(PublishError::Unconfirmed), Err("a message was returned as unroutable".to_owned()))
        }
        Ok(Confirmation::NotRequested) => {
            (Err(PublishError::Unconfirmed), Err("the channel does not confirm".to_owned()))
        }
        Err(fault) => (Err(PublishError::Unconfirmed), Err(fault.to_string())),
    }
}

/// The same, for no longer than `timeout`. The channel must not be published on by another task.
pub(crate) async fn put(
    channel: &Channel,
    queue: Queue,
    message: (BasicProperties, &[u8]),
    timeout: Duration,
) -> (Answer, Result<(), String>) {
    let confirm = tokio::time::timeout(timeout, confirmed(channel, queue, message));
    confirm.await.unwrap_or((Err(PublishError::Unconfirmed), Ok(())))
}
