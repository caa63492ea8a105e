//! `raven events`.

use std::collections::BTreeMap;

use anyhow::Context as _;
use domain::{DeliveryEvent, TenantId};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::delivery_events::{Archived, Revised, Revision, StillSuppressed, archived, revise, span};
use store::{Error, Store};

use super::require;
use crate::args::Events;
use crate::output::Output;

/// Events that are read, and rewritten, at once.
const PAGE: usize = 1000;
/// Tries for a batch that meets others' transactions.
const TRIES: u32 = 5;

pub(super) async fn run(command: Events, store: &Store, output: Output) -> anyhow::Result<()> {
    let Events::Renormalise { since, tenant, dry_run } = command;
    let tenants = if let Some(tenant) = tenant {
        require(store, tenant).await?;
        vec![tenant]
    } else {
        let all = store::tenants::list(store).await.context("the tenants were not listed")?;
        all.into_iter().map(|tenant| tenant.id).collect()
    };
    let mut summary = Summary::default();
    for tenant in tenants {
        let work = Work { store, tenant, since, dry_run };
        work.run(&mut summary).await.with_context(|| {
            format!(
                "the events of tenant {tenant} were not all read again; what was done stays, run it again"
            )
        })?;
    }
    output.one(&summary.json(dry_run))
}

/// What came of it.
#[derive(Default)]
struct Summary {
    read: usize,
    /// How many events went from one type to another, or to another reading of the same type.
    changes: BTreeMap<(String, &'static str), usize>,
    still_suppressed: Vec<Value>,
}

impl Summary {
    fn json(&self, dry_run: bool) -> Value {
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|((from, to), events)| json!({ "from": from, "to": to, "events": events }))
            .collect();
        json!({
            "dryRun": dry_run,
            "read": self.read,
            "changed": self.changes.values().sum::<usize>(),
            "changes": changes,
            "stillSuppressed": self.still_suppressed,
        })
    }

    fn note(&mut self, tenant: TenantId, still: Vec<StillSuppressed>) {
        let row =
            |one: StillSuppressed| json!({ "tenantId": tenant, "email": one.email, "reason": one.reason });
        self.still_suppressed.extend(still.into_iter().map(row));
    }
}

/// One tenant's events.
struct Work<'a> {
    store: &'a Store,
    tenant: TenantId,
    since: Timestamp,
    dry_run: bool,
}

impl Work<'_> {
    async fn run(&self, summary: &mut Summary) -> Result<(), Error> {
        let Some((first, last)) = span(self.store, self.tenant, self.since).await? else { return Ok(()) };
        let bar = bar(self.tenant, last - first + 1);
        let mut after = first - 1;
        // What comes in meanwhile is read by today's rules already.
        while after < last {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let page = archived(self.store, self.tenant, self.since, after, limit).await?;
            let Some(end) = page.last() else { break };
            after = end.sequence;
            self.page(&page, summary).await?;
            bar.set_position((after - first + 1).unsigned_abs());
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Writes those of a page that are read differently today.
    async fn page(&self, page: &[Archived], summary: &mut Summary) -> Result<(), Error> {
        summary.read += page.len();
        let read: Vec<(&Archived, DeliveryEvent)> = page
            .iter()
            .filter(|stored| stored.provider == mailjet::events::PROVIDER)
            .map(|stored| (stored, mailjet::events::normalise(&stored.raw, stored.received_at)))
            .filter(|(stored, event)| !stored.agrees_with(event))
            .collect();
        let revisions: Vec<Revision<'_>> =
            read.iter().map(|(stored, event)| Revision { stored, event }).collect();
        let mut written = None;
        if !revisions.is_empty() && !self.dry_run {
            let revised = self.write(&revisions).await?;
            summary.note(self.tenant, revised.still_suppressed);
            written = Some(revised.written);
        }
        let counts =
            |stored: &Archived| written.as_ref().is_none_or(|written| written.contains(&stored.sequence));
        for (stored, event) in read.iter().filter(|(stored, _)| counts(stored)) {
            *summary.changes.entry((stored.kind.clone(), event.kind.as_str())).or_default() += 1;
        }
        Ok(())
    }

    /// Services go on writing meanwhile, so a batch may be a deadlock's victim, or meet a repeat that just came in.
    async fn write(&self, revisions: &[Revision<'_>]) -> Result<Revised, Error> {
        let mut tries = 1;
        loop {
            match revise(self.store, self.tenant, mailjet::events::PROVIDER, revisions).await {
                Err(Error::Contention(_) | Error::Constraint(_)) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }
}

/// A bar on standard error, where that is a terminal.
fn bar(tenant: TenantId, length: i64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3}% {eta}");
    let bar = ProgressBar::new(length.unsigned_abs()).with_message(tenant.to_string());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
