//! The line of one account: its claimed messages wait here for a call, and its calls are made here.
//!
//! A line lives while its account has something to send.

use std::sync::Arc;

use domain::TenantId;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fill::Waiting;
use super::record::Settled;
use super::{Job, Sender};

pub(super) struct Line {
    sender: Arc<Sender>,
    tenant: TenantId,
    inbox: UnboundedReceiver<Vec<Job>>,
    waiting: Waiting,
    calls: JoinSet<Vec<Settled>>,
}

impl Line {
    pub(super) fn new(sender: Arc<Sender>, tenant: TenantId, inbox: UnboundedReceiver<Vec<Job>>) -> Self {
        Self { sender, tenant, inbox, waiting: Waiting::default(), calls: JoinSet::new() }
    }

    /// Makes calls until there is nothing left to send.
    pub(super) async fn run(mut self) {
        let shutdown = self.sender.shutdown.clone();
        loop {
            while let Ok(jobs) = self.inbox.try_recv() {
                self.waiting.add(jobs, Instant::now());
            }
            let again_at = self.begin_calls();
            if self.waiting.is_empty()
                && self.calls.is_empty()
                && self.sender.desk.leave(self.tenant, &self.inbox)
            {
                return;
            }
            let again = async {
                match again_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The desk holds the other end for as long as this line has not left.
                jobs = self.inbox.recv() => self.waiting.add(jobs.unwrap_or_default(), Instant::now()),
                Some(ended) = self.calls.join_next(), if !self.calls.is_empty() => match ended {
                    Ok(settled) => self.sender.settle(settled),
                    Err(fault) => tracing::error!(%fault, "a call ended without an outcome; Mailjet will be asked"),
                },
                () = again => {}
                () = shutdown.cancelled(), if !self.waiting.is_empty() => self.give_back(|_| true),
            }
        }
    }

    /// Begins as many calls as may be; answers when to look again, if something else than an end of a call is awaited.
    fn begin_calls(&mut self) -> Option<Instant> {
        let now = Instant::now();
        // Past this moment another worker may ask Mailjet, and in the end send: no call may begin.
        self.give_back(|job| job.deadline.passed());
        loop {
            let latest = self.waiting.latest_start()?;
            let (slots, resumes_at, coming) = self.sender.desk.slots(self.tenant);
            if slots <= self.calls.len() {
                return Some(resumes_at.unwrap_or(latest).min(latest));
            }
            // Where more are on their way a call that is not full waits for them, but not for long.
            let patience = coming.then_some(self.sender.linger);
            match self.waiting.next_call(patience, now) {
                Ok(jobs) => {
                    let sender = Arc::clone(&self.sender);
                    self.calls.spawn(async move { sender.call(jobs).await });
                }
                Err(until) => return Some(until.min(latest)),
            }
        }
    }

    /// Gives back the claims of those for which `gone` holds: no call begins under them any more.
    fn give_back(&mut self, gone: impl Fn(&Job) -> bool) {
        let unbegun = self.waiting.remove(gone);
        if unbegun.is_empty() {
            return;
        }
        let reason = self.sender.desk.trouble(self.tenant).as_ref().map(super::held_back);
        self.sender.settle(unbegun.into_iter().map(|job| job.give_back(reason.clone())).collect());
    }
}
