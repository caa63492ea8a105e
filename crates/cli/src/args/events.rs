//! The arguments of `raven events`.

use clap::Subcommand;
use domain::TenantId;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Read the stored raw items again with the rules of this version, and write what differs: history, statuses,
    /// suppressions. A status that rested on another reading is taken back; nobody is taken off the suppression list, but
    /// those whose reason has gone are named. Services go on meanwhile; a second run finds nothing to do.
    #[command(after_help = "Example: raven events renormalise --since 2026-11-01 --dry-run")]
    Renormalise {
        /// Events that happened since then: a date (UTC) or a time such as 2026-11-01T12:00:00Z.
        #[arg(long, value_parser = moment)]
        since: Timestamp,
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Only count what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(day).ok_or_else(|| "is no date and no time with its offset".to_owned())
}
