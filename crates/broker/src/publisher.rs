//! Publishing with confirms: pipelined, over several channels, from whichever task asks.
//!
//! lapin numbers a publish and writes its frames under two locks, so two tasks on one channel could get each other's
//! confirms. Both happen when the publish is first polled: that first poll is made here, one at a time for each channel.
//! What follows is waiting, which any task may do, so no other task stands between a caller and its confirm.

mod admission;
mod flight;
mod line;
mod load;
mod meters;
mod put;

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use lapin::Connection;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::admission::{Admission, Admitted};
use self::flight::{Flight, Flying, see_off};
use self::line::{Line, Message};
use self::load::Wanted;
use self::meters::Meters;
pub(crate) use self::put::{open, put};
use crate::sabotage::{self, Sabotage};
use crate::supervisor::Supervisor;
use crate::{BrokerUrl, Queue, State};

/// Publishes in flight on one channel. lapin's bookkeeping is linear in this number.
const IN_FLIGHT: usize = 1024;
/// Messages admitted for each channel at most, of which the others wait for room: sixteen batches of 500 at once, with two
/// channels. How many it is depends on how fast the broker is.
const ADMITTED: usize = 4096;
/// How long a publish waits for the channels of a connection that has only just been made.
const OPENING: Duration = Duration::from_secs(1);

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
    pub content_type: Cow<'static, str>,
    /// What stands beside the body. Names must not begin with `x-`, which the broker interprets.
    pub headers: Vec<(Cow<'static, str>, String)>,
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
    /// The broker has not answered for a while, and nobody has to wait for it; nothing was sent.
    #[error("the broker has not answered for a while")]
    Silent,
    /// The broker refused it (the queue is full, or lost its majority).
    #[error("the broker refused the message")]
    Refused,
    /// The broker did not say in time; it may have kept the message.
    #[error("the broker did not confirm the message")]
    Unconfirmed,
}

/// What became of a publish.
pub(crate) type Answer = Result<(), PublishError>;
/// The channels of the present connection.
type Lines = Option<Arc<[Line]>>;

