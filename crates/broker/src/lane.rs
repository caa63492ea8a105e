//! One channel of a consumer: gathers a batch, has it handled, acts on the verdicts, and only then gathers again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use jiff::Timestamp;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::headers::{BURIED_AT, QUEUE, REASON};
use crate::sabotage::{self, Sabotage};
use crate::{ConsumerSettings, Delivery, Handler, Publication, Publisher, Queue, Verdict};

const FIRST_HOLD: Duration = Duration::from_millis(100);
const MOST_HOLD: Duration = Duration::from_secs(5);
/// RabbitMQ closes a channel that holds a delivery for 30 minutes; long before that it is given back by our own will.
const LONGEST_HOLD: Duration = Duration::from_mins(15);
/// Characters of a reason that are kept with a dead letter.
const MOST_REASON: usize = 1000;
/// Opening a channel and a consumer may take this long.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a lane ends whose connection does.
const LOST: &str = "the connection was lost";

/// What the library's consumer yields.
type Received = Result<lapin::message::Delivery, lapin::Error>;

/// A delivery in hand.
struct Held {
    delivery: Delivery,
    /// The delivery as the client library knows it, emptied; it can acknowledge itself.
    acker: lapin::message::Delivery,
}

pub(crate) struct Lane<H> {
    pub(crate) number: usize,
    /// The queue at the broker.
    pub(crate) source: &'static str,
    pub(crate) prefetch: u16,
    pub(crate) settings: ConsumerSettings,
    pub(crate) handler: Arc<H>,
    pub(crate) dead_letters: Publisher,
    /// The connection is lost. The library does not tell every consumer so, and one that is not told would wait for ever.
    pub(crate) lost: CancellationToken,
    pub(crate) shutdown: CancellationToken,
}

impl<H: Handler> Lane<H> {
    /// Runs until shutdown, or until the channel is of no more use.
    pub(crate) async fn run(self, connection: &Connection) -> Result<(), String> {
        let beginning = async {
            let channel = connection.create_channel().await?;
            let consumer = self.consume(&channel).await?;
            Ok::<_, lapin::Error>((channel, consumer))
        };
        let begun = tokio::time::timeout(BEGIN_TIMEOUT, beginning).await;
        let (channel, mut consumer) =
            begun.map_err(|_| "consuming did not begin in time")?.map_err(|fault| fault.to_string())?;
        let ended = self.work(&mut consumer).await;
        // Closing gives back what is prefetched. The broker may be gone, so it gets no more than a moment.
        let goodbye = async {
            if ended.is_ok() {
                let _ = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await;
            }
            let _ = channel.close(200, "done".into()).await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
        ended
    }

    async fn consume(&self, channel: &Channel) -> Result<Consumer, lapin::Error> {
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let tag = format!("{}-{}", self.source, self.number);
        let queue = self.source.into();
        channel.basic_consume(queue, tag.into(), BasicConsumeOptions::default(), FieldTable::default()).await
    }

    async fn work(&self, consumer: &mut (impl Stream<Item = Received> + Unpin)) -> Result<(), String> {
        loop {
            let first = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                () = self.lost.cancelled() => return Err(LOST.to_owned()),
                first = consumer.next() => received(first)?,
            };
            let batch = self.gather(first, consumer).await?;
            self.see_through(batch).await?;
        }
    }

