//! Whether service is back, and how long that took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Answer, ask};
use crate::load::Load;
use crate::program::{Program, Role};
use crate::told::{Canceled, Sent};
use crate::words::PLAIN;

/// Longer is not back by itself.
const LONGEST: Duration = Duration::from_mins(1);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// What may stand between a message and its being sent: nothing.
const GONE: [&str; 2] = ["sent", "delivered"];

/// Waits until a program can do its work.
pub(crate) async fn ready(program: &Program) -> Result<()> {
    let begun = Instant::now();
    while !program.is_ready().await {
        if let Some(fault) = program.has_ended() {
            bail!(fault);
        }
        if begun.elapsed() > LONGEST {
            bail!("{} is not ready within a minute", program.name);
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// How long after `gone` these programs said that they can work, and a message that was sent then, through each ingest of
/// them, had gone to Mailjet; `None` if that took too long. Faults of other tracks go on meanwhile.
pub(crate) async fn measure(
    load: &Load,
    tenant: usize,
    programs: &[&Program],
    gone: Instant,
) -> Option<Duration> {
    let back = async {
        for program in programs {
            while !program.is_ready().await {
                sleep(PAUSE).await;
            }
        }
        let ingests: Vec<_> = programs.iter().filter(|program| program.role == Role::Ingest).collect();
        for ingest in &ingests {
            send_through(load, tenant, Some(ingest)).await;
        }
        if ingests.is_empty() {
            send_through(load, tenant, None).await;
        }
    };
    timeout(LONGEST, back).await.ok()?;
    Some(gone.elapsed())
}

/// Sends, and waits until it has left.
async fn send_through(load: &Load, tenant: usize, at: Option<&Program>) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mark = format!("probe{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    load.told.book().enter(Sent {
        tenant,
        mark: mark.clone(),
        word: PLAIN,
        recipients: 1,
        keyed: true,
        id: None,
        canceled: Canceled::No,
    });
    let message =
        json!({"to": format!("{}+{mark}@example.com", PLAIN.text), "subject": mark, "bodyText": "Back?"});
    let owner = load.site.tenant(tenant);
    loop {
        let ingest = at.unwrap_or_else(|| load.ingest());
        let request = owner.request(ingest, Method::POST, "/v1/messages").header("Idempotency-Key", &mark);
        let answer = ask(request.json(&message).timeout(Duration::from_secs(2))).await;
        load.told.note("a probe", &answer, &[200]);
        if let Some(id) = answer.body(200).and_then(|body| body["id"].as_str().map(str::to_owned)) {
            load.told.book().answered(&mark, &id);
            return wait_for(load, tenant, &id).await;
        }
        sleep(PAUSE).await;
    }
}

async fn wait_for(load: &Load, tenant: usize, id: &str) {
    let path = format!("/v1/messages/{id}");
    loop {
        let request = load.site.tenant(tenant).request(load.ingest(), Method::GET, &path);
        let answer = ask(request.timeout(Duration::from_secs(2))).await;
        if let Answer::Status(200, message) = &answer
            && GONE.contains(&message["status"].as_str().unwrap_or_default())
        {
            return;
        }
        sleep(PAUSE).await;
    }
}
