//! The post office: plans what happens to accepted mail, lets it happen, and hands the events to the outbox.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    happening::{Happening, plan},
    outbox::{Letter, Outbox},
    payload,
    timeline::Timeline,
};
use crate::{
    faults::{FaultBoard, FaultKind},
    ledger::message::Message,
    stats::Stats,
    util::lock,
};

/// Events that a fault may hold back at one time; beyond that the oldest are dropped and counted.
const MOST_HELD: usize = 100_000;

/// Something that happens to one recipient's mail at a time.
#[derive(Debug)]
pub(crate) struct Occurrence {
    /// The mail.
    pub(crate) message: Arc<Message>,
    /// Which recipient of it.
    pub(crate) recipient: usize,
    /// What happens.
    pub(crate) happening: Happening,
    /// When, as the event tells it.
    pub(crate) at: Timestamp,
    /// Laid over the fields of the event; null takes a field away.
    pub(crate) fields: Map<String, Value>,
}

/// What the timeline holds.
#[derive(Debug)]
enum Planned {
    Occurrence(Box<Occurrence>),
    /// A copy of an event that went out before.
    Copy(Letter),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct PostOffice {
    timeline: Timeline<Planned>,
    held: Mutex<VecDeque<Occurrence>>,
    outbox: Arc<Outbox>,
    faults: Arc<FaultBoard>,
    stats: Arc<Stats>,
    delay: Duration,
}

impl PostOffice {
    /// An office where the steps of a message's life are `delay` apart.
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        faults: Arc<FaultBoard>,
        stats: Arc<Stats>,
        delay: Duration,
    ) -> Self {
        Self { timeline: Timeline::new(), held: Mutex::default(), outbox, faults, stats, delay }
    }

    /// Plans what happens to a message that was just accepted.
    pub(crate) fn schedule(&self, message: &Arc<Message>) {
        let mut steps = Vec::new();
        for (at, recipient) in message.recipients.iter().enumerate() {
            let plan = if recipient.repeated { &[Happening::Repeated] } else { plan(&recipient.email) };
            steps.extend(plan.iter().zip(1u32..).map(|(happening, step)| (step, at, *happening)));
        }
        steps.sort_by_key(|(step, ..)| *step);
        let first = steps.first().map_or(0, |(step, ..)| *step);
        let last = steps.last().map_or(0, |(step, ..)| *step);
        // What happens at one time only has no other order.
        let reverse =
            first < last && self.faults.strike(FaultKind::EventsReorder, &message.api_key).is_some();
        if reverse {
            steps.reverse();
        }
        let now = Instant::now();
        let planned = steps.iter().map(|&(step, recipient, happening)| {
            // Told in reverse, nothing is told before all of it has happened.
            let told = if reverse { 2 * last - step } else { step };
            let wait = SignedDuration::try_from(self.delay * step).unwrap_or(SignedDuration::ZERO);
            let at = message.accepted_at.saturating_add(wait).unwrap_or(message.accepted_at);
            let message = Arc::clone(message);
            let occurrence = Occurrence { message, recipient, happening, at, fields: Map::new() };
            (now + self.delay * told, Planned::Occurrence(Box::new(occurrence)))
        });
        if !self.timeline.plan(planned) {
            self.stats.events_dropped.add(steps.len());
        }
    }

    /// Lets everything happen in its time, until the end.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        while let Some(due) = shutdown.run_until_cancelled(self.timeline.due()).await {
            for planned in due {
                match planned {
                    Planned::Occurrence(occurrence) => self.happen(*occurrence),
                    Planned::Copy(letter) => self.outbox.put(letter),
                }
            }
        }
    }

    /// Lets something happen now.
    pub(crate) fn happen(&self, occurrence: Occurrence) {
        if let Some(recipient) = occurrence.message.recipients.get(occurrence.recipient) {
            lock(&recipient.track).note(occurrence.happening, occurrence.at);
        }
        if self.faults.strike(FaultKind::EventsHold, &occurrence.message.api_key).is_none() {
            return self.tell(occurrence);
        }
        let mut held = lock(&self.held);
        if held.len() >= MOST_HELD {
            held.pop_front();
            self.stats.events_dropped.add(1);
        }
        held.push_back(occurrence);
    }

    /// Tells what a fault held back, where no such fault is listed for the account any more.
    pub(crate) fn release(&self) {
        let held = std::mem::take(&mut *lock(&self.held));
        let is_held =
            |occurrence: &Occurrence| self.faults.listed(FaultKind::EventsHold, &occurrence.message.api_key);
        let (still, free): (VecDeque<_>, VecDeque<_>) = held.into_iter().partition(is_held);
        {
            let mut held = lock(&self.held);
            // What came meanwhile is younger.
            let younger = std::mem::replace(&mut *held, still);
            held.extend(younger);
        }
        for occurrence in free {
            self.tell(occurrence);
        }
    }

    fn tell(&self, occurrence: Occurrence) {
        let Occurrence { message, recipient, happening, at, fields } = occurrence;
        let mut event = payload::event(&message, recipient, happening, at);
        for (name, value) in fields {
            if value.is_null() {
                event.remove(&name);
            } else {
                event.insert(name, value);
            }
        }
        let body = Value::Object(event).to_string().into();
        let letter = Letter { api_key: message.api_key.as_str().into(), kind: happening.event_type(), body };
        if self.faults.strike(FaultKind::EventsDuplicate, &message.api_key).is_some() {
            self.outbox.put(letter.clone());
            // Later than the group that holds the first two.
            let later = Instant::now() + self.delay * 2 + Duration::from_millis(50);
            if !self.timeline.plan([(later, Planned::Copy(letter.clone()))]) {
                self.stats.events_dropped.add(1);
            }
        }
        self.outbox.put(letter);
    }

    /// Events that are planned, held back, or have not arrived yet.
    pub(crate) fn pending(&self) -> usize {
        self.timeline.len() + lock(&self.held).len() + self.outbox.waiting()
    }
}
