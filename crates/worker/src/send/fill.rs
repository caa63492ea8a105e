//! Filling calls: as many messages of one account as Mailjet takes in one.

use std::collections::{BTreeMap, HashSet};

use domain::{TenantId, limits};

use super::Job;

/// Bytes of one call. Mailjet takes 15 MB of attachments; a message that is larger by its texts goes alone.
const CALL_BYTES: usize = 15 * 1024 * 1024;

/// Jobs by account and sandbox flag, each in its order.
pub(super) fn by_account(jobs: Vec<Job>) -> BTreeMap<(TenantId, bool), Vec<Job>> {
    let mut groups: BTreeMap<_, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        groups.entry((job.tenant, job.sandbox)).or_default().push(job);
    }
    groups
}

/// Splits one account's jobs into calls of at most 50 recipients in all and 15 MB, in order.
pub(super) fn calls(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut calls: Vec<Vec<Job>> = Vec::new();
    let (mut recipients, mut bytes) = (0, 0);
    for job in jobs {
        let (more_recipients, more_bytes) = (distinct(&job), job.message.wire_size());
        let fits = recipients + more_recipients <= limits::RECIPIENTS && bytes + more_bytes <= CALL_BYTES;
        match calls.last_mut() {
            Some(call) if fits => {
                call.push(job);
                recipients += more_recipients;
                bytes += more_bytes;
            }
            _ => {
                calls.push(vec![job]);
                (recipients, bytes) = (more_recipients, more_bytes);
            }
        }
    }
    calls
}

/// Mailjet counts an address once for each message.
fn distinct(job: &Job) -> usize {
    job.message.recipients().map(|(_, mailbox)| mailbox.email.key()).collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use domain::{Mailbox, Message, MessageId};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn job(number: u128, recipients: usize, text: usize) -> Job {
        let to = (0..recipients).map(|n| Mailbox::parse(&format!("r{n}@example.com")).unwrap()).collect();
        Job {
            id: MessageId(Uuid::from_u128(number)),
            tenant: TenantId(Uuid::nil()),
            attempt: 1,
            since: Timestamp::UNIX_EPOCH,
            sandbox: false,
            message: Message { to, body_text: Some("x".repeat(text)), ..Message::default() },
        }
    }

    #[test]
    fn a_hundred_small_messages_make_two_calls() {
        let calls = calls((0..100).map(|n| job(n, 1, 10)).collect());
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50]);
    }

    #[test]
    fn large_messages_go_alone() {
        let calls = calls(vec![job(1, 1, 10 << 20), job(2, 1, 10 << 20), job(3, 1, 20 << 20)]);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    }

    proptest! {
        #[test]
        fn no_call_exceeds_the_limit_and_nothing_is_lost(sizes in proptest::collection::vec(1usize..=50, 0..60)) {
            let jobs: Vec<Job> = sizes.iter().zip(0..).map(|(&size, n)| job(n, size, 1)).collect();
            let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            let calls = calls(jobs);
            for call in &calls {
                prop_assert!(call.iter().map(distinct).sum::<usize>() <= limits::RECIPIENTS);
            }
            prop_assert_eq!(calls.into_iter().flatten().map(|job| job.id).collect::<Vec<_>>(), ids);
        }
    }
}
