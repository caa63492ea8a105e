//! Publishing with confirms: pipelined, over several channels, one publishing task each.
//!
//! One task for each channel, since lapin numbers a publish and writes its frames under two locks: two tasks on one
//! channel could get each other's confirms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::supervisor::Supervisor;
use crate::{BrokerUrl, Queue, State, headers};

/// Publishes in flight on one channel, and as many again that wait. lapin's bookkeeping is linear in this number.
const IN_FLIGHT: usize = 1024;

/// How a publisher works.
#[derive(Debug, Clone)]
pub struct PublisherSettings {
    /// Whose connection this is, as the broker lists it.
    pub name: String,
    /// Channels; a quorum queue lets each have a limited number of publishes in flight before it slows it down.
    pub channels: usize,
    /// How long a confirm may take.
    pub timeout: Duration,
}

/// A message for the broker.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Where it goes.
    pub queue: Queue,
    /// Its id, for people and for correlation.
    pub message_id: String,
    /// Its media type.
    pub content_type: &'static str,
    /// What stands beside the body. Names must not begin with `x-`, which the broker interprets.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// Why a publish is not known to be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection; nothing was sent.
    #[error("the broker is not connected")]
    Down,
    /// The broker takes nothing at present; nothing was sent.
    #[error("the broker takes no messages at present")]
    Blocked,
    /// Too many publishes are waiting; nothing was sent.
    #[error("too many messages are waiting for the broker")]
    Busy,
    /// The broker refused it (the queue is full, or lost its majority).
    #[error("the broker refused the message")]
    Refused,
    /// The broker did not say in time; it may have kept the message.
    #[error("the broker did not confirm the message")]
    Unconfirmed,
}

struct Job {
    publication: Publication,
    reply: oneshot::Sender<Result<(), PublishError>>,
}

/// A handle on the publishing connection; clones share it.
#[derive(Clone)]
pub struct Publisher {
    lanes: Arc<[mpsc::Sender<Job>]>,
    next: Arc<AtomicUsize>,
    state: watch::Receiver<State>,
    timeout: Duration,
}

impl Publisher {
    /// Starts connecting, on `tracker`, until `shutdown`.
    pub fn start(
        url: BrokerUrl,
        settings: PublisherSettings,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (sender, state) = watch::channel(State::Down("starting".to_owned()));
        let (lanes, queues): (Vec<_>, Vec<_>) =
            (0..settings.channels.max(1)).map(|_| mpsc::channel(IN_FLIGHT)).unzip();
        let queues: Vec<_> = queues.into_iter().map(|queue| Arc::new(Mutex::new(queue))).collect();
        let supervisor =
            Supervisor { url, name: settings.name, state: Arc::new(sender), shutdown: shutdown.clone() };
        let timeout = settings.timeout;
        tracker.spawn(supervisor.run(move |connection, lost| {
            let (queues, shutdown) = (queues.clone(), shutdown.clone());
            async move {
                tokio::select! {
                    why = session(connection, queues, timeout, shutdown) => why,
                    // Nobody publishes on a connection that is known to be lost, so no publish would notice it.
                    () = lost.cancelled() => "the connection was lost".to_owned(),
                }
            }
        }));
        Self { lanes: lanes.into(), next: Arc::default(), state, timeout }
    }

    /// Publishes, and waits for the confirm. Nothing is queued while the broker is away or blocked.
    pub async fn publish(&self, publication: Publication) -> Result<(), PublishError> {
        let queue = publication.queue.name();
        let started = tokio::time::Instant::now();
        let result = self.attempt(publication).await;
        let outcome = match &result {
            Ok(()) => "confirmed",
            Err(PublishError::Down) => "down",
            Err(PublishError::Blocked) => "blocked",
            Err(PublishError::Busy) => "busy",
            Err(PublishError::Refused) => "refused",
            Err(PublishError::Unconfirmed) => "unconfirmed",
        };
        metrics::counter!("raven_publishes_total", "queue" => queue, "outcome" => outcome).increment(1);
        metrics::histogram!("raven_publish_seconds", "queue" => queue)
            .record(started.elapsed().as_secs_f64());
        result
    }

    async fn attempt(&self, publication: Publication) -> Result<(), PublishError> {
        match &*self.state.borrow() {
            State::Up => {}
            State::Blocked(_) => return Err(PublishError::Blocked),
            State::Down(_) => return Err(PublishError::Down),
        }
        let (reply, answer) = oneshot::channel();
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        self.lanes[lane].try_send(Job { publication, reply }).map_err(|_| PublishError::Busy)?;
        let mut state = self.state.clone();
        let blocked = state.wait_for(|state| matches!(state, State::Blocked(_)));
        tokio::select! {
            // A dropped reply: the channel died with this publish in flight.
            answer = tokio::time::timeout(self.timeout, answer) => match answer {
                Ok(Ok(result)) => result,
                Ok(Err(_)) | Err(_) => Err(PublishError::Unconfirmed),
            },
            // A blocked connection writes nothing, so waiting on would only tie the caller up.
            Ok(_) = blocked => Err(PublishError::Unconfirmed),
        }
    }

