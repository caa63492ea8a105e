//! The settings that several programs of one installation have in common.

use std::time::Duration;

use crate::Variable;
use crate::settings::positive;

/// Postgres.
pub const DATABASE_URL: Variable = Variable {
    name: "DATABASE_URL",
    default: None,
    meaning: "the Postgres database, such as postgres://user:password@host:5432/raven",
};
/// RabbitMQ.
pub const AMQP_URL: Variable = Variable {
    name: "AMQP_URL",
    default: None,
    meaning: "RabbitMQ, such as amqp://user:password@host:5672/vhost",
};
/// The ring of keys that seal credentials.
pub const ENCRYPTION_KEYS: Variable = Variable {
    name: "RAVEN_ENCRYPTION_KEYS",
    default: None,
    meaning: "keys that seal credentials, as id:base64-of-32-bytes[,id:…]; the first seals, all open",
};
/// Mailjet's API.
pub const MAILJET_URL: Variable = Variable {
    name: "MAILJET_URL",
    default: Some("https://api.mailjet.com"),
    meaning: "base URL of Mailjet's API",
};
/// The time limit of its calls.
pub const MAILJET_TIMEOUT: Variable = Variable {
    name: "MAILJET_TIMEOUT",
    default: Some("10s"),
    meaning: "one API call, from connect to last byte",
};
/// The longest that it may be. What consists of a few calls has to end long before it counts as hung.
const LONGEST_CALL: Duration = Duration::from_mins(1);

/// Reads [`MAILJET_TIMEOUT`].
pub fn mailjet_timeout(text: &str) -> Result<Duration, &'static str> {
    positive(text)
        .and_then(|limit| if limit > LONGEST_CALL { Err("is longer than a minute") } else { Ok(limit) })
}

/// How long a program may take to end.
pub const SHUTDOWN_GRACE: Variable =
    Variable { name: "RAVEN_SHUTDOWN_GRACE", default: Some("25s"), meaning: "drain time on SIGTERM" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_long_before_it_counts_as_hung() {
        assert_eq!(mailjet_timeout("60s"), Ok(LONGEST_CALL));
        for text in ["61s", "1h", "0s", "soon"] {
            assert!(mailjet_timeout(text).is_err(), "{text}");
        }
    }
}
