//! Exchanges and queues: declared here, idempotently, by every process at every connection.
//!
//! ```text
//! raven (direct) ─┬─ send ────────────► sends             raven.unrouted (fanout) ──► unrouted
//!        │        ├─ send-large ──────► sends-large               ▲
//!        │        ├─ send-bulk ───────► sends-bulk                │
//!        │        ├─ send-bulk-large ─► sends-bulk-large          │
//!        │        ├─ event ───────────► events                    │
//!        │        └─ event-large ─────► events-large              │
//!        └─ alternate exchange ───────────────────────────────────┘
//! raven.dead (direct) ── dead ──► dead-letters     ◄── all six (delivery limit)
//! ```
//!
//! The broker counts what a consumer may hold in messages, never in bytes. So that a backlog of large bodies does not
//! fill the memory of a worker that holds hundreds of small ones, large bodies wait in a queue beside, of which few are
//! held. And since a queue is first in, first out, the flood of one tenant waits in a queue of its own kind, so that it
//! does not stand before the mail of all others.
//!
//! All queues are quorum queues, since those fsync before they confirm and count deliveries. The delivery limit is
//! always explicit: without one RabbitMQ 4 drops a message after 20 returns, and 3.x never. Dead lettering is
//! at-least-once, for which the source must reject publishes when it is full. Every key here is known to RabbitMQ
//! 3.10, 3.13 and 4; arguments can't be changed later, so another shape needs another name.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

const EXCHANGE: &str = "raven";
const UNROUTED: &str = "raven.unrouted";
const DEAD: &str = "raven.dead";

/// Returns after which a message is taken for the cause of its consumers' deaths. Each loss of a connection returns
/// all that was delivered and not acknowledged, so this is generous; nothing is lost, it is dead-lettered.
const DELIVERY_LIMIT: i32 = 500;
/// Looking at parked messages counts as a delivery on RabbitMQ 4.0 to 4.2, and must never drop one.
const PARKED_DELIVERY_LIMIT: i32 = 1_000_000;

/// Bytes of a body up to which it is a small one: a group of a hundred events is.
const SMALL: usize = 64 * 1024;

/// A queue. What is to be sent and what is to be recorded have a second one beside, for large bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Messages to send.
    Sends,
    /// Messages to send of tenants that send many at once.
    BulkSends,
    /// Webhook bodies to record.
    Events,
    /// What could not be processed, with the reason.
    DeadLetters,
    /// What no queue was bound for; empty unless somebody changes the topology by hand.
    Unrouted,
}

/// Every queue, the targets of dead lettering first, so that no source ever points at nothing.
const ALL: [Queue; Queue::COUNT] =
    [Queue::Unrouted, Queue::DeadLetters, Queue::Sends, Queue::BulkSends, Queue::Events];

impl Queue {
    /// How many there are.
    pub(crate) const COUNT: usize = 5;

    /// Its name at the broker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::BulkSends => "sends-bulk",
            Self::Events => "events",
            Self::DeadLetters => "dead-letters",
            Self::Unrouted => "unrouted",
        }
    }

    /// The name of the one beside it, for large bodies.
    pub(crate) const fn large_name(self) -> Option<&'static str> {
        match self {
            Self::Sends => Some("sends-large"),
            Self::Events => Some("events-large"),
            Self::BulkSends => Some("sends-bulk-large"),
            Self::DeadLetters | Self::Unrouted => None,
        }
    }

    /// The kind of what is in the queue of that name at the broker, wherever it waited: `Sends` for each message to send.
    pub(crate) fn origin(name: &str) -> Option<Self> {
        let found = ALL.into_iter().find(|queue| queue.name() == name || queue.large_name() == Some(name))?;
        Some(if found == Self::BulkSends { Self::Sends } else { found })
    }

    /// The exchange and routing key that lead a body of so many bytes to it.
    pub(crate) const fn route(self, bytes: usize) -> (&'static str, &'static str) {
        match self {
            Self::Sends if bytes > SMALL => (EXCHANGE, "send-large"),
            Self::Sends => (EXCHANGE, "send"),
            Self::BulkSends if bytes > SMALL => (EXCHANGE, "send-bulk-large"),
            Self::BulkSends => (EXCHANGE, "send-bulk"),
            Self::Events if bytes > SMALL => (EXCHANGE, "event-large"),
            Self::Events => (EXCHANGE, "event"),
            Self::DeadLetters => (DEAD, "dead"),
            Self::Unrouted => (UNROUTED, ""),
        }
    }

    fn arguments(self) -> FieldTable {
        let mut arguments = table([("x-queue-type", text("quorum")), ("x-overflow", text("reject-publish"))]);
        match self {
            Self::Sends | Self::BulkSends | Self::Events => {
                arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
                arguments.insert("x-dead-letter-exchange".into(), text(DEAD));
                arguments.insert("x-dead-letter-routing-key".into(), text("dead"));
                arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
            }
            Self::DeadLetters | Self::Unrouted => {
                arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(PARKED_DELIVERY_LIMIT));
            }
        }
        arguments
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}

/// Declares everything. A declaration that clashes with what is there closes the channel with
/// `PRECONDITION_FAILED`; the error names the argument.
pub async fn declare(channel: &Channel) -> Result<(), lapin::Error> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let alternate = table([("alternate-exchange", text(UNROUTED))]);
    channel.exchange_declare(UNROUTED.into(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;
    channel.exchange_declare(DEAD.into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Direct, durable, alternate).await?;
    for queue in ALL {
        let large = queue.large_name().map(|name| (name, queue.route(SMALL + 1)));
        for (name, (exchange, key)) in [(queue.name(), queue.route(0))].into_iter().chain(large) {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.into(), options, queue.arguments()).await?;
            let (options, none) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(name.into(), exchange.into(), key.into(), options, none).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_found_by_either_name() {
        for queue in ALL {
            assert!((queue as usize) < Queue::COUNT, "{queue:?}");
            let kind = if queue == Queue::BulkSends { Queue::Sends } else { queue };
            for name in [Some(queue.name()), queue.large_name()].into_iter().flatten() {
                assert_eq!(Queue::origin(name), Some(kind), "{name}");
            }
        }
        assert_eq!(Queue::origin("another"), None);
    }
}
