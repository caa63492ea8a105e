//! `/sim/stats`: counters.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::{events::post::PostOffice, ledger::Ledger, stats::Stats};

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sim/stats").get(read));
}

/// What happened since the start. Clearing the ledger restarts `duplicates`, `kept` and `left`, and no others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    calls: u64,
    /// Calls that have no answer yet, and the most of them at one time.
    open_calls: u64,
    most_open_calls: u64,
    /// The most recipients that one call had, whatever became of it.
    most_recipients: u64,
    refused_calls: u64,
    refused_messages: u64,
    accepted_messages: u64,
    accepted_recipients: u64,
    sandbox_messages: u64,
    /// Messages accepted under a `CustomID` that had been accepted before.
    duplicates: u64,
    /// Messages in the ledger.
    kept: usize,
    /// Messages that left the ledger to make room.
    left: u64,
    event_attempts: u64,
    events_delivered: u64,
    events_pending: usize,
    events_dropped: u64,
    events_unrouted: u64,
}

impl Figures {
    pub(super) fn read(stats: &Stats, ledger: &Ledger, post: &PostOffice) -> Self {
        let (kept, left, duplicates) = ledger.counts();
        Self {
            calls: stats.calls.get(),
            open_calls: stats.open_calls.now(),
            most_open_calls: stats.open_calls.most(),
            most_recipients: stats.most_recipients.get(),
            refused_calls: stats.refused_calls.get(),
            refused_messages: stats.refused_messages.get(),
            accepted_messages: stats.accepted_messages.get(),
            accepted_recipients: stats.accepted_recipients.get(),
            sandbox_messages: stats.sandbox_messages.get(),
            duplicates,
            kept,
            left,
            event_attempts: stats.event_attempts.get(),
            events_delivered: stats.events_delivered.get(),
            events_pending: post.pending(),
            events_dropped: stats.events_dropped.get(),
            events_unrouted: stats.events_unrouted.get(),
        }
    }
}

async fn read(
    stats: web::Data<Arc<Stats>>,
    ledger: web::Data<Arc<Ledger>>,
    post: web::Data<Arc<PostOffice>>,
) -> HttpResponse {
    HttpResponse::Ok().json(Figures::read(&stats, &ledger, &post))
}
