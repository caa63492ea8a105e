//! The arguments of `raven encryption`.

use clap::Subcommand;

const ROTATE: &str = "Example: raven encryption rotate

To replace the key k1 by k2:
  1. RAVEN_ENCRYPTION_KEYS=k1:…,k2:…  everywhere, and restart: now every process opens what k2 seals
  2. RAVEN_ENCRYPTION_KEYS=k2:…,k1:…  everywhere, and restart: now every process seals with k2
  3. raven encryption rotate          with the same ring
  4. raven encryption status          says that k1 can be taken out
  5. RAVEN_ENCRYPTION_KEYS=k2:…       everywhere, and restart

Services go on meanwhile. What it has done stays done however it ends, and a second run goes on from there. Secrets that
do not open are named and left as they are, and make the exit code 1.";

#[derive(Debug, Subcommand)]
pub(crate) enum Encryption {
    /// Seal every stored secret anew with the first key of the ring.
    #[command(after_help = ROTATE)]
    Rotate,
    /// Show how many secrets each key seals, and which keys can be taken out of the ring.
    #[command(after_help = "Example: raven encryption status")]
    Status,
}
