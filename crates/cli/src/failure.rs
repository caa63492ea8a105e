//! Why a command failed, as far as its exit code tells, so that scripts know what to do next.

use std::io;
use std::path::Path;

use broker::dead_letters::Fault;
use domain::suppression::file::BadHeader;
use provisioning::{Error, RestError};

/// Something went wrong that is none of the below.
const FAILED: u8 = service::program::FAILED;
/// The arguments or the settings are wrong: the same command will fail again.
const MISCONFIGURED: u8 = service::program::MISCONFIGURED;
/// What the command is about does not exist.
const NO_SUCH_THING: u8 = 3;
/// Postgres, RabbitMQ or Mailjet is away: the same command may work a little later.
const AWAY: u8 = 4;

/// A failure that the command itself finds out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An argument cannot be used.
    #[error("{0}")]
    Arguments(String),
    /// There is no such tenant, key, letter, account, domain, webhook or suppression.
    #[error("{0}")]
    NoSuchThing(String),
}

impl Failure {
    /// A file that is named cannot be opened or made.
    pub(crate) fn file(path: &Path, fault: &io::Error) -> Self {
        Self::Arguments(format!("{}: {fault}", path.display()))
    }
}

/// The exit code of a failure: that of the first cause, from the outside in, that has one of its own.
pub(crate) fn exit_code(fault: &anyhow::Error) -> u8 {
    fault.chain().find_map(code_of).unwrap_or(FAILED)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if cause.is::<service::Invalid>() || cause.is::<BadHeader>() {
        return Some(MISCONFIGURED);
    }
    if let Some(failure) = cause.downcast_ref() {
        return Some(match failure {
            Failure::Arguments(_) => MISCONFIGURED,
            Failure::NoSuchThing(_) => NO_SUCH_THING,
        });
    }
    if let Some(fault) = cause.downcast_ref() {
        return of_store(fault);
    }
    if let Some(fault) = cause.downcast_ref() {
        return of_provisioning(fault);
    }
    let fault = cause.downcast_ref()?;
    matches!(fault, Fault::Unreachable(_) | Fault::Broker(_) | Fault::Silent).then_some(AWAY)
}

fn of_store(fault: &store::Error) -> Option<u8> {
    matches!(fault, store::Error::Unavailable(_)).then_some(AWAY)
}

fn of_provisioning(fault: &Error) -> Option<u8> {
    if let Error::Store(fault) = fault {
        return of_store(fault);
    }
    if matches!(fault, Error::NoAccount) {
        return Some(NO_SUCH_THING);
    }
    matches!(fault, Error::Mailjet(RestError::RateLimited | RestError::Unavailable(_))).then_some(AWAY)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_cause_decides_whatever_stands_around_it() {
        let code = |fault: anyhow::Error| {
            exit_code(&Err::<(), _>(fault).context("it was not done").context("so far").unwrap_err())
        };
        let away = || store::Error::Unavailable(Box::new(std::io::Error::other("refused")));
        assert_eq!(code(away().into()), 4);
        assert_eq!(code(Error::Store(away()).into()), 4);
        assert_eq!(code(Error::NoAccount.into()), 3);
        assert_eq!(code(Error::Mailjet(RestError::RateLimited).into()), 4);
        assert_eq!(code(Fault::Unreachable("refused".to_owned()).into()), 4);
        assert_eq!(code(Fault::Silent.into()), 4);
        assert_eq!(code(Fault::Locked.into()), 1);
        assert_eq!(code(store::Error::Constraint("some".to_owned()).into()), 1);
        assert_eq!(code(Failure::NoSuchThing("there is no key".to_owned()).into()), 3);
        assert_eq!(code(Failure::Arguments("--name is empty".to_owned()).into()), 2);
        assert_eq!(code(service::shared::DATABASE_URL.invalid("is not set").into()), 2);
        assert_eq!(code(anyhow::anyhow!("anything else")), 1);
    }
}
