//! The arguments of `raven suppression`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use domain::suppression::ALL;
use domain::{EmailAddress, SuppressionReason, TenantId};

const LIST: &str = "Example: raven suppression list --tenant ID --reason hard_bounce --limit 20";
const ADD: &str = "Example: raven suppression add ada@example.com --tenant ID --reason unsubscribed";
const REMOVE: &str = "Example: raven suppression remove ada@example.com --tenant ID";
const IMPORT: &str = "Examples: raven suppression import unsubscribed.csv --tenant ID
          zcat list.csv.gz | raven suppression import - --tenant ID

The first line names the columns, in any order and case: `email` is needed, `reason` may be missing or empty (manual),
others are passed over. An address that is on the list keeps its date, and the stronger of both reasons. A row with a
fault is passed over and named by its line. Batches count by themselves: what was imported stays if this is interrupted,
and importing the same file again does no harm.";
const EXPORT: &str = "Examples: raven suppression export suppressions.csv --tenant ID
          raven suppression export --tenant ID --reason manual | gzip > manual.csv.gz

Addresses stand as they are, also those that a spreadsheet takes for formulas: have it take the column as text.
With --json, a file is needed, and the document says how many rows it has.";

#[derive(Debug, Subcommand)]
pub(crate) enum Suppression {
    /// List addresses that get no more mail, in the order of the addresses.
    #[command(after_help = LIST)]
    List {
        #[command(flatten)]
        of: Of,
        /// Only this address.
        #[arg(long)]
        email: Option<String>,
        /// Only this reason.
        #[arg(long, value_parser = reason())]
        reason: Option<SuppressionReason>,
        /// Show so many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// Go on behind this address: the `nextCursor` of the page before.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Put an address on the list.
    #[command(after_help = ADD)]
    Add {
        /// The address.
        #[arg(value_parser = EmailAddress::parse)]
        email: EmailAddress,
        #[command(flatten)]
        of: Of,
        /// Why.
        #[arg(long, value_parser = reason(), default_value = SuppressionReason::Manual.as_str())]
        reason: SuppressionReason,
    },
    /// Take an address off the list.
    #[command(after_help = REMOVE)]
    Remove {
        /// The address.
        email: String,
        #[command(flatten)]
        of: Of,
    },
    /// Put the addresses of a CSV file on the list.
    #[command(after_help = IMPORT)]
    Import {
        /// The file; `-` is standard input.
        file: PathBuf,
        #[command(flatten)]
        of: Of,
    },
    /// Write the list as a CSV file.
    #[command(after_help = EXPORT)]
    Export {
        /// The file, which must not be there; standard output if none is given.
        file: Option<PathBuf>,
        #[command(flatten)]
        of: Of,
        /// Only this reason.
        #[arg(long, value_parser = reason())]
        reason: Option<SuppressionReason>,
    },
}

/// Whose list.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The tenant's id.
    #[arg(long)]
    pub(crate) tenant: TenantId,
}

/// Reads why an address is on the list.
fn reason() -> impl TypedValueParser<Value = SuppressionReason> {
    PossibleValuesParser::new(ALL.map(SuppressionReason::as_str))
        .try_map(|word| word.parse::<SuppressionReason>())
}
