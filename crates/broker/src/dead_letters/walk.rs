//! The lanes of a walk.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::{Channel, Connection};

use super::{ANSWER_TIMEOUT, Choice, Fault, Letter, NotReplayed, Outcome, timely, waiting};
use crate::{PublishError, Queue, publisher};

/// Letters in hand at once, each on a channel of its own: a fetch waits for the queue to write down that it happened,
/// and the queue does that for several together.
const LANES: usize = 8;
/// How long the broker may take to have everything back in the queue.
const RETURN_TIMEOUT: Duration = Duration::from_secs(10);
const RETURN_POLL: Duration = Duration::from_millis(20);

/// What the lanes share. All of them run in one task, so nothing here is borrowed while one of them waits.
struct Walk<F> {
    shared: RefCell<Shared<F>>,
}

struct Shared<F> {
    choose: F,
    outcome: Outcome,
    /// Letters that may still be fetched.
    left: u32,
    /// Letters that the broker keeps for us.
    held: u32,
}

pub(super) async fn run<F>(connection: &Connection, control: &Channel, choose: F) -> Result<Outcome, Fault>
where
    F: FnMut(&Letter) -> Choice,
{
    let mut channels = Vec::new();
    for _ in 0..LANES {
        channels.push(timely(publisher::open(connection)).await?);
    }
    let left = waiting(control).await?;
    let outcome = Outcome { waiting: left, ..Outcome::default() };
    let walk = Walk { shared: RefCell::new(Shared { choose, outcome, left, held: 0 }) };
    let kept = join_all(channels.iter().map(|channel| walk.lane(channel))).await;
    let Shared { mut outcome, held, .. } = walk.shared.into_inner();
    if outcome.fault.is_none() {
        outcome.fault = give_back(control, kept, held).await.err();
    }
    Ok(outcome)
}

impl<F: FnMut(&Letter) -> Choice> Walk<F> {
    /// Runs until nothing is left, and answers the last delivery that is kept, with which all others can be returned.
    async fn lane(&self, channel: &Channel) -> Option<Delivery> {
        let mut kept = None;
        while self.may_fetch() {
            match self.step(channel, &mut kept).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    let mut shared = self.shared.borrow_mut();
                    shared.left = 0;
                    shared.outcome.fault.get_or_insert(fault);
                }
            }
        }
        kept
    }

    fn may_fetch(&self) -> bool {
        let left = &mut self.shared.borrow_mut().left;
        let may = *left > 0;
        *left = left.saturating_sub(1);
        may
    }

    /// Fetches one letter and does what is to be done with it. Answers whether there was one.
    async fn step(&self, channel: &Channel, kept: &mut Option<Delivery>) -> Result<bool, Fault> {
        let queue = Queue::DeadLetters.name().into();
        let Some(fetched) = timely(channel.basic_get(queue, BasicGetOptions::default())).await? else {
            return Ok(false);
        };
        let mut delivery = fetched.delivery;
        let body = std::mem::take(&mut delivery.data);
        let letter = Letter::new(std::mem::take(&mut delivery.properties), body.into());
        match self.ask(&letter) {
            Choice::Discard => {
                settle(&delivery).await?;
                self.note(|outcome| outcome.discarded += 1);
            }
            Choice::Replay => {
                let (answer, channel_is_good) = replay(channel, &letter).await;
                if let Err(why) = answer {
                    self.note(|outcome| outcome.failed.push((letter.id, why)));
                    self.keep(delivery, kept);
                } else {
                    settle(&delivery).await?;
                    self.note(|outcome| outcome.replayed += 1);
                }
                channel_is_good?;
            }
            Choice::Keep | Choice::Stop => self.keep(delivery, kept),
        }
        Ok(true)
    }

    fn ask(&self, letter: &Letter) -> Choice {
        let shared = &mut *self.shared.borrow_mut();
        if shared.outcome.fault.is_some() {
            // What a broken lane gave back may come a second time.
            return Choice::Keep;
        }
        shared.outcome.seen += 1;
        let choice = (shared.choose)(letter);
        if choice == Choice::Stop {
            shared.left = 0;
        }
        choice
    }

    fn note(&self, change: impl FnOnce(&mut Outcome)) {
        change(&mut self.shared.borrow_mut().outcome);
    }

    fn keep(&self, delivery: Delivery, kept: &mut Option<Delivery>) {
        self.shared.borrow_mut().held += 1;
        *kept = Some(delivery);
    }
}

/// Puts a copy where the letter came from. The first result is the letter's; after an error in the second nothing more
/// can be done, while a broker that refused one letter may take the next.
async fn replay(channel: &Channel, letter: &Letter) -> (Result<(), NotReplayed>, Result<(), Fault>) {
    let Some(queue) = letter.origin() else { return (Err(NotReplayed::NoOrigin), Ok(())) };
    let message = (letter.original_properties(), &letter.body[..]);
    let (answer, channel_is_good) = publisher::put(channel, queue, message, ANSWER_TIMEOUT).await;
    let fault = match &answer {
        Err(PublishError::Unconfirmed) => channel_is_good.map_err(Fault::Broker).and(Err(Fault::Silent)),
        _ => Ok(()),
    };
    (answer.map_err(NotReplayed::from), fault)
}

async fn settle(delivery: &Delivery) -> Result<(), Fault> {
    if timely(delivery.ack(BasicAckOptions::default())).await? {
        return Ok(());
    }
    Err(Fault::Broker("the channel was closed before the acknowledgement".to_owned()))
}

/// Returns what was kept, and waits until the queue shows it, so that the next command sees it all.
async fn give_back(control: &Channel, kept: Vec<Option<Delivery>>, held: u32) -> Result<(), Fault> {
    let before = waiting(control).await?;
    for last in kept.into_iter().flatten() {
        timely(last.nack(BasicNackOptions { multiple: true, requeue: true })).await?;
    }
    let returned = async {
        while waiting(control).await? < before.saturating_add(held) {
            tokio::time::sleep(RETURN_POLL).await;
        }
        Ok(())
    };
    // Somebody else may be taking letters all the while; ours are returned in any case.
    tokio::time::timeout(RETURN_TIMEOUT, returned).await.unwrap_or(Ok(()))
}