    /// Adds what has arrived already, and what arrives within the linger, to `first`. A lone delivery is not kept
    /// waiting: the linger counts only while others come.
    async fn gather(
        &self,
        first: Held,
        consumer: &mut (impl Stream<Item = Received> + Unpin),
    ) -> Result<Vec<Held>, String> {
        let mut bytes = first.delivery.body.len();
        let mut batch = vec![first];
        let deadline = Instant::now() + self.settings.linger;
        while batch.len() < self.settings.batch && bytes < self.settings.batch_bytes {
            let next = match consumer.next().now_or_never() {
                Some(next) => next,
                None if batch.len() == 1 => break,
                None => match tokio::time::timeout_at(deadline, consumer.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
            };
            let held = received(next)?;
            bytes += held.delivery.body.len();
            batch.push(held);
        }
        Ok(batch)
    }

    /// Handles a batch until every delivery of it is settled. While some are held for later nothing new is taken, so
    /// consumption pauses by itself when the world behind the handler is away.
    async fn see_through(&self, mut batch: Vec<Held>) -> Result<(), String> {
        let started = Instant::now();
        let mut hold = FIRST_HOLD;
        loop {
            let (deliveries, ackers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|held| (held.delivery, held.acker)).unzip();
            if sabotage::is(Sabotage::AckBeforeCommit) {
                return self.acknowledge_first(&deliveries, &ackers).await;
            }
            metrics::histogram!("raven_consumer_batch", "queue" => self.settings.queue.name())
                .record(u32::try_from(deliveries.len()).unwrap_or(u32::MAX));
            let verdicts = self.handler.handle(&deliveries).await;
            batch = self.settle(deliveries, ackers, verdicts).await?;
            if batch.is_empty() {
                return Ok(());
            }
            if started.elapsed() > LONGEST_HOLD {
                return Err("deliveries were held too long, and go back to the queue".to_owned());
            }
            tokio::select! {
                () = tokio::time::sleep(hold.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
                // Not acknowledged, so closing the channel gives them back.
                () = self.shutdown.cancelled() => return Ok(()),
                () = self.lost.cancelled() => return Err(LOST.to_owned()),
            }
            hold = (hold * 2).min(MOST_HOLD);
        }
    }

    /// What must never be done: a failure of the handler is a loss then.
    async fn acknowledge_first(
        &self,
        deliveries: &[Delivery],
        ackers: &[lapin::message::Delivery],
    ) -> Result<(), String> {
        for acker in ackers {
            self.ack(acker, false).await?;
        }
        let _ = self.handler.handle(deliveries).await;
        Ok(())
    }

    /// Acts on verdicts, and answers what is to be offered again.
    async fn settle(
        &self,
        deliveries: Vec<Delivery>,
        ackers: Vec<lapin::message::Delivery>,
        verdicts: Vec<Verdict>,
    ) -> Result<Vec<Held>, String> {
        self.count(&verdicts);
        if verdicts.len() == deliveries.len() && verdicts.iter().all(|verdict| *verdict == Verdict::Done) {
            // All tags up to the last are settled by now, since a lane has one batch at a time.
            if let Some(last) = ackers.last() {
                self.ack(last, true).await?;
            }
            return Ok(Vec::new());
        }
        let mut again = Vec::new();
        // A handler that answers too little is a defect; what it left out is kept.
        let verdicts = verdicts.into_iter().chain(std::iter::repeat(Verdict::RetryLater));
        for ((delivery, acker), verdict) in deliveries.into_iter().zip(ackers).zip(verdicts) {
            let keep = match verdict {
                Verdict::Done => false,
                Verdict::RetryLater => true,
                Verdict::DeadLetter(reason) => !self.bury(&delivery, reason).await,
            };
            if keep {
                again.push(Held { delivery, acker });
            } else {
                self.ack(&acker, false).await?;
            }
        }
        Ok(again)
    }

    /// Puts a copy on the dead-letter queue; answers whether it is there.
    async fn bury(&self, delivery: &Delivery, reason: String) -> bool {
        let queue = self.settings.queue.name();
        let told = reason.clone();
        let reason: String = reason.chars().take(MOST_REASON).collect();
        let now = Timestamp::now().to_string();
        let mut headers = vec![(REASON, reason), (QUEUE, queue.to_owned()), (BURIED_AT, now)];
        for name in ["raven-tenant", "raven-provider", "raven-received-at"] {
            headers.extend(delivery.header(name).map(|value| (name, value)));
        }
        let copy = Publication {
            queue: Queue::DeadLetters,
            message_id: delivery.message_id.clone().unwrap_or_default(),
            content_type: "application/octet-stream".into(),
            headers: headers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            body: delivery.body.clone(),
        };
        let is_there = self.dead_letters.publish(copy).await.is_ok();
        // Tried again as long as it is not, so only now.
        if is_there {
            tracing::error!(queue, message = delivery.message_id.as_deref(), reason = told, "dead letter");
        }
        is_there
    }

    async fn ack(&self, acker: &lapin::message::Delivery, multiple: bool) -> Result<(), String> {
        tokio::select! {
            biased;
            done = acker.ack(BasicAckOptions { multiple }) => match done {
                Ok(true) => Ok(()),
                Ok(false) => Err("the channel was closed before the acknowledgement".to_owned()),
                Err(fault) => Err(fault.to_string()),
            },
            () = self.lost.cancelled() => Err(LOST.to_owned()),
        }
    }

    fn count(&self, verdicts: &[Verdict]) {
        let queue = self.settings.queue.name();
        for verdict in verdicts {
            let name = match verdict {
                Verdict::Done => "done",
                Verdict::RetryLater => "retry_later",
                Verdict::DeadLetter(_) => "dead_letter",
            };
            metrics::counter!("raven_verdicts_total", "queue" => queue, "verdict" => name).increment(1);
        }
    }
}

fn received(next: Option<Received>) -> Result<Held, String> {
    let mut acker = match next {
        Some(Ok(delivery)) => delivery,
        Some(Err(fault)) => return Err(fault.to_string()),
        None => return Err("the broker ended the consumer".to_owned()),
    };
    let properties = std::mem::take(&mut acker.properties);
    let delivery = Delivery {
        body: std::mem::take(&mut acker.data).into(),
        message_id: properties.message_id().as_ref().map(ToString::to_string),
        redelivered: acker.redelivered,
        properties,
    };
    Ok(Held { delivery, acker })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::stream;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::{BrokerUrl, PublisherSettings};

    /// As if Postgres were away.
    struct Later;

    impl Handler for Later {
        async fn handle(&self, batch: &[Delivery]) -> Vec<Verdict> {
            vec![Verdict::RetryLater; batch.len()]
        }
    }

    fn lane() -> Lane<Later> {
        let ended = CancellationToken::new();
        ended.cancel();
        let url = BrokerUrl::parse("amqp://127.0.0.1:1").unwrap();
        let publisher =
            PublisherSettings { name: "test".to_owned(), channels: 1, timeout: Duration::from_secs(1) };
        let settings = ConsumerSettings {
            queue: Queue::Events,
            lanes: 1,
            prefetch: 1,
            batch: 1,
            batch_bytes: 1,
            large_lanes: 0,
            large_prefetch: 1,
            linger: Duration::ZERO,
        };
        Lane {
            number: 0,
            source: Queue::Events.name(),
            prefetch: 1,
            settings,
            handler: Arc::new(Later),
            dead_letters: Publisher::start(url, publisher, &TaskTracker::new(), ended),
            lost: CancellationToken::new(),
            shutdown: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn a_lane_that_waits_ends_with_its_connection_though_its_consumer_is_told_nothing() {
        let lane = lane();
        let mut told_nothing = stream::pending();
        let mut work = pin!(lane.work(&mut told_nothing));
        assert_eq!(work.as_mut().now_or_never(), None);
        lane.lost.cancel();
        assert_eq!(work.as_mut().now_or_never(), Some(Err(LOST.to_owned())));
    }

    #[tokio::test]
    async fn so_does_one_that_holds_a_batch() {
        let lane = lane();
        let delivery = lapin::message::Delivery::mock(1, "".into(), "".into(), false, b"{}".to_vec());
        let batch = vec![received(Some(Ok(delivery))).unwrap()];
        let mut held = pin!(lane.see_through(batch));
        assert_eq!(held.as_mut().now_or_never(), None);
        lane.lost.cancel();
        assert_eq!(held.as_mut().now_or_never(), Some(Err(LOST.to_owned())));
    }
}
