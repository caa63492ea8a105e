//! Every kind of fault.

use std::fmt;

use crate::program::Role;

/// A way between two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    ClientsIngest,
    MailjetIngest,
    IngestRabbitmq,
    IngestPostgres,
    IngestMailjet,
    WorkerRabbitmq,
    WorkerPostgres,
    WorkerMailjet,
}

/// What happens to a program of Raven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL, and a new start.
    Killed,
    /// SIGTERM, and a new start.
    Ended,
    /// SIGSTOP, and SIGCONT.
    Paused,
}

/// What happens to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// SIGKILL of all of it, and a new start.
    Killed,
    /// SIGSTOP of all of it, and SIGCONT.
    Paused,
    /// RabbitMQ's alarm of memory: `connection.blocked`.
    MemoryAlarm,
    /// RabbitMQ's alarm of the disk: `connection.blocked`.
    DiskAlarm,
}

/// What happens to a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// Connections are reset, and new ones refused.
    Cut,
    /// Connections stay, and no byte passes.
    Silent,
    /// Every byte comes late, as from a server whose disk is slow.
    Slow,
    /// Postgres commits, and nobody hears of it.
    CommitsLost,
}

/// A kind of fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Program(Role, Blow),
    Rabbitmq(Harm),
    Postgres(Harm),
    Way(Link, Break),
    /// One of the stand-in's.
    Mailjet(String),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientsIngest => "clients to ingest",
            Self::MailjetIngest => "Mailjet to ingest",
            Self::IngestRabbitmq => "ingest to RabbitMQ",
            Self::IngestPostgres => "ingest to Postgres",
            Self::IngestMailjet => "ingest to Mailjet",
            Self::WorkerRabbitmq => "worker to RabbitMQ",
            Self::WorkerPostgres => "worker to Postgres",
            Self::WorkerMailjet => "worker to Mailjet",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harm = |harm: Harm| match harm {
            Harm::Killed => "SIGKILL, restart",
            Harm::Paused => "SIGSTOP",
            Harm::MemoryAlarm => "memory alarm",
            Harm::DiskAlarm => "disk alarm",
        };
        match self {
            Self::Program(role, blow) => {
                let role = if *role == Role::Ingest { "ingest" } else { "worker" };
                let blow = match blow {
                    Blow::Killed => "SIGKILL",
                    Blow::Ended => "SIGTERM",
                    Blow::Paused => "SIGSTOP",
                };
                write!(f, "{role}: {blow}")
            }
            Self::Rabbitmq(its) => write!(f, "RabbitMQ: {}", harm(*its)),
            Self::Postgres(its) => write!(f, "Postgres: {}", harm(*its)),
            Self::Way(link, how) => {
                let how = match how {
                    Break::Cut => "cut",
                    Break::Silent => "black hole",
                    Break::Slow => "slow",
                    Break::CommitsLost => "commits unheard",
                };
                write!(f, "{link}: {how}")
            }
            Self::Mailjet(kind) => write!(f, "Mailjet: {}", kind.replace('_', " ")),
        }
    }
}

/// Every kind, by track: RabbitMQ and Postgres with the ways to them, programs with the ways to clients and Mailjet, and
/// Mailjet itself, which knows these kinds.
pub(crate) fn catalogue(mailjet: Vec<String>) -> [Vec<Kind>; 3] {
    use Break::{CommitsLost, Cut, Silent, Slow};
    let ways = |links: &[Link], breaks: &[Break]| -> Vec<Kind> {
        links.iter().flat_map(|link| breaks.iter().map(|how| Kind::Way(*link, *how))).collect()
    };
    let mut servers: Vec<Kind> =
        [Harm::Killed, Harm::Paused, Harm::MemoryAlarm, Harm::DiskAlarm].map(Kind::Rabbitmq).into();
    servers.extend([Harm::Killed, Harm::Paused].map(Kind::Postgres));
    servers.extend(ways(&[Link::IngestRabbitmq, Link::WorkerRabbitmq], &[Cut, Silent, Slow]));
    servers.extend(ways(&[Link::IngestPostgres, Link::WorkerPostgres], &[Cut, Silent, Slow, CommitsLost]));
    let blows = [Blow::Killed, Blow::Ended, Blow::Paused];
    let mut programs: Vec<Kind> = [Role::Ingest, Role::Worker]
        .into_iter()
        .flat_map(|role| blows.map(|blow| Kind::Program(role, blow)))
        .collect();
    let outer = [Link::ClientsIngest, Link::MailjetIngest, Link::IngestMailjet, Link::WorkerMailjet];
    programs.extend(ways(&outer, &[Cut, Silent]));
    [servers, programs, mailjet.into_iter().map(Kind::Mailjet).collect()]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_is_named_once() {
        let kinds = catalogue(vec!["hang".to_owned(), "rate_limit".to_owned()]).concat();
        let names: HashSet<String> = kinds.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), kinds.len());
        assert!(
            names.contains("Mailjet: rate limit") && names.contains("worker to Postgres: commits unheard")
        );
    }
}
