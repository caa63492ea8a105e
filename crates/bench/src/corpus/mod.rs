//! Made-up events in a realistic mix, and bodies of webhooks that carry them.

mod event;

use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use jiff::Timestamp;

pub(crate) use self::event::{Copy, Event, Kind};
use self::event::{copy, json};

/// The same in every run.
const SEED: u64 = 20_260_115;
/// Opens and clicks are about one of the latest so many messages.
const RECENT: usize = 2000;
/// So old is the latest event; none lies in the future, and all of a run in the present month or the one before.
const AGE: i64 = 60;
/// Events in a group.
pub(crate) const GROUP: usize = 100;

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// One event in a body (Mailjet's version 1)
    Singles,
    /// A hundred events in a body (version 2)
    Groups,
}

impl Shape {
    /// The bodies.
    pub(crate) fn bodies(self, corpus: &Corpus) -> Arc<[Bytes]> {
        match self {
            Self::Singles => corpus.singles().into(),
            Self::Groups => corpus.groups(GROUP).into(),
        }
    }

    /// In a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Singles => "singles",
            Self::Groups => "groups of 100",
        }
    }
}

/// Events, half of them of messages that Raven knows.
pub(crate) struct Corpus {
    pub(crate) events: Vec<Event>,
}

impl Corpus {
    /// So many events of ours and of others in turn.
    pub(crate) fn new(count: usize) -> Self {
        Self::part(0, count)
    }

    /// The same, but distinct from those of every other part.
    pub(crate) fn part(part: usize, count: usize) -> Self {
        let mut rng = Rng::with_seed(SEED + u64::try_from(part).unwrap_or_default());
        let mut sides = [Side::default(), Side::default()];
        let latest = Timestamp::now().as_second() - AGE;
        let first = latest - i64::try_from(count / 100).unwrap_or_default();
        let mut events = Vec::with_capacity(count);
        for number in 0..count {
            let ours = number % 2 == 0;
            let at = first + i64::try_from(number / 100).unwrap_or_default();
            let (kind, copy) = sides[usize::from(ours)].next(ours, at, &mut rng);
            let json = json(kind, &copy, at, number);
            let at = Timestamp::from_second(at).unwrap_or_default();
            events.push(Event { kind, copy, at, json });
        }
        Self { events }
    }

    fn singles(&self) -> Vec<Bytes> {
        self.events.iter().map(|event| Bytes::from(event.json.clone())).collect()
    }

    fn groups(&self, size: usize) -> Vec<Bytes> {
        let body = |events: &[Event]| {
            let items: Vec<&str> = events.iter().map(|event| event.json.as_str()).collect();
            Bytes::from(format!("[{}]", items.join(",")))
        };
        self.events.chunks(size).map(body).collect()
    }

    /// Our messages, each once.
    pub(crate) fn copies(&self) -> impl Iterator<Item = &Copy> {
        self.events
            .iter()
            .filter(|event| event.kind.is_outcome() && event.copy.message.is_some())
            .map(|event| &event.copy)
    }
}

/// One half of the events: ours, or others'.
#[derive(Default)]
struct Side {
    /// Each with the time of the latest event about it: two alike of one second would be one event to Raven.
    copies: Vec<(Copy, i64)>,
    made: usize,
}

impl Side {
    fn next(&mut self, ours: bool, at: i64, rng: &mut Rng) -> (Kind, Copy) {
        // 37 has no divisor in common with 100, so every hundred holds each place once, well mixed.
        let kind = Kind::of(self.made * 37 % 100);
        self.made += 1;
        if kind.is_outcome() {
            let copy = copy(ours, rng);
            self.copies.push((copy.clone(), at));
            return (kind, copy);
        }
        let oldest = self.copies.len().saturating_sub(RECENT);
        for _ in 0..RECENT {
            let place = rng.usize(oldest..self.copies.len());
            if self.copies[place].1 < at {
                self.copies[place].1 = at;
                return (kind, self.copies[place].0.clone());
            }
        }
        // In the first second there is none older, and one that was told of already would not be distinct.
        let copy = copy(ours, rng);
        (Kind::Sent, copy)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn half_are_ours_and_all_are_distinct() {
        let corpus = Corpus::new(1000);
        let bodies: HashSet<&str> = corpus.events.iter().map(|event| event.json.as_str()).collect();
        assert_eq!(bodies.len(), 1000);
        assert_eq!(corpus.events.iter().filter(|event| event.copy.message.is_some()).count(), 500);
        let known: HashSet<Uuid> = corpus.copies().filter_map(|copy| copy.message).collect();
        assert!(corpus.events.iter().filter_map(|event| event.copy.message).all(|id| known.contains(&id)));
    }

    #[test]
    fn no_two_events_are_one_to_raven() {
        let corpora = [Corpus::part(0, 5000), Corpus::part(1, 5000)];
        let events = corpora.iter().flat_map(|corpus| &corpus.events);
        let told: HashSet<_> = events.map(|event| (event.kind.as_str(), event.copy.guid, event.at)).collect();
        assert_eq!(told.len(), 10_000);
    }

    #[test]
    fn bodies_are_json_of_the_size_that_mailjet_sends() {
        let corpus = Corpus::new(1000);
        let singles = corpus.singles();
        assert!(singles.iter().all(|body| serde_json::from_slice::<Value>(body).is_ok()));
        let mean = singles.iter().map(Bytes::len).sum::<usize>() / singles.len();
        assert!((400..500).contains(&mean), "{mean}");
        let groups = corpus.groups(100);
        let items: Vec<Value> = serde_json::from_slice(&groups[3]).unwrap();
        assert_eq!((groups.len(), items.len()), (10, 100));
    }
}
