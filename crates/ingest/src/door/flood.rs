//! Which tenants send more at once than goes with the mail of everybody.
//!
//! A queue is first in, first out: behind the hundred thousand messages of one tenant the one of another would wait for
//! all of them. So each tenant has a bucket of tokens, and what it sends beyond them goes to the queue for floods, which
//! workers empty beside the other. Nothing is slowed down or refused by this, and each process does it for itself.

use std::collections::HashMap;

use broker::Queue;
use domain::TenantId;
use tokio::time::Instant;

/// Messages that a tenant may send at once, and in each second, beside those of everybody.
const BURST: f64 = 200.0;
const EACH_SECOND: f64 = 50.0;
/// Buckets that are kept; above this, those that are full by now are forgotten.
const MOST: usize = 10_000;

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn tokens(&self, now: Instant) -> f64 {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() * EACH_SECOND;
        (self.tokens + refilled).min(BURST)
    }
}

/// What each tenant has sent of late.
#[derive(Default)]
pub(super) struct Floods(HashMap<TenantId, Bucket>);

impl Floods {
    /// The queue for `count` messages of a tenant that come together.
    pub(super) fn queue(&mut self, tenant: TenantId, count: usize, now: Instant) -> Queue {
        if self.0.len() > MOST {
            self.0.retain(|_, bucket| bucket.tokens(now) < BURST);
        }
        let bucket = self.0.entry(tenant).or_insert(Bucket { tokens: BURST, at: now });
        let tokens = bucket.tokens(now);
        let needed = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let flood = tokens < needed;
        *bucket = Bucket { tokens: if flood { tokens } else { tokens - needed }, at: now };
        if flood { Queue::BulkSends } else { Queue::Sends }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_one_tenant_sends_too_much_of_goes_its_own_way() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let (one, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let queues: Vec<Queue> = (0..300).map(|_| floods.queue(one, 1, now)).collect();
        assert_eq!(queues.iter().filter(|&&queue| queue == Queue::Sends).count(), 200);
        assert_eq!(queues.last(), Some(&Queue::BulkSends));
        assert_eq!(floods.queue(other, 1, now), Queue::Sends, "each has its own");
        assert_eq!(floods.queue(other, 500, now), Queue::BulkSends, "a large batch is a flood");
        let later = now + Duration::from_secs(1);
        assert_eq!(floods.queue(one, 50, later), Queue::Sends, "and it passes");
        assert_eq!(floods.queue(one, 1, later), Queue::BulkSends);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        for n in 0..30_000_u32 {
            floods.queue(TenantId(Uuid::from_u128(n.into())), 1, now + Duration::from_millis(n.into()));
        }
        assert!(floods.0.len() <= MOST + 1, "{}", floods.0.len());
    }
}
