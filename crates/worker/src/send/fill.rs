//! Filling calls: as many messages as Mailjet takes in one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::limits;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Job;

/// Bytes of one call. Mailjet takes 15 MB of attachments; a message that is larger by its texts goes alone.
const CALL_BYTES: usize = 15 * 1024 * 1024;
/// How far behind the first that does not fit is looked for smaller ones.
const LOOK_AHEAD: usize = 200;

/// What the messages of one call of an account have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    /// Which version of the account they go out with.
    account: Timestamp,
    sandbox: bool,
    /// Most messages of a call. It halves with each attempt that vanished: should one of them be what makes Mailjet
    /// fail, the others do not share its fate for long.
    most: usize,
}

impl Group {
    fn of(job: &Job) -> Self {
        let halvings = job.vanished.min(usize::BITS - 1);
        let most = (limits::RECIPIENTS >> halvings).max(1);
        Self { account: job.account.changed_at, sandbox: job.sandbox, most }
    }
}

/// The messages of one account that wait for a call.
#[derive(Default)]
pub(super) struct Waiting {
    groups: BTreeMap<Group, VecDeque<Job>>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds what arrived at `now`.
    pub(super) fn add(&mut self, jobs: Vec<Job>, now: Instant) {
        for mut job in jobs {
            job.arrived = now;
            self.groups.entry(Group::of(&job)).or_default().push_back(job);
        }
    }

    /// The first moment by which the call of one of them has to have begun; none when nothing waits.
    pub(super) fn latest_start(&self) -> Option<Instant> {
        self.groups.values().flatten().map(|job| job.deadline.at()).min()
    }

    /// Takes out those for which `gone` holds.
    pub(super) fn remove(&mut self, gone: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut removed = Vec::new();
        for jobs in self.groups.values_mut() {
            let (out, stay): (VecDeque<Job>, VecDeque<Job>) = jobs.drain(..).partition(&gone);
            removed.extend(out);
            *jobs = stay;
        }
        self.groups.retain(|_, jobs| !jobs.is_empty());
        removed
    }

    /// Takes out the messages of the next call: those that have waited longest first. A call that could hold more is kept
    /// until its first message has waited for `patience`; the error says until when.
    pub(super) fn next_call(
        &mut self,
        patience: Option<Duration>,
        now: Instant,
    ) -> Result<Vec<Job>, Instant> {
        let mut order: Vec<(Instant, Group)> =
            self.groups.iter().filter_map(|(group, jobs)| Some((jobs.front()?.arrived, *group))).collect();
        order.sort_unstable();
        let mut until = None;
        for (arrived, group) in order {
            let Some(jobs) = self.groups.get_mut(&group) else { continue };
            let (chosen, full) = choose(jobs, group.most);
            let deadline = arrived + patience.unwrap_or_default();
            if !full && patience.is_some() && now < deadline {
                until = Some(until.map_or(deadline, |until: Instant| until.min(deadline)));
                continue;
            }
            let call = take(jobs, &chosen);
            self.groups.retain(|_, jobs| !jobs.is_empty());
            return Ok(call);
        }
        Err(until.unwrap_or(now))
    }
}

/// The places of those that go together, in order, and whether nothing more would fit.
fn choose(jobs: &VecDeque<Job>, most: usize) -> (Vec<usize>, bool) {
    let (mut recipients, mut bytes) = (0, 0);
    let mut chosen = Vec::new();
    let mut left_out = false;
    for (place, job) in jobs.iter().enumerate().take(LOOK_AHEAD) {
        let fits = recipients + job.recipients <= limits::RECIPIENTS && bytes + job.bytes <= CALL_BYTES;
        if chosen.is_empty() || fits {
            chosen.push(place);
            recipients += job.recipients;
            bytes += job.bytes;
        } else {
            left_out = true;
        }
        if chosen.len() == most || recipients >= limits::RECIPIENTS {
            return (chosen, true);
        }
    }
    (chosen, left_out)
}

