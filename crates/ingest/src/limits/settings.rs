//! The settings of the limits.

use service::{Environment, Invalid, Variable};

use super::proxies::Proxies;
use super::quota::Quota;

pub(crate) const SENDS: Variable = Variable {
    name: "RAVEN_RATE_LIMIT_SENDS",
    default: Some("100000/s burst 400000"),
    meaning: "messages that a tenant may send, in each process; off for no limit",
};
pub(crate) const KEY_SENDS: Variable = Variable {
    name: "RAVEN_RATE_LIMIT_KEY_SENDS",
    default: Some("off"),
    meaning: "messages that may be sent with one key, likewise",
};
pub(crate) const REQUESTS: Variable = Variable {
    name: "RAVEN_RATE_LIMIT_REQUESTS",
    default: Some("20000/s burst 200000"),
    meaning: "other requests of a tenant, likewise",
};
pub(crate) const KEY_REQUESTS: Variable = Variable {
    name: "RAVEN_RATE_LIMIT_KEY_REQUESTS",
    default: Some("off"),
    meaning: "other requests with one key, likewise",
};
pub(crate) const FAILURES: Variable = Variable {
    name: "RAVEN_RATE_LIMIT_FAILURES",
    default: Some("5/s burst 300"),
    meaning: "look-ups in vain, of keys and of tenants each, for one address, likewise; tenfold without a look-up",
};
pub(crate) const TRUSTED_PROXIES: Variable = Variable {
    name: "RAVEN_TRUSTED_PROXIES",
    default: Some(""),
    meaning: "addresses and networks of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8",
};

/// Everything that can be set.
#[derive(Debug)]
pub(crate) struct LimitSettings {
    pub(super) sends: Option<Quota>,
    pub(super) key_sends: Option<Quota>,
    pub(super) requests: Option<Quota>,
    pub(super) key_requests: Option<Quota>,
    pub(super) failures: Option<Quota>,
    pub(super) proxies: Proxies,
}

impl LimitSettings {
    /// Reads them all.
    pub(crate) fn read(environment: &Environment) -> Result<Self, Invalid> {
        let quota = |variable| environment.read(variable, Quota::read);
        Ok(Self {
            sends: quota(&SENDS)?,
            key_sends: quota(&KEY_SENDS)?,
            requests: quota(&REQUESTS)?,
            key_requests: quota(&KEY_REQUESTS)?,
            failures: quota(&FAILURES)?,
            proxies: environment.read(&TRUSTED_PROXIES, Proxies::read)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_read_and_a_fault_names_its_variable() {
        assert!(LimitSettings::read(&Environment::default()).is_ok());
        let wrong =
            |name, value| LimitSettings::read(&Environment::of([(name, value)])).unwrap_err().to_string();
        assert!(
            wrong("RAVEN_RATE_LIMIT_SENDS", "many").starts_with("RAVEN_RATE_LIMIT_SENDS is neither off nor")
        );
        assert!(wrong("RAVEN_TRUSTED_PROXIES", "proxy").starts_with("RAVEN_TRUSTED_PROXIES holds \"proxy\""));
    }
}
