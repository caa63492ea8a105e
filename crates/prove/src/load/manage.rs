//! A hand that makes and revokes keys, suppresses addresses and lifts that again, and has the account tested.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::Load;
use crate::client::{Answer, ask};
use crate::tenant::Tenant;
use crate::told::Change;

/// Keys that are left alive at most, so that no tenant reaches its limit.
const KEYS: usize = 50;
/// The pause between two changes.
const PAUSE: Duration = Duration::from_millis(400);

/// Changes things until the load has ended, one after the other.
pub(super) async fn run(load: Arc<Load>, mut rng: Rng) -> Result<()> {
    let mut number = 0;
    while !load.has_ended() {
        load.open.fetch_add(1, Ordering::Relaxed);
        number += 1;
        let tenant = rng.usize(..load.site.tenants.len());
        match rng.u8(..8) {
            0..2 => make_key(&load, tenant, number).await,
            2 => revoke_key(&load, &mut rng).await,
            3..5 => suppress(&load, tenant, number).await,
            5 => lift(&load, &mut rng).await,
            6 => ask_for_test(&load, tenant).await,
            _ => read_account(&load, tenant).await,
        }
        load.open.fetch_sub(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn make_key(load: &Load, tenant: usize, number: u64) {
    let live = load.told.book().changes.iter().filter(|change| matches!(change, Change::KeyMade(..))).count();
    if live >= KEYS {
        return;
    }
    let body = json!({"scope": "send", "name": format!("key {number}")});
    let owner = load.site.tenant(tenant);
    let answer = load.post(owner, "/v1/keys", &body).await;
    if let Some(id) = answer.body(200).and_then(|made| made["keyId"].as_str().map(str::to_owned)) {
        load.told.book().changes.push(Change::KeyMade(tenant, id));
    }
}

async fn revoke_key(load: &Load, rng: &mut Rng) {
    let made = load.take(rng, |change| match change {
        Change::KeyMade(tenant, id) => Some((*tenant, id.clone())),
        _ => None,
    });
    let Some((tenant, id)) = made else { return };
    let path = format!("/v1/keys/{id}");
    // A try of which nobody heard may have done it.
    let answer = load.delete("a revocation", tenant, &path).await;
    if answer {
        load.told.book().changes.push(Change::KeyRevoked(tenant, id));
    }
}

async fn suppress(load: &Load, tenant: usize, number: u64) {
    let email = format!("nobody{number}@example.net");
    let owner = load.site.tenant(tenant);
    let body = json!({"email": email});
    let answer = load.post(owner, "/v1/suppressions", &body).await;
    if matches!(answer, Answer::Status(200 | 201, _)) {
        load.told.book().changes.push(Change::Suppressed(tenant, email));
    }
}

async fn lift(load: &Load, rng: &mut Rng) {
    let listed = load.take(rng, |change| match change {
        Change::Suppressed(tenant, email) => Some((*tenant, email.clone())),
        _ => None,
    });
    let Some((tenant, email)) = listed else { return };
    if load.delete("a suppression's end", tenant, &format!("/v1/suppressions/{email}")).await {
        load.told.book().changes.push(Change::Lifted(tenant, email));
    }
}

/// What the test says of the account depends on Mailjet; that it answers at all does not.
async fn ask_for_test(load: &Load, tenant: usize) {
    let owner = load.site.tenant(tenant);
    let answer = owner.post(load.ingest(), "/v1/providers/mailjet/test", &Value::Null).await;
    load.told.note("a test of the account", &answer, &[200]);
}

async fn read_account(load: &Load, tenant: usize) {
    let answer = load.site.tenant(tenant).get(load.ingest(), "/v1/providers/mailjet").await;
    load.told.note("the account", &answer, &[200]);
}

impl Load {
    /// Posts something until that is done.
    async fn post(&self, owner: &Tenant, path: &'static str, body: &Value) -> Answer {
        let mut patience = self.insist(path, &[200, 201]);
        loop {
            let answer = owner.post(self.ingest(), path, body).await;
            if patience.is_over(&answer).await {
                if answer.is_for_now() {
                    self.told.give_up(&answer);
                }
                return answer;
            }
        }
    }

    /// Takes a change out of the ledger that is about to be undone: until that is answered, nobody knows.
    fn take<T>(&self, rng: &mut Rng, which: impl Fn(&Change) -> Option<T>) -> Option<T> {
        let mut book = self.told.book();
        let places: Vec<usize> =
            (0..book.changes.len()).filter(|&at| which(&book.changes[at]).is_some()).collect();
        let place = *places.get(rng.usize(..places.len().max(1)))?;
        which(&book.changes.swap_remove(place))
    }

    /// Whether it was answered that something is gone. That it is not there is only so after a try of which nothing was
    /// heard.
    async fn delete(&self, what: &'static str, tenant: usize, path: &str) -> bool {
        let owner = self.site.tenant(tenant);
        let (first, later): (&'static [u16], &'static [u16]) = (&[204], &[204, 404]);
        let mut patience = self.insist(what, first);
        loop {
            let answer = ask(owner.request(self.ingest(), Method::DELETE, path)).await;
            if patience.is_over(&answer).await {
                if answer.is_for_now() {
                    self.told.give_up(&answer);
                }
                return matches!(answer, Answer::Status(204 | 404, _));
            }
            patience.expected = later;
        }
    }
}