    /// What the connection is doing.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

/// Publishes on one connection until that fails or shutdown; answers why it ended.
async fn session(
    connection: Arc<Connection>,
    queues: Vec<Arc<Mutex<mpsc::Receiver<Job>>>>,
    timeout: Duration,
    shutdown: CancellationToken,
) -> String {
    let mut lanes = JoinSet::new();
    for queue in queues {
        let (connection, shutdown) = (Arc::clone(&connection), shutdown.clone());
        lanes.spawn(async move {
            let opening = tokio::time::timeout(timeout, open(&connection)).await;
            let channel =
                opening.map_err(|_| "no channel was opened in time")?.map_err(|fault| fault.to_string())?;
            let mut queue = queue.lock().await;
            let ended = lane(&channel, &mut queue, timeout, shutdown).await;
            // What waits was never sent; its callers hear so at once.
            while let Ok(job) = queue.try_recv() {
                let _ = job.reply.send(Err(PublishError::Down));
            }
            ended
        });
    }
    // The first that ends takes the others with it: their publishes in flight are then unconfirmed.
    match lanes.join_next().await {
        Some(Ok(Err(why))) => why,
        Some(Err(fault)) => fault.to_string(),
        Some(Ok(Ok(()))) | None => {
            while lanes.join_next().await.is_some() {}
            "shutting down".to_owned()
        }
    }
}

/// A channel that confirms.
pub(crate) async fn open(connection: &Connection) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

async fn lane(
    channel: &Channel,
    queue: &mut mpsc::Receiver<Job>,
    timeout: Duration,
    shutdown: CancellationToken,
) -> Result<(), String> {
    let mut in_flight = FuturesUnordered::new();
    let mut jobs = Vec::new();
    let mut ending = false;
    loop {
        let room = IN_FLIGHT - in_flight.len();
        tokio::select! {
            biased;
            Some(done) = in_flight.next(), if !in_flight.is_empty() => done?,
            count = queue.recv_many(&mut jobs, room), if room > 0 && !ending => {
                ending = count == 0;
                // A caller that has given up was told that this is not accepted, so it must not be.
                for job in jobs.drain(..).filter(|job| !job.reply.is_closed()) {
                    in_flight.push(publish(channel, job, timeout));
                }
            }
            // Callers are done before the publisher is stopped; whatever still comes is refused by its state.
            () = shutdown.cancelled(), if !ending => ending = true,
            else => return Ok(()),
        }
    }
}

/// Publishes one message and tells its caller; an error is one of the channel, which then is of no more use.
async fn publish(channel: &Channel, job: Job, timeout: Duration) -> Result<(), String> {
    let Publication { queue, message_id, content_type, headers, body } = job.publication;
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let properties =
        headers::persistent(table).with_message_id(message_id.into()).with_content_type(content_type.into());
    let (answer, channel_is_good) = put(channel, queue, (properties, &body), timeout).await;
    let _ = job.reply.send(answer);
    channel_is_good
}

/// Publishes one message on a channel that confirms. The first result is the message's, the second the channel's,
/// which is of no more use after an error.
pub(crate) async fn put(
    channel: &Channel,
    queue: Queue,
    (properties, body): (BasicProperties, &[u8]),
    timeout: Duration,
) -> (Result<(), PublishError>, Result<(), String>) {
    let (exchange, key) = queue.route(body.len());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm =
        async { channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await };
    match tokio::time::timeout(timeout, confirm).await {
        Ok(Ok(Confirmation::Ack(None))) => (Ok(()), Ok(())),
        Ok(Ok(Confirmation::Nack(_))) => (Err(PublishError::Refused), Ok(())),
        // lapin may hang a returned message on another publish's confirm, so none in flight here can be trusted.
        Ok(Ok(Confirmation::Ack(Some(_)))) => {
            (Err(PublishError::Unconfirmed), Err("a message was returned as unroutable".to_owned()))
        }
        Ok(Ok(Confirmation::NotRequested)) => {
            (Err(PublishError::Unconfirmed), Err("the channel does not confirm".to_owned()))
        }
        Ok(Err(fault)) => (Err(PublishError::Unconfirmed), Err(fault.to_string())),
        Err(_) => (Err(PublishError::Unconfirmed), Ok(())),
    }
}
