//! Readers: one looks at messages all the time, others follow the history of each tenant.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Load;
use crate::client::Answer;

/// The pause between two readings.
const PAUSE: Duration = Duration::from_millis(60);
/// Times that a page of a history may fail in a row once nothing more happens.
const FAILURES: usize = 100;
/// The pause at the end of a history.
const AT_THE_END: Duration = Duration::from_millis(250);
/// Messages that are looked at again: of the last so many.
const RECENT: usize = 300;

/// How far a message has come; what was read once can only become more.
fn rank(status: &str) -> u8 {
    match status {
        "sent" => 1,
        "delivered" | "bounced" => 2,
        "blocked" => 3,
        "unsubscribed" => 5,
        "complained" => 6,
        // Nothing follows.
        "canceled" | "suppressed" => 7,
        _ => 0,
    }
}

/// Reads messages until the load has ended: one that was there stays there, and none goes back.
pub(super) async fn run(load: Arc<Load>, mut rng: Rng) -> Result<()> {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut places = Vec::new();
    while !load.has_ended() {
        tokio::time::sleep(PAUSE).await;
        let place = {
            let book = load.told.book();
            let recent = book.sent.len().saturating_sub(rng.usize(1..=RECENT));
            // Every other reading is of one that was read before.
            if rng.bool() && !places.is_empty() { places[rng.usize(..places.len())] } else { recent }
        };
        let known = load.told.book().sent.get(place).and_then(|sent| Some((sent.tenant, sent.id.clone()?)));
        let Some((tenant, id)) = known else { continue };
        let path = format!("/v1/messages/{id}");
        let answer = load.site.tenant(tenant).get(load.ingest(), &path).await;
        load.told.note("a reading", &answer, &[200, 404]);
        let now = match &answer {
            Answer::Status(200, message) => message["status"].as_str().unwrap_or_default().to_owned(),
            Answer::Status(404, _) => "gone".to_owned(),
            _ => continue,
        };
        let mut book = load.told.book();
        match seen.get(&id) {
            Some(before) if now == "gone" || rank(&now) < rank(before) => {
                book.backwards.push(format!("{id} was {before}, then {now}"));
            }
            None if now == "gone" => {}
            before => {
                if before.is_some() {
                    book.readings += 1;
                } else {
                    places.push(place);
                }
                seen.insert(id, now);
            }
        }
    }
    Ok(())
}

/// What a reader met who kept its place.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// Every event's id.
    pub(crate) ids: HashSet<String>,
    /// Those that came twice.
    pub(crate) twice: Vec<String>,
}

/// Readers of the histories, one for each tenant.
pub(crate) struct Follower {
    tasks: JoinSet<Followed>,
    /// Nothing more is going to happen.
    over: Arc<AtomicBool>,
}

impl Follower {
    pub(super) fn start(load: &Arc<Load>) -> Self {
        let mut tasks = JoinSet::new();
        let over = Arc::new(AtomicBool::new(false));
        for tenant in 0..=load.site.tenants.len() {
            tasks.spawn(follow(Arc::clone(load), tenant, Arc::clone(&over)));
        }
        Self { tasks, over }
    }

    /// Reads to the end of each history.
    pub(crate) async fn finish(mut self) -> Result<Followed> {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Followed::default();
        while let Some(one) = self.tasks.join_next().await {
            let one = one?;
            all.ids.extend(one.ids);
            all.twice.extend(one.twice);
        }
        Ok(all)
    }
}

async fn follow(load: Arc<Load>, tenant: usize, over: Arc<AtomicBool>) -> Followed {
    let mut followed = Followed::default();
    let (mut after, mut failures) = (String::new(), 0);
    while failures < FAILURES {
        let was_over = over.load(Ordering::Relaxed);
        let Some((rows, next)) = load.site.tenant(tenant).feed(load.ingest(), &after).await else {
            failures = if was_over { failures + 1 } else { 0 };
            tokio::time::sleep(AT_THE_END).await;
            continue;
        };
        failures = 0;
        for row in &rows {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            if !followed.ids.insert(id.clone()) {
                followed.twice.push(id);
            }
        }
        match next {
            Some(next) => after = next,
            None if was_over => return followed,
            None => tokio::time::sleep(AT_THE_END).await,
        }
    }
    followed
}

/// The number of an event that was posted by hand.
pub(crate) fn number(event: &Value) -> Option<u64> {
    event["raw"]["Payload"].as_str()?.parse().ok()
}
