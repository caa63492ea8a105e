//! The spool: what ingest accepts onto its disk while RabbitMQ is away goes out once, in order, also after a crash.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
};

use reqwest::{Method, Url};
use serde_json::{Value, json};
use testbed::proxy::Proxy;

use crate::harness::{Raven, Tenant, http, http::Reply, plain, wait::until};

/// An empty directory for a spool.
fn directory(raven: &Raven, name: &str) -> PathBuf {
    let dir = raven.folder().join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// An ingest with a spool, and how to start it again with the same one.
struct Spooling {
    dir: String,
    limit: &'static str,
    url: Url,
}

impl Spooling {
    async fn start(raven: &mut Raven, limit: &'static str) -> Self {
        let dir = directory(raven, "spool").to_str().unwrap().to_owned();
        let mut this = Self { dir, limit, url: raven.url.clone() };
        this.again(raven).await;
        this
    }

    /// Starts it, and waits until it is ready.
    async fn again(&mut self, raven: &mut Raven) {
        let settings = [
            ("RAVEN_SPOOL_DIR", self.dir.as_str()),
            ("RAVEN_SPOOL_LIMIT", self.limit),
            ("RAVEN_PUBLISH_TIMEOUT", "2s"),
        ];
        self.url = raven.start_ingest_with(&settings).await;
    }

    async fn ask(&self, path: &str) -> Reply {
        http::send(http::client().request(Method::GET, self.url.join(path).unwrap())).await
    }

    async fn metric(&self, name: &str) -> u64 {
        let metrics = self.ask("/metrics").await.text;
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.map_or(0, |value| value.parse().unwrap())
    }

    async fn drained(&self) {
        let waiting = async || self.metric("raven_spool_messages").await;
        until("an empty spool", waiting, |&messages| messages == 0).await;
    }
}

/// Sends with an idempotency key; answers the id, and whether it was known.
async fn keyed(tenant: &Tenant, key: &str) -> (String, bool) {
    let message = plain("keyed@example.com");
    let request = tenant.request(Method::POST, "/v1/messages").header("Idempotency-Key", key).json(&message);
    let reply = http::send(request).await;
    let id = reply.expect(200)["id"].as_str().unwrap().to_owned();
    (id, reply.header("Idempotent-Replayed") == "true")
}

/// Single sends, a batch, and repeats under one key; the ids of all messages.
async fn send_all_kinds(tenant: &Tenant, name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(tenant.send_to(&format!("{name}{number}@example.com")).await);
    }
    let batch: Vec<Value> = (0..20).map(|number| plain(&format!("{name}b{number}@example.com"))).collect();
    ids.extend(tenant.send_batch(&batch).await);
    let (first, _) = keyed(tenant, name).await;
    assert_eq!(keyed(tenant, name).await, (first.clone(), true));
    ids.push(first);
    ids
}

