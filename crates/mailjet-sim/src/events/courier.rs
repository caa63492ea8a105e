//! Delivery to one callback URL: one request at a time, in order, again and again until it answers 200.

use std::{sync::Arc, time::Duration};

use reqwest::{StatusCode, header::CONTENT_TYPE};
use tokio::time::{Instant, sleep, sleep_until};

use super::outbox::{Address, Batch, Outbox};

/// Delivers a queue until it is empty, its URL is no longer used, or the server ends.
pub(super) async fn carry(outbox: Arc<Outbox>, address: Address) {
    let shutdown = outbox.tasks.shutdown.clone();
    let work = async {
        loop {
            if outbox.is_short(&address) {
                sleep(outbox.pace.window).await;
            }
            let Some(batch) = outbox.take(&address) else { return };
            if !deliver(&outbox, &address, &batch).await {
                return outbox.divert(&address, batch);
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown.cancelled() => {}
    }
}

/// Tries until it succeeds. `false` if the URL is given up, or somebody took it out of the registry.
async fn deliver(outbox: &Outbox, address: &Address, batch: &Batch) -> bool {
    let (api_key, url) = address;
    let mut changes = outbox.registry.watch();
    let mut first_failure = None;
    loop {
        if !outbox.registry.has(api_key, url) {
            return false;
        }
        outbox.stats.event_attempts.add(1);
        if attempt(outbox, url, batch).await {
            outbox.arrived(address, batch);
            return true;
        }
        let since = *first_failure.get_or_insert_with(Instant::now);
        if since.elapsed() >= outbox.pace.retry_for {
            tracing::warn!(api_key = %api_key, "a callback URL is given up and dead until it is changed");
            outbox.registry.bury(api_key, url);
            return false;
        }
        let next = Instant::now() + outbox.pace.retry;
        while outbox.registry.has(api_key, url) {
            tokio::select! {
                () = sleep_until(next) => break,
                Ok(()) = changes.changed() => {}
            }
        }
    }
}

/// One request; whether the answer is exactly 200. Credentials in the URL travel as Basic authentication.
async fn attempt(outbox: &Outbox, url: &str, batch: &Batch) -> bool {
    let bodies: Vec<&str> = batch.letters.iter().map(|letter| &*letter.body).collect();
    let body = if batch.grouped { format!("[{}]", bodies.join(",")) } else { bodies.concat() };
    let request = outbox.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
    match request.send().await {
        Ok(response) => {
            tracing::debug!(status = %response.status(), events = bodies.len(), "events were delivered");
            response.status() == StatusCode::OK
        }
        Err(error) => {
            tracing::debug!(error = %error.without_url(), "events could not be delivered");
            false
        }
    }
}

/// The client for all deliveries: it follows no redirect, for only a 200 of the URL itself counts.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .user_agent("Mailjet-Event-Api")
        .build()
}
