//! How much of one caller is let through: token buckets for each key and each tenant, of sends and of everything else,
//! and for each address, of what is not known.
//!
//! Each process counts for itself, so `n` processes let through up to `n` times as much. The webhooks of a tenant that is
//! known are never limited: what is refused there would be repeated, and in the end be lost.

mod buckets;
mod proxies;
mod quota;
pub(crate) mod settings;
mod strangers;
mod tell;

use std::time::Instant;

use domain::TenantId;
use domain::api_key::KeyId;

pub(crate) use quota::Standing;
pub(crate) use strangers::{Sought, Strangers};
pub(crate) use tell::{keep, tell};

use self::buckets::{Bucket, Buckets};
use self::settings::LimitSettings;

/// What is counted apart from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Messages that are sent. A batch counts as its messages: they are what costs, and a limit that 500 of them pass as
    /// one would be none.
    Sends,
    /// Every other request.
    Requests,
}

/// The buckets of this process.
pub(crate) struct Limits {
    sends: Pair,
    requests: Pair,
    pub(crate) strangers: Strangers,
}

struct Pair {
    key: Buckets<KeyId>,
    tenant: Buckets<TenantId>,
}

impl Pair {
    /// Takes tokens out of both buckets, if both have them and they are to be kept. Refused, the longer wait is told, after
    /// which neither refuses.
    fn take(
        &self,
        (key, tenant): (KeyId, TenantId),
        tokens: u32,
        now: Instant,
        keep: bool,
    ) -> Option<Standing> {
        // Always in this order, so that nobody waits for the other with one of them in hand.
        let (mut of_key, mut of_tenant) = (self.key.open(key, now), self.tenant.open(tenant, now));
        let key = of_key.as_mut().map(|bucket| bucket.take(tokens, now));
        let tenant = of_tenant.as_mut().map(|bucket| bucket.take(tokens, now));
        let standings = || key.into_iter().chain(tenant);
        let refused = standings().filter(|standing| standing.wait.is_some());
        if let Some(refused) = refused.max_by_key(|standing| standing.wait) {
            return Some(refused);
        }
        if keep {
            of_key.into_iter().for_each(Bucket::keep);
            of_tenant.into_iter().for_each(Bucket::keep);
        }
        standings().min_by_key(|standing| standing.remaining)
    }
}

impl Limits {
    pub(crate) fn new(settings: LimitSettings) -> Self {
        let pair = |key, tenant| Pair { key: Buckets::new(key), tenant: Buckets::new(tenant) };
        Self {
            sends: pair(settings.key_sends, settings.sends),
            requests: pair(settings.key_requests, settings.requests),
            strangers: Strangers::new(settings.failures, settings.proxies),
        }
    }

    /// Counts what a key asks for, and says how it and its tenant stand: whichever is nearer to its end. Either has all of
    /// it, or nothing is taken of either: what one key is refused is not taken from the tenant's others.
    pub(crate) fn count(
        &self,
        class: Class,
        caller: (KeyId, TenantId),
        tokens: u32,
        now: Instant,
    ) -> Option<Standing> {
        self.pair(class).take(caller, tokens, now, true)
    }

    /// Why a key could not have anything at present, if so; nothing is counted.
    pub(crate) fn exhausted(
        &self,
        class: Class,
        caller: (KeyId, TenantId),
        now: Instant,
    ) -> Option<Standing> {
        let standing = self.pair(class).take(caller, 1, now, false);
        standing.filter(|standing| standing.wait.is_some())
    }