async fn crashes_while_rabbitmq_is_away(name: &str, break_it: fn(&Proxy)) {
    let mut raven = Raven::start(name).await;
    let tenant = raven.tenant().await;
    let mut spooling = Spooling::start(&mut raven, "64MiB").await;
    let there = tenant.at(&spooling.url);
    let (silent, copy) = there.silent("told").await;
    there.tell(&[copy.open(1)]).await;

    break_it(&raven.proxies.rabbitmq);
    let mut ids = send_all_kinds(&there, "before").await;
    there.tell(&[copy.open(2), copy.sent(1)]).await;
    there.tell(&[copy.open(2), copy.open(3)]).await;
    let report = spooling.ask("/readyz").await;
    assert_eq!(report.status, 200, "what is away can be done without: {report:?}");
    assert!(spooling.metric("raven_spool_messages").await >= 30);
    raven.ingests[0].kill();

    spooling.again(&mut raven).await;
    let there = tenant.at(&spooling.url);
    assert!(spooling.metric("raven_spool_messages").await >= 30, "what was accepted is found again");
    let (again, _) = keyed(&there, "before").await;
    assert!(ids.contains(&again), "a key is the same message in another process");
    ids.extend(send_all_kinds(&there, "after").await);
    there.tell(&[copy.open(4)]).await;
    raven.ingests[1].kill();

    spooling.again(&mut raven).await;
    raven.proxies.rabbitmq.heal();
    spooling.drained().await;
    for id in &ids {
        tenant.settled(id, "delivered").await;
        raven.sim.only_copy(id).await;
    }
    // The four that were told, each once, and what the stand-in's silence leaves out.
    tenant.told(&silent, &["open", "open", "open", "open", "delivered"]).await;
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

#[tokio::test]
async fn nothing_spooled_is_lost_in_a_crash() {
    crashes_while_rabbitmq_is_away("nothing_spooled_is_lost_in_a_crash", Proxy::cut).await;
}

#[tokio::test]
async fn nothing_is_lost_while_rabbitmq_is_silent() {
    crashes_while_rabbitmq_is_away("nothing_is_lost_while_rabbitmq_is_silent", Proxy::swallow).await;
}

#[tokio::test]
async fn the_order_of_each_caller_is_kept() {
    let mut raven = Raven::without_worker("the_order_of_each_caller_is_kept").await;
    let (one, other) = (raven.tenant().await, raven.tenant().await);
    let spooling = Spooling::start(&mut raven, "64MiB").await;
    let callers = [one.at(&spooling.url), other.at(&spooling.url)];
    let mut sent: HashMap<String, Vec<String>> = HashMap::new();
    for number in 0..40 {
        // Before, during and after: what is accepted while the spool empties goes behind it.
        match number {
            4 => raven.proxies.rabbitmq.cut(),
            30 => raven.proxies.rabbitmq.heal(),
            _ => {}
        }
        for caller in &callers {
            let id = caller.send_to(&format!("r{number}@example.com")).await;
            sent.entry(caller.id.clone()).or_default().push(id);
        }
    }
    spooling.drained().await;
    let queued = raven.vhost.waiting("sends").await;
    for caller in &callers {
        let of_caller =
            queued.iter().filter(|next| next["properties"]["headers"]["raven-tenant"] == caller.id);
        let mut seen = HashSet::new();
        let ids = of_caller.map(|next| next["properties"]["message_id"].as_str().unwrap());
        // What was confirmed too late is there twice; the first is the one that counts.
        let ids: Vec<&str> = ids.filter(|id| seen.insert(*id)).collect();
        assert_eq!(ids, sent[&caller.id]);
    }
}

#[tokio::test]
async fn a_full_spool_refuses_and_loses_nothing() {
    let mut raven = Raven::start("a_full_spool_refuses_and_loses_nothing").await;
    let tenant = raven.tenant().await;
    let spooling = Spooling::start(&mut raven, "8KiB").await;
    let there = tenant.at(&spooling.url);
    raven.proxies.rabbitmq.cut();
    let (mut ids, message) = (Vec::new(), plain("ann@example.com"));
    let refused = loop {
        let reply = there.post("/v1/messages", &message).await;
        if reply.status != 200 {
            break reply;
        }
        ids.push(reply.json()["id"].as_str().unwrap().to_owned());
    };
    let batch = json!({"messages": [message, message, message]});
    for reply in [refused, there.post("/v1/messages/batch", &batch).await] {
        reply.problem(503, "queue_unavailable");
        assert!(reply.header("Retry-After").parse::<u32>().is_ok(), "{reply:?}");
    }
    assert!(ids.len() > 5, "{ids:?}");
    let unready = spooling.ask("/readyz").await;
    assert!(unready.status == 503 && unready.text.contains("full: "), "{unready:?}");
    assert_eq!(spooling.ask("/healthz").await.status, 200);

    raven.proxies.rabbitmq.heal();
    spooling.drained().await;
    until("readiness", async || spooling.ask("/readyz").await.status, |status| *status == 200).await;
    for id in &ids {
        tenant.settled(id, "delivered").await;
    }
    assert_eq!(raven.sim.stat("acceptedMessages").await, ids.len() as u64);
    assert_eq!(spooling.metric("raven_spool_accepted_total").await, ids.len() as u64);
    assert_eq!(spooling.metric("raven_spool_drained_total").await, ids.len() as u64);
}

#[tokio::test]
async fn what_is_left_at_the_end_is_there_at_the_next_start() {
    let mut raven = Raven::start("what_is_left_at_the_end_is_there_at_the_next_start").await;
    let tenant = raven.tenant().await;
    let mut spooling = Spooling::start(&mut raven, "64MiB").await;
    raven.proxies.rabbitmq.cut();
    let id = tenant.at(&spooling.url).send_to("ann@example.com").await;
    let file = format!("{}/spool.redb", spooling.dir);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it holds people's mail");
    assert!(raven.ingests[0].terminate().await.success());
    assert!(raven.ingests[0].log().contains("stay on disk"), "{}", raven.ingests[0].log());
    raven.proxies.rabbitmq.heal();
    spooling.again(&mut raven).await;
    tenant.settled(&id, "delivered").await;
    raven.sim.only_copy(&id).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_told_at_the_start() {
    let mut raven = Raven::without_worker("a_directory_that_cannot_be_used_is_told_at_the_start").await;
    let spooling = Spooling::start(&mut raven, "1MiB").await;
    let damaged = directory(&raven, "damaged");
    fs::write(damaged.join("spool.redb"), "not a spool").unwrap();
    let missing = raven.folder().join("missing");
    for (dir, words) in [
        (spooling.dir.as_str(), "another process"),
        (damaged.to_str().unwrap(), "move that file away"),
        (missing.to_str().unwrap(), "no directory"),
    ] {
        let ended = raven.run_service("raven-ingest", &[("RAVEN_SPOOL_DIR", dir)]).await;
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let told = |line: &&str| line.contains("RAVEN_SPOOL_DIR");
        let line = ended.stderr.lines().find(told).unwrap_or_default();
        assert!(line.contains(dir.trim_end_matches("damaged")), "{ended:?}");
        assert!(line.contains(words), "{ended:?}");
    }
    assert_eq!(spooling.ask("/readyz").await.status, 200, "the one that has it is none the worse");
}
