//! The arguments of `raven webhook`.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::TenantId;
use mailjet::CallbackEvent;

const REGISTER: &str = "Examples: raven webhook register --tenant 0190d3a4-… --url https://raven.example.com
          raven webhook register --tenant 0190d3a4-… --backup-url https://standby.example.com --event sent --event bounce

What is right already stays as it is, so this may be repeated. Workers keep it so from then on.";
const LIST: &str = "Example: raven webhook list --tenant 0190d3a4-… --json";
const REMOVE: &str = "Example: raven webhook remove --tenant 0190d3a4-…";

#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// Register a tenant's webhooks at Mailjet, and keep them so.
    #[command(after_help = REGISTER)]
    Register {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
        /// Where Mailjet posts events. A bare origin gets the tenant's path; one without credentials gets a token. Without
        /// it, `RAVEN_PUBLIC_URL`.
        #[arg(long)]
        url: Option<String>,
        /// A second URL, which Mailjet uses while the first is dead.
        #[arg(long)]
        backup_url: Option<String>,
        /// Only this type of event; may be given several times.
        #[arg(long = "event", value_parser = event())]
        events: Vec<CallbackEvent>,
    },
    /// List every webhook of the tenant's account at Mailjet.
    #[command(after_help = LIST)]
    List {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Remove the webhooks that Raven registered, and revoke their tokens.
    #[command(after_help = REMOVE)]
    Remove {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
    },
}

/// Reads a type of event, in Mailjet's words.
fn event() -> impl TypedValueParser<Value = CallbackEvent> {
    PossibleValuesParser::new(CallbackEvent::ALL.map(CallbackEvent::as_str))
        .try_map(|word| word.parse::<CallbackEvent>())
}
