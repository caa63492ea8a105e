//! While something is away the log tells so, and then keeps quiet: a line for each change of state, however much is going
//! on and however long it takes.

use serde_json::json;
use testbed::process::Process;
use tokio::time::sleep;

use crate::harness::{
    Raven, Tenant, http, plain,
    wait::{PAUSE, until},
};

/// Sends and webhooks during one trouble. They come as fast as they are answered, but no faster than one in a pause.
const REQUESTS: usize = 150;
/// The most that a process may tell of one trouble: a worker has five connections, each of which goes and comes back.
const LINES: usize = 12;
/// Tenants whose messages and events these are.
const TENANTS: usize = 3;

/// What each process has told since the last look.
struct Logs(Vec<usize>);

impl Logs {
    fn of(raven: &Raven) -> Self {
        Self(processes(raven).map(|process| process.log().lines().count()).collect())
    }

    /// Fails where a process has told more than it should, with what it told.
    fn assert_quiet(&self, raven: &Raven, what: &str) {
        for (process, before) in processes(raven).zip(&self.0) {
            let log = process.log();
            let new: Vec<&str> = log.lines().skip(*before).collect();
            println!("{what}: {} lines", new.len());
            assert!(new.len() <= LINES, "{what}: {} lines\n{}", new.len(), new.join("\n"));
        }
    }
}

fn processes(raven: &Raven) -> impl Iterator<Item = &Process> {
    [&raven.ingest, &raven.workers[0]].into_iter()
}

/// Sends and tells events, whatever the answers; answers what was accepted.
async fn load(tenants: &[Tenant]) -> Vec<(Tenant, String)> {
    let mut accepted = Vec::new();
    for number in 0..REQUESTS {
        let tenant = &tenants[number % tenants.len()];
        let message = plain(&format!("r{number}@example.com"));
        let event =
            json!([{"event": "open", "time": 1_767_225_600, "MessageID": 5, "email": "x@example.com"}]);
        let (sent, told) =
            tokio::join!(tenant.post("/v1/messages", &message), tenant.webhook(event.to_string()));
        assert!([200, 503].contains(&told.status), "{told:?}");
        match sent.status {
            200 => accepted.push((tenant.clone(), sent.json()["id"].as_str().expect("an id").to_owned())),
            _ => assert_eq!(sent.status, 503, "{sent:?}"),
        }
        sleep(PAUSE).await;
    }
    accepted
}

/// Has trouble under load, and counts what was told of it.
async fn quiet(name: &str, trouble: impl AsyncFnOnce(&Raven), heal: impl AsyncFnOnce(&Raven)) {
    let raven = Raven::start(name).await;
    let mut tenants = Vec::new();
    for _ in 0..TENANTS {
        let tenant = raven.tenant().await;
        let id = tenant.send_to("first@example.com").await;
        tenant.settled(&id, "delivered").await;
        tenants.push(tenant);
    }
    let logs = Logs::of(&raven);
    trouble(&raven).await;
    let accepted = load(&tenants).await;
    heal(&raven).await;
    for url in [&raven.url, &raven.worker_urls[0]] {
        let url = url.join("readyz").expect("a path");
        let ready = async || http::send(http::client().get(url.clone())).await.status;
        until("readiness", ready, |status| *status == 200).await;
    }
    println!("{name}: {} messages accepted", accepted.len());
    for (tenant, id) in accepted {
        tenant.settled(&id, "delivered").await;
    }
    logs.assert_quiet(&raven, name);
}

#[tokio::test]
async fn quiet_without_rabbitmq() {
    let name = "quiet_without_rabbitmq";
    quiet(name, async |raven| raven.proxies.rabbitmq.cut(), async |raven| raven.proxies.rabbitmq.heal())
        .await;
}

#[tokio::test]
async fn quiet_with_a_silent_rabbitmq() {
    let name = "quiet_with_a_silent_rabbitmq";
    quiet(name, async |raven| raven.proxies.rabbitmq.swallow(), async |raven| raven.proxies.rabbitmq.heal())
        .await;
}

#[tokio::test]
async fn quiet_without_postgres() {
    let name = "quiet_without_postgres";
    quiet(name, async |raven| raven.proxies.postgres.cut(), async |raven| raven.proxies.postgres.heal())
        .await;
}

#[tokio::test]
async fn quiet_with_a_silent_postgres() {
    let name = "quiet_with_a_silent_postgres";
    quiet(name, async |raven| raven.proxies.postgres.swallow(), async |raven| raven.proxies.postgres.heal())
        .await;
}

#[tokio::test]
async fn quiet_while_commits_are_lost() {
    let name = "quiet_while_commits_are_lost";
    let lose = async |raven: &Raven| raven.proxies.postgres.lose_commits();
    quiet(name, lose, async |raven| raven.proxies.postgres.heal()).await;
}

#[tokio::test]
async fn quiet_without_mailjet() {
    let name = "quiet_without_mailjet";
    quiet(name, async |raven| raven.proxies.mailjet.cut(), async |raven| raven.proxies.mailjet.heal()).await;
}

#[tokio::test]
async fn quiet_with_a_silent_mailjet() {
    let name = "quiet_with_a_silent_mailjet";
    quiet(name, async |raven| raven.proxies.mailjet.swallow(), async |raven| raven.proxies.mailjet.heal())
        .await;
}

/// Mailjet answers every call, and each time with this.
async fn quiet_with(name: &str, kind: &str) {
    quiet(name, async |raven| raven.sim.fault(kind, None, 0).await, async |raven| raven.sim.heal().await)
        .await;
}

#[tokio::test]
async fn quiet_while_mailjet_limits() {
    quiet_with("quiet_while_mailjet_limits", "rate_limit").await;
}

#[tokio::test]
async fn quiet_while_mailjet_knows_nobody() {
    quiet_with("quiet_while_mailjet_knows_nobody", "unauthorized").await;
}

#[tokio::test]
async fn quiet_while_mailjet_fails() {
    quiet_with("quiet_while_mailjet_fails", "server_error").await;
}
