//! What went wrong with the database, by what the caller does next.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, or is overloaded: the same call may work a little later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The transaction was given up for the sake of others (a deadlock, a serialization failure): the same call may
    /// work at once.
    #[error("the transaction met others")]
    Contention(#[source] tokio_postgres::Error),
    /// A constraint of the schema does not hold; its name tells which.
    #[error("the database refused the change: constraint {0}")]
    Constraint(String),
    /// The database will not take this, now or later.
    #[error("the database refused the statement")]
    Refused(#[source] tokio_postgres::Error),
    /// A sealed value does not open.
    #[error(transparent)]
    Sealed(#[from] crate::seal::Unsealable),
    /// A stored value is not one that this build writes.
    #[error("column {column} holds a value that this version does not know")]
    Unreadable {
        /// The column.
        column: &'static str,
    },
    /// A migration failed, or differs from the one that was applied.
    #[error("the migration failed")]
    Migration(#[source] Box<refinery::Error>),
}

impl Error {
    /// Whether the same call may work a little later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contention(_))
    }

    /// Whether what passes may be due to what the statement asked for, and others may work meanwhile: it took too long, or
    /// waited for a lock, or for a disk.
    pub fn is_of_statement(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        let state = cause.downcast_ref::<tokio_postgres::Error>().and_then(|fault| fault.code());
        let theirs = [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED, SqlState::IO_ERROR];
        state.is_some_and(|state| theirs.contains(state))
    }

    /// What is wrong with the database, in words that name no host, user or secret, and may be shown to anybody.
    pub fn condition(&self) -> String {
        let Self::Unavailable(cause) = self else { return self.to_string() };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&**cause);
        while let Some(fault) = cause {
            if let Some(state) = fault.downcast_ref::<tokio_postgres::Error>().and_then(|fault| fault.code())
            {
                return format!("{self}: {}", words(state));
            }
            if fault.is::<crate::pool::OnlyReads>() {
                return format!("{self}: {fault}");
            }
            cause = fault.source();
        }
        self.to_string()
    }

    /// The name of the constraint that was in the way, if one was.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint(name) => Some(name),
            _ => None,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(state) = error.code() else {
            // No SQLSTATE: the connection broke, or a value could not be converted.
            return if error.is_closed() || lost(&error) {
                Self::Unavailable(Box::new(error))
            } else {
                Self::Refused(error)
            };
        };
        if state.code().starts_with("40") {
            return Self::Contention(error);
        }
        if passes(state) {
            return Self::Unavailable(Box::new(error));
        }
        match error.as_db_error().and_then(|db| db.constraint()) {
            Some(name) => Self::Constraint(name.to_owned()),
            None => Self::Refused(error),
        }
    }
}

/// Whether the cause is the connection: an I/O error, or (without any cause) the time limit of connecting.
fn lost(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_none_or(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Whether a SQLSTATE stands for a state of affairs that passes by itself
/// (PostgreSQL documentation, appendix A: classes 08, 53, 57 and 58, lock timeouts, a process that was stopped in the middle of
/// a transaction, and a server that only reads, as one does that is being replaced or has run out of space). A file that is missing is none: it is one table's or one value's,
/// it does not come back, and must not stop what does not need it.
fn passes(state: &SqlState) -> bool {
    if *state == SqlState::UNDEFINED_FILE {
        return false;
    }
    let class = &state.code()[..2];
    let passing = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    matches!(class, "08" | "53" | "57" | "58") || passing.contains(state)
}

/// What a SQLSTATE says against connecting.
fn words(state: &SqlState) -> String {
    let known = [
        (SqlState::INVALID_PASSWORD, "the password is wrong"),
        (SqlState::INVALID_AUTHORIZATION_SPECIFICATION, "it does not let this user in"),
        (SqlState::INVALID_CATALOG_NAME, "there is no such database"),
        (SqlState::TOO_MANY_CONNECTIONS, "it has no connection left"),
        (SqlState::CANNOT_CONNECT_NOW, "it is starting or ending"),
        (SqlState::READ_ONLY_SQL_TRANSACTION, "it only reads"),
    ];
    let words = known.iter().find(|(known, _)| known == state).map(|(_, words)| *words);
    words.map_or_else(|| format!("SQLSTATE {}", state.code()), |words| format!("{words} ({})", state.code()))
}

impl From<PoolError> for Error {
    /// Who gets no connection has done nothing wrong, whatever the server says to that: a password that is being changed, or
    /// a database that is being restored, must not be taken for the fault of a message.
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(backend) => Self::Unavailable(Box::new(backend)),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_row_or_table_does_not_pass() {
        for code in ["08006", "53300", "57014", "58030", "55P03", "25006", "25P03"] {
            assert!(passes(&SqlState::from_code(code)), "{code}");
        }
        for code in ["58P01", "23505", "22P05", "XX001", "42P01"] {
            assert!(!passes(&SqlState::from_code(code)), "{code}");
        }
    }
}
