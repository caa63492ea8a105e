//! Changes by hand: what was answered with success, holds.

use super::findings::Findings;
use super::ledgers::Ledgers;
use crate::told::{Book, Change};

pub(super) fn compare(book: &Book, ledgers: &Ledgers, findings: &mut Findings) {
    for change in &book.changes {
        let holds = match change {
            Change::KeyMade(tenant, id) => ledgers.keys.contains(&(*tenant, id.clone())),
            Change::KeyRevoked(tenant, id) => !ledgers.keys.contains(&(*tenant, id.clone())),
            Change::Suppressed(tenant, email) => ledgers.suppressed.contains(&(*tenant, email.clone())),
            Change::Lifted(tenant, email) => !ledgers.suppressed.contains(&(*tenant, email.clone())),
        };
        if !holds {
            findings
                .lost
                .add(|| format!("a change that was answered with success does not hold: {change:?}"));
        }
    }
}