    fn pair(&self, class: Class) -> &Pair {
        match class {
            Class::Sends => &self.sends,
            Class::Requests => &self.requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use service::Environment;
    use uuid::Uuid;

    use super::*;

    fn limits(variables: &[(&str, &str)]) -> Limits {
        let environment = Environment::of(variables.iter().copied());
        Limits::new(LimitSettings::read(&environment).unwrap())
    }

    fn caller(key: u32, tenant: u128) -> (KeyId, TenantId) {
        (KeyId(key), TenantId(Uuid::from_u128(tenant)))
    }

    #[test]
    fn a_wild_key_leaves_room_to_the_others_of_its_tenant() {
        let limits =
            limits(&[("RAVEN_RATE_LIMIT_REQUESTS", "3/s"), ("RAVEN_RATE_LIMIT_KEY_REQUESTS", "2/s")]);
        let now = Instant::now();
        let passes = |key| limits.count(Class::Requests, caller(key, 1), 1, now).unwrap().wait.is_none();
        let wild: Vec<bool> = (0..9).map(|_| passes(1)).collect();
        assert_eq!(wild.iter().filter(|passed| **passed).count(), 2);
        assert_eq!([passes(2), passes(2)], [true, false], "the tenant's own limit");
        assert!(limits.count(Class::Requests, caller(3, 2), 1, now).unwrap().wait.is_none());
        assert!(limits.count(Class::Sends, caller(1, 1), 1, now).unwrap().wait.is_none(), "another class");
    }

    #[test]
    fn the_nearer_end_is_told() {
        let limits =
            limits(&[("RAVEN_RATE_LIMIT_REQUESTS", "3/s"), ("RAVEN_RATE_LIMIT_KEY_REQUESTS", "9/s")]);
        let standing = limits.count(Class::Requests, caller(1, 1), 1, Instant::now()).unwrap();
        assert_eq!((standing.limit, standing.remaining), (3, 2));
    }

    #[test]
    fn a_batch_that_is_refused_takes_nothing_of_either() {
        let limits = limits(&[
            ("RAVEN_RATE_LIMIT_SENDS", "1/s burst 10"),
            ("RAVEN_RATE_LIMIT_KEY_SENDS", "1/s burst 20"),
        ]);
        let now = Instant::now();
        let send = |key, tokens| limits.count(Class::Sends, caller(key, 1), tokens, now).unwrap();
        assert_eq!((send(1, 6).wait, send(1, 6).remaining), (None, 4), "the tenant's limit refuses");
        assert_eq!((send(1, 4).remaining, send(1, 1).limit), (0, 10));
        let of_key = limits.sends.key.look(KeyId(1), now).unwrap();
        assert_eq!(of_key.remaining, 9, "of the key's 20 only what was sent is gone");
        let minute = now + Duration::from_mins(1);
        let all = limits.count(Class::Sends, caller(1, 1), 10, minute).unwrap();
        assert_eq!((all.wait, all.remaining), (None, 0));
    }

    #[test]
    fn more_than_the_burst_takes_all_of_a_full_bucket() {
        let limits = limits(&[("RAVEN_RATE_LIMIT_SENDS", "1/s burst 10")]);
        let standing = limits.count(Class::Sends, caller(1, 1), 11, Instant::now()).unwrap();
        assert_eq!((standing.wait, standing.remaining), (None, 0));
    }

    #[test]
    fn looking_takes_nothing() {
        let limits =
            limits(&[("RAVEN_RATE_LIMIT_SENDS", "1/s burst 2"), ("RAVEN_RATE_LIMIT_KEY_SENDS", "off")]);
        let now = Instant::now();
        let exhausted = || limits.exhausted(Class::Sends, caller(1, 1), now).is_some();
        assert!((0..9).all(|_| !exhausted()));
        assert_eq!(limits.count(Class::Sends, caller(1, 1), 2, now).unwrap().wait, None);
        assert!(exhausted());
    }

    #[test]
    fn what_is_off_is_not_told() {
        let limits = limits(&[("RAVEN_RATE_LIMIT_SENDS", "off")]);
        assert_eq!(limits.count(Class::Sends, caller(1, 1), 500, Instant::now()), None);
    }

    proptest! {
        /// As a client would: it knows whole seconds only.
        #[test]
        fn who_waits_as_long_as_told_gets_through(
            before in prop::collection::vec((0u32..3, 1u32..80, 0u64..3_000), 0..20), tokens in 1u32..600
        ) {
            let limits = limits(&[
                ("RAVEN_RATE_LIMIT_SENDS", "7/s burst 50"),
                ("RAVEN_RATE_LIMIT_KEY_SENDS", "100/m burst 30"),
            ]);
            let mut now = Instant::now();
            for (key, tokens, millis) in before {
                limits.count(Class::Sends, caller(key, 1), tokens, now);
                now += Duration::from_millis(millis);
            }
            if let Some(wait) = limits.count(Class::Sends, caller(1, 1), tokens, now).unwrap().wait {
                now += Duration::from_secs(tell::seconds(wait));
                prop_assert_eq!(limits.count(Class::Sends, caller(1, 1), tokens, now).unwrap().wait, None);
            }
        }
    }
}