/// A handle on the publishing connection; clones share it.
#[derive(Clone)]
pub struct Publisher {
    lines: watch::Receiver<Lines>,
    next: Arc<AtomicUsize>,
    /// Bounds what is under way, from the caller to the confirm, by how long that takes.
    admission: Admission,
    /// Bounds what is in flight, also for callers that have gone.
    room: Arc<Semaphore>,
    strays: mpsc::UnboundedSender<Flying>,
    state: watch::Receiver<State>,
    timeout: Duration,
    meters: Arc<Meters>,
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
        let (opened, lines) = watch::channel(None);
        let (strays, lost_sight_of) = mpsc::unbounded_channel();
        let channels = settings.channels.max(1);
        let room = Arc::new(Semaphore::new(IN_FLIGHT * channels));
        let admission = Admission::new(ADMITTED * channels, settings.timeout);
        let session = Session {
            channels,
            timeout: settings.timeout,
            opened: Arc::new(opened),
            room: Arc::clone(&room),
            shutdown: shutdown.clone(),
        };
        tracker.spawn(see_off(lost_sight_of, shutdown.clone()));
        let supervisor = Supervisor { url, name: settings.name, state: Arc::new(sender), shutdown };
        tracker.spawn(supervisor.run(move |connection, lost| {
            let session = session.clone();
            async move {
                let why = tokio::select! {
                    why = session.run(&connection) => why,
                    // Nobody publishes on a connection that is known to be lost, so no publish would notice it.
                    () = lost.cancelled() => "the connection was lost".to_owned(),
                };
                session.opened.send_replace(None);
                why
            }
        }));
        let timeout = settings.timeout;
        Self { lines, next: Arc::default(), admission, room, strays, state, timeout, meters: Arc::default() }
    }

    /// Publishes, and waits for the confirm. Nothing is queued while the broker is away or blocked.
    pub async fn publish(&self, publication: Publication) -> Result<(), PublishError> {
        match self.admit(std::slice::from_ref(&publication)) {
            Ok(since) => self.attempt(publication, since).await,
            Err(fault) => self.refuse(&publication, fault),
        }
    }

    /// Publishes several, pipelined, and waits for all confirms. All of them are admitted together, or none.
    pub async fn publish_all(&self, publications: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        match self.admit(&publications) {
            Ok(since) => join_all(publications.into_iter().map(|next| self.attempt(next, since))).await,
            Err(fault) => publications.iter().map(|next| self.refuse(next, fault.clone())).collect(),
        }
    }

    fn admit(&self, publications: &[Publication]) -> Result<Instant, PublishError> {
        let wanted = publications
            .iter()
            .fold(Wanted::default(), |wanted, next| wanted.and(next.queue, next.body.len()));
        match &*self.state.borrow() {
            State::Up => self.admission.admit(wanted),
            State::Blocked(_) => Err(PublishError::Blocked),
            State::Down(_) => Err(PublishError::Down),
        }
    }

    fn refuse(&self, publication: &Publication, fault: PublishError) -> Answer {
        let answer = Err(fault);
        self.meters.note(publication.queue, &answer, Duration::ZERO);
        answer
    }

    /// Publishes what was admitted then. Its token is taken here and now, whether or not this is ever polled.
    fn attempt(&self, publication: Publication, since: Instant) -> impl Future<Output = Answer> {
        let (queue, admitted) = (publication.queue, self.admission.token(&publication, since));
        let publish = async move {
            let flight = self.take_off(publication, admitted).await?;
            if sabotage::is(Sabotage::AnswerBeforeConfirm) { Ok(()) } else { flight.await }
        };
        async move {
            let answer = self.in_time(publish).await;
            self.meters.note(queue, &answer, since.elapsed());
            answer
        }
    }

    /// Publishes, and answers once the message is on its way; what is answered waits for the confirm. Of a publisher with
    /// one channel, messages reach a queue in the order of these calls, which those of [`Self::publish`] do not promise.
    pub async fn begin(
        &self,
        publication: Publication,
    ) -> Result<impl Future<Output = Result<(), PublishError>> + Send + use<>, PublishError> {
        let queue = publication.queue;
        let begun = async {
            let since = self.admit(std::slice::from_ref(&publication))?;
            let admitted = self.admission.token(&publication, since);
            let taking_off = self.take_off(publication, admitted);
            // What waits for room has not been written.
            let flight = tokio::time::timeout(self.timeout, taking_off).await;
            Ok((since, flight.map_err(|_| PublishError::Busy)??))
        };
        let (since, flight) = match begun.await {
            Ok(begun) => begun,
            Err(fault) => {
                self.meters.note(queue, &Err(PublishError::clone(&fault)), Duration::ZERO);
                return Err(fault);
            }
        };
        let this = self.clone();
        Ok(async move {
            let answer = this.in_time(flight).await;
            this.meters.note(queue, &answer, since.elapsed());
            answer
        })
    }

    /// What a publish is answered, unless that takes too long.
    async fn in_time(&self, publish: impl Future<Output = Answer>) -> Answer {
        let mut state = self.state.clone();
        let blocked = state.wait_for(|state| matches!(state, State::Blocked(_)));
        tokio::select! {
            biased;
            answer = publish => answer,
            () = tokio::time::sleep(self.timeout) => Err(PublishError::Unconfirmed),
            // A blocked connection writes nothing, so waiting on would only tie the caller up.
            Ok(_) = blocked => Err(PublishError::Unconfirmed),
        }
    }

    /// Publishes as soon as there is room; the flight is over when the broker has answered.
    async fn take_off(&self, publication: Publication, admitted: Admitted) -> Result<Flight, PublishError> {
        let lines = self.lines().await.ok_or(PublishError::Down)?;
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| PublishError::Down)?;
        let line = &lines[self.next.fetch_add(1, Ordering::Relaxed) % lines.len()];
        let mut message = Some(Message { publication, room, admitted });
        let begun =
            poll_fn(|context| Poll::Ready(message.take().map(|message| line.begin(message, context))));
        let flying = begun.await.ok_or(PublishError::Down)?;
        Ok(Flight::new(flying, self.strays.clone()))
    }

    async fn lines(&self) -> Lines {
        let present = self.lines.borrow().clone();
        if present.is_some() {
            return present;
        }
        let mut lines = self.lines.clone();
        let opened = tokio::time::timeout(OPENING, lines.wait_for(Option::is_some)).await;
        opened.ok()?.ok()?.clone()
    }

    /// What the connection is doing.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

/// What publishing on one connection takes.
#[derive(Clone)]
struct Session {
    channels: usize,
    timeout: Duration,
    opened: Arc<watch::Sender<Lines>>,
    room: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Session {
    /// Lets callers publish on a connection until that fails or shutdown; answers why it ended.
    async fn run(&self, connection: &Connection) -> String {
        let opening = try_join_all((0..self.channels).map(|_| open(connection)));
        let channels = match tokio::time::timeout(self.timeout, opening).await {
            Ok(Ok(channels)) => channels,
            Ok(Err(fault)) => return fault.to_string(),
            Err(_) => return "no channel was opened in time".to_owned(),
        };
        let (faults, mut told) = mpsc::unbounded_channel();
        let lines = channels.into_iter().map(|channel| Line::new(channel, faults.clone()));
        self.opened.send_replace(Some(lines.collect()));
        tokio::select! {
            // The first that fails takes the others with it: what is in flight there is then unconfirmed.
            Some(why) = told.recv() => why,
            () = self.shutdown.cancelled() => {
                // Callers are done before the publisher is stopped; what they left behind is seen off.
                let all = u32::try_from(IN_FLIGHT * self.channels).unwrap_or(u32::MAX);
                let _ = tokio::time::timeout(self.timeout, self.room.acquire_many(all)).await;
                "shutting down".to_owned()
            }
        }
    }
}
