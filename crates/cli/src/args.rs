//! The command line: what stands over all commands. Each area has a file of its own.

mod audit;
mod completions;
mod dead_letter;
mod domain;
mod encryption;
mod erase;
mod events;
mod key;
mod provider;
mod suppression;
mod tenant;
mod webhook;

pub(crate) use audit::Audit;
pub(crate) use completions::Completions;
pub(crate) use dead_letter::{DeadLetter, Origin, Selection};
pub(crate) use domain::{Domain, Named};
pub(crate) use encryption::Encryption;
pub(crate) use erase::Erase;
pub(crate) use events::Events;
pub(crate) use key::{Key, Scope};
pub(crate) use provider::{Account, Provider};
pub(crate) use suppression::Suppression;
pub(crate) use tenant::Tenant;
pub(crate) use webhook::Webhook;

use clap::{Parser, Subcommand};

const SETTINGS: &str = "Settings (environment; NAME_FILE names a file that holds the value):
  DATABASE_URL           the Postgres database, such as postgres://user:password@host:5432/raven
                         (all but dead-letter and completions)
  AMQP_URL               RabbitMQ, such as amqp://user:password@host:5672/vhost (dead-letter)
  RAVEN_ENCRYPTION_KEYS  keys that seal credentials, as id:base64-of-32-bytes[,id:…]
                         (provider set, show and test, encryption, webhook, domain)
  MAILJET_URL            base URL of Mailjet's API (provider test, webhook, domain)
  MAILJET_TIMEOUT        one API call, from connect to last byte (provider test, webhook, domain)
  RAVEN_PUBLIC_URL       base of the webhook URLs that are registered (webhook register)
  RAVEN_CORE_DUMPS       off (the default), or as-system: a crash may then leave a dump of the memory, with the secrets
                         in it

Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 no such thing (tenant, key, letter, …),
4 Postgres, RabbitMQ or Mailjet is away. A failure is one line on standard error.";

/// Operates an installation of Raven.
#[derive(Debug, Parser)]
#[command(name = "raven", version, after_help = SETTINGS, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Print one JSON document on standard output, and nothing else there.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply the migrations that are missing. Safe to run at once from several places.
    #[command(after_help = "Example: raven migrate")]
    Migrate,
    /// Create and list tenants.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Create, list and revoke API keys.
    #[command(subcommand)]
    Key(Key),
    /// Set, show, test and delete a tenant's account at a provider.
    #[command(subcommand)]
    Provider(Provider),
    /// Replace the keys that seal the stored credentials.
    #[command(subcommand)]
    Encryption(Encryption),
    /// See what was changed, and by whom.
    #[command(subcommand)]
    Audit(Audit),
    /// Set up and look after the domains that a tenant sends from.
    #[command(subcommand)]
    Domain(Domain),
    /// Register, list and remove a tenant's webhooks at Mailjet.
    #[command(subcommand)]
    Webhook(Webhook),
    /// Work on the stored delivery events.
    #[command(subcommand)]
    Events(Events),
    /// See, replay and discard what could not be processed.
    ///
    /// One such command runs at a time in one installation.
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// Print what makes a shell complete these commands.
    #[command(after_help = "Example: raven completions bash > /etc/bash_completion.d/raven")]
    Completions(Completions),
    /// See and change who gets no more mail from a tenant; import and export the list.
    #[command(subcommand)]
    Suppression(Suppression),
    /// Erase a person: everything that tells of this address goes.
    Erase(Erase),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every command that does something, with its path.
    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        if command.has_subcommands() {
            for sub in command.get_subcommands() {
                leaves(sub, &format!("{path} {}", sub.get_name()), found);
            }
        } else {
            found.push((path.to_owned(), command.clone()));
        }
    }

    #[test]
    fn the_tree_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_are_printed_without_secrets() {
        let set = "raven provider set mailjet --tenant 00000000-0000-4000-8000-000000000000 --from-email a@b.co \
             --api-key hidden-1 --api-secret hidden-2";
        for line in [set, "raven key revoke hidden-3"] {
            let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
            assert!(!format!("{arguments:?}").contains("hidden"), "{arguments:?}");
        }
    }

    #[test]
    fn every_command_has_an_example_of_itself() {
        let mut found = Vec::new();
        leaves(&Arguments::command(), "raven", &mut found);
        assert!(found.len() > 10, "{found:?}");
        for (path, command) in found {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help.lines().find_map(|line| line.split_once("Example")).is_some();
            assert!(example && help.contains(&path), "{path} --help has no example of it: {help:?}");
        }
    }
}
