//! The queues of events, one for each callback URL, each delivered in order.
//!
//! A queue holds at most [`MOST_QUEUED`] events; beyond that the oldest are dropped and counted.
//! A queue exists, and a task delivers it, exactly as long as it has events.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    courier,
    kind::EventType,
    registry::{Registry, Way},
};
use crate::{settings::Settings, stats::Stats, util::lock};

/// Events that wait for one URL at most.
const MOST_QUEUED: usize = 100_000;
/// Events in one request at most.
const MOST_GROUPED: usize = 1000;

/// An event on its way, as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Whose it is.
    pub(crate) api_key: Arc<str>,
    /// Its type, which decides the URL.
    pub(crate) kind: EventType,
    /// The object itself.
    pub(crate) body: Arc<str>,
}

/// Events for one URL that go together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) letters: Vec<Letter>,
    /// Whether they go as a list or as one bare object.
    pub(super) grouped: bool,
}

/// A queue is for one URL of one API key.
pub(super) type Address = (Arc<str>, String);

/// Where tasks run, and when they shall end.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    /// The runtime of the server, whichever thread asks.
    pub(crate) runtime: Handle,
    /// Waited for at the end.
    pub(crate) tracker: TaskTracker,
    /// The end.
    pub(crate) shutdown: CancellationToken,
}

/// How long delivery waits for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) retry: Duration,
    pub(super) retry_for: Duration,
    /// How long a request waits for more events to go along.
    pub(super) window: Duration,
}

/// Events for one URL.
#[derive(Debug, Default)]
struct Queue {
    /// Each with whether it may share a request.
    letters: VecDeque<(Letter, bool)>,
    /// How many are in the request under way.
    carried: usize,
}

/// Every queue, and what their delivery needs.
#[derive(Debug)]
pub(crate) struct Outbox {
    queues: Mutex<HashMap<Address, Queue>>,
    pub(super) registry: Arc<Registry>,
    pub(super) stats: Arc<Stats>,
    pub(super) client: reqwest::Client,
    pub(super) pace: Pace,
    pub(super) tasks: Tasks,
}

impl Outbox {
    pub(crate) fn new(
        settings: &Settings,
        client: reqwest::Client,
        registry: Arc<Registry>,
        stats: Arc<Stats>,
        tasks: Tasks,
    ) -> Self {
        let window = settings.event_delay.min(Duration::from_secs(1));
        let pace = Pace { retry: settings.retry, retry_for: settings.retry_for, window };
        Self { queues: Mutex::default(), registry, stats, client, pace, tasks }
    }

    /// Takes an event for the URL it belongs to now, if there is one.
    pub(crate) fn put(self: &Arc<Self>, letter: Letter) {
        let route = match self.registry.way(&letter.api_key, letter.kind) {
            Way::To(route) => route,
            Way::Dead => return self.stats.events_dropped.add(1),
            Way::Nobody => return self.stats.events_unrouted.add(1),
        };
        let address = (Arc::clone(&letter.api_key), route.url);
        let mut queues = lock(&self.queues);
        if let Some(queue) = queues.get_mut(&address) {
            if queue.letters.len() >= MOST_QUEUED {
                queue.letters.pop_front();
                self.stats.events_dropped.add(1);
            }
            queue.letters.push_back((letter, route.grouped));
            return;
        }
        let letters = VecDeque::from([(letter, route.grouped)]);
        queues.insert(address.clone(), Queue { letters, carried: 0 });
        drop(queues);
        let carried = courier::carry(Arc::clone(self), address);
        self.tasks.tracker.spawn_on(carried, &self.tasks.runtime);
    }

    /// Whether the next request should wait for more events to go along.
    pub(super) fn is_short(&self, address: &Address) -> bool {
        let queues = lock(&self.queues);
        let Some(Queue { letters, .. }) = queues.get(address) else { return false };
        letters.len() < MOST_GROUPED && letters.front().is_some_and(|(_, grouped)| *grouped)
    }

    /// Takes what goes next; nothing ends the queue, and its task with it.
    pub(super) fn take(&self, address: &Address) -> Option<Batch> {
        let mut queues = lock(&self.queues);
        let queue = queues.get_mut(address)?;
        let Some((first, grouped)) = queue.letters.pop_front() else {
            queues.remove(address);
            return None;
        };
        let mut letters = vec![first];
        while grouped && letters.len() < MOST_GROUPED {
            if !queue.letters.front().is_some_and(|(_, grouped)| *grouped) {
                break;
            }
            letters.extend(queue.letters.pop_front().map(|(letter, _)| letter));
        }
        queue.carried = letters.len();
        Some(Batch { letters, grouped })
    }

    /// Notes that a batch has arrived.
    pub(super) fn arrived(&self, address: &Address, batch: &Batch) {
        self.stats.events_delivered.add(batch.letters.len());
        if let Some(queue) = lock(&self.queues).get_mut(address) {
            queue.carried = 0;
        }
    }

    /// Ends a queue whose URL is no longer used: its events go where they belong now.
    pub(super) fn divert(self: &Arc<Self>, address: &Address, batch: Batch) {
        let rest = lock(&self.queues).remove(address).unwrap_or_default();
        for letter in batch.letters.into_iter().chain(rest.letters.into_iter().map(|(letter, _)| letter)) {
            self.put(letter);
        }
    }

    /// Events that have not arrived yet, those of requests under way among them.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queues).values().map(|queue| queue.letters.len() + queue.carried).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::callback::Change;

    #[tokio::test]
    async fn a_full_queue_drops_its_oldest() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tasks = Tasks {
            runtime: Handle::current(),
            tracker: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        let (registry, stats) = (Arc::new(Registry::new()), Arc::new(Stats::default()));
        registry.add("k", EventType::Sent, "http://127.0.0.1:9/".into(), Change::default()).unwrap();
        let client = courier::client().unwrap();
        let outbox =
            Arc::new(Outbox::new(&Settings::default(), client, registry, Arc::clone(&stats), tasks.clone()));
        // The courier gets no turn before the test waits, so the count is exact.
        for _ in 0..MOST_QUEUED + 3 {
            outbox.put(Letter { api_key: "k".into(), kind: EventType::Sent, body: "{}".into() });
        }
        outbox.put(Letter { api_key: "k".into(), kind: EventType::Open, body: "{}".into() });
        assert_eq!(outbox.waiting(), MOST_QUEUED);
        assert_eq!((stats.events_dropped.get(), stats.events_unrouted.get()), (3, 1));
        tasks.shutdown.cancel();
        tasks.tracker.close();
        tasks.tracker.wait().await;
    }
}
