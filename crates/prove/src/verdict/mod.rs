//! The comparison of the three ledgers.

mod changes;
mod events;
mod findings;
mod ledgers;
mod messages;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use events::compare_followed;
pub(crate) use findings::Findings;
pub(crate) use ledgers::Ledgers;
pub(crate) use report::Report;

use crate::told::Book;

/// Compares what clients were told with what the others say.
pub(crate) fn compare(book: &Book, ledgers: &Ledgers) -> Findings {
    let mut findings = Findings::default();
    messages::compare(book, ledgers, &mut findings);
    events::compare(book, ledgers, &mut findings);
    changes::compare(book, ledgers, &mut findings);
    findings
}
