//! Where the servers and the programs are, as `cargo xtask test` tells it.

use std::{path::PathBuf, sync::OnceLock};

use reqwest::Url;

/// What a run of the tests is given.
#[derive(Debug)]
pub(crate) struct Servers {
    /// Postgres, as a user who may create databases.
    pub(crate) postgres: Url,
    /// RabbitMQ, without a vhost.
    pub(crate) amqp: Url,
    /// RabbitMQ's management API, credentials included.
    pub(crate) management: Url,
    /// The folder of the built programs.
    pub(crate) programs: PathBuf,
    /// The folder for logs.
    pub(crate) scratch: PathBuf,
}

/// The servers of this run.
pub(crate) fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| Servers {
        postgres: url("RAVEN_TEST_POSTGRES_URL"),
        amqp: url("RAVEN_TEST_AMQP_URL"),
        management: url("RAVEN_TEST_RABBITMQ_API"),
        programs: variable("RAVEN_TEST_BIN").into(),
        scratch: variable("RAVEN_TEST_DIR").into(),
    })
}

/// Where a built program is.
pub(crate) fn program(name: &str) -> PathBuf {
    servers().programs.join(name)
}

fn url(name: &str) -> Url {
    variable(name).parse().unwrap_or_else(|fault| panic!("{name} is no URL: {fault}"))
}

fn variable(name: &str) -> String {
    optional(name).unwrap_or_else(|| panic!("{name} is not set; run the tests with: cargo xtask test"))
}

#[expect(clippy::disallowed_methods, reason = "these are settings of the tests, not of a service")]
fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where chance begins: another place each time, unless `RAVEN_TEST_SEED` tells one.
pub(crate) fn seed() -> u64 {
    let told = optional("RAVEN_TEST_SEED").map(|text| text.parse().expect("RAVEN_TEST_SEED is a number"));
    told.unwrap_or_else(|| fastrand::u64(..))
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the package lies in the workspace").to_owned()
}
