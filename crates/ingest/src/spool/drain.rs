//! Publishes what waits in the spool, oldest first, whenever the broker takes it.

use std::time::Duration;

use broker::{PublishError, Publisher, State};
use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::flight::{Landed, fly};
use super::pace::Pace;
use super::{Spool, entry};

/// How often the age of the oldest entry is told, and the disk looked at again after it failed.
const LOOK: Duration = Duration::from_secs(1);

/// The one who drains.
#[derive(Clone)]
pub(crate) struct Drain {
    spool: Spool,
    /// Of one channel, and for nobody else: so that the order is kept, and callers' publishes have their own room.
    publisher: Publisher,
    shutdown: CancellationToken,
    /// The last entry that was told to be unreadable.
    told: u64,
}

impl Drain {
    pub(crate) fn new(spool: Spool, publisher: Publisher, shutdown: CancellationToken) -> Self {
        Self { spool, publisher, shutdown, told: 0 }
    }

    /// Publishes until shutdown; then closes the spool, with what is left in it.
    pub(crate) async fn run(mut self) {
        let (shutdown, spool, status) = (self.shutdown.clone(), self.spool.clone(), self.spool.status());
        let age = async {
            loop {
                status.borrow().tell_age(Timestamp::now());
                spool.look_again();
                tokio::time::sleep(LOOK).await;
            }
        };
        let draining = async {
            let mut pace = Pace::new();
            while !shutdown.is_cancelled() {
                self.turn(&mut pace).await;
            }
        };
        tokio::select! {
            () = draining => {}
            () = age => {}
        }
        self.spool.end().await;
        let left = self.spool.status().borrow().messages;
        if left > 0 {
            tracing::warn!(messages = left, "spool: these stay on disk for the next start");
        }
    }

    /// Publishes some of what waits, as soon as something does and the broker is there.
    async fn turn(&mut self, pace: &mut Pace) {
        let shutdown = self.shutdown.clone();
        let (mut status, mut state) = (self.spool.status(), self.publisher.state());
        let some = async {
            let _ = status.wait_for(|status| status.waiting() > 0).await;
            let _ = state.wait_for(State::is_up).await;
        };
        if shutdown.run_until_cancelled(some).await.is_none() {
            return;
        }
        let (after, most) = pace.next();
        let entries = self.spool.read(after, most).await;
        let Some(&(last, _)) = entries.last() else {
            // What was left behind is tried again after a while, as is a disk that fails.
            pace.end();
            let left_behind = self.spool.status().borrow().oldest.is_some_and(|oldest| oldest <= after);
            if after == 0 || left_behind {
                shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await;
            }
            return;
        };
        let failed = self.publish(entries).await;
        match failed {
            None => pace.good(last),
            Some((first, fault)) => {
                let there = !matches!(
                    fault,
                    PublishError::Down | PublishError::Blocked | PublishError::Busy | PublishError::Silent
                );
                shutdown.run_until_cancelled(tokio::time::sleep(pace.bad(first, there))).await;
            }
        }
    }

    /// Publishes these in their order and forgets those that are confirmed; answers the first that is not.
    async fn publish(&mut self, entries: Vec<(u64, Bytes)>) -> Option<(u64, PublishError)> {
        let (mut publications, mut unreadable) = (Vec::with_capacity(entries.len()), Vec::new());
        for (number, bytes) in entries {
            match entry::decode(&bytes) {
                Ok(publication) => publications.push((number, publication)),
                Err(fault) => {
                    self.tell_unreadable(number, &fault);
                    unreadable.push(number);
                }
            }
        }
        if !unreadable.is_empty() {
            self.spool.set_aside(unreadable).await;
        }
        let Landed { confirmed, mut failed } =
            fly(publications, |publication| self.publisher.begin(publication)).await;
        if !confirmed.is_empty() {
            self.spool.remove(confirmed).await;
        }
        failed.pop_first()
    }

    fn tell_unreadable(&mut self, number: u64, fault: &entry::Unreadable) {
        if number > self.told {
            self.told = number;
            tracing::error!(entry = number, %fault, "spool: an entry is not readable, and stays where it is; it holds nothing up");
        }
    }
}
