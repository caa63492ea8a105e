//! One walk through the queue of dead letters, by an operator: look at each, and keep, discard or replay it.
//!
//! A letter is looked at by taking it from the queue, and given back at the end by not having acknowledged it. Until
//! then the broker holds it; on our side there is never more than one body for each lane. Letters are fetched one by
//! one rather than consumed, since what a consumer has prefetched lies in memory and does not end, while a fetch is
//! bounded and says when the queue is empty.
//!
//! Two walks at once would each see a part and take it for everything. So a walk owns an exclusive queue for as long
//! as its connection lasts, which serves as a lock that no crash leaves behind.

mod letter;
mod walk;

pub use letter::Letter;

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ErrorKind};

use crate::connection::connect;
use crate::{BrokerUrl, PublishError, Queue, topology};

/// The lock; nothing is ever published to it.
const LOCK: &str = "raven.dead-letter-walk";
/// The broker's code for what another connection owns (AMQP 0-9-1, section 1.2, `resource-locked`).
const RESOURCE_LOCKED: u16 = 405;
/// How long any one answer may take; a letter may have 20 MiB.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Closing waits for the broker no longer than this.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What to do with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Leave it where it is.
    Keep,
    /// Leave it, and fetch no more.
    Stop,
    /// Forget it.
    Discard,
    /// Put it back on the queue it came from, as it was, and forget it once that is confirmed.
    Replay,
}

/// What a walk came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Letters in the queue at the beginning. No others are looked at, so a letter that dies again does not come twice.
    pub waiting: u32,
    /// Letters that were looked at. Fewer than were waiting, unless it was stopped, means that somebody else took some.
    pub seen: u32,
    /// Letters that were discarded.
    pub discarded: u32,
    /// Letters that were replayed.
    pub replayed: u32,
    /// Letters that were to be replayed and stay: id and reason.
    pub failed: Vec<(String, NotReplayed)>,
    /// What ended it early. What had not been acted upon stays.
    pub fault: Option<Fault>,
}

/// Why a letter stays a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// It names no queue that it could go to.
    #[error("it does not say which queue it came from")]
    NoOrigin,
    /// Its copy is not known to be kept; if it was, its message is there twice, which does no harm.
    #[error(transparent)]
    Unpublished(#[from] PublishError),
}

/// Why a walk cannot begin or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no connection.
    #[error("RabbitMQ is not reached: {0}")]
    Unreachable(String),
    /// Another walk holds letters.
    #[error("another command is at work on the dead letters; wait until it has ended")]
    Locked,
    /// The broker said no, or went away.
    #[error("RabbitMQ: {0}")]
    Broker(String),
    /// The broker did not answer in time.
    #[error("RabbitMQ does not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Silent,
}

impl From<lapin::Error> for Fault {
    fn from(fault: lapin::Error) -> Self {
        match fault.kind() {
            ErrorKind::ProtocolError(error) if error.get_id() == RESOURCE_LOCKED => Self::Locked,
            _ => Self::Broker(fault.to_string()),
        }
    }
}

/// Shows `choose` every dead letter, in no particular order, and does what it says. An error means that nothing was
/// done; what happened later is in the outcome.
pub async fn walk(url: &BrokerUrl, choose: impl FnMut(&Letter) -> Choice) -> Result<Outcome, Fault> {
    let connection =
        connect(url, "raven dead-letter").await.map_err(|fault| Fault::Unreachable(fault.to_string()))?;
    let result = on(&connection, choose).await;
    // This also gives back what is still held.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.close(200, "done".into())).await;
    result
}

async fn on(connection: &Connection, choose: impl FnMut(&Letter) -> Choice) -> Result<Outcome, Fault> {
    let control = timely(connection.create_channel()).await?;
    timely(lock(&control)).await?;
    timely(topology::declare(&control)).await?;
    walk::run(connection, &control, choose).await
}

async fn lock(channel: &Channel) -> Result<(), lapin::Error> {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(LOCK.into(), options, FieldTable::default()).await?;
    Ok(())
}

/// Letters in the queue that nobody holds.
async fn waiting(channel: &Channel) -> Result<u32, Fault> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let name = Queue::DeadLetters.name().into();
    let queue = timely(channel.queue_declare(name, options, FieldTable::default())).await?;
    Ok(queue.message_count())
}

async fn timely<T>(answer: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, Fault> {
    match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Fault::Silent),
    }
}