fn take(jobs: &mut VecDeque<Job>, places: &[usize]) -> Vec<Job> {
    let mut taken: Vec<Job> = places.iter().rev().filter_map(|&place| jobs.remove(place)).collect();
    taken.reverse();
    taken
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Mailbox, Message, MessageId, TenantId};
    use mailjet::Credentials;
    use proptest::prelude::*;
    use store::providers::AccountDigest;
    use uuid::Uuid;

    use super::super::accounts::Account;
    use super::super::deadline::Deadline;
    use super::super::desk::Desk;
    use super::*;

    fn job(number: u128, recipients: usize, bytes: usize) -> Job {
        let tenant = TenantId(Uuid::nil());
        let credentials = Credentials { api_key: "k".into(), api_secret: "s".into() };
        let account = Account {
            digest: AccountDigest::of(&credentials.api_key),
            credentials,
            from: Mailbox::parse("raven@example.com").unwrap(),
            changed_at: Timestamp::UNIX_EPOCH,
        };
        Job {
            id: MessageId(Uuid::from_u128(number)),
            tenant,
            account: Arc::new(account),
            attempt: 1,
            tries: 1,
            vanished: 0,
            since: Timestamp::UNIX_EPOCH,
            sandbox: false,
            message: Message::default(),
            recipients,
            bytes,
            deadline: Deadline::after(Duration::from_secs(1)),
            arrived: Instant::now(),
            place: Desk::new().take(tenant, recipients, bytes),
        }
    }

    /// The sizes of all calls when nothing more comes.
    fn calls(jobs: Vec<Job>) -> Vec<Vec<Job>> {
        let mut waiting = Waiting::default();
        waiting.add(jobs, Instant::now());
        std::iter::from_fn(|| waiting.next_call(None, Instant::now()).ok()).collect()
    }

    fn sizes(jobs: Vec<Job>) -> Vec<usize> {
        calls(jobs).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_hundred_small_messages_make_two_calls() {
        assert_eq!(sizes((0..101).map(|n| job(n, 1, 10)).collect()), [50, 50, 1]);
    }

    #[test]
    fn messages_that_vanished_share_their_call_with_fewer() {
        let jobs = |vanished| (0..60).map(|n| Job { vanished, ..job(n, 1, 1) }).collect();
        assert_eq!(sizes(jobs(0)), [50, 10]);
        assert_eq!(sizes(jobs(1)), [25, 25, 10]);
        assert_eq!(sizes(jobs(90)), [1; 60]);
    }

    #[test]
    fn large_messages_go_alone_and_small_ones_fill_up() {
        assert_eq!(sizes(vec![job(1, 1, 10 << 20), job(2, 1, 10 << 20), job(3, 1, 20 << 20)]), [1, 1, 1]);
        assert_eq!(sizes(vec![job(1, 40, 1), job(2, 40, 1), job(3, 10, 1)]), [2, 1]);
    }

    #[test]
    fn a_call_that_is_not_full_waits_while_more_come_and_not_for_long() {
        let now = Instant::now();
        let patience = Duration::from_millis(10);
        let mut waiting = Waiting::default();
        waiting.add(vec![job(1, 1, 1)], now);
        assert_eq!(waiting.next_call(Some(patience), now).map(|jobs| jobs.len()), Err(now + patience));
        assert!(waiting.next_call(Some(patience), now + patience).is_ok());
        waiting.add((0..50).map(|n| job(n, 1, 1)).collect(), now);
        assert!(waiting.next_call(Some(patience), now).is_ok_and(|jobs| jobs.len() == 50));
    }

    proptest! {
        #[test]
        fn no_call_exceeds_the_limit_and_nothing_is_lost(kinds in proptest::collection::vec((1usize..=50, any::<bool>(), 0u32..4), 0..60)) {
            let jobs: Vec<Job> = kinds.iter().zip(0..).map(|(&(size, sandbox, vanished), n)| Job { vanished, sandbox, ..job(n, size, 1) }).collect();
            let mut ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            let calls = calls(jobs);
            for call in &calls {
                prop_assert!(call.iter().map(|job| job.recipients).sum::<usize>() <= limits::RECIPIENTS);
                prop_assert!(call.iter().all(|job| Group::of(job) == Group::of(&call[0])));
            }
            let mut sent: Vec<_> = calls.into_iter().flatten().map(|job| job.id).collect();
            ids.sort();
            sent.sort();
            prop_assert_eq!(sent, ids);
        }
    }
}
