//! How much is let through of those who are not known, for each address.
//!
//! Only look-ups cost something, so what counts most is those that found nothing: where there were too many of them,
//! nothing more is looked up, while what the process knows is served as ever. What is refused without a look-up, junk or a
//! revoked key, takes nothing of that, so that an old program which goes on trying does not keep new keys from being found.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::HttpRequest;

use super::buckets::Buckets;
use super::proxies::{Proxies, household};
use super::quota::{Quota, Standing};

/// Requests without a good key that are answered as such, for each look-up that may be in vain.
const REFUSALS: u32 = 10;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// An API key.
    Key,
    /// The tenant of a webhook.
    Tenant,
}

/// The buckets of all addresses.
pub(crate) struct Strangers {
    refusals: Buckets<IpAddr>,
    keys: Buckets<IpAddr>,
    tenants: Buckets<IpAddr>,
    proxies: Proxies,
}

impl Strangers {
    pub(super) fn new(look_ups: Option<Quota>, proxies: Proxies) -> Self {
        Self {
            refusals: Buckets::new(look_ups.map(|quota| quota.times(REFUSALS))),
            keys: Buckets::new(look_ups),
            tenants: Buckets::new(look_ups),
            proxies,
        }
    }

    /// Whether too much was looked for in vain from the address of a request; nothing is counted.
    pub(crate) fn barred(&self, sought: Sought, request: &HttpRequest, now: Instant) -> Option<Standing> {
        let standing = self.look_ups(sought).look(self.address(request)?, now);
        standing.filter(|standing| standing.wait.is_some())
    }

    /// Counts a look-up that found nothing.
    pub(crate) fn in_vain(&self, sought: Sought, request: &HttpRequest, now: Instant) {
        if let Some(address) = self.address(request) {
            self.look_ups(sought).take(address, now);
        }
    }

    /// Counts a request without a good key; too many are told.
    pub(crate) fn refused(&self, request: &HttpRequest, now: Instant) -> Option<Standing> {
        let standing = self.refusals.take(self.address(request)?, now);
        standing.filter(|standing| standing.wait.is_some())
    }

    fn look_ups(&self, sought: Sought) -> &Buckets<IpAddr> {
        match sought {
            Sought::Key => &self.keys,
            Sought::Tenant => &self.tenants,
        }
    }

    /// Where a request comes from, past the proxies that are trusted.
    fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip();
        if self.proxies.is_empty() {
            return Some(household(self.proxies.client(peer, &[])));
        }
        let values = request.headers().get_all("x-forwarded-for");
        // What is no text is an unreadable hop, at which the walk ends.
        let forwarded: Vec<&str> = values.map(|value| value.to_str().unwrap_or_default()).collect();
        Some(household(self.proxies.client(peer, &forwarded)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn strangers() -> Strangers {
        let proxies = Proxies::read("10.0.0.0/8").unwrap();
        Strangers::new(Quota::read("1/s burst 2").unwrap(), proxies)
    }

    fn from(peer: &str, forwarded: &str) -> HttpRequest {
        let request = TestRequest::default().peer_addr(format!("{peer}:4711").parse().unwrap());
        request.insert_header(("x-forwarded-for", forwarded)).to_http_request()
    }

    #[test]
    fn addresses_are_barred_each_for_itself() {
        let (strangers, now) = (strangers(), Instant::now());
        let barred = |peer, forwarded| strangers.barred(Sought::Key, &from(peer, forwarded), now).is_some();
        let tries = [0, 1, 2].map(|_| {
            let before = barred("10.0.0.1", "192.0.2.1");
            strangers.in_vain(Sought::Key, &from("10.0.0.1", "192.0.2.1"), now);
            before
        });
        assert_eq!(tries, [false, false, true]);
        assert!(barred("10.0.0.2", "192.0.2.1"), "another proxy, the same client");
        assert!(barred("192.0.2.1", "192.0.2.9"), "the client itself");
        assert!(!barred("10.0.0.1", "192.0.2.2"));
        assert!(strangers.barred(Sought::Tenant, &from("192.0.2.1", ""), now).is_none(), "something else");
        let nowhere = TestRequest::default().to_http_request();
        assert!((0..99).all(|_| strangers.refused(&nowhere, now).is_none()), "nothing to count by");
    }

    #[test]
    fn what_costs_no_look_up_bars_none() {
        let (strangers, now) = (strangers(), Instant::now());
        let client = from("192.0.2.1", "");
        let answered = (0..99).filter(|_| strangers.refused(&client, now).is_none()).count();
        assert_eq!(answered, 20);
        assert!(strangers.barred(Sought::Key, &client, now).is_none());
    }
}
